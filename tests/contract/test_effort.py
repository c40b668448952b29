"""What the database looks at for a tick: each reader once, and of the posts the next one."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event
from world import ANA, BO, World

from newsletter.config import Mode


@pytest.fixture
def explained(world: World) -> list[str]:
    """SQLite's query plan of every statement that writes deliveries, from here on."""
    steps: list[str] = []

    def explain(connection: Any, _cursor: Any, statement: str, values: Any, _context: Any, _many: bool) -> None:
        if statement.startswith("INSERT INTO delivery"):
            rows = connection.connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)
            steps.extend(row[3] for row in rows)

    event.listen(world.store.engine, "before_cursor_execute", explain)
    return steps


@pytest.mark.parametrize("database", ["sqlite"])
@pytest.mark.parametrize("mode", list(Mode))
def test_planning_seeks_the_next_post_and_never_looks_through_them(
    world: World, explained: list[str], mode: Mode
) -> None:
    world.rules(mode=mode)
    world.posts(1, 2, 3)
    world.join(ANA, BO)
    world.tick()
    assert "SCAN s" in explained, "the readers, one after another"
    assert "SEARCH c USING INDEX ix_post_number (number>?)" in explained
    assert not [step for step in explained if step.startswith("SCAN") and step != "SCAN s"]
    assert not [step for step in explained if "TEMP B-TREE" in step], "nothing is sorted, so nothing is kept in memory"
