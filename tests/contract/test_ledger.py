"""The ledger's verbs, on both databases: claim, begin, record, and what a crash leaves."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from desk import BUSY, DAY, DOUBT, GONE, LEASE, MINUTE, SLOT, SPAM, Desk
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from newsletter.errors import NotFound, StoreError
from newsletter.mail import About, Accepted, Address, Deferred, Rejected, Reply, Uncertain
from newsletter.store import Store
from newsletter.store.attempts import FAULTS_MAX
from newsletter.store.schema import State
from newsletter.subscribers import Cause, Status

GAP = timedelta(hours=20)


@pytest.fixture
def desk(store: Store) -> Iterator[Desk]:
    """Two readers, three posts, at a slot; the accounts balance in the end."""
    made = Desk(store)
    made.publish(1, 2, 3)
    made.join("ana", "ben")
    yield made
    assert made.verify() == []


# Planning


def test_what_is_due_is_planned_once(desk: Desk) -> None:
    assert desk.plan().planned == {1: 2}
    assert desk.plan().planned == {}
    assert desk.states("ana") == ["1 planned"]


def test_a_second_post_is_not_planned_while_one_is_open(desk: Desk) -> None:
    desk.plan()
    desk.at += 3 * DAY
    assert desk.plan().planned == {}
    desk.deliver()
    desk.at += DAY
    assert desk.plan().planned == {2: 2}


def test_the_database_itself_refuses_a_second_open_post(desk: Desk) -> None:
    desk.plan()
    with pytest.raises(StoreError) as refusal:
        desk.sql(
            "INSERT INTO delivery (post_id, subscriber_id, epoch, number, state, open, slot, not_before, planned_at)"
            " SELECT (SELECT id FROM post WHERE number = 2), subscriber_id, epoch, 2, 'planned', 1, 0, 0, 0"
            " FROM delivery WHERE id = 1"
        )
    assert isinstance(refusal.value.__cause__, IntegrityError)


def test_the_database_itself_refuses_the_same_post_twice(desk: Desk) -> None:
    desk.deliver()
    with pytest.raises(StoreError) as refusal:
        desk.sql(
            "INSERT INTO delivery (post_id, subscriber_id, epoch, number, state, slot, not_before, planned_at)"
            " SELECT post_id, subscriber_id, epoch, number, 'accepted', 0, 0, 0 FROM delivery WHERE id = 1"
        )
    assert isinstance(refusal.value.__cause__, IntegrityError)


# Claims


def test_a_claim_carries_all_that_composing_needs(desk: Desk) -> None:
    desk.plan()
    first, second = desk.claim()
    assert (first.ident, first.epoch, first.copy, first.attempts) == ("post-1", 0, 0, 0)
    assert (str(first.recipient), str(second.recipient)) == ("ana@example.org", "ben@example.org")
    assert (first.revision, first.first_at, first.content) == (None, None, None)
    assert len(first.token) == 16


def test_what_is_claimed_is_not_claimed_again(desk: Desk) -> None:
    desk.plan()
    assert len(desk.claim()) == 2
    assert desk.claim() == []


def test_claims_come_in_batches_that_leave_nothing_out(desk: Desk) -> None:
    desk.join(*(f"r{n}" for n in range(20)))
    desk.plan()
    batches = list(desk.store.ledger.claims(at=desk.at, lease=LEASE, prompt=timedelta(hours=12), size=4))
    assert [len(b) for b in batches] == [4, 4, 4, 4, 4, 2]
    assert len({c.id for b in batches for c in b}) == 22


def test_two_workers_claim_different_deliveries(desk: Desk, store_url: str) -> None:
    desk.join(*(f"r{n}" for n in range(198)))
    desk.plan()
    found: list[list[int]] = [[], []]
    start = threading.Barrier(2)

    def work(mine: list[int]) -> None:
        other = Store.open(store_url)
        start.wait()
        mine += [c.id for c in Desk(other).claim(size=7)]
        other.close()

    workers = [threading.Thread(target=work, args=(mine,)) for mine in found]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    assert len(found[0]) + len(found[1]) == 200
    assert not set(found[0]) & set(found[1])


@pytest.mark.postgres
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_worker_passes_over_rows_that_another_is_just_claiming(desk: Desk, store_url: str) -> None:
    desk.plan()
    other = Store.open(store_url)
    with desk.store.write() as c:
        c.execute(text("SELECT id FROM delivery WHERE id = 1 FOR UPDATE"))
        assert [c.id for c in Desk(other).claim()] == [2]  # and does not wait
    other.close()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("UPDATE subscriber SET status = 'unsubscribed'", id="the reader has left"),
        pytest.param("UPDATE subscriber SET pauses = 1", id="the reader is paused"),
        pytest.param("UPDATE subscriber SET not_before = 4000000000000000", id="the reader asked to wait"),
        pytest.param("UPDATE post SET standing = 'blocks'", id="the post is held"),
        pytest.param("UPDATE zone SET quiet = 1", id="it is quiet hours there"),
        pytest.param("UPDATE delivery SET not_before = 4000000000000000", id="its time has not come"),
        pytest.param("UPDATE delivery SET slot = 0; UPDATE zone SET daytime = 0", id="it is late, and night there"),
    ],
)
def test_nothing_is_claimed_when(desk: Desk, change: str) -> None:
    desk.plan()
    for statement in change.split(";"):
        desk.sql(statement)
    assert desk.claim() == []
    desk.sql("UPDATE subscriber SET status = 'active'")  # only so that the accounts balance


def test_a_released_claim_is_free_at_once_and_no_attempt_counts(desk: Desk) -> None:
    claims = desk.submitting()
    desk.store.ledger.release(claims)
    again = desk.claim()
    assert [(c.id, c.attempts) for c in again] == [(c.id, 0) for c in claims]
    assert all(new.fence > old.fence for new, old in zip(again, claims, strict=True))


def test_a_claim_whose_lease_ran_out_goes_back(desk: Desk) -> None:
    desk.plan()
    old = desk.claim()
    desk.at += LEASE - MINUTE
    assert desk.sweep() == 0
    assert desk.claim() == []
    desk.at += MINUTE
    assert desk.sweep() == 0
    new = desk.claim()
    assert [c.id for c in new] == [c.id for c in old]
    assert desk.begin(old) == set()  # the fence has risen
    assert desk.begin(new) == {c.id for c in new}


# Begin


def test_begin_fixes_what_every_further_attempt_repeats(desk: Desk) -> None:
    desk.deliver(Deferred(BUSY), retry=5 * MINUTE)
    desk.sql("UPDATE subscriber SET name = 'Anna', address = 'changed@example.org' WHERE id = 1")
    desk.at += 5 * MINUTE
    claim = desk.claim()[0]
    assert (str(claim.recipient), claim.revision, claim.first_at, claim.content) == (
        "ana@example.org", "revision-1", SLOT, "content",
    )  # fmt: skip
    assert claim.attempts == 1
    desk.sql("UPDATE subscriber SET address = 'ana@example.org' WHERE id = 1")


@pytest.mark.parametrize("how", ["leaves", "is paused", "is suppressed"])
def test_begin_withdraws_when_the_reader(desk: Desk, how: str) -> None:
    desk.plan()
    claims = desk.claim()
    match how:
        case "leaves":
            desk.store.audience.change("ana@example.org", Cause.UNSUBSCRIBED, Status.UNSUBSCRIBED, at=desk.at)
        case "is paused":
            desk.store.audience.pause("ana@example.org")
        case _:
            desk.store.audience.change("ana@example.org", Cause.COMPLAINED, Status.SUPPRESSED, at=desk.at)
    assert desk.begin(claims) == {claims[1].id}
    assert desk.states("ana") == ["1 withdrawn"]
    assert desk.record_of("ana").reason == "left or paused"
    desk.record(claims[1:], Accepted())


def test_the_same_attempt_does_not_begin_twice(desk: Desk) -> None:
    claims = desk.submitting()
    desk.at += LEASE
    desk.sweep()
    assert desk.begin(claims) == set()
    assert [r.attempts for r in desk.store.accounts.who_got(1)] == [1, 1]


def test_a_withdrawn_post_comes_again_after_the_reader_is_back(desk: Desk) -> None:
    desk.plan()
    desk.store.audience.change("ana@example.org", Cause.UNSUBSCRIBED, Status.UNSUBSCRIBED, at=desk.at)
    assert desk.plan().planned == {}
    assert desk.states("ana") == ["1 withdrawn"]
    desk.at += 3 * DAY
    assert desk.plan().planned == {}
    desk.store.audience.change("ana@example.org", Cause.CONFIRMED, Status.ACTIVE, at=desk.at)
    desk.at += DAY
    assert desk.plan().planned == {1: 1}
    assert desk.states("ana") == ["1 planned"]


def test_a_withdrawn_post_that_was_renumbered_comes_under_its_new_number(desk: Desk) -> None:
    desk.plan()
    desk.store.audience.pause("ana@example.org")
    desk.plan()
    desk.publish(1, number=5)
    desk.store.audience.resume("ana@example.org", at=desk.at)
    positions = []
    for _ in range(3):
        desk.at += DAY
        desk.deliver()
        positions.append(desk.store.audience.find("ana@example.org").position)
    assert positions == [2, 3, 5]


# Record


def test_accepted_moves_the_reader_on(desk: Desk) -> None:
    desk.deliver(Accepted("vendor-7"))
    ana = desk.store.audience.find("ana@example.org")
    assert (ana.position, ana.handed_over_at) == (1, SLOT)
    assert desk.ask("SELECT provider, provider_id, open FROM delivery WHERE id = 1") == [("fake", "vendor-7", None)]
    assert [a.outcome for a in desk.store.accounts.attempts(1)] == ["accepted"]


def test_deferred_waits_and_is_claimed_again(desk: Desk) -> None:
    desk.deliver(Deferred(BUSY), retry=5 * MINUTE)
    assert desk.states("ana") == ["1 deferred"]
    assert desk.claim() == []
    desk.at += 5 * MINUTE
    claims = desk.claim()
    assert desk.begin(claims) == {1, 2}
    desk.record(claims, Accepted())
    assert [(a.n, a.outcome, a.reply) for a in desk.store.accounts.attempts(1)] == [
        (1, "deferred", "451 4.7.1 try again later"), (2, "accepted", ""),
    ]  # fmt: skip


def test_given_up_is_a_strike_and_the_same_post_comes_with_the_next_slot(desk: Desk) -> None:
    claims = desk.submitting()
    desk.at += MINUTE
    desk.record(claims, Deferred(BUSY))
    assert desk.ask("SELECT strikes FROM subscriber") == [(1,), (1,)]
    assert desk.plan().planned == {}
    desk.at += DAY
    assert desk.plan().planned == {1: 2}
    claims = desk.claim()
    assert claims[0].revision is None  # nothing arrived, so the text may be today's
    desk.begin(claims)
    desk.record(claims, Accepted())
    assert desk.ask("SELECT strikes, struck_at FROM subscriber") == [(0, None), (0, None)]


def test_rejected_for_the_address_pauses_and_is_kept_for_a_corrected_one(desk: Desk) -> None:
    desk.deliver(GONE)
    assert desk.states("ana") == ["1 rejected"]
    assert desk.store.audience.find("ana@example.org").pauses
    desk.at += DAY
    assert desk.plan().planned == {}
    from desk import hashed

    desk.store.audience.correct("ana@example.org", Address.parse("ana.new@example.org"), fingerprint=hashed, at=desk.at)
    desk.at += DAY
    assert desk.plan().planned == {1: 1}
    (claim,) = desk.claim()
    assert (str(claim.recipient), claim.attempts) == ("ana.new@example.org", 1)


def test_rejected_for_the_message_settles_the_post(desk: Desk) -> None:
    desk.deliver(SPAM)
    desk.at += DAY
    assert desk.plan().planned == {2: 2}
    assert [(r.post, r.reply) for r in desk.store.accounts.doubtful()] == [(1, "554 5.7.1 looks like spam")] * 2


def test_taken_back_refusals_are_planned_again(desk: Desk) -> None:
    claims = desk.deliver(SPAM)
    desk.store.ledger.take_back(claims, at=desk.at)
    assert desk.states("ana") == ["1 planned"]
    assert [c.id for c in desk.claim()] == [c.id for c in claims]


def test_a_result_after_another_worker_took_over_changes_nothing(desk: Desk) -> None:
    old = desk.submitting()
    desk.store.ledger.release(old)  # the provider says that they did not leave
    new = desk.claim()
    desk.begin(new)
    assert desk.record(old, Rejected(Reply(550, "", "late"), About.ADDRESS)) == 2
    assert desk.states("ana") == ["1 submitting"]
    assert desk.record(new, Accepted()) == 0


def test_a_late_result_of_our_own_attempt_still_counts(desk: Desk) -> None:
    claims = desk.submitting()
    desk.at += LEASE
    assert desk.sweep() == 2
    assert desk.record(claims, Accepted()) == 0
    assert desk.states("ana") == ["1 accepted"]
    assert [a.outcome for a in desk.store.accounts.attempts(1)] == ["accepted"]


def test_an_accepted_delivery_stays_accepted(desk: Desk) -> None:
    claims = desk.deliver()
    assert desk.record(claims, GONE) == 2
    desk.store.ledger.release(claims)
    desk.at += 3 * LEASE
    desk.sweep()
    assert desk.states("ana") == ["1 accepted"]


# Doubt


def test_an_attempt_without_an_end_becomes_uncertain(desk: Desk) -> None:
    desk.submitting()
    desk.at += LEASE
    assert desk.sweep() == 2
    assert desk.states("ana") == ["1 uncertain"]
    assert [(a.outcome, a.reply) for a in desk.store.accounts.attempts(1)] == [
        ("uncertain", "the run ended before the answer")
    ]


def test_doubt_waits_before_it_is_settled(desk: Desk) -> None:
    desk.deliver(Uncertain("the line went dead"))
    assert desk.store.ledger.in_doubt(at=desk.at + DOUBT - MINUTE) == []
    found = desk.store.ledger.in_doubt(at=desk.at + DOUBT)
    assert [(d.delivery, d.provider, d.resent) for d in found] == [(1, "fake", False), (2, "fake", False)]
    assert found[0].message_id.startswith("post-1.")


def test_doubt_is_sent_once_more_with_the_same_bytes(desk: Desk) -> None:
    desk.deliver(Uncertain("the line went dead"))
    desk.at += DOUBT
    desk.store.ledger.settle_doubt(1, arrived=None, at=desk.at, resend=True)
    (claim,) = desk.claim()
    assert (claim.content, claim.first_at, claim.attempts) == ("content", SLOT, 1)
    desk.begin([claim])
    desk.record([claim], Uncertain("again"))
    assert [d.resent for d in desk.store.ledger.in_doubt(at=desk.at + DAY)] == [True, False]
    desk.store.ledger.settle_doubt(1, arrived=None, at=desk.at + DOUBT, resend=False)
    assert [d.delivery for d in desk.store.ledger.in_doubt(at=desk.at + DAY)] == [2]
    assert {r.id for r in desk.store.accounts.doubtful()} == {1, 2}


def test_doubt_found_at_the_provider_is_accepted_at_the_instant_of_the_attempt(desk: Desk) -> None:
    desk.deliver(Uncertain("the line went dead"))
    desk.at += DOUBT
    desk.store.ledger.settle_doubt(1, arrived=True, at=desk.at, resend=True)
    assert desk.record_of("ana").at == SLOT
    assert desk.store.audience.find("ana@example.org").position == 1


def test_doubt_not_found_at_the_provider_is_no_resending(desk: Desk) -> None:
    desk.deliver(Uncertain("the line went dead"))
    desk.at += DOUBT
    desk.store.ledger.settle_doubt(1, arrived=False, at=desk.at, resend=False)
    assert not desk.record_of("ana").resent
    assert [c.id for c in desk.claim()] == [1]


def test_held_doubt_lets_the_sequence_go_on_after_one_every(desk: Desk) -> None:
    desk.deliver(Uncertain("the line went dead"))
    desk.at += DOUBT
    for n in (1, 2):
        desk.store.ledger.settle_doubt(n, arrived=None, at=desk.at, resend=False)
    assert desk.plan().planned == {}
    desk.at = SLOT + DAY
    assert desk.plan().planned == {2: 2}


def held(desk: Desk) -> None:
    """#1 in doubt and held for both, #2 accepted, a day later."""
    desk.deliver(Uncertain("the line went dead"))
    for n in (1, 2):
        desk.store.ledger.settle_doubt(n, arrived=None, at=desk.at + DOUBT, resend=False)
    desk.at += DAY
    desk.deliver()
    assert desk.states("ana") == ["1 uncertain", "2 accepted"]


def test_settled_as_accepted_does_not_move_the_reader_back(desk: Desk) -> None:
    held(desk)
    before = desk.ask("SELECT high_water, anchor_at, handed_over_at FROM subscriber WHERE id = 1")
    desk.store.ledger.settle(1, accepted=True, at=desk.at)
    assert desk.states("ana") == ["1 accepted", "2 accepted"]
    assert desk.ask("SELECT high_water, anchor_at, handed_over_at FROM subscriber WHERE id = 1") == before
    assert desk.plan().planned == {}


def test_a_late_result_does_not_move_the_reader_back(desk: Desk) -> None:
    claims = desk.submitting()
    desk.at += LEASE
    desk.sweep()
    for n in (1, 2):
        desk.store.ledger.settle_doubt(n, arrived=None, at=desk.at, resend=False)
    desk.at = SLOT + DAY
    desk.deliver()
    desk.at += MINUTE
    desk.record(claims, Accepted())  # the machine had slept
    assert desk.states("ana") == ["1 accepted", "2 accepted"]
    assert desk.store.audience.find("ana@example.org").position == 2


def test_settled_as_to_be_sent_again_comes_out_of_order_and_says_so(desk: Desk) -> None:
    held(desk)
    desk.store.ledger.settle(1, accepted=False, at=desk.at)
    assert desk.states("ana") == ["1 planned", "2 accepted"]
    record = desk.record_of("ana")
    assert record.late and record.resent
    claims = desk.claim()
    desk.begin(claims)
    desk.record(claims, Accepted())
    assert desk.store.audience.find("ana@example.org").position == 2


def test_settle_refuses_while_another_post_is_under_way(desk: Desk) -> None:
    held(desk)
    desk.at += DAY
    desk.plan()
    with pytest.raises(StoreError, match="another post is under way"):
        desk.store.ledger.settle(1, accepted=False, at=desk.at)
    assert desk.states("ana") == ["1 uncertain", "2 accepted", "3 planned"]


@pytest.mark.parametrize("accepted", [True, False])
def test_settle_refuses_what_is_neither_uncertain_nor_quarantined(desk: Desk, accepted: bool) -> None:
    desk.deliver()
    with pytest.raises(NotFound, match="nothing to settle"):
        desk.store.ledger.settle(1, accepted=accepted, at=desk.at)


def test_what_never_left_cannot_have_been_accepted(desk: Desk) -> None:
    quarantine(desk)
    with pytest.raises(NotFound, match="never handed over"):
        desk.store.ledger.settle(1, accepted=True, at=desk.at)
    assert desk.states("ana") == ["1 quarantined"]


# Faults


def quarantine(desk: Desk) -> None:
    desk.plan()
    for n in range(1, FAULTS_MAX + 1):
        claim, other = sorted(desk.claim(), key=lambda c: c.id)
        assert desk.store.ledger.fault(claim, "no such colour", at=desk.at, wait=10 * MINUTE) is (n == FAULTS_MAX)
        desk.store.ledger.release([other])
        desk.at += 10 * MINUTE


def test_a_message_that_cannot_be_composed_is_quarantined_and_the_sequence_goes_on(desk: Desk) -> None:
    quarantine(desk)
    assert desk.states("ana") == ["1 quarantined"]
    assert desk.record_of("ana").reply == "no such colour"
    desk.at = SLOT + DAY
    assert desk.plan().planned == {2: 1}  # Ben's first is still open


def test_quarantine_ends_by_hand(desk: Desk) -> None:
    quarantine(desk)
    desk.store.ledger.settle(1, accepted=False, at=desk.at)
    assert desk.record_of("ana").resent is False
    claims = desk.claim()
    desk.begin(claims)
    desk.record(claims, Accepted())
    assert desk.states("ana") == ["1 accepted"]


# Copies


def test_a_copy_for_those_who_are_missing_it(desk: Desk) -> None:
    desk.join("col", had_through=1)
    desk.deliver()
    assert desk.store.ledger.copies(1, "missing", "revision-1", gap=GAP, at=desk.at, dry_run=True) == 1
    assert desk.ask("SELECT COUNT(*) FROM delivery WHERE copy > 0") == [(0,)]
    desk.at += DAY - 2 * MINUTE
    assert desk.store.ledger.copies(1, "missing", "revision-1", gap=GAP, at=desk.at) == 1
    (claim,) = desk.claim()
    assert (claim.ident, claim.copy, str(claim.recipient)) == ("post-1", 1, "col@example.org")
    desk.begin([claim])
    desk.record([claim], Accepted())
    assert desk.store.audience.find("col@example.org").position == 2
    assert desk.store.ledger.copies(1, "missing", "revision-1", gap=GAP, at=desk.at) == 0


def test_a_copy_for_those_for_whom_it_failed(desk: Desk) -> None:
    desk.deliver(SPAM)
    assert desk.store.ledger.copies(1, "failed", "revision-1", gap=GAP, at=desk.at) == 2
    assert [(c.copy, c.ident) for c in desk.claim()] == [(1, "post-1")] * 2


def test_a_copy_for_those_who_had_another_revision(desk: Desk) -> None:
    desk.deliver()
    with desk.store.write() as c:
        c.execute(
            text(
                "INSERT INTO template SELECT 'new', post_id, created_at, body FROM template WHERE revision = 'revision-1'"
            )
        )
    assert desk.store.ledger.copies(1, "revised", "revision-1", gap=GAP, at=desk.at) == 0
    assert desk.store.ledger.copies(1, "revised", "new", gap=GAP, at=desk.at) == 2
    assert desk.claim() == []  # min_gap holds for copies too
    desk.at += GAP
    claims = desk.claim()
    assert [c.copy for c in claims] == [1, 1]
    desk.begin(claims, revision="new")
    desk.record(claims, Accepted())
    assert desk.store.ledger.copies(1, "revised", "new", gap=GAP, at=desk.at) == 0


def test_no_copy_while_a_post_is_under_way(desk: Desk) -> None:
    desk.deliver(SPAM)
    desk.at += DAY
    desk.plan()
    assert desk.store.ledger.copies(1, "failed", "revision-1", gap=GAP, at=desk.at) == 0


def test_no_copy_for_those_who_left(desk: Desk) -> None:
    desk.deliver(SPAM)
    desk.store.audience.change("ana@example.org", Cause.UNSUBSCRIBED, Status.UNSUBSCRIBED, at=desk.at)
    assert desk.store.ledger.copies(1, "failed", "revision-1", gap=GAP, at=desk.at) == 1


# Counts, templates


def test_counts_name_every_state(desk: Desk) -> None:
    desk.deliver()
    counts = desk.store.accounts.counts()
    assert set(counts) == {s.value for s in State}
    assert counts["accepted"] == 2 and sum(counts.values()) == 2
    assert desk.store.accounts.sent_by("fake") == 2
    assert desk.store.accounts.positions() == {1: 2}


def test_a_template_is_kept_under_its_hash(desk: Desk) -> None:
    assert desk.store.ledger.template("revision-1") == b"template"
    assert desk.store.ledger.template("unknown") is None


# Accounts


def _tampered(desk: Desk) -> Desk:
    """#1 accepted for both, #2 deferred once and then accepted."""
    desk.deliver()
    desk.at += DAY
    desk.deliver(Deferred(BUSY), retry=5 * MINUTE)
    desk.at += 5 * MINUTE
    claims = desk.claim()
    desk.begin(claims)
    desk.record(claims, Accepted())
    assert desk.verify() == []
    return desk


ANA = "(SELECT id FROM subscriber WHERE key = 'ana@example.org')"
ROW = f"subscriber_id = {ANA} AND number"


@pytest.mark.parametrize(
    ("tampering", "sentence"),
    [
        pytest.param(
            [f"DELETE FROM attempt WHERE delivery_id IN (SELECT id FROM delivery WHERE {ROW} = 1)",
             f"DELETE FROM delivery WHERE {ROW} = 1"],
            "post 1 (Post 1): 2 deliveries were promised, 1 are on record.",
            id="a delivery that was deleted",
        ),
        pytest.param(
            ["INSERT INTO promise (at, post_id, kind, count) SELECT 0, id, 'planned', 3 FROM post WHERE number = 3"],
            "post 3 (Post 3): 3 deliveries were promised, 0 are on record.",
            id="deliveries that were never written",
        ),
        pytest.param(
            [f"UPDATE delivery SET accepted_at = accepted_at + 999999999999 WHERE {ROW} = 1"],
            "ana@example.org got #1 after #2: out of order.",
            id="acceptances in another order",
        ),
        pytest.param(
            [f"UPDATE delivery SET attempts = 3 WHERE {ROW} = 2"],
            "ana@example.org, #2 (accepted): 3 attempts were begun, 2 are accounted for.",
            id="an attempt that nobody accounts for",
        ),
        pytest.param(
            [f"DELETE FROM attempt WHERE n = 1 AND delivery_id IN (SELECT id FROM delivery WHERE {ROW} = 2)"],
            "ana@example.org, #2 (accepted): 2 attempts were begun, 1 are accounted for.",
            id="an attempt whose record is gone",
        ),
        pytest.param(
            ["UPDATE delivery SET attempts = 0 WHERE id = 1", "DELETE FROM attempt WHERE delivery_id = 1"],
            "ana@example.org, #1 (accepted): 0 attempts were begun, 0 are accounted for.",
            id="accepted without an attempt",
        ),
        pytest.param(
            [f"UPDATE subscriber SET high_water = (SELECT id FROM post WHERE number = 3) WHERE id = {ANA}"],
            "ana@example.org stands at #3, but nothing says that it was accepted.",
            id="a position moved forward",
        ),
        pytest.param(
            [f"UPDATE subscriber SET high_water = (SELECT id FROM post WHERE number = 1) WHERE id = {ANA}"],
            "ana@example.org got #2, but their position is before it.",
            id="a position moved back",
        ),
        pytest.param(
            [f"UPDATE subscriber SET high_water = NULL WHERE id = {ANA}"],
            "ana@example.org got #",
            id="a position that is gone",
        ),
        pytest.param(
            [f"UPDATE delivery SET open = 1 WHERE {ROW} = 2"],
            "ana@example.org, #2: a delivery that is accepted is open",
            id="an accepted delivery that keeps the next one back",
        ),
        pytest.param(
            [f"UPDATE delivery SET state = 'planned' WHERE {ROW} = 2",
             f"UPDATE subscriber SET high_water = (SELECT id FROM post WHERE number = 1) WHERE id = {ANA}"],
            "ana@example.org, #2: a delivery that is planned is open, or not",
            id="a planned delivery that nobody would ever claim",
        ),
        pytest.param(
            [f"INSERT INTO consent (subscriber_id, at, cause, status) SELECT {ANA}, begun_at - 1, 'unsubscribed', 'unsubscribed'"
             f" FROM delivery WHERE {ROW} = 2"],
            "ana@example.org got #2 after having left.",
            id="accepted after the reader had left",
        ),
        pytest.param(
            [f"UPDATE delivery SET subscriber_id = (SELECT id FROM subscriber WHERE key = 'ben@example.org'), epoch = 1 WHERE {ROW} = 2"],
            "ana@example.org stands at #2, but nothing says that it was accepted.",
            id="a delivery given to somebody else",
        ),
    ],
)  # fmt: skip
def test_verify_reports(store: Store, tampering: list[str], sentence: str) -> None:
    desk = Desk(store)
    desk.publish(1, 2, 3)
    desk.join("ana", "ben")
    _tampered(desk)
    for statement in tampering:
        assert desk.sql(statement) > 0
    found = desk.verify()
    assert any(f.startswith(sentence) for f in found), found
    assert not any("ben@example.org" in f for f in found)
    # One tampering may contradict several rules, each in one sentence of its own.
    assert len(found) == len(set(found)) <= 3


@pytest.mark.parametrize(
    ("dropped", "tampering", "sentence"),
    [
        pytest.param(
            "uq_delivery_open",
            ["UPDATE delivery SET state = 'planned', open = 1", "UPDATE subscriber SET high_water = NULL"],
            "ana@example.org has 2 posts under way at once.",
            id="two posts under way",
        ),
    ],
)
def test_verify_reports_what_the_database_should_have_refused(
    store: Store, dropped: str, tampering: list[str], sentence: str
) -> None:
    desk = Desk(store)
    desk.publish(1, 2, 3)
    desk.join("ana", "ben")
    _tampered(desk)
    desk.sql(f"DROP INDEX {dropped}")
    for statement in tampering:
        desk.sql(statement)
    assert sentence in desk.verify()


def test_verify_is_content_with_a_whole_life(desk: Desk) -> None:
    """Every verb once, and the books still balance (the fixture looks)."""
    _tampered(desk)
    desk.at += DAY
    desk.join("col", "dot")
    desk.at += DAY
    claims = desk.submitting()
    desk.record(claims[:1], GONE)
    desk.record(claims[1:2], Uncertain("lost"))
    desk.record(claims[2:3], SPAM)
    desk.at += LEASE
    desk.sweep()
    for doubt in desk.store.ledger.in_doubt(at=desk.at):
        desk.store.ledger.settle_doubt(doubt.delivery, arrived=None, at=desk.at, resend=True)
    desk.deliver(Uncertain("lost again"))
    desk.store.ledger.copies(1, "failed", "revision-1", gap=GAP, at=desk.at)
    desk.at += DAY
    desk.deliver()
    desk.store.audience.start_over(at=desk.at)
    desk.at += DAY
    desk.deliver()
