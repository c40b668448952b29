"""What comes back, on both databases: told in any order and any number of times, by honest tellers and others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from desk import DAY, MINUTE, Desk, hashed, row

from newsletter import feedback
from newsletter.errors import NotFound, SubscriberError
from newsletter.events import Event, EventKind, Heard
from newsletter.mail import Accepted, Address, Reply, Uncertain
from newsletter.store import Store
from newsletter.store.facts import HoldKind
from newsletter.store.feedback import Effect, Taken
from newsletter.subscribers import Cause, Status

GONE = Reply(550, "5.1.1", "no such user")
QUOTA = Reply(552, "5.2.2", "over quota")
FULL = Reply(452, "4.2.2", "mailbox full")
BLOCKED = Reply(554, "5.7.1", "blocked for spam")
BOUNCED, COMPLAINED, LEFT = EventKind.BOUNCED, EventKind.COMPLAINED, EventKind.UNSUBSCRIBED


class Postbox:
    """Tells a desk's store what came back."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.told = desk, 0

    def hear(self, *events: Event, source: str = "vendor", once: str = "") -> Taken:
        heard = Heard(events, once)
        return feedback.take_in(self.desk.store, heard, source=source, fingerprint=hashed, at=self.desk.at)

    def event(self, kind: EventKind, **changes: Any) -> Event:
        self.told += 1
        return replace(Event(kind, "vendor", f"e{self.told}", self.desk.at), **changes)

    def dead(self, name: str, **changes: Any) -> Event:
        """A bounce of the latest letter to *name*: nobody is there."""
        return self.about(name, BOUNCED, reply=GONE, suppress=True, **changes)

    def about(self, name: str, kind: EventKind, **changes: Any) -> Event:
        return self.event(kind, recipient=f"{name}@example.org", **changes)

    def effect(self, *events: Event, **changes: Any) -> Effect:
        """What the one event did."""
        (effect,) = self.hear(*events, **changes).effects
        return effect


@pytest.fixture
def desk(store: Store) -> Iterator[Desk]:
    """Ana and Ben, who got post 1; the accounts balance in the end."""
    made = Desk(store)
    made.publish(1, 2, 3, 4, 5)
    made.join("ana", "ben")
    for claim in made.submitting():
        made.record([claim], Accepted(f"id-{claim.recipient.address.local}"))
    made.at += MINUTE
    yield made
    assert made.verify() == []


@pytest.fixture
def post(desk: Desk) -> Postbox:
    return Postbox(desk)


def status(desk: Desk, name: str) -> Status:
    return desk.store.audience.find(f"{name}@example.org").status


def test_a_dead_address_is_suppressed_and_its_delivery_stays_accepted(desk: Desk, post: Postbox) -> None:
    assert post.effect(post.dead("ana")) is Effect.SUPPRESSED
    assert (status(desk, "ana"), status(desk, "ben")) == (Status.SUPPRESSED, Status.ACTIVE)
    assert desk.states("ana") == ["1 accepted"]
    reader = desk.store.audience.find("ana@example.org")
    assert reader.position == 1
    assert desk.store.accounts.consent(reader)[-1][1:] == ("bounced", "suppressed", "550 5.1.1 no such user")


def test_what_is_told_twice_counts_once(desk: Desk, post: Postbox) -> None:
    event = post.about("ana", BOUNCED, reply=FULL)
    assert post.hear(event, event).effects == {Effect.COUNTED: 1}
    taken = post.hear(event)
    assert (taken.effects, taken.known) == ({}, 1)
    assert desk.ask("SELECT strikes FROM subscriber ORDER BY id") == [(1,), (0,)]


def test_a_nonce_is_used_once(desk: Desk, post: Postbox) -> None:
    assert post.hear(post.dead("ana"), once="n").effects == {Effect.SUPPRESSED: 1}
    taken = post.hear(post.dead("ben"), once="n")
    assert taken.replayed and not taken.effects
    assert status(desk, "ben") is Status.ACTIVE
    assert not post.hear(once="n", source="another").replayed


def test_what_is_about_nobody_we_know_is_counted_and_no_word_of_it_kept(desk: Desk, post: Postbox) -> None:
    assert post.effect(post.dead("stranger")) is Effect.UNKNOWN
    assert desk.ask("SELECT subscriber_id, code, status, diagnostic FROM event") == [(None, None, None, None)]


def test_what_is_about_nobody_we_know_is_forgotten_after_a_month(desk: Desk, post: Postbox) -> None:
    """A service that sends for others as well tells of their letters for ever."""
    for _ in range(60):
        assert post.effect(post.dead("stranger"), post.dead("another")) is Effect.UNKNOWN
        desk.at += DAY
    assert desk.store.accounts.unknown_events() == 2 * 31
    post.hear(post.dead("ana"))
    desk.at += 60 * DAY
    assert post.effect(post.dead("stranger")) is Effect.UNKNOWN
    assert desk.ask("SELECT effect FROM event ORDER BY id") == [("suppressed",), ("unknown",)]


def test_a_reader_without_any_letter_is_not_suppressed_on_the_word_of_whoever_knows_the_address(
    desk: Desk, post: Postbox
) -> None:
    desk.join("cy")
    assert post.effect(post.dead("cy")) is Effect.UNKNOWN
    assert status(desk, "cy") is Status.ACTIVE


# Whom it is about


def test_our_own_ids_come_first_and_the_address_last(desk: Desk, post: Postbox) -> None:
    (ana, ben) = (desk.record_of(name) for name in ("ana", "ben"))
    other = {"recipient": "ben@example.org"}
    ways: list[dict[str, Any]] = [
        {"delivery": ana.id, **other},
        {"subscriber": ana.token, **other},
        {"provider_id": "id-ana", "message_id": ben.message_id, "recipient": "ana@example.org"},
        {"message_id": ana.message_id},
        {"message_id": ana.message_id, "recipient": "ANA@Example.org"},
        {"recipient": "ana@example.org"},
    ]
    for way in ways:
        assert post.effect(post.event(BOUNCED, reply=BLOCKED, **way), source="vendor") is Effect.NOTED
    assert desk.ask("SELECT DISTINCT delivery_id FROM event") == [(ana.id,)]


def test_an_id_of_another_provider_counts_only_with_the_address(desk: Desk, post: Postbox) -> None:
    """Desk's provider is called fake; a short queue id may be anybody's."""
    assert post.effect(post.event(BOUNCED, provider_id="id-ana", suppress=True)) is Effect.UNKNOWN
    assert post.effect(post.event(BOUNCED, provider_id="id-ana", suppress=True, source="fake")) is Effect.SUPPRESSED


def test_of_several_letters_the_last_one_before_the_report_is_meant(desk: Desk, post: Postbox) -> None:
    first = desk.record_of("ana")
    told = desk.at
    desk.at += DAY
    desk.deliver(Accepted())
    post.hear(post.about("ana", BOUNCED, reply=BLOCKED, at=told), post.about("ben", BOUNCED, reply=BLOCKED))
    assert desk.ask("SELECT delivery_id FROM event ORDER BY id") == [(first.id,), (desk.record_of("ben", 2).id,)]


def test_an_erased_reader_takes_the_events_along_and_is_unknown_from_then_on(desk: Desk, post: Postbox) -> None:
    ana = desk.record_of("ana")
    post.hear(post.dead("ana"))
    desk.store.audience.erase("ana@example.org", keep_hash=False, fingerprint=hashed, at=desk.at)
    assert desk.ask("SELECT COUNT(*) FROM event") == [(0,)]
    assert post.effect(post.dead("ana", delivery=ana.id, message_id=ana.message_id)) is Effect.UNKNOWN


# What may change a reader


def test_a_report_proves_that_what_was_in_doubt_was_taken(desk: Desk, post: Postbox) -> None:
    desk.at += DAY
    for claim in desk.submitting():
        desk.record([claim], Uncertain("no answer"))
    ana = desk.record_of("ana", 2)
    post.hear(post.event(EventKind.DELAYED, delivery=ana.id), post.about("ben", LEFT))
    assert desk.states("ana") == ["1 accepted", "2 accepted"]
    assert desk.states("ben") == ["1 accepted", "2 uncertain"]  # which letter it was about is a guess
    assert desk.store.audience.find("ana@example.org").position == 2


def test_a_complaint_is_for_ever_and_outranks_everything(desk: Desk, post: Postbox) -> None:
    post.hear(post.dead("ana"))
    assert post.effect(post.about("ana", COMPLAINED)) is Effect.SUPPRESSED
    assert post.effect(post.dead("ana")) is Effect.NOTED
    with pytest.raises(SubscriberError, match="for ever"):
        lift(desk, "ana")
    assert desk.ask("SELECT reason FROM suppression") == [("complained",)]
    desk.store.audience.erase("ana@example.org", keep_hash=False, fingerprint=hashed, at=desk.at)
    with pytest.raises(SubscriberError, match="spam; that is for ever"):
        lift(desk, "ana")


def test_an_unsubscribed_reader_is_not_made_one_whose_suppression_could_be_lifted(desk: Desk, post: Postbox) -> None:
    assert post.effect(post.about("ana", LEFT)) is Effect.UNSUBSCRIBED
    assert post.effect(post.dead("ana")) is Effect.NOTED
    assert status(desk, "ana") is Status.UNSUBSCRIBED
    assert post.effect(post.about("ana", COMPLAINED)) is Effect.SUPPRESSED


def test_who_asks_to_leave_after_a_bounce_has_left(desk: Desk, post: Postbox) -> None:
    post.hear(post.dead("ana"))
    assert post.effect(post.about("ana", LEFT)) is Effect.UNSUBSCRIBED


def test_what_happened_before_the_reader_came_back_does_not_send_them_away(desk: Desk, post: Postbox) -> None:
    left, complained = post.about("ana", LEFT), post.about("ana", COMPLAINED)
    desk.at += MINUTE
    desk.store.audience.change("ana@example.org", Cause.UNSUBSCRIBED, Status.UNSUBSCRIBED, at=desk.at)
    desk.at += MINUTE
    desk.store.audience.change("ana@example.org", Cause.CONFIRMED, Status.ACTIVE, at=desk.at)
    desk.at += MINUTE
    assert post.hear(left, complained, post.dead("ana")).effects == {Effect.OUTDATED: 3}
    assert status(desk, "ana") is Status.ACTIVE
    assert post.effect(post.about("ana", LEFT)) is Effect.UNSUBSCRIBED


@pytest.mark.parametrize("year", [1970, 2100])
def test_a_clock_that_is_wrong_keeps_nobody_from_leaving(desk: Desk, post: Postbox, year: int) -> None:
    for cause, after in ((Cause.UNSUBSCRIBED, Status.UNSUBSCRIBED), (Cause.CONFIRMED, Status.ACTIVE)):
        desk.store.audience.change("ana@example.org", cause, after, at=desk.at)
    assert post.effect(post.about("ana", LEFT, at=datetime(year, 1, 1, tzinfo=UTC))) is Effect.UNSUBSCRIBED


# Addresses that are mended


def correct(desk: Desk, old: str, new: str) -> None:
    address = Address.parse(f"{new}@example.org")
    desk.store.audience.correct(f"{old}@example.org", address, fingerprint=hashed, at=desk.at)


def lift(desk: Desk, name: str) -> bool:
    return desk.store.suppressions.lift(Address.parse(f"{name}@example.org"), fingerprint=hashed, at=desk.at)


def test_what_came_back_is_sent_to_the_corrected_address(desk: Desk, post: Postbox) -> None:
    post.hear(post.dead("ana"))
    correct(desk, "ana", "anna")
    assert desk.states("anna") == ["1 accepted", "1 withdrawn"]
    desk.at += DAY
    (letter, other) = desk.deliver()
    assert (letter.ident, letter.copy, str(letter.recipient.address)) == ("post-1", 1, "anna@example.org")
    assert other.ident == "post-2"
    desk.at += DAY
    assert sorted(claim.ident for claim in desk.deliver()) == ["post-2", "post-3"]
    assert desk.states("anna") == ["1 accepted", "1 accepted", "2 accepted"]


def test_only_what_came_back_since_the_last_letter_that_arrived_is_sent_again(desk: Desk, post: Postbox) -> None:
    post.hear(post.about("ana", BOUNCED, reply=FULL))
    for _ in range(3):
        later(desk, 1)
    post.hear(post.event(BOUNCED, delivery=desk.record_of("ana", 3).id, reply=FULL), post.dead("ana"))
    correct(desk, "ana", "anna")
    assert [s for s in desk.states("anna") if "withdrawn" in s] == ["3 withdrawn", "4 withdrawn"]
    correct(desk, "anna", "ann")
    assert [s for s in desk.states("ann") if "withdrawn" in s] == ["3 withdrawn", "4 withdrawn"]


@pytest.mark.parametrize("kind", [BOUNCED, COMPLAINED])
def test_what_befell_the_old_address_is_not_the_new_ones_fault(desk: Desk, post: Postbox, kind: EventKind) -> None:
    ana = desk.record_of("ana")
    correct(desk, "ana", "anna")
    told = post.event(kind, delivery=ana.id, recipient="ana@example.org", reply=GONE, suppress=kind is BOUNCED)
    assert post.effect(told) is Effect.OUTDATED
    assert status(desk, "anna") is Status.ACTIVE
    again = kind is BOUNCED  # a letter that a stranger called spam had arrived
    assert desk.states("anna") == (["1 accepted", "1 withdrawn"] if again else ["1 accepted"])
    assert post.effect(post.dead("ana")) is Effect.UNKNOWN
    desk.at += DAY
    desk.deliver(Accepted())
    assert post.effect(post.dead("anna")) is Effect.SUPPRESSED


def test_the_stranger_who_complained_at_a_wrong_address_is_kept_out(desk: Desk, post: Postbox) -> None:
    ana = desk.record_of("ana")
    correct(desk, "ana", "anna")
    post.hear(post.event(COMPLAINED, delivery=ana.id))
    desk.join("ana")
    with pytest.raises(NotFound):
        status(desk, "ana")


def test_a_suppression_that_was_wrong_is_lifted_and_the_letter_sent_again(desk: Desk, post: Postbox) -> None:
    late = post.dead("ana")
    post.hear(post.dead("ana"))
    desk.at += MINUTE
    assert lift(desk, "ana")
    assert status(desk, "ana") is Status.ACTIVE
    assert post.effect(late) is Effect.OUTDATED  # told before, heard after
    assert post.effect(post.dead("ana")) is Effect.OUTDATED  # told after, about a letter that left before
    assert desk.ask("SELECT COUNT(*) FROM suppression") == [(0,)]
    desk.at += DAY
    assert [claim.copy for claim in desk.deliver() if claim.ident == "post-1"] == [1]
    assert post.effect(post.dead("ana")) is Effect.SUPPRESSED
    with pytest.raises(NotFound, match="not suppressed"):
        lift(desk, "ben")


def copies(desk: Desk, number: int, which: str) -> int:
    return desk.store.ledger.copies(number, which, f"revision-{number}", gap=0 * DAY, at=desk.at)


def test_what_came_back_is_sent_again_by_hand_to_whom_it_failed(desk: Desk, post: Postbox) -> None:
    post.hear(post.about("ana", BOUNCED, reply=BLOCKED))
    assert (copies(desk, 1, "revised"), copies(desk, 1, "failed"), copies(desk, 1, "failed")) == (0, 1, 0)
    assert desk.states("ana") == ["1 accepted", "1 planned"]


def test_what_is_sent_again_by_itself_is_not_sent_by_hand_as_well(desk: Desk, post: Postbox) -> None:
    post.hear(post.dead("ana"))
    correct(desk, "ana", "anna")
    assert (copies(desk, 1, "failed"), copies(desk, 1, "missing")) == (0, 0)


@pytest.mark.parametrize(("reply", "dead"), [(GONE, True), (FULL, False)])
def test_a_confirmation_that_came_back(desk: Desk, post: Postbox, reply: Reply, dead: bool) -> None:
    """Somebody who was only asked: a dead address is not asked again, a full mailbox is nobody's strike."""
    rows = [row("cy")]
    desk.store.audience.import_rows(rows, confirmed=False, floor=-1, fingerprint=hashed, at=desk.at)
    effect = post.effect(post.about("cy", BOUNCED, reply=reply, suppress=dead))
    assert (effect, status(desk, "cy")) == (
        (Effect.SUPPRESSED, Status.SUPPRESSED) if dead else (Effect.NOTED, Status.PENDING)
    )


# Strikes


def struck(desk: Desk) -> int:
    return int(desk.ask("SELECT strikes FROM subscriber ORDER BY id")[0][0])


def later(desk: Desk, days: int) -> None:
    """The next letter to Ana, *days* later."""
    desk.at += days * DAY
    desk.deliver(Accepted())
    desk.at += MINUTE


def test_three_letters_in_a_row_that_came_back_over_ten_days_suppress(desk: Desk, post: Postbox) -> None:
    effects = [post.effect(post.about("ana", BOUNCED, reply=FULL))]
    for days in (5, 6):
        later(desk, days)
        effects.append(post.effect(post.about("ana", BOUNCED, reply=FULL)))
    assert effects == [Effect.COUNTED, Effect.COUNTED, Effect.SUPPRESSED]
    assert (status(desk, "ana"), status(desk, "ben")) == (Status.SUPPRESSED, Status.ACTIVE)


def test_three_letters_within_a_week_do_not(desk: Desk, post: Postbox) -> None:
    for _ in range(3):
        assert post.effect(post.about("ana", BOUNCED, reply=FULL)) is Effect.COUNTED
        later(desk, 2)
    assert struck(desk) == 0  # the fourth was accepted; whether it comes back nobody knows yet
    later(desk, 6)
    assert post.effect(post.about("ana", BOUNCED, reply=FULL)) is Effect.COUNTED
    assert struck(desk) == 1  # the fourth did not


def test_a_letter_that_does_not_come_back_takes_the_strikes_away(desk: Desk, post: Postbox) -> None:
    for number in (1, 2, 3, 4):
        if number != 2:
            assert post.effect(post.about("ana", BOUNCED, reply=FULL)) is Effect.COUNTED
        later(desk, 6)
    assert (status(desk, "ana"), struck(desk)) == (Status.ACTIVE, 0)
    assert post.effect(post.about("ana", BOUNCED, reply=FULL)) is Effect.SUPPRESSED  # 3, 4 and 5


def test_reports_that_come_after_the_next_letter_left_count_all_the_same(desk: Desk, post: Postbox) -> None:
    later(desk, 6)
    later(desk, 6)
    events = [post.event(BOUNCED, delivery=desk.record_of("ana", n).id, reply=FULL) for n in (1, 2, 3)]
    dated = [replace(event, at=desk.at - days * DAY) for event, days in zip(events, (11, 6, 1), strict=True)]
    assert [post.effect(event) for event in dated] == [Effect.COUNTED, Effect.COUNTED, Effect.SUPPRESSED]


def test_letters_between_which_one_arrived_are_not_in_a_row_in_whatever_order_they_are_told_of(
    desk: Desk, post: Postbox
) -> None:
    for _ in range(4):
        later(desk, 6)
    for number in (5, 1, 4, 2):
        assert post.effect(post.event(BOUNCED, delivery=desk.record_of("ana", number).id, reply=FULL)) is Effect.COUNTED
    assert struck(desk) == 2
    told = post.event(BOUNCED, delivery=desk.record_of("ana", 3).id, reply=FULL, at=desk.at - 11 * DAY)
    assert post.effect(told) is Effect.SUPPRESSED


@pytest.mark.parametrize("how", ["corrected", "lifted"])
def test_what_came_back_before_is_not_counted_against_a_mended_address(desk: Desk, post: Postbox, how: str) -> None:
    assert post.effect(post.about("ana", BOUNCED, reply=FULL)) is Effect.COUNTED
    later(desk, 6)
    assert post.effect(post.about("ana", BOUNCED, reply=FULL)) is Effect.COUNTED
    if how == "corrected":
        correct(desk, "ana", "anna")
    else:
        post.hear(post.dead("ana"))
        assert lift(desk, "ana")
    name = "anna" if how == "corrected" else "ana"
    assert struck(desk) == 0
    later(desk, 6)
    assert post.effect(post.about(name, BOUNCED, reply=FULL)) is Effect.COUNTED
    assert struck(desk) == 1


def test_one_letter_is_one_strike_however_often_it_is_told_of(desk: Desk, post: Postbox) -> None:
    effects = [post.effect(post.about("ana", BOUNCED, reply=FULL)) for _ in range(5)]
    assert effects == [Effect.COUNTED, *[Effect.NOTED] * 4]


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(BLOCKED, id="a block"),
        pytest.param(Reply(550, "5.7.26", "unauthenticated mail"), id="the signature"),
        pytest.param(Reply(421, "4.7.0", "try again later"), id="too much at once"),
        pytest.param(Reply(0, "", "listed at spamhaus"), id="a list, without a code"),
    ],
)
def test_what_is_about_us_or_the_letter_is_no_strike(desk: Desk, post: Postbox, reply: Reply) -> None:
    assert post.effect(post.about("ana", BOUNCED, reply=reply)) is Effect.NOTED
    assert struck(desk) == 0


# Too much at once


def crowd(desk: Desk, count: int) -> list[str]:
    """So many more readers, who got the next post."""
    names = [f"r{n}" for n in range(count)]
    desk.join(*names)
    desk.at += DAY
    desk.deliver(Accepted())
    desk.at += MINUTE
    return names


@pytest.mark.parametrize(
    ("readers", "dead", "believed"),
    [
        pytest.param(8, 5, True, id="five of ten may be dead"),
        pytest.param(8, 6, False, id="six of ten wait"),
        pytest.param(198, 10, True, id="five in a hundred of two hundred are few enough"),
        pytest.param(198, 11, False, id="more are not"),
        pytest.param(1_998, 50, True, id="fifty of two thousand"),
        pytest.param(1_998, 51, False, id="never more than fifty"),
    ],
)
def test_a_flood_waits_for_the_owner(desk: Desk, post: Postbox, readers: int, dead: int, believed: bool) -> None:
    names = crowd(desk, readers)
    taken = post.hear(*[post.dead(name) for name in names[:dead]])
    assert taken.effects == {Effect.SUPPRESSED if believed else Effect.QUARANTINED: dead}
    assert desk.store.audience.counts()["suppressed"] == (dead if believed else 0)


def test_a_flood_is_noticed_though_it_comes_one_by_one(desk: Desk, post: Postbox) -> None:
    names = crowd(desk, 18)
    effects = [post.effect(post.about(name, COMPLAINED)) for name in names[:8]]
    assert effects == [*[Effect.SUPPRESSED] * 5, *[Effect.QUARANTINED] * 3]
    assert post.effect(post.dead(names[9]), source="another") is Effect.SUPPRESSED  # each teller has its own count
    desk.at += 11 * MINUTE
    assert post.effect(post.dead(names[10])) is Effect.SUPPRESSED
    assert post.effect(post.about(names[11], LEFT)) is Effect.UNSUBSCRIBED


def test_what_waits_is_believed_or_not_as_the_owner_says(desk: Desk, post: Postbox) -> None:
    names = crowd(desk, 8)
    post.hear(*[post.dead(name) for name in names])
    waiting = desk.store.feedback.waiting()
    assert next((w.address, w.kind, w.source, str(w.reply)) for w in waiting) == (
        "r0@example.org", BOUNCED, "vendor", "550 5.1.1 no such user"
    )  # fmt: skip
    (told,) = feedback.undecided(desk.store)
    assert told.startswith("8 readers would get nothing more on the word of vendor")

    def decide(*keys: str, believed: bool) -> dict[Effect, int]:
        return feedback.decide(desk.store, keys, believed=believed, fingerprint=hashed, at=desk.at).effects

    assert decide("r0@example.org", "r1@example.org", believed=False) == {Effect.DISCARDED: 2}
    desk.store.audience.change("r2@example.org", Cause.UNSUBSCRIBED, Status.UNSUBSCRIBED, at=desk.at)
    assert decide(believed=True) == {Effect.SUPPRESSED: 5, Effect.NOTED: 1}
    assert (feedback.undecided(desk.store), decide(believed=True)) == ([], {})
    assert [status(desk, name) for name in names[:4]] == [
        Status.ACTIVE, Status.ACTIVE, Status.UNSUBSCRIBED, Status.SUPPRESSED
    ]  # fmt: skip


# Too much of one post


def held(desk: Desk) -> list[str]:
    feedback.look(desk.store, at=desk.at)
    return [hold.reason for hold in desk.store.facts.holds() if hold.kind is HoldKind.FEEDBACK]


@pytest.mark.parametrize(
    ("readers", "kind", "count", "stops"),
    [
        pytest.param(18, BOUNCED, 1, False, id="one of twenty is nothing"),
        pytest.param(78, BOUNCED, 4, False, id="four of eighty are five in a hundred"),
        pytest.param(78, BOUNCED, 5, True, id="five of eighty are more"),
        pytest.param(98, BOUNCED, 5, False, id="five of a hundred are not"),
        pytest.param(78, COMPLAINED, 2, False, id="two complaints may be two people"),
        pytest.param(78, COMPLAINED, 3, True, id="three of eighty stop"),
        pytest.param(998, COMPLAINED, 3, False, id="three of a thousand are three in a thousand"),
        pytest.param(998, COMPLAINED, 4, True, id="four are more"),
    ],
)
def test_a_post_that_comes_back_too_often_stops_the_run(
    desk: Desk, post: Postbox, readers: int, kind: EventKind, count: int, stops: bool
) -> None:
    names = crowd(desk, readers)  # with Ana and Ben two more have post 1
    post.hear(*[post.about(name, kind, reply=BLOCKED) for name in names[:count]])
    assert bool(held(desk)) is stops


def test_what_the_owner_has_seen_does_not_stop_her_again(desk: Desk, post: Postbox) -> None:
    names = crowd(desk, 18)
    post.hear(*[post.about(name, BOUNCED, reply=BLOCKED) for name in names[:5]])
    (reason,) = held(desk)
    assert reason.startswith("5 of the 20 letters of post 1 (Post 1) that were accepted lately came back for good.")
    desk.at += MINUTE
    desk.store.facts.lift({HoldKind.FEEDBACK}, at=desk.at)
    assert held(desk) == []
    desk.at += DAY
    desk.deliver(Accepted())
    post.hear(*[post.about(name, BOUNCED, reply=BLOCKED) for name in names[:5]])
    assert held(desk) != []


def test_what_came_back_long_ago_stops_nobody(desk: Desk, post: Postbox) -> None:
    names = crowd(desk, 18)
    post.hear(*[post.about(name, BOUNCED, reply=BLOCKED) for name in names[:5]])
    desk.at += 4 * DAY
    assert held(desk) == []


def test_a_soft_bounce_stops_nobody(desk: Desk, post: Postbox) -> None:
    names = crowd(desk, 18)
    post.hear(*[post.about(name, BOUNCED, reply=reply) for name in names for reply in (FULL, QUOTA)])
    assert held(desk) == []
