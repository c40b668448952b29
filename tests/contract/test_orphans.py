"""What the ledger refers to is on record: held by statements and locks on PostgreSQL, and looked for by `verify`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from time import sleep
from typing import Any

import pytest
from desk import BUSY, DAY, GONE, MINUTE, SLOT, Desk, hashed
from sqlalchemy import text

from newsletter.mail import Accepted, Deferred, Outcome
from newsletter.store import Store, attempts, forgetting, planning
from newsletter.store.attempts import Result

ORPHANS = {
    "UPDATE delivery SET subscriber_id = 9001 WHERE id = 1":
        "Deliveries to readers who are not on record: 1, such as to reader 9001.",
    "UPDATE delivery SET post_id = 9002 WHERE id = 1":
        "Deliveries of posts that are not on record: 1, such as of post 9002.",
    "UPDATE delivery SET revision = 'lost' WHERE revision = 'revision-1'":
        "Deliveries of a text that was not kept: 2, such as of lost.",
    "UPDATE attempt SET delivery_id = delivery_id + 9000":
        "Attempts at deliveries that are not on record: 2, such as at delivery 9001.",
    "UPDATE subscriber SET high_water = 9003":
        "Readers at posts that are not on record: 2, such as at post 9003.",
}  # fmt: skip


@pytest.fixture
def desk(store: Store) -> Desk:
    """#1 accepted by both readers, #2 not planned yet."""
    made = Desk(store)
    made.publish(1, 2)
    made.join("ana", "ben")
    made.deliver()
    made.at += DAY
    return made


def test_verify_names_what_refers_to_nothing(desk: Desk) -> None:
    store, found = desk.store, set[str]()
    for statement, sentence in ORPHANS.items():
        with closing(store.engine.raw_connection()) as raw:
            cursor = raw.cursor()
            if store.engine.dialect.name == "sqlite":
                cursor.execute("PRAGMA foreign_keys=OFF")
            cursor.execute(statement)
            raw.commit()
        found |= {sentence}
        assert found <= set(desk.verify()), statement
        if "9001 " in statement:  # so that the next one has a delivery to somebody
            desk.sql("UPDATE delivery SET subscriber_id = (SELECT MIN(id) FROM subscriber) WHERE id = 1")
            found -= {sentence}


# On PostgreSQL locks stand in for five foreign keys.


@contextmanager
def meanwhile(store: Store, work: Callable[[Store], object]) -> Iterator[None]:
    """Begin *work* in another program, until it waits for a lock or is done; at the end it has to be done."""
    other, raised = Store.open(store.url), list[BaseException]()

    def run() -> None:
        try:
            work(other)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    waits = text(
        "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    thread.start()
    try:
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as c:
            while thread.is_alive() and not c.scalar(waits):
                sleep(0.01)
        yield
    finally:
        thread.join()
        other.close()
    assert not raised, raised


def erase(store: Store) -> None:
    store.audience.erase("ana@example.org", keep_hash=False, fingerprint=hashed, at=SLOT + DAY)


@pytest.fixture
def on_postgresql(desk: Desk) -> Desk:
    if desk.store.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has one writer")
    return desk


@pytest.mark.parametrize("locked", [True, False], ids=["with the lock", "without it"])
def test_nobody_is_erased_while_a_plan_is_made(
    locked: bool, on_postgresql: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, plan = on_postgresql, planning.plan_within
    if not locked:
        monkeypatch.setattr(forgetting, "plan_alone", lambda c: None)
    with ExitStack() as end:

        def slow(*given: Any, **more: Any) -> planning.Planned:
            found = plan(*given, **more)
            monkeypatch.setattr(planning, "plan_within", plan)
            end.enter_context(meanwhile(desk.store, erase))  # its deliveries are not committed yet
            return found

        monkeypatch.setattr(planning, "plan_within", slow)
        assert desk.plan().count == 2
    lost = [line for line in desk.verify() if "readers who are not on record" in line]
    assert len(lost) == (0 if locked else 1)
    assert not locked or desk.verify() == []


@pytest.mark.parametrize("outcome", [Accepted(), Deferred(BUSY), GONE], ids=["accepted", "deferred", "rejected"])
def test_nobody_is_erased_while_an_outcome_is_recorded(outcome: Outcome, on_postgresql: Desk) -> None:
    desk = on_postgresql
    claims = desk.submitting()
    with ExitStack() as end, desk.store.write() as c:
        c.execute(text("SELECT 1 FROM delivery WHERE id = :id FOR UPDATE"), {"id": claims[0].id})
        end.enter_context(meanwhile(desk.store, erase))
        results = [Result(claim, outcome, desk.at + MINUTE) for claim in claims]
        assert attempts.record(c, results, "fake", desk.at, MINUTE) == 0
    assert desk.verify() == []
    assert len(desk.ask("SELECT 1 FROM subscriber")) == 1
