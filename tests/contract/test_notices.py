"""The book of notices, on both databases: the ledger's verbs, an end to each notice, and a cap."""

from __future__ import annotations

from datetime import timedelta

import pytest
from desk import BUSY, DAY, DOUBT, GONE, LEASE, MINUTE, PROMPT, SLOT, Desk, hashed

from newsletter.mail import Accepted, Address, Deferred, Mailbox, Outcome, Uncertain
from newsletter.store import Store
from newsletter.store.attempts import Begun, Claim, Result
from newsletter.store.notices import PER_HOUR, Kind, Notice, Notices
from newsletter.store.schema import State

MAYA = Mailbox("Maya", Address("maya", "example.org"))
HOUR = timedelta(hours=1)


@pytest.fixture
def book(store: Store) -> Notices:
    return store.notices


def alert(key: str | None = None, to: Mailbox = MAYA) -> Notice:
    return Notice(Kind.ALERT, to, SLOT, "alert@letters.example.org", b"To: Maya\r\n\r\nLook.\r\n", key=key)


def claim(book: Notices, at: timedelta = timedelta(0)) -> list[Claim]:
    return [c for batch in book.claims(at=SLOT + at, lease=LEASE, prompt=PROMPT) for c in batch]


def begin(book: Notices, claims: list[Claim], at: timedelta = timedelta(0)) -> set[int]:
    attempts = [Begun(c, "notice", SLOT, book.body(c.id)[0], "content") for c in claims]
    return book.turn([], attempts, provider="fake", at=SLOT + at, doubt_for=DOUBT, lease=LEASE)


def record(book: Notices, claims: list[Claim], outcome: Outcome, retry: timedelta | None = None) -> None:
    results = [Result(c, outcome, SLOT + retry if retry else None) for c in claims]
    book.turn(results, [], provider="fake", at=SLOT, doubt_for=DOUBT, lease=LEASE)


def state(book: Notices, notice: int | None) -> State:
    assert notice is not None
    fate = book.fate(notice)
    assert fate is not None
    return fate.state


def test_a_notice_leaves_once(book: Notices) -> None:
    ident = book.plan(alert(), at=SLOT)
    claims = claim(book)
    assert [(c.id, str(c.recipient), c.attempts) for c in claims] == [(ident, "Maya <maya@example.org>", 0)]
    assert begin(book, claims) == {ident}
    record(book, claims, Accepted("id-1"))
    assert state(book, ident) is State.ACCEPTED
    assert claim(book, DAY) == []


def test_its_words_are_kept_until_it_is_settled_and_no_longer(book: Notices) -> None:
    ident = book.plan(alert(), at=SLOT)
    assert ident is not None
    claims = claim(book)
    begin(book, claims)
    record(book, claims, Deferred(BUSY), retry=5 * MINUTE)
    assert book.body(ident)[1].startswith(b"To: Maya")
    claims = claim(book, 5 * MINUTE)
    begin(book, claims)
    record(book, claims, GONE)
    assert (state(book, ident), book.body(ident)[1]) == (State.REJECTED, b"")


def test_one_notice_a_key(book: Notices) -> None:
    assert book.plan(alert("disk 2026-03-02"), at=SLOT) is not None
    assert book.plan(alert("disk 2026-03-02"), at=SLOT) is None
    assert book.plan(alert("disk 2026-03-03"), at=SLOT) is not None
    assert book.plan(alert(), at=SLOT) != book.plan(alert(), at=SLOT)


def test_what_nobody_needs_any_more_is_not_sent(book: Notices) -> None:
    ident = book.plan(alert(), at=SLOT)
    assert claim(book, 48 * HOUR) == []
    book.sweep(at=SLOT + 48 * HOUR, doubt_for=DOUBT)
    assert state(book, ident) is State.WITHDRAWN


def test_never_more_in_an_hour_than_the_cap(book: Notices) -> None:
    for _ in range(PER_HOUR + 3):
        book.plan(alert(), at=SLOT)
    first: list[Claim] = []
    for batch in book.claims(at=SLOT, lease=LEASE, prompt=PROMPT):
        begin(book, batch)
        first += batch
    assert len(first) == PER_HOUR
    assert claim(book, HOUR - MINUTE) == []
    assert len(claim(book, HOUR + MINUTE)) == 3


def test_a_crash_before_it_was_begun_costs_nothing(book: Notices) -> None:
    ident = book.plan(alert(), at=SLOT)
    claim(book)
    assert claim(book, MINUTE) == []
    book.sweep(at=SLOT + LEASE, doubt_for=DOUBT)
    assert [c.id for c in claim(book, LEASE)] == [ident]


def test_a_crash_after_it_was_begun_is_doubt_and_is_resent_once(book: Notices) -> None:
    ident = book.plan(alert(), at=SLOT)
    begin(book, claim(book))
    assert book.sweep(at=SLOT + LEASE, doubt_for=DOUBT) == 1
    (doubt,) = book.in_doubt(at=SLOT + LEASE)
    assert (doubt.delivery, doubt.resent) == (ident, False)
    book.settle_doubt(doubt.delivery, arrived=None, at=SLOT + LEASE, resend=True)
    claims = claim(book, LEASE)
    begin(book, claims, LEASE)
    record(book, claims, Uncertain("no answer"))
    (doubt,) = book.in_doubt(at=SLOT + DAY)
    assert doubt.resent
    book.settle_doubt(doubt.delivery, arrived=None, at=SLOT + DAY, resend=False)
    assert (state(book, ident), book.in_doubt(at=SLOT + 2 * DAY)) == (State.UNCERTAIN, [])


def test_doubt_that_a_lookup_settles(book: Notices) -> None:
    ident = book.plan(alert(), at=SLOT)
    begin(book, claim(book))
    book.sweep(at=SLOT + LEASE, doubt_for=DOUBT)
    book.settle_doubt(ident or 0, arrived=True, at=SLOT + LEASE, resend=False)
    assert state(book, ident) is State.ACCEPTED


def test_a_result_counts_for_whoever_holds_it(book: Notices) -> None:
    book.plan(alert(), at=SLOT)
    first = claim(book)
    book.sweep(at=SLOT + LEASE, doubt_for=DOUBT)
    second = claim(book, LEASE)
    assert begin(book, first, LEASE) == set()
    begin(book, second, LEASE)
    record(book, first, GONE)
    record(book, second, Accepted())
    assert book.counts() == {"accepted": 1}


def test_given_back_it_leaves_with_the_next_run(book: Notices) -> None:
    ident = book.plan(alert(), at=SLOT)
    claims = claim(book)
    begin(book, claims)
    book.release(claims)
    (again,) = claim(book)
    assert (again.id, again.attempts) == (ident, 0)


def test_what_can_not_be_written_out_is_set_aside_after_five_times(book: Notices) -> None:
    ident = book.plan(alert(), at=SLOT)
    given_up = []
    for minute in range(5):
        (one,) = claim(book, minute * MINUTE)
        given_up.append(book.fault(one, "no", at=SLOT + minute * MINUTE, wait=MINUTE))
    assert given_up == [False, False, False, False, True]
    assert state(book, ident) is State.QUARANTINED


def test_erasure_takes_the_notices_along(book: Notices, store: Store) -> None:
    Desk(store).join("ana")
    hers, other = (book.plan(alert(to=Mailbox("", Address(local, "example.org"))), at=SLOT) for local in ("Ana", "bo"))
    store.audience.erase("ana@example.org", keep_hash=True, fingerprint=hashed, at=SLOT)
    assert hers is not None and book.fate(hers) is None
    assert state(book, other) is State.PLANNED
