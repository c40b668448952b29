"""One pass over the mailbox: what came back is taken in, and put out of the owner's way.

Guarantees
    What a letter says is durable before the letter is moved; a crash in between has it read twice, and the second time
    changes nothing. A letter that is about none of our readers stays where it is, as does every letter of a person and
    every answer of a machine in a person's place.

How far it has read is kept in the database, so that what stays is read once. A mailbox that is read for the first time,
or that was made anew, is read a month back.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from newsletter import feedback
from newsletter.config import Identity
from newsletter.errors import NotFound
from newsletter.events import Event, EventKind, Heard
from newsletter.links import Links
from newsletter.reports import Kind, Ours, Told, events, read
from newsletter.store import Store
from newsletter.store.audience import Fingerprint
from newsletter.store.feedback import Effect
from newsletter.verp import ReversePaths

if TYPE_CHECKING:
    from newsletter.providers.mailbox import Letter

SOURCE = "mailbox"
_FACT = "mailbox"
_FIRST_LOOK = timedelta(days=30)

_log = logging.getLogger(__name__)


class Box(Protocol):
    """A folder of a mailbox."""

    validity: int
    ident: str

    def letters(self, *, after: int, since: date | None = None) -> Iterator[list[Letter]]:
        """The letters with a number above *after*, oldest first, some at a time."""
        ...

    def put_away(self, uids: Sequence[int]) -> None:
        """Move these letters to where what was dealt with lies."""
        ...


Open = Callable[[], AbstractContextManager[Box]]


@dataclass(slots=True)
class Look:
    """What one pass found."""

    read: int = 0  #: letters
    kinds: Counter[Kind] = field(default_factory=Counter)  #: of the letters that were dealt with
    effects: Counter[Effect] = field(default_factory=Counter)
    left: int = 0  #: letters that stayed where they were


def ours(identity: Identity, secret: bytes) -> Ours:
    """How this newsletter knows its own letters again."""
    to = identity.bounces_to
    return Ours(
        Links(secret, identity.url, identity.list_id),
        ReversePaths(secret, to, identity.list_id) if to else None,
        identity.unsubscribe_address.key,
        identity.sender.address.domain,
    )


def look(
    open_box: Open,
    store: Store,
    identity: Identity,
    secret: bytes,
    *,
    fingerprint: Fingerprint,
    at: datetime,
    stop: Callable[[], bool] = lambda: False,
) -> Look:
    """Read what is new in the mailbox. Raises `ProviderError` when it can't be reached or breaks off."""
    marks, found = ours(identity, secret), Look()
    with open_box() as box:
        after, since = _where(store, box, at)
        for letters in box.letters(after=after, since=since):
            handled = []
            for letter in letters:
                if stop():
                    break
                if _take(store, letter, marks, found, fingerprint=fingerprint, at=at):
                    handled.append(letter.uid)
                after = letter.uid
            box.put_away(handled)
            _remember(store, box, after, at)
            if stop():
                break
        _remember(store, box, after, at)
    counts = {"read": found.read, "left": found.left, **{kind.value: n for kind, n in found.kinds.items()}}
    _log.info("mailbox", extra={"facts": counts})
    return found


def last_look(store: Store) -> datetime | None:
    """When the mailbox was last read."""
    fact: dict[str, Any] = store.facts.get(_FACT) or {}
    return datetime.fromisoformat(fact["at"]) if fact else None


def _take(store: Store, letter: Letter, marks: Ours, found: Look, *, fingerprint: Fingerprint, at: datetime) -> bool:
    """Take in what one letter says; whether it is dealt with."""
    told = read(letter.data, marks)
    found.read += 1
    done = _is_ours(told)
    heard = events(letter.data, told, source=SOURCE, at=min(letter.arrived_at, at))
    if believed := [_by_name(store, event) for event in heard if _credible(event)]:
        word = Heard(believed)
        found.effects += feedback.take_in(store, word, source=SOURCE, fingerprint=fingerprint, at=at).effects
        done = done or store.feedback.concerns(word, fingerprint=fingerprint)
    if done:
        found.kinds[told[0].kind] += 1
    else:
        found.left += 1
    return done


def _by_name(store: Store, event: Event) -> Event:
    """Who asks to leave from the address that is on the list need not have had a letter yet."""
    if event.kind is not EventKind.UNSUBSCRIBED or event.subscriber is not None:
        return event
    try:
        return replace(event, subscriber=store.audience.find(event.recipient).token)
    except NotFound:
        return event


def _is_ours(told: Sequence[Told]) -> bool:
    """Whether a report bears a mark of ours, whatever came of it."""
    reports = (Kind.BOUNCE, Kind.DELAYED, Kind.DELIVERED, Kind.COMPLAINT, Kind.UNSUBSCRIBE)
    return any(one.kind in reports and (one.delivery or one.subscriber) for one in told)


def _credible(event: Event) -> bool:
    """A complaint is for ever, and a mail with one is quickly made: it has to bring something that we signed.

    The letter that comes back with it does, in its List-Unsubscribe.
    """
    return event.kind is not EventKind.COMPLAINED or event.delivery is not None or event.subscriber is not None


def _where(store: Store, box: Box, at: datetime) -> tuple[int, date | None]:
    """The number of the last letter that was read, or 0 and the day to begin with."""
    fact: dict[str, Any] = store.facts.get(_FACT) or {}
    if fact.get("of") == box.ident and fact.get("validity") == box.validity:
        return int(fact["after"]), None
    return 0, (at - _FIRST_LOOK).date()


def _remember(store: Store, box: Box, after: int, at: datetime) -> None:
    fact = {"at": at.isoformat(), "of": box.ident, "validity": box.validity, "after": after}
    if fact != store.facts.get(_FACT):
        store.facts.put(_FACT, fact)
