"""What comes back, on both databases: told in any order and any number of times, by honest tellers and others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from desk import DAY, MINUTE, Desk, hashed
from sqlalchemy import text

from newsletter import feedback
from newsletter.events import Event, EventKind, Heard
from newsletter.mail import Accepted, Deferred, Reply, Uncertain
from newsletter.store import Store
from newsletter.store.feedback import Effect, Taken
from newsletter.subscribers import Cause, Status

GONE = Reply(550, "5.1.1", "no such user")
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


def test_a_reader_without_any_letter_is_not_suppressed_on_the_word_of_whoever_knows_the_address(
    desk: Desk, post: Postbox
) -> None:
    desk.join("cy")
    assert post.effect(post.dead("cy")) is Effect.UNKNOWN
    assert status(desk, "cy") is Status.ACTIVE
