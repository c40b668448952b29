"""Imports that are taken back, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from desk import DAY, MINUTE, Desk, hashed, row

from newsletter.errors import NotFound
from newsletter.mail import Accepted, Address
from newsletter.store import Store
from newsletter.store.imports import Origin, Undone
from newsletter.store.joining import Taken
from newsletter.subscribers import BadRow, Cause, Row, Status

LEFT = Status.UNSUBSCRIBED


@pytest.fixture
def desk(store: Store) -> Iterator[Desk]:
    """Three posts and nobody yet; the accounts balance in the end."""
    made = Desk(store)
    made.publish(1, 2, 3)
    yield made
    assert made.verify() == []


def imported(desk: Desk, *rows: Row | str, confirmed: bool = True, file: str = "list.csv") -> Taken:
    given = [row(r) if isinstance(r, str) else r for r in rows]
    desk.at += MINUTE
    return desk.store.audience.import_rows(
        given, confirmed=confirmed, floor=-1, fingerprint=hashed, at=desk.at, origin=Origin(file, "a sheet of paper")
    )


def undone(desk: Desk, number: int | None = None) -> Undone:
    desk.at += MINUTE
    return desk.store.imports.undo(number, at=desk.at)


def counted(found: Undone) -> tuple[int, int, int, int]:
    return found.removed, found.stopped, found.restored, found.kept


def status(desk: Desk, name: str) -> Status | None:
    try:
        return desk.store.audience.find(f"{name}@example.org").status
    except NotFound:
        return None


def a_day_passes(desk: Desk) -> None:
    desk.at += DAY
    desk.deliver()


def test_who_was_sent_nothing_is_gone_without_a_trace(desk: Desk) -> None:
    imported(desk, "ana", "ben")
    desk.at += DAY
    desk.plan()
    desk.claim()
    assert counted(undone(desk)) == (2, 0, 0, 0)
    for table in ("subscriber", "consent", "delivery", "imported"):
        assert desk.ask(f"SELECT COUNT(*) FROM {table}") == [(0,)], table
    assert imported(desk, "ana").added == 1, "a corrected file brings them in"


def test_many_go_at_once(desk: Desk) -> None:
    imported(desk, *[f"reader{n}" for n in range(80)], "kept")
    desk.sql("UPDATE subscriber SET status = 'unsubscribed' WHERE key = 'kept@example.org'")
    desk.at += DAY
    desk.plan()
    assert counted(undone(desk)) == (80, 0, 0, 1)
    assert desk.store.audience.counts()["unsubscribed"] == 1


def test_who_was_sent_something_gets_nothing_more_and_goes_on_when_imported_again(desk: Desk) -> None:
    imported(desk, "ana")
    a_day_passes(desk)
    desk.at += DAY
    desk.plan()
    assert counted(undone(desk)) == (0, 1, 0, 0)
    assert (status(desk, "ana"), desk.states("ana")) == (Status.PENDING, ["1 accepted", "2 withdrawn"])
    reader = desk.store.audience.find("ana@example.org")
    assert [c[1:3] for c in desk.store.accounts.consent(reader)] == [("imported", "active"), ("undone", "pending")]
    for _ in range(3):
        a_day_passes(desk)
    assert desk.states("ana") == ["1 accepted", "2 withdrawn"]
    imported(desk, "ana")
    a_day_passes(desk)
    assert desk.states("ana") == ["1 accepted", "2 accepted"]


def test_what_is_being_handed_over_counts_as_sent(desk: Desk) -> None:
    imported(desk, "ana")
    desk.at += DAY
    claims = desk.submitting()
    assert counted(undone(desk)) == (0, 1, 0, 0)
    assert desk.record(claims, Accepted()) == 0
    assert desk.states("ana") == ["1 accepted"]


@pytest.mark.parametrize("how", [Cause.UNSUBSCRIBED, Cause.COMPLAINED, Cause.BOUNCED])
def test_who_left_stays_away(desk: Desk, how: Cause) -> None:
    imported(desk, "ana")
    to = LEFT if how is Cause.UNSUBSCRIBED else Status.SUPPRESSED
    desk.store.audience.change("ana@example.org", how, to, at=desk.at)
    assert counted(undone(desk)) == (0, 0, 0, 1)
    assert status(desk, "ana") is to
    assert imported(desk, "ana") == Taken(rows=1, kept_out=1)


def test_who_said_yes_since_stays_a_reader(desk: Desk) -> None:
    imported(desk, "ana", confirmed=False)
    desk.store.audience.change("ana@example.org", Cause.CONFIRMED, Status.ACTIVE, at=desk.at)
    imported(desk, "ben", confirmed=False)
    desk.store.audience.add(row("ben"), floor=-1, at_once=False, fingerprint=hashed, at=desk.at)
    imported(desk, "col")
    desk.store.audience.take_file([row("col")], floor=-1, fingerprint=hashed, at=desk.at)
    assert [counted(undone(desk, n)) for n in (1, 2, 3)] == [(0, 0, 0, 1)] * 3
    assert [status(desk, name) for name in ("ana", "ben", "col")] == [Status.ACTIVE] * 3


def test_who_was_pending_before_is_pending_again(desk: Desk) -> None:
    imported(desk, "ana", confirmed=False)
    imported(desk, "ana", "ben")
    assert status(desk, "ana") is Status.ACTIVE
    assert counted(undone(desk)) == (1, 1, 0, 0)
    assert (status(desk, "ana"), status(desk, "ben")) == (Status.PENDING, None)
    assert counted(undone(desk)) == (1, 0, 0, 0), "as if neither had been"
    assert status(desk, "ana") is None


def test_fields_are_as_before_unless_somebody_changed_them_since(desk: Desk) -> None:
    desk.store.audience.add(row("ana", name="Ana"), floor=-1, at_once=False, fingerprint=hashed, at=desk.at)
    desk.store.audience.add(row("ben", name="Ben"), floor=-1, at_once=False, fingerprint=hashed, at=desk.at)
    tags = frozenset({"grief"})
    imported(desk, row("ana", name="A.", timezone="Asia/Tokyo", tags=tags), row("ben", name="B."))
    desk.sql("UPDATE subscriber SET name = 'Benedict', own_fields = 1 WHERE key = 'ben@example.org'")
    assert [t.changed for t in desk.store.imports.of(desk.store.audience.find("ana@example.org"))] == [
        ("name", "time zone", "tags")
    ]
    assert counted(undone(desk)) == (0, 0, 1, 0)
    ana, ben = desk.store.audience.readers()
    assert (ana.name, ana.timezone, ana.tags, ben.name) == ("Ana", "", frozenset(), "Benedict")


@pytest.mark.parametrize("order", [(1, 2), (2, 1)], ids=["the first import first", "the last import first"])
def test_two_imports_of_the_same_people_are_undone_in_any_order(desk: Desk, order: tuple[int, int]) -> None:
    desk.store.audience.add(row("ana", name="Ana"), floor=-1, at_once=False, fingerprint=hashed, at=desk.at)
    imported(desk, row("ana", name="A."), "ben")
    imported(desk, row("ana", name="Anna"), "ben", "col")
    first, second = (counted(undone(desk, n)) for n in order)
    assert first == ((0, 0, 0, 1) if order == (1, 2) else (1, 0, 1, 0))
    assert second == ((2, 0, 1, 0) if order == (1, 2) else (1, 0, 1, 0))
    (ana,) = desk.store.audience.readers()
    assert ana.name == "Ana"


def test_of_two_imports_the_one_that_vouched_counts(desk: Desk) -> None:
    imported(desk, "ana")
    imported(desk, "ana", confirmed=False)
    assert counted(undone(desk, 1)) == (0, 1, 0, 0)
    assert status(desk, "ana") is Status.PENDING
    assert counted(undone(desk, 2)) == (1, 0, 0, 0)


def test_each_import_is_undone_once(desk: Desk) -> None:
    with pytest.raises(NotFound, match="no import that could be taken back"):
        undone(desk)
    imported(desk, "ana")
    with pytest.raises(NotFound, match="there is no import 7"):
        undone(desk, 7)
    undone(desk)
    with pytest.raises(NotFound, match=r"import 1 \(list.csv\) was taken back already"):
        undone(desk, 1)
    (record,) = desk.store.imports.all()
    assert (record.number, record.file, record.source, record.added) == (1, "list.csv", "a sheet of paper", 1)
    assert record.undone_at == desk.at - MINUTE


def test_where_they_said_yes_is_kept_with_each(desk: Desk) -> None:
    imported(desk, "ana")
    shown = desk.store.accounts.evidence(desk.store.audience.find("ana@example.org"))
    assert [(e.form, e.wording) for e in shown] == [("import 1 (list.csv)", "a sheet of paper")]


# What a file says of where they stood


def test_who_had_left_there_is_kept_out_for_good(desk: Desk) -> None:
    taken = imported(desk, row("ana", status=LEFT), row("ben", status=Status.SUPPRESSED), "col")
    assert (taken.added, taken.left_there) == (1, 2)
    assert imported(desk, "ana", "ben") == Taken(rows=2, kept_out=2)
    assert counted(undone(desk, 1)) == (1, 0, 0, 0)
    assert imported(desk, "ana").added == 1, "the mistaken file is forgotten"


def test_another_import_that_says_so_still_keeps_them_out(desk: Desk) -> None:
    imported(desk, row("ana", status=LEFT))
    imported(desk, row("ana", status=LEFT))
    undone(desk, 1)
    assert imported(desk, "ana").added == 0


def test_a_reader_here_who_had_left_there_is_told_of_and_stays(desk: Desk) -> None:
    imported(desk, "ana")
    taken = imported(desk, row("ana", status=LEFT))
    assert (taken.left_there, taken.left_but_known, status(desk, "ana")) == (1, 1, Status.ACTIVE)


def test_who_had_not_confirmed_there_waits_here(desk: Desk) -> None:
    taken = imported(desk, row("ana", status=Status.PENDING), "ben")
    assert (taken.added, status(desk, "ana"), status(desk, "ben")) == (2, Status.PENDING, Status.ACTIVE)
    imported(desk, row("ana", status=Status.PENDING))
    assert status(desk, "ana") is Status.PENDING, "no owner's word for those who had not confirmed"
    desk.at += DAY
    assert desk.plan().planned == {1: 1}


@pytest.mark.parametrize("first", [None, LEFT])
def test_of_two_rows_for_one_person_the_one_that_left_counts(desk: Desk, first: Status | None) -> None:
    rows = [row("ana", status=first), row("ana", status=None if first else LEFT)]
    assert imported(desk, *rows).added == 0
    assert desk.store.audience.counts()["active"] == 0


def test_her_own_file_heeds_a_status_too(desk: Desk) -> None:
    rows: list[Row | BadRow] = [row("ana", status=LEFT), row("ben", status=Status.PENDING), row("col")]
    taken = desk.store.audience.take_file(rows, floor=-1, fingerprint=hashed, at=desk.at)
    assert (taken.added, [str(r.address) for r in desk.store.audience.readers()]) == (1, ["col@example.org"])


def test_erased_addresses_stay_out_in_every_spelling(desk: Desk) -> None:
    person = Address.parse("Ana@BÜCHER.example")
    desk.store.audience.import_rows(
        [Row(2, person)], confirmed=True, floor=-1, fingerprint=hashed, at=desk.at - timedelta(days=1)
    )
    desk.store.audience.erase(str(person), keep_hash=True, fingerprint=hashed, at=desk.at)
    for spelling in (
        "ana@bücher.example",
        "ANA@xn--bcher-kva.example",
        "ana@bu\u0308cher.example",
        "ana@ＢÜCHER.example",
    ):
        taken = imported(desk, Row(2, Address.parse(spelling)))
        assert (taken.added, taken.kept_out) == (0, 1), spelling
