"""What the database looks at for a tick: each reader once for a slot, and of the posts the next one."""

from __future__ import annotations

from typing import Any

import pytest
from desk import DAY, SLOT, SPAM, Desk, hashed, row
from sqlalchemy import event, text
from world import ANA, BO, World

from newsletter.config import First, Mode
from newsletter.store import planning, stirring


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


@pytest.mark.parametrize("database", ["sqlite"])
def test_within_a_slot_only_those_are_looked_at_to_whom_something_happened(world: World, explained: list[str]) -> None:
    one_by_one = "SEARCH s USING INTEGER PRIMARY KEY (rowid=?)"
    world.posts(1, 2, 3)
    world.join(ANA, BO)
    world.tick("2 09:00")
    assert one_by_one not in explained, "everybody, as a slot has begun"
    world.tick("2 10:00")
    assert one_by_one in explained


class TestStirred:
    """That whoever is overlooked would be missed, `nobody_overlooked` holds for all tests."""

    @pytest.fixture
    def looked(self, store: Any) -> Desk:
        """Ana has #1, #2 is there; all are looked at for this slot."""
        desk = Desk(store, first=First.AT_ONCE)
        desk.publish(1, 2)
        desk.join("ana")
        desk.deliver()
        desk.at += DAY / 24
        assert desk.plan().count == 0
        assert waiting(desk) == 0
        return desk

    def test_letters_that_arrive_stir_nobody(self, looked: Desk) -> None:
        looked.at += DAY
        looked.deliver()
        assert waiting(looked) == 0

    def test_what_is_overlooked_waits_for_the_next_slot(self, looked: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        at_once(looked, "bo")
        with looked.store.write() as c:
            c.execute(text("DELETE FROM stirred"))
        with monkeypatch.context() as alone:
            alone.setattr(planning._Run, "plan", planning._Run.plan.__wrapped__)  # type: ignore[attr-defined]  # not held to account
            assert looked.plan().planned == {}
        looked.at += DAY
        assert looked.plan().planned == {1: 1, 2: 1}

    def test_who_confirms_is_looked_at_once(self, looked: Desk) -> None:
        at_once(looked, "bo")
        assert waiting(looked)
        assert looked.plan().planned == {1: 1}
        assert waiting(looked) == 0

    def test_who_is_erased_is_written_down_no_more(self, looked: Desk) -> None:
        at_once(looked, "bo")
        looked.store.audience.erase("bo@example.org", keep_hash=False, fingerprint=hashed, at=looked.at)
        assert waiting(looked) == 0

    def test_a_letter_that_is_refused_makes_room_for_the_next(self, looked: Desk) -> None:
        looked.at += DAY
        looked.deliver(SPAM)
        assert waiting(looked) == 1

    def test_who_waits_for_the_gap_alone_is_written_down_once_and_looked_at_when_it_is_over(self, store: Any) -> None:
        desk = Desk(store, min_gap=DAY + DAY / 12)
        desk.publish(1, 2)
        desk.join("ana")
        desk.deliver()
        for hours in (24, 25):
            desk.at = SLOT + hours * DAY / 24
            stirring_all(desk)
            assert desk.plan().count == 0
            assert waiting(desk) == 1
        desk.at = SLOT + 26 * DAY / 24
        assert desk.plan().planned == {2: 1}
        assert waiting(desk) == 0

    def test_news_write_nobody_down(self, store: Any) -> None:
        desk = Desk(store, mode=Mode.BROADCAST)
        desk.publish(1, 2, release_at=SLOT)
        desk.join("ana")
        desk.deliver()
        for _ in range(3):
            desk.at += DAY / 24
            desk.plan()
        assert waiting(desk) == 0

    def test_a_crowd_is_no_dearer_than_everybody(self, looked: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(stirring, "_MANY", 2)
        for name in ("bo", "cy", "di"):
            at_once(looked, name)
        assert looked.plan().planned == {1: 3}
        assert waiting(looked) == 0


def at_once(desk: Desk, name: str) -> None:
    """Somebody who signed up on the web and has just confirmed."""
    desk.store.audience.add(row(name), floor=-1, at_once=True, fingerprint=hashed, at=desk.at)


def stirring_all(desk: Desk) -> None:
    with desk.store.write() as c:
        stirring.look_at_all(c)


def waiting(desk: Desk) -> int:
    with desk.store.read() as c:
        return int(c.scalar(text("SELECT COUNT(*) FROM stirred")) or 0)
