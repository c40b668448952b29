"""The invariants on a real server: the same properties as in memory, of fewer lives, since each tick costs ten times as much."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import test_imports_and_merges
import test_invariants
import test_told_in_any_order
from hypothesis import given, settings
from postgres import Server
from sqlalchemy import text

from newsletter.store import Store
from newsletter.store.schema import metadata

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def url(postgres: Server, postgres_template: str) -> Iterator[str]:
    with postgres.database(template=postgres_template) as name:
        yield postgres.url(name)


def fewer(test: Any, lives: int, *strategies: Any) -> Callable[[], None]:
    """*test*, a property of *strategies*, for so many *lives* only."""
    return settings(max_examples=lives)(given(*strategies)(test.hypothesis.inner_test))  # type: ignore[no-any-return]


PROPERTIES = [
    (test_invariants, fewer(test_invariants.test_whatever_happens_the_rules_hold, 4, *test_invariants.LIVES)),
    (test_invariants, fewer(test_invariants.test_plan_says_what_the_next_tick_does, 6, *test_invariants.FORESEEN)),
    (
        test_imports_and_merges,
        fewer(
            test_imports_and_merges.test_nobody_gets_a_post_twice_and_nobody_who_left_is_active,
            6,
            test_imports_and_merges.STEPS,
        ),
    ),
    (
        test_told_in_any_order,
        fewer(
            test_told_in_any_order.test_nothing_goes_backwards_and_every_event_counts_once,
            6,
            test_told_in_any_order.TOLD,
        ),
    ),
]


@pytest.mark.parametrize(("module", "holds"), PROPERTIES, ids=["the rules", "the forecast", "imports", "what is told"])
def test_it_holds_on_a_server_too(
    module: ModuleType, holds: Callable[[], None], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = list[Store]()

    def empty() -> Store:
        store = Store.open(url)
        with store.engine.begin() as c:
            c.execute(text(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY CASCADE"))
        opened.append(store)
        return store

    monkeypatch.setattr(module, "Store", SimpleNamespace(in_memory=empty))
    holds()
    assert opened
