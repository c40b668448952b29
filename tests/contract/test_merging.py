"""Two records of one person become one, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import product

import pytest
from desk import DAY, GONE, MINUTE, Desk, hashed, row

from newsletter.consent import wishes
from newsletter.errors import NotFound, SubscriberError
from newsletter.events import Event, EventKind, Heard
from newsletter.feedback import take_in
from newsletter.mail import Accepted, Address, Reply, Uncertain
from newsletter.store import Store, requests
from newsletter.store import wishes as stored_wishes
from newsletter.store.merging import Merged
from newsletter.store.requests import Evidence
from newsletter.subscribers import Cause, Pause, Status

HOUR = timedelta(hours=1)
ANA, OLD = "ana@example.org", "old@example.org"
LEFT = Status.UNSUBSCRIBED
BY_LINK = Evidence("unsubscribe page", "Unsubscribe")


@pytest.fixture
def desk(store: Store) -> Iterator[Desk]:
    """Six posts and nobody yet; the accounts balance in the end."""
    made = Desk(store)
    made.publish(1, 2, 3, 4, 5, 6)
    yield made
    assert made.verify() == []


def merged(desk: Desk, keep: str = ANA, gone: str = OLD) -> Merged:
    desk.at += MINUTE
    return desk.store.merging.merge(keep, gone, fingerprint=hashed, at=desk.at)


def days(desk: Desk, count: int) -> None:
    for _ in range(count):
        desk.at += DAY
        desk.deliver()


def states(desk: Desk, address: str) -> list[str]:
    """As `Desk.states`, of the record itself."""
    reader = desk.store.audience.find(address, follow=False)
    return [f"{r.post} {r.state}" for r in sorted(desk.store.accounts.history(reader), key=lambda r: (r.post, r.copy))]


def change(desk: Desk, address: str, cause: Cause, status: Status) -> None:
    desk.store.audience.change(address, cause, status, at=desk.at)


def token(desk: Desk, address: str) -> bytes:
    return desk.store.audience.find(address, follow=False).token


# What is sent


def test_what_either_had_is_never_sent_again(desk: Desk) -> None:
    desk.join("ana")
    days(desk, 2)  # ana: 1, 2
    desk.join("old", had_through=2)
    days(desk, 2)  # ana: 3, 4; old: 3, 4
    desk.store.audience.pause(ANA)
    days(desk, 1)  # old: 5
    desk.store.audience.resume(ANA, at=desk.at)
    assert merged(desk).spared == (5,)
    days(desk, 3)
    assert states(desk, ANA) == ["1 accepted", "2 accepted", "3 accepted", "4 accepted", "5 skipped", "6 accepted"]
    assert states(desk, OLD) == ["3 accepted", "4 accepted", "5 accepted"]


@pytest.mark.parametrize("which", ["missing", "failed", "revised"])
def test_no_resend_brings_it_either(desk: Desk, which: str) -> None:
    desk.join("old")
    days(desk, 2)
    desk.join("ana")
    assert merged(desk).spared == (1, 2)
    desk.at += DAY
    copies = [desk.store.ledger.copies(n, which, f"revision-{n}", gap=20 * HOUR, at=desk.at) for n in (1, 2)]
    assert copies == [0, 0]


def test_the_place_is_that_of_the_one_who_was_further_along(desk: Desk) -> None:
    desk.join("ana", had_through=1)
    desk.join("old", had_through=4)
    assert merged(desk).kept.position == 4
    days(desk, 2)
    assert states(desk, ANA) == ["5 accepted", "6 accepted"]


def test_what_had_been_refused_to_one_is_not_owed_by_the_other_who_had_it(desk: Desk) -> None:
    desk.join("ana")
    desk.at += DAY
    desk.deliver(GONE)
    desk.join("old")
    days(desk, 1)
    merged(desk)
    desk.store.audience.resume(ANA, at=desk.at)
    days(desk, 2)
    assert states(desk, ANA) == ["1 rejected", "1 skipped", "2 accepted", "3 accepted"]


def test_what_was_refused_to_the_other_is_still_owed(desk: Desk) -> None:
    desk.join("old")
    desk.at += DAY
    desk.deliver(GONE)
    desk.join("ana")
    merged(desk)
    days(desk, 2)
    assert states(desk, ANA) == ["1 accepted", "2 accepted"]


def test_a_post_that_passed_one_by_and_the_other_had_is_not_reopened(desk: Desk) -> None:
    desk.join("ana", had_through=4)
    desk.join("old")
    days(desk, 1)  # ana: 5; old: 1
    post, reader = desk.ask("SELECT p.id, s.id FROM post p, subscriber s WHERE p.number = 1 AND s.key = :key", key=ANA)[
        0
    ]
    desk.sql(
        "INSERT INTO delivery (post_id, subscriber_id, epoch, copy, number, state, reason, slot, not_before, planned_at)"
        " VALUES (:post, :reader, 0, 0, 1, 'skipped', 'past', 0, 0, 0)",
        post=post, reader=reader,
    )  # fmt: skip
    desk.sql("INSERT INTO promise (at, post_id, kind, count) VALUES (0, :post, 'skipped', 1)", post=post)
    assert merged(desk).spared == (1,)
    desk.publish(1, late=True)
    days(desk, 2)
    assert states(desk, ANA) == ["1 skipped", "5 accepted", "6 accepted"]


def test_what_is_planned_for_both_leaves_once(desk: Desk) -> None:
    desk.join("ana", "old")
    desk.at += DAY
    desk.plan()
    merged(desk)
    claims = desk.claim()
    assert [str(c.recipient.address) for c in claims] == [ANA]
    desk.begin(claims)
    desk.record(claims, Accepted())
    assert (states(desk, ANA), states(desk, OLD)) == (["1 accepted"], ["1 withdrawn"])


@pytest.mark.parametrize("stage", ["claimed", "submitting", "uncertain", "held"])
@pytest.mark.parametrize("whose", [ANA, OLD])
def test_nothing_is_merged_while_a_letter_is_in_doubt(desk: Desk, stage: str, whose: str) -> None:
    desk.join("ana", "old")
    other = OLD if whose == ANA else ANA
    desk.store.audience.pause(other)
    desk.at += DAY
    desk.plan()
    claims = desk.claim()
    if stage != "claimed":
        desk.begin(claims)
    if stage in ("uncertain", "held"):
        desk.record(claims, Uncertain("no answer"))
    if stage == "held":
        desk.sql("UPDATE delivery SET open = NULL, reason = 'held'")
    words = f"settle {whose} 1 accepted" if stage in ("uncertain", "held") else "try again when the run is over"
    with pytest.raises(SubscriberError, match=words):
        merged(desk)
    assert desk.ask("SELECT COUNT(*) FROM merged") == [(0,)]


def test_the_pace_is_that_of_the_last_letter_to_either(desk: Desk) -> None:
    desk.join("ana")
    desk.join("old", had_through=2)
    days(desk, 1)
    merged(desk)
    desk.at += 2 * MINUTE
    assert desk.plan().planned == {}


# Who they are


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        (ours, theirs, expected)
        for ours, theirs in product(
            ["active", "pending", "unsubscribed", "bounced", "forbidden", "complained"], repeat=2
        )
        for order in [["complained", "unsubscribed", "forbidden", "bounced"]]
        for expected in [next((o for o in order if o in (ours, theirs)), ours)]
    ],
)
def test_the_more_cautious_state_wins(desk: Desk, ours: str, theirs: str, expected: str) -> None:
    for address, state in ((ANA, ours), (OLD, theirs)):
        desk.store.audience.import_rows(
            [row(address.partition("@")[0])], confirmed=state != "pending", floor=-1, fingerprint=hashed, at=desk.at
        )
        if state not in ("active", "pending"):
            cause = Cause(state)
            if cause is Cause.UNSUBSCRIBED:
                change(desk, address, cause, LEFT)
            else:
                desk.store.suppressions.add(Address.parse(address), cause, detail="", fingerprint=hashed, at=desk.at)
    done = merged(desk)
    suppressed = expected in ("bounced", "forbidden", "complained")
    assert done.kept.status.value == ("suppressed" if suppressed else expected)
    if suppressed and expected != "complained":
        assert desk.store.suppressions.lift(Address.parse(OLD), fingerprint=hashed, at=desk.at), "by either address"
    elif expected in ("complained", "unsubscribed"):
        with pytest.raises((SubscriberError, NotFound)):
            desk.store.suppressions.lift(Address.parse(ANA), fingerprint=hashed, at=desk.at)
    if "forbidden" in (ours, theirs) and expected == "unsubscribed":
        with desk.store.write() as c:
            person = requests.with_key(c, ANA)
            assert requests.complained(c, person, hashed(ANA)), "nor does the form write to them"


def test_fields_and_pauses_are_those_of_both(desk: Desk) -> None:
    desk.join("ana", tags=frozenset({"one"}))
    desk.join("old", name="Ana", timezone="Asia/Tokyo", tags=frozenset({"two"}))
    desk.store.audience.pause(OLD)
    kept = merged(desk).kept
    assert (kept.name, kept.timezone, kept.tags) == ("Ana", "Asia/Tokyo", frozenset({"one", "two"}))
    assert kept.pauses is Pause.OWNER


def test_a_merged_record_is_counted_nowhere_and_merged_once(desk: Desk) -> None:
    desk.join("ana", "old", "third")
    merged(desk)
    assert desk.store.audience.counts()["active"] == 2
    assert [str(r.address) for r in desk.store.audience.readers()] == [ANA, "third@example.org"]
    with pytest.raises(SubscriberError, match="one record already"):
        merged(desk)
    merged(desk, "third@example.org", ANA)
    assert desk.store.audience.find(OLD).address == Address.parse("third@example.org"), "no chains"
    assert [str(a) for a in desk.store.merging.of(desk.store.audience.find(ANA))] == [OLD, ANA]


def test_both_histories_say_so(desk: Desk) -> None:
    desk.join("ana", "old")
    merged(desk)
    for address, said in (
        (ANA, ("merged", "active", f"with {OLD}, who was active")),
        (OLD, ("merged", "merged", f"into {ANA}")),
    ):
        reader = desk.store.audience.find(address, follow=False)
        assert desk.store.accounts.consent(reader)[-1][1:] == said


# What the old address and the old links mean


def test_the_old_link_unsubscribes_for_ever(desk: Desk) -> None:
    desk.join("ana", "old")
    link = token(desk, OLD)
    merged(desk)
    with desk.store.write() as c:
        wishes.leave(c, link, BY_LINK, at=desk.at)
    assert desk.store.audience.find(ANA).status is LEFT
    days(desk, 2)
    assert states(desk, ANA) == []
    with desk.store.write() as c:
        wishes.erase(c, link, fingerprint=hashed, at=desk.at)
        assert wishes.look(c, link, at=desk.at) is None
    assert desk.ask("SELECT COUNT(*) FROM subscriber") == [(0,)]


@pytest.mark.parametrize("known", ["by the delivery", "by the link", "by the address"])
def test_a_complaint_about_an_old_letter_is_the_persons(desk: Desk, known: str) -> None:
    desk.join("old")
    days(desk, 1)
    desk.join("ana")
    merged(desk)
    (delivery,) = desk.ask("SELECT id FROM delivery WHERE state = 'accepted'")[0]
    about = {
        "by the delivery": {"delivery": delivery},
        "by the link": {"subscriber": token(desk, OLD)},
        "by the address": {"recipient": OLD},
    }[known]
    event = Event(EventKind.COMPLAINED, "mailbox", "1", desk.at, **about)  # type: ignore[arg-type]
    take_in(desk.store, Heard((event,)), source="mailbox", fingerprint=hashed, at=desk.at)
    assert desk.store.audience.find(ANA).status is Status.SUPPRESSED
    assert [e.kind for e in desk.store.accounts.events(desk.store.audience.find(ANA))] == ["complained"]


def test_a_mail_to_the_old_letters_unsubscribe_address_counts(desk: Desk) -> None:
    desk.join("ana", "old")
    merged(desk)
    event = Event(EventKind.UNSUBSCRIBED, "mailbox", "1", desk.at, subscriber=token(desk, OLD))
    take_in(desk.store, Heard((event,)), source="mailbox", fingerprint=hashed, at=desk.at)
    assert desk.store.audience.find(ANA).status is LEFT


def test_a_bounce_of_the_old_address_is_no_harm_to_the_new(desk: Desk) -> None:
    desk.join("old")
    days(desk, 1)
    desk.join("ana")
    merged(desk)
    (delivery,) = desk.ask("SELECT id FROM delivery WHERE state = 'accepted'")[0]
    reply = Reply(550, "5.1.1", "no such user")
    event = Event(EventKind.BOUNCED, "mailbox", "1", desk.at, delivery, reply=reply, suppress=True)
    take_in(desk.store, Heard((event,)), source="mailbox", fingerprint=hashed, at=desk.at)
    assert desk.store.audience.find(ANA).status is Status.ACTIVE
    days(desk, 2)
    assert states(desk, ANA) == ["1 accepted", "2 accepted"], "nobody had #1 after all"


@pytest.mark.parametrize("rows", [["old"], ["ana", "old"], ["old", "ana"], ["old", "third"]])
def test_a_file_with_the_old_address_means_the_one_record(desk: Desk, rows: list[str]) -> None:
    desk.join("ana", "old", "third")
    merged(desk)
    merged(desk, ANA, "third@example.org")
    given = [row(name, name="Ana") for name in rows]
    taken = desk.store.audience.import_rows(given, confirmed=True, floor=-1, fingerprint=hashed, at=desk.at)
    assert (taken.added, taken.rows, taken.updated) == (0, 1, 1)
    desk.store.audience.take_file(given, floor=-1, fingerprint=hashed, at=desk.at)
    (ana,) = desk.store.audience.readers()
    assert (ana.in_file, ana.pauses) == (True, Pause(0))
    desk.store.audience.take_file([row("ana")], floor=-1, fingerprint=hashed, at=desk.at)
    (ana,) = desk.store.audience.readers()
    assert not ana.pauses


def test_erasing_one_erases_both_and_keeps_both_out(desk: Desk) -> None:
    desk.join("ana", "old")
    days(desk, 1)
    merged(desk)
    assert desk.store.audience.erase(OLD, keep_hash=True, fingerprint=hashed, at=desk.at)
    for table in ("subscriber", "delivery", "consent", "merged", "imported"):
        assert desk.ask(f"SELECT COUNT(*) FROM {table}") == [(0,)], table
    taken = desk.store.audience.import_rows(
        [row("ana"), row("old")], confirmed=True, floor=-1, fingerprint=hashed, at=desk.at
    )
    assert (taken.added, taken.kept_out) == (0, 2)


def test_the_old_address_can_become_the_right_one(desk: Desk) -> None:
    desk.join("ana", "old")
    merged(desk)
    reader = desk.store.audience.correct(ANA, Address.parse(OLD), fingerprint=hashed, at=desk.at)
    assert str(reader.address) == OLD
    assert desk.store.audience.find(ANA).id == reader.id
    days(desk, 1)
    assert states(desk, OLD) == ["1 accepted"]


def test_who_asks_with_the_old_address_is_known(desk: Desk) -> None:
    desk.join("ana", "old")
    merged(desk)
    with desk.store.read() as c:
        person = requests.with_key(c, OLD)
        assert person is not None and str(person.address) == ANA
        letters = stored_wishes.everything(c, person)["consent"]
    assert [c["cause"] for c in letters] == ["imported", "imported", "merged", "merged"]


def test_readers_of_one_mailbox_are_found(desk: Desk) -> None:
    desk.join("ana", "ana+news", "ben", "old")
    merged(desk, "ben@example.org", OLD)
    assert [[str(r.address) for r in readers] for readers in desk.store.merging.alike()] == [
        [ANA, "ana+news@example.org"]
    ]
