"""The readers, on both databases: files, imports, consent, suppression, erasure."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from random import Random

import pytest
from desk import DAY, DOUBT, MINUTE, Desk, hashed, row
from sqlalchemy import text

from newsletter.errors import NotFound, StoreBusy, SubscriberError
from newsletter.mail import About, Accepted, Address, Deferred, Rejected, Reply
from newsletter.store import Store
from newsletter.store.attempts import Result
from newsletter.store.joining import Taken
from newsletter.subscribers import STANDINGS, BadRow, Cause, Pause, Row, Status, may

LEFT = Status.UNSUBSCRIBED


@pytest.fixture
def desk(store: Store) -> Iterator[Desk]:
    """Three posts and nobody yet; the accounts balance in the end."""
    made = Desk(store)
    made.publish(1, 2, 3)
    yield made
    assert made.verify() == []


def file(desk: Desk, *rows: Row | BadRow | str, meant: bool = False, dry_run: bool = False, floor: int = -1) -> Taken:
    """The owner's file as it is now."""
    given = [row(r) if isinstance(r, str) else r for r in rows]
    return desk.store.audience.take_file(
        given, floor=floor, fingerprint=hashed, at=desk.at, meant=meant, dry_run=dry_run
    )


def imported(desk: Desk, *rows: Row | str, confirmed: bool = True, dry_run: bool = False) -> Taken:
    given = [row(r) if isinstance(r, str) else r for r in rows]
    return desk.store.audience.import_rows(
        given, confirmed=confirmed, floor=-1, fingerprint=hashed, at=desk.at, dry_run=dry_run
    )


def change(desk: Desk, name: str, cause: Cause, status: Status) -> None:
    desk.store.audience.change(f"{name}@example.org", cause, status, at=desk.at)


def status(desk: Desk, name: str) -> Status:
    return desk.store.audience.find(f"{name}@example.org").status


def causes(desk: Desk, name: str) -> list[tuple[str, str]]:
    reader = desk.store.audience.find(f"{name}@example.org")
    return [(cause, after) for _, cause, after, _ in desk.store.accounts.consent(reader)]


def erase(desk: Desk, name: str, *, keep_hash: bool = True) -> bool:
    return desk.store.audience.erase(f"{name}@example.org", keep_hash=keep_hash, fingerprint=hashed, at=desk.at)


# A file that is imported once


def test_imported_people_are_active_from_their_next_slot_on(desk: Desk) -> None:
    confirmed = datetime(2025, 1, 2, tzinfo=UTC)
    desk.at += timedelta(minutes=1)
    taken = imported(
        desk, row("ana", name="Ana", tags=frozenset({"Grief"}), timezone="Europe/Lisbon", confirmed_at=confirmed)
    )
    assert taken == Taken(rows=1, added=1)
    ana = desk.store.audience.find("ANA@example.org")
    assert (ana.name, ana.timezone, ana.tags, ana.status) == (
        "Ana",
        "Europe/Lisbon",
        frozenset({"grief"}),
        Status.ACTIVE,
    )
    assert (ana.confirmed_at, ana.created_at, ana.position, ana.had_through) == (confirmed, desk.at, -1, None)
    assert causes(desk, "ana") == [("imported", "active")]
    assert desk.plan().planned == {}
    desk.at += DAY
    assert desk.plan().planned == {1: 1}


def test_imported_people_who_must_confirm_get_nothing(desk: Desk) -> None:
    imported(desk, "ana", confirmed=False)
    desk.at += 2 * DAY
    assert desk.plan().planned == {}
    change(desk, "ana", Cause.CONFIRMED, Status.ACTIVE)
    desk.at += DAY
    assert desk.plan().planned == {1: 1}


def test_what_people_had_is_read_from_the_file(desk: Desk) -> None:
    imported(desk, row("ana", had_through=2), "ben")
    desk.at += DAY
    assert desk.plan().planned == {1: 1, 3: 1}


def test_importing_again_adds_nobody_twice_and_moves_nobody(desk: Desk) -> None:
    imported(desk, "ana")
    desk.at += DAY
    desk.deliver()
    assert imported(desk, row("ana", had_through=3), "ben") == Taken(rows=2, added=1)
    assert desk.store.audience.find("ana@example.org").position == 1


def test_addresses_that_differ_in_case_are_one_person(desk: Desk) -> None:
    imported(desk, Row(2, Address.parse("Ana@Example.org")))
    assert imported(desk, "ana").added == 0
    assert str(desk.store.audience.find("ana@example.org").address) == "Ana@example.org"


def test_a_dry_run_only_counts(desk: Desk) -> None:
    assert imported(desk, "ana", dry_run=True) == Taken(rows=1, added=1)
    assert file(desk, "ana", dry_run=True) == Taken(rows=1, added=1)
    assert list(desk.store.audience.readers()) == []


@pytest.mark.parametrize("way", ["import", "import, to confirm", "file", "by hand"])
@pytest.mark.parametrize("how", ["unsubscribed", "complained", "bounced", "erased"])
def test_nobody_who_left_comes_back_by_a_file(desk: Desk, how: str, way: str) -> None:
    imported(desk, "ana", "ben")
    match how:
        case "unsubscribed":
            change(desk, "ana", Cause.UNSUBSCRIBED, LEFT)
        case "complained":
            change(desk, "ana", Cause.COMPLAINED, Status.SUPPRESSED)
        case "bounced":
            change(desk, "ana", Cause.BOUNCED, Status.SUPPRESSED)
        case _:
            assert erase(desk, "ana")
    match way:
        case "import":
            taken = imported(desk, "ana", "ben")
        case "import, to confirm":
            taken = imported(desk, "ana", "ben", confirmed=False)
        case "file":
            taken = file(desk, "ana", "ben")
        case _:
            with pytest.raises(SubscriberError):
                desk.store.audience.add(row("ana"), floor=-1, at_once=True, fingerprint=hashed, at=desk.at)
            taken = Taken(kept_out=1)
    assert (taken.added, taken.kept_out) == (0, 1)
    active = [str(r.address) for r in desk.store.audience.readers(Status.ACTIVE)]
    assert active == ["ben@example.org"]
    desk.at += DAY
    assert desk.plan().planned == {1: 1}


def test_the_owner_s_word_confirms_who_was_pending(desk: Desk) -> None:
    imported(desk, "ana", confirmed=False)
    imported(desk, "ana")
    assert status(desk, "ana") is Status.ACTIVE
    assert causes(desk, "ana") == [("imported", "pending"), ("imported", "active")]
    imported(desk, "ana", confirmed=False)
    assert status(desk, "ana") is Status.ACTIVE


# The owner's file


def test_who_leaves_the_file_is_paused_and_comes_back_with_it(desk: Desk) -> None:
    file(desk, "ana", "ben")
    assert file(desk, "ben") == Taken(rows=1, departed=1)
    assert desk.store.audience.find("ana@example.org").pauses is Pause.FILE
    desk.at += DAY
    assert desk.plan().planned == {1: 1}
    desk.at += timedelta(minutes=1)
    assert file(desk, "ana", "ben") == Taken(rows=2, returned=1)
    assert not desk.store.audience.find("ana@example.org").pauses
    assert desk.plan().planned == {}  # her next slot is tomorrow's
    desk.at += DAY
    assert desk.plan().planned == {1: 1}


def test_coming_back_lifts_only_that_pause(desk: Desk) -> None:
    file(desk, "ana", "ben")
    desk.store.audience.pause("ana@example.org")
    file(desk, "ben")
    file(desk, "ana", "ben")
    assert desk.store.audience.find("ana@example.org").pauses is Pause.OWNER


def test_the_file_updates_what_the_reader_did_not_set(desk: Desk) -> None:
    file(desk, row("ana", name="Ana", timezone="Europe/Lisbon", tags=frozenset({"one"})), "ben")
    desk.sql("UPDATE subscriber SET own_fields = 3 WHERE id = 1")  # name and zone
    taken = file(desk, row("ana", name="Anna", timezone="Asia/Tokyo", tags=frozenset({"two"})), row("ben", name="Ben"))
    assert taken.updated == 2
    ana, ben = desk.store.audience.readers()
    assert (ana.name, ana.timezone, ana.tags, ben.name) == ("Ana", "Europe/Lisbon", frozenset({"two"}), "Ben")
    assert (
        file(
            desk, row("ana", name="Anna", timezone="Asia/Tokyo", tags=frozenset({"two"})), row("ben", name="Ben")
        ).updated
        == 0
    )


def test_a_column_that_the_file_does_not_have_changes_nothing(desk: Desk) -> None:
    file(desk, row("ana", name="Ana", timezone="Europe/Lisbon", tags=frozenset({"one"})))
    columns = frozenset({"name", "timezone", "tags"})
    assert file(desk, row("ana", silent=columns), row("ben", silent=columns)) == Taken(rows=2, added=1)
    ana, ben = desk.store.audience.readers()
    assert (ana.name, ana.timezone, ana.tags) == ("Ana", "Europe/Lisbon", frozenset({"one"}))
    assert (ben.name, ben.timezone, ben.tags) == ("", "", frozenset())
    assert file(desk, row("ana", silent=columns - {"name"}), "ben").updated == 1
    assert desk.store.audience.find(str(ana.address)).name == ""


def test_a_position_in_the_file_is_read_at_first_sight_only(desk: Desk) -> None:
    file(desk, row("ana", had_through=1))
    file(desk, row("ana", had_through=3))
    assert desk.store.audience.find("ana@example.org").position == 1


@pytest.mark.parametrize(
    ("people", "gone", "refused"),
    [
        pytest.param(10, 5, False, id="five of ten may leave at once"),
        pytest.param(10, 6, True, id="six of ten look like an accident"),
        pytest.param(100, 10, False, id="a tenth of a hundred may leave"),
        pytest.param(100, 11, True, id="more than a tenth looks like an accident"),
        pytest.param(3, 3, True, id="an empty file looks like an accident"),
    ],
)
def test_a_file_with_many_gone(desk: Desk, people: int, gone: int, refused: bool) -> None:
    names = [f"reader{n}" for n in range(people)]
    file(desk, *names)
    taken = file(desk, *names[gone:], *([] if gone == people else ["new"]))
    assert bool(taken.refused) is refused
    assert desk.store.audience.counts()["paused"] == (0 if refused else gone)
    assert desk.store.audience.counts()["active"] == people + (0 if refused else 1)
    if refused:
        assert taken.refused == f"{gone} of the {people} people who stood in it are missing"
        assert file(desk, *names[gone:], meant=True).departed == gone


def test_a_row_that_went_bad_is_nobody_s_departure(desk: Desk) -> None:
    file(desk, "ana", "ben")
    taken = file(
        desk, BadRow(2, "no such zone", Address.parse("ana@example.org")), BadRow(3, "no @ in it", None), "ben"
    )
    assert (taken.departed, taken.rows) == (0, 1)
    assert not desk.store.audience.find("ana@example.org").pauses


@pytest.mark.parametrize("order", ["good first", "bad first"])
def test_the_good_one_of_two_rows_for_a_person_counts(desk: Desk, order: str) -> None:
    pair: list[Row | BadRow] = [row("ana", name="Ana"), BadRow(3, "twice", Address.parse("ana@example.org"))]
    file(desk, *(pair if order == "good first" else pair[::-1]))
    assert desk.store.audience.find("ana@example.org").name == "Ana"


def test_a_long_file_is_taken_whole(desk: Desk) -> None:
    names = [f"reader{n}" for n in range(4_321)]
    assert file(desk, *names).added == 4_321
    assert file(desk, *names) == Taken(rows=4_321)
    assert [str(r.address) for r in desk.store.audience.readers()] == [f"{n}@example.org" for n in names]


# Consent


def test_only_what_the_table_of_transitions_allows_happens(desk: Desk) -> None:
    """Every status, every cause, every next status; of records that were merged see test_merging."""
    for n, (before, cause, after) in enumerate(product(STANDINGS, Cause, STANDINGS)):
        name = f"reader{n}"
        imported(desk, name, confirmed=before is not Status.PENDING)
        if before is LEFT:
            change(desk, name, Cause.UNSUBSCRIBED, LEFT)
        elif before is Status.SUPPRESSED:
            change(desk, name, Cause.COMPLAINED, Status.SUPPRESSED)
        suppressed_for = Cause.COMPLAINED if before is Status.SUPPRESSED else None
        log = causes(desk, name)
        if before is after:
            change(desk, name, cause, after)  # nothing to do
        elif may(before, after, cause, suppressed_for=suppressed_for):
            change(desk, name, cause, after)
            log = [*log, (cause.value, after.value)]
        else:
            with pytest.raises(SubscriberError, match="can't make that"):
                change(desk, name, cause, after)
        assert causes(desk, name) == log
        assert status(desk, name).value == log[-1][1]


def test_leaving_and_coming_back_goes_on_where_it_stopped(desk: Desk) -> None:
    imported(desk, "ana")
    desk.at += DAY
    desk.deliver()
    change(desk, "ana", Cause.UNSUBSCRIBED, LEFT)
    desk.at += 5 * DAY
    assert desk.plan().planned == {}
    change(desk, "ana", Cause.CONFIRMED, Status.ACTIVE)
    desk.at += DAY
    assert desk.plan().planned == {2: 1}


def test_an_unknown_address_is_not_found(desk: Desk) -> None:
    imported(desk, "ana")
    with pytest.raises(NotFound, match="is not a subscriber"):
        desk.store.audience.find("somebody.else@example.net")


def test_counts(desk: Desk) -> None:
    imported(desk, "ana", "ben", "col")
    imported(desk, "dot", confirmed=False)
    change(desk, "ana", Cause.UNSUBSCRIBED, LEFT)
    desk.store.audience.pause("ben@example.org")
    found = desk.store.audience.counts()
    assert found == {"pending": 1, "active": 2, "unsubscribed": 1, "suppressed": 0, "paused": 1}


# Addresses that fail


def strike(desk: Desk) -> None:
    claims = desk.submitting()
    assert claims
    desk.at += timedelta(minutes=1)
    desk.record(claims, Deferred(Reply(452, "4.2.2", "mailbox full")))
    desk.at += DAY - timedelta(minutes=1)


def struck_out(desk: Desk) -> int:
    return desk.store.audience.struck_out(fingerprint=hashed, at=desk.at)


def test_three_strikes_within_ten_days_are_forgiven_and_after_ten_days_not(desk: Desk) -> None:
    imported(desk, "ana")
    desk.at += DAY
    first = desk.at
    for _ in range(3):
        strike(desk)
    assert struck_out(desk) == 0
    desk.at = first + 10 * DAY + timedelta(minutes=1)
    assert struck_out(desk) == 1
    assert status(desk, "ana") is Status.SUPPRESSED
    assert struck_out(desk) == 0


def test_a_success_forgives_the_strikes(desk: Desk) -> None:
    imported(desk, "ana")
    desk.at += DAY
    strike(desk)
    strike(desk)
    desk.deliver()
    desk.at += 20 * DAY
    assert struck_out(desk) == 0


def test_a_dead_mailbox_is_suppressed_at_once_and_stays_out_when_erased(desk: Desk) -> None:
    imported(desk, "ana")
    desk.at += DAY
    desk.deliver(Rejected(Reply(550, "5.1.1", "no such user"), About.ADDRESS, suppress=True))
    assert struck_out(desk) == 1
    assert erase(desk, "ana", keep_hash=False)  # kept all the same
    assert imported(desk, "ana") == Taken(rows=1, kept_out=1)


def test_a_corrected_address_lifts_a_suppression_for_bounces_only(desk: Desk) -> None:
    imported(desk, "ana", "ben")
    change(desk, "ana", Cause.BOUNCED, Status.SUPPRESSED)
    change(desk, "ben", Cause.COMPLAINED, Status.SUPPRESSED)
    for name in ("ana", "ben"):
        new = Address.parse(f"{name}.new@example.org")
        desk.store.audience.correct(f"{name}@example.org", new, fingerprint=hashed, at=desk.at)
    assert status(desk, "ana.new") is Status.ACTIVE
    assert status(desk, "ben.new") is Status.SUPPRESSED
    assert file(desk, "ana", "ben") == Taken(rows=2, kept_out=2), "a file that has the old ones brings neither back"


def test_the_address_of_one_who_left_is_not_corrected(desk: Desk) -> None:
    imported(desk, "ana")
    change(desk, "ana", Cause.UNSUBSCRIBED, Status.UNSUBSCRIBED)
    with pytest.raises(SubscriberError, match="ana@example.org has unsubscribed"):
        new = Address.parse("anna@example.org")
        desk.store.audience.correct("ana@example.org", new, fingerprint=hashed, at=desk.at)
    assert file(desk, "ana") == Taken(rows=1, kept_out=1), "else the file would bring her back"


def test_an_address_is_not_corrected_into_somebody_else_s(desk: Desk) -> None:
    imported(desk, "ana", "ben")
    desk.at += DAY
    desk.deliver()
    with pytest.raises(SubscriberError, match="already a subscriber who has had posts"):
        new = Address.parse("ben@example.org")
        desk.store.audience.correct("ana@example.org", new, fingerprint=hashed, at=desk.at)
    assert desk.states("ben") == ["1 accepted"]


def test_an_address_is_not_corrected_into_one_that_was_erased(desk: Desk) -> None:
    imported(desk, "ana", "ben")
    erase(desk, "ben")
    with pytest.raises(SubscriberError, match="nothing was changed"):
        new = Address.parse("ben@example.org")
        desk.store.audience.correct("ana@example.org", new, fingerprint=hashed, at=desk.at)
    assert status(desk, "ana") is Status.ACTIVE


# Starting over


def test_starting_over_is_a_new_epoch_and_keeps_what_was(desk: Desk) -> None:
    imported(desk, "ana")
    desk.at += DAY
    desk.deliver()
    desk.store.audience.start_over(at=desk.at)
    desk.at += DAY
    assert desk.plan().planned == {1: 1}
    assert desk.states("ana") == ["1 accepted", "1 planned"]
    assert desk.store.audience.find("ana@example.org").epoch == 1


# Erasure


def test_erasing_deletes_everything_and_the_accounts_still_balance(desk: Desk) -> None:
    imported(desk, "ana", "ben")
    desk.at += DAY
    desk.deliver()
    desk.at += DAY
    desk.plan()
    assert erase(desk, "ana")
    with pytest.raises(NotFound):
        desk.store.audience.find("ana@example.org")
    assert desk.verify() == []
    assert desk.ask("SELECT kind, SUM(count) FROM promise GROUP BY kind ORDER BY kind") == [
        ("erased", -2),
        ("planned", 4),
    ]
    assert desk.ask("SELECT COUNT(*) FROM attempt") == [(1,)]
    assert desk.ask("SELECT COUNT(*) FROM consent") == [(1,)]


@pytest.mark.parametrize("left", [True, False], ids=["who had left", "who had not left"])
def test_forgetting_altogether(desk: Desk, left: bool) -> None:
    imported(desk, "ana")
    if left:
        change(desk, "ana", Cause.UNSUBSCRIBED, LEFT)
    assert erase(desk, "ana", keep_hash=False) is left
    assert imported(desk, "ana").added == (0 if left else 1)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_nothing_of_an_erased_person_is_left_on_the_disk(desk: Desk, tmp_path: Path) -> None:
    # Pages that fill up and are split keep copies of rows that moved; in this history, a copy of her address.
    dice = Random(1)
    names = [f"{dice.choice('abcdefghij')}{dice.randint(10**8, 10**9)}x{'y' * dice.randint(1, 40)}" for _ in range(60)]
    her = names[30]
    for some in (names[:30], names[30:]):
        imported(desk, *(row(name, name=name.upper()) for name in some))
        desk.at += DAY
        talk(desk, "{} busy")
        desk.at += timedelta(minutes=5)
        talk(desk, "")
    assert _traces(tmp_path, her[:10].encode())  # the search finds what is there
    erase(desk, her)
    assert not _traces(tmp_path, her[:10].encode())
    assert _traces(tmp_path, names[7].encode())
    desk.store.close()
    assert not _traces(tmp_path, her[:10].encode())


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_nothing_of_a_former_address_is_left_either(desk: Desk, tmp_path: Path) -> None:
    imported(desk, row("wilhelmina", name="Wilhelmina"), "ben")
    desk.at += DAY
    talk(desk, "{} busy")
    new = Address.parse("wilma@example.org")
    desk.store.audience.correct("wilhelmina@example.org", new, fingerprint=hashed, at=desk.at)
    change(desk, "wilma", Cause.COMPLAINED, Status.SUPPRESSED)
    assert _traces(tmp_path, b"wilhelmina")
    erase(desk, "wilma")
    assert not _traces(tmp_path, b"wilhelmina", b"wilma")


def talk(desk: Desk, words: str) -> None:
    """A run in which the server answers everybody with *words* about them, or accepts."""
    desk.plan()
    claims = desk.claim()
    desk.begin(claims)
    results = [
        Result(
            c,
            Deferred(Reply(450, "4.2.0", words.format(c.recipient.address))) if words else Accepted(),
            desk.at + 5 * MINUTE,
        )
        for c in claims
    ]
    desk.store.ledger.record(results, provider="fake", at=desk.at, doubt_for=DOUBT)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_traces_that_another_program_keeps_are_owned_up_to(desk: Desk, tmp_path: Path) -> None:
    imported(desk, "wilhelmina")
    with desk.store.read() as c:
        pool = c.execute(text("PRAGMA busy_timeout=20"))  # the one connection that the store will use again
        pool.close()
    with closing(sqlite3.connect(tmp_path / "newsletter.db", isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT COUNT(*) FROM subscriber").fetchone()
        with pytest.raises(
            StoreBusy, match=r"the deletion is done, but traces of it may stay in newsletter\.db .*once more"
        ):
            erase(desk, "wilhelmina")
        other.execute("COMMIT")
    with pytest.raises(NotFound):
        erase(desk, "wilhelmina")
    assert not _traces(tmp_path, b"wilhelmina")


def test_an_erased_person_s_delivery_that_is_under_way_changes_nothing(desk: Desk) -> None:
    imported(desk, "ana")
    desk.at += DAY
    claims = desk.submitting()
    erase(desk, "ana")
    assert desk.record(claims, Accepted()) == 1


def _traces(folder: Path, *words: bytes) -> list[str]:
    """Files below *folder* that hold one of *words* in any case."""
    return [p.name for p in folder.iterdir() if p.is_file() and any(w in p.read_bytes().lower() for w in words)]


def test_readers_of_a_mail_system_are_those_who_get_letters(desk: Desk) -> None:
    given = [
        ("ana@gmail.com", Status.ACTIVE),
        ("Bo@GoogleMail.com", Status.ACTIVE),
        ("cy@notgmail.com", Status.ACTIVE),
        ("dee@gmail.com.example.org", Status.ACTIVE),
        ("eve@gmail.com", Status.UNSUBSCRIBED),
        ("fay@gmail.com", Status.ACTIVE),
    ]
    for address, _ in given:
        desk.store.audience.add(Row(2, Address.parse(address)), floor=-1, at_once=False, fingerprint=hashed, at=desk.at)
    for address, wanted in given:
        if wanted is LEFT:
            desk.store.audience.change(address, Cause.UNSUBSCRIBED, LEFT, at=desk.at)
    desk.store.audience.pause("fay@gmail.com")
    assert desk.store.audience.at_domains(["gmail.com", "googlemail.com"]) == 2
    assert desk.store.audience.at_domains(["proton.me"]) == 0
