"""What came back: events as they were told, and what each of them did.

Guarantees
    An event counts once, however often it is told; so does what signed a request. All that one request or one mail
    tells is one commit, and those who tell at once wait for each other. A delivery that was accepted stays accepted:
    that it came back stands beside it. No address is kept here, and of whom we don't know nothing but the fact, for
    thirty days.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, text
from sqlalchemy import Row as DbRow

from newsletter.errors import SubscriberError
from newsletter.events import Event, EventKind, Heard
from newsletter.mail import Address, Reply
from newsletter.store import audience
from newsletter.store import feedback_sql as sql
from newsletter.store.attempts import accept_uncertain, send_again
from newsletter.store.audience import Fingerprint
from newsletter.store.schema import State, instant, micros, optional_instant
from newsletter.subscribers import Cause, Status, may

if TYPE_CHECKING:
    from newsletter.store import Store

_NONCE_KEPT = timedelta(days=1)  # whoever signs with one refuses it himself after minutes
_UNKNOWN_KEPT = timedelta(days=30)  # vendors tell again for three days, and a mailbox is read a month back at first
_LETTERS_MOST = 50  # of one reader that are looked at
_TEXT_MAX = 1_000


class Effect(StrEnum):
    """What an event did."""

    SUPPRESSED = "suppressed"  #: nothing more is sent there
    COUNTED = "counted"  #: a strike; several of them over some time suppress
    UNSUBSCRIBED = "unsubscribed"  #: the reader left
    NOTED = "noted"  #: it stands on record, and the reader is where they were
    OUTDATED = "outdated"  #: older than a correction, or than the reader's own word
    UNKNOWN = "unknown"  #: about nobody we know
    QUARANTINED = "quarantined"  #: one of too many at once: the owner decides
    DISCARDED = "discarded"  #: the owner did not believe it


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom an event is about, as far as judging it needs."""

    subscriber: int
    key: str  #: `Address.key`
    status: Status
    suppressed_for: Cause | None  #: what the latest change of status came from
    created_at: datetime
    confirmed_at: datetime | None  #: the reader's own latest yes
    lifted_at: (
        datetime | None
    )  #: the owner last ended a suppression, or corrected the address of one who was suppressed
    delivery: int | None = None  #: the message, if it is known which
    state: State | None = None  #: of that delivery
    begun_at: datetime | None = None
    went_to: str = ""  #: the key of the address that the message was for
    merged: bool = False  #: it was for a record of theirs that was merged since


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to become of an event."""

    effect: Effect
    at: datetime  #: when it happened, as far as that is credible
    hard: bool = False  #: a bounce for good


Judge = Callable[[Event, Subject | None], Verdict]


@dataclass(frozen=True, slots=True)
class Flood:
    """More than this, and the owner decides: addresses suppressed on the word of one teller within *span*."""

    span: timedelta
    most: int
    share: float  #: of the active readers, if that is less than *most*
    least: int  #: but so many are none


@dataclass(slots=True)
class Taken:
    """What a request or a mail did."""

    effects: Counter[Effect] = field(default_factory=Counter)
    known: int = 0  #: events told before
    replayed: bool = False  #: its signature was used before: nothing was looked at


@dataclass(frozen=True, slots=True)
class Waiting:
    """One event in quarantine."""

    address: str
    kind: EventKind
    source: str
    heard_at: datetime
    reply: Reply


@dataclass(frozen=True, slots=True)
class Rate:
    """How the latest letters of one post fared."""

    number: int
    title: str
    accepted: int
    hard: int  #: of these, came back for good
    complained: int


class Feedback:
    """The table of events, and what follows from them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def take(
        self, heard: Heard, judge: Judge, *, source: str, flood: Flood, fingerprint: Fingerprint, at: datetime
    ) -> Taken:
        """Take in what was *heard* from *source*, as *judge* says; one commit."""
        if not heard.events and not heard.once:  # a delivery, an opening: the most of what providers tell
            return Taken()
        with self._store.write() as c:
            _queue(c)
            if heard.once and not _first_use(c, fingerprint(f"{source}\0{heard.once}"), at):
                return Taken(replayed=True)
            return _Intake(c, judge, fingerprint, at).take(heard.events, source, flood)

    def concerns(self, heard: Heard, *, fingerprint: Fingerprint) -> bool:
        """Whether anything of what was *heard*, now or before, was about somebody we know."""
        idents = [_ident(event, fingerprint) for event in heard.events]
        with self._store.read() as c:
            return any(c.scalar(sql.CONCERNS, {"ident": ident}) for ident in idents)

    def waiting(self) -> list[Waiting]:
        """What is in quarantine, oldest first."""
        with self._store.read() as c:
            return [
                Waiting(r.address, EventKind(r.kind), r.source, instant(r.heard_at), _reply(r))
                for r in c.execute(text(sql.WAITING.format(which="")))
            ]

    def decide(
        self, keys: Collection[str], judge: Judge, *, believed: bool, fingerprint: Fingerprint, at: datetime
    ) -> Taken:
        """Let what is in quarantine about *keys* (none: about everybody) do what it says, or nothing."""
        with self._store.write() as c:
            _queue(c)
            rows = [r for r in c.execute(text(sql.WAITING.format(which=""))).all() if not keys or r.key in keys]
            return _Intake(c, judge, fingerprint, at).decide(rows, believed=believed)

    def rates(self, *, since: datetime, hard: int, complained: int) -> list[Rate]:
        """How letters accepted after *since* fared, of posts with so many *hard* bounces or complaints."""
        with self._store.read() as c:
            found = []
            for r in c.execute(sql.RECENT, {"since": micros(since)}).all():
                if r.hard >= hard or r.complained >= complained:
                    p = c.execute(sql.RECENTLY_ACCEPTED, {"post": r.post_id, "since": micros(since)}).one()
                    found.append(Rate(p.number, p.title, p.accepted, r.hard, r.complained))
            return found


@dataclass(slots=True)
class _Intake:
    """One transaction."""

    c: Connection
    judge: Judge
    fingerprint: Fingerprint
    at: datetime
    taken: Taken = field(default_factory=Taken)

    def take(self, events: Iterable[Event], source: str, flood: Flood) -> Taken:
        """Everything that one request or mail told."""
        grave: list[tuple[int, Event, Subject, Verdict]] = []
        for event in events:
            ident = _ident(event, self.fingerprint)
            if self.c.scalar(sql.KNOWN, {"ident": ident}):
                self.taken.known += 1
                continue
            subject, exact = _find(self.c, event)
            verdict = self.judge(event, subject)
            key = self._add(ident, event, subject, verdict)
            if subject is not None and exact and subject.state is State.UNCERTAIN and subject.delivery:
                # Whatever is told of it: it was taken.
                accept_uncertain(self.c, subject.delivery, at=None, why="a report came back about it")
                subject = replace(subject, state=State.ACCEPTED)
            if subject is None and not self.taken.effects[Effect.UNKNOWN]:  # the first that this request tells
                self.c.execute(sql.FORGET_UNKNOWN, {"before": micros(self.at - _UNKNOWN_KEPT)})
            if subject is not None and verdict.effect is Effect.SUPPRESSED:
                grave.append((key, event, subject, verdict))
            else:
                self._settle(key, event, subject, verdict)
        flooded = grave and _flooded(self.c, source, flood, self.at)
        for key, event, subject, verdict in grave:
            self._settle(key, event, subject, replace(verdict, effect=Effect.QUARANTINED) if flooded else verdict)
        return self.taken

    def decide(self, rows: Iterable[DbRow[Any]], *, believed: bool) -> Taken:
        """What the owner says to what is in quarantine."""
        for r in rows:
            event = Event(
                EventKind(r.kind), r.source, "", instant(r.at), r.delivery_id, reply=_reply(r), suppress=bool(r.dead)
            )
            subject = _subject(self.c, r.subscriber_id, r.delivery_id)
            verdict = self.judge(event, subject)
            self._settle(r.id, event, subject, verdict if believed else replace(verdict, effect=Effect.DISCARDED))
        return self.taken

    def _add(self, ident: str, event: Event, subject: Subject | None, verdict: Verdict) -> int:
        known, reply = subject is not None, event.reply  # the words name an address, so they stay with a reader
        row = {
            "ident": ident, "source": event.source, "kind": event.kind.value, "at": micros(verdict.at),
            "heard_at": micros(self.at), "effect": verdict.effect.value,
            "subscriber": subject.subscriber if subject else None, "delivery": subject.delivery if subject else None,
            "hard": int(verdict.hard), "dead": int(event.suppress and event.kind is EventKind.BOUNCED),
            "code": reply.code or None if known else None, "status": reply.status or None if known else None,
            "diagnostic": _printable(reply.text) or None if known else None,
        }  # fmt: skip
        return int(self.c.scalar(sql.ADD, row) or 0)

    def _settle(self, key: int, event: Event, subject: Subject | None, verdict: Verdict) -> None:
        """Do what the verdict says, and keep what came of it."""
        effect = verdict.effect
        if subject is not None:
            effect = self._do(key, event, subject, verdict)
        self.c.execute(sql.SET_EFFECT, {"id": key, "effect": effect.value})
        if subject is not None and effect is Effect.OUTDATED and event.kind is EventKind.BOUNCED:
            send_again(self.c, subject.subscriber, self.at)
            if subject.merged and verdict.hard:
                which = {"subscriber": subject.subscriber, "delivery": subject.delivery}
                self.c.execute(sql.OWED_AFTER_ALL, which)
        self.taken.effects[effect] += 1

    def _do(self, key: int, event: Event, subject: Subject, verdict: Verdict) -> Effect:
        match verdict.effect:
            case Effect.SUPPRESSED:
                cause = Cause.COMPLAINED if event.kind is EventKind.COMPLAINED else Cause.BOUNCED
                return self._suppress(subject, cause, str(event.reply))
            case Effect.UNSUBSCRIBED:
                return self._change(subject, Cause.UNSUBSCRIBED, Status.UNSUBSCRIBED, f"told by {event.source}")
            case Effect.COUNTED:
                return self._strike(key, subject, verdict.at)
            case Effect.OUTDATED if event.kind is EventKind.COMPLAINED and subject.went_to != subject.key:
                # Whoever has the wrong address wants no mail: no file brings it back.
                audience.keep_out(self.c, self.fingerprint(subject.went_to), Cause.COMPLAINED.value, self.at)
        return verdict.effect

    def _suppress(self, subject: Subject, cause: Cause, detail: str) -> Effect:
        if not self._may(subject, Status.SUPPRESSED, cause):
            return Effect.NOTED
        audience.suppress(self.c, subject.subscriber, self.fingerprint(subject.key), cause, self.at, detail)
        return Effect.SUPPRESSED

    def _change(self, subject: Subject, cause: Cause, to: Status, detail: str) -> Effect:
        if not self._may(subject, to, cause):
            return Effect.NOTED
        audience.change(self.c, subject.subscriber, cause, to, self.at, detail)
        return Effect.UNSUBSCRIBED

    def _may(self, subject: Subject, to: Status, cause: Cause) -> bool:
        """As the reader stands now: another event of the same request may have come first."""
        now = _subject(self.c, subject.subscriber, None)
        return may(now.status, to, cause, suppressed_for=now.suppressed_for)

    def _strike(self, key: int, subject: Subject, when: datetime) -> Effect:
        """One strike a delivery, however often it is told of; enough of them over enough time suppress."""
        values = {"id": key, "delivery": subject.delivery, "subscriber": subject.subscriber}
        if subject.delivery is None or subject.status is not Status.ACTIVE:
            return Effect.NOTED
        if subject.state is not State.ACCEPTED or self.c.scalar(sql.COUNTED_ALREADY, values):
            return Effect.NOTED
        run = _run_of_returns(self.c, subject)
        self.c.execute(sql.STRIKE, values | {"run": len(run), "since": min(run, default=0)})
        before = micros(self.at - audience.STRIKE_SPAN)
        if self.c.scalar(sql.STRUCK_OUT, values | {"strikes": audience.STRIKES, "before": before}):
            return self._suppress(subject, Cause.BOUNCED, "several letters in a row came back")
        return Effect.COUNTED


def _ident(event: Event, fingerprint: Fingerprint) -> str:
    return fingerprint(f"{event.source}\0{event.id}")


# Within a transaction


def _queue(c: Connection) -> None:
    if c.dialect.name == "postgresql":
        c.execute(sql.QUEUE)


def _first_use(c: Connection, nonce: str, at: datetime) -> bool:
    c.execute(sql.FORGET_NONCES, {"before": micros(at - _NONCE_KEPT)})
    return c.execute(sql.USE_NONCE, {"hash": nonce, "at": micros(at)}).rowcount == 1


def _run_of_returns(c: Connection, subject: Subject) -> list[int]:
    """When each letter of the run came back that holds the one in hand.

    A letter that did not come back ends a run; so does one to another address, or from before a suppression was lifted.
    """
    values = {"subscriber": subject.subscriber, "most": _LETTERS_MOST}
    lifted = micros(subject.lifted_at) if subject.lifted_at else -1
    letters = [
        (row.id, row.struck_at if row.begun_at > lifted and _key_of(row.recipient) == subject.key else None)
        for row in c.execute(sql.LATEST, values)
    ]
    here = next((n for n, (key, _) in enumerate(letters) if key == subject.delivery), len(letters))
    newer, older = reversed(letters[:here]), letters[here:]
    return [when for side in (newer, older) for _, when in takewhile(lambda letter: letter[1], side)]


def _flooded(c: Connection, source: str, flood: Flood, at: datetime) -> bool:
    """Whether too many are to be suppressed on one teller's word; those in hand stand in the table already."""
    enough = int(flood.most / flood.share)
    readers = int(c.scalar(sql.FEW_READERS, {"most": enough}) or 0)
    lately = int(c.scalar(sql.LATELY, {"source": source, "since": micros(at - flood.span)}) or 0)
    return lately > min(flood.most, max(flood.least, flood.share * readers))


def _find(c: Connection, event: Event) -> tuple[Subject | None, bool]:
    """Whom *event* is about, and whether it says exactly about which message: our own ids first, the address last."""
    if event.delivery is not None and (row := c.execute(sql.BY_DELIVERY, {"delivery": event.delivery}).one_or_none()):
        return _subject(c, row.subscriber_id, row.id), True
    if event.subscriber is not None and (hers := c.scalar(sql.BY_TOKEN, {"token": event.subscriber})):
        return _of_reader(c, hers, event)
    if event.provider_id:
        for row in c.execute(sql.BY_PROVIDER_ID, {"provider_id": event.provider_id}):
            if row.provider == event.source or _key_of(row.recipient) == _key(event.recipient):
                return _subject(c, row.subscriber_id, row.id), True
    # An address that we don't know may be where a reader's mail is forwarded to: then our Message-ID says whose it is.
    if event.recipient and (row := c.execute(sql.BY_KEY, {"key": _key(event.recipient)}).one_or_none()):
        found, exact = _of_reader(c, row.id, event)
        # An address alone anybody can name: it must have got something from us, or been asked to confirm.
        return (found, exact) if found.delivery or found.status is Status.PENDING else (None, False)
    if event.message_id and (row := c.execute(sql.BY_MESSAGE_ID, {"message_id": event.message_id}).one_or_none()):
        return _subject(c, row.subscriber_id, row.id), True
    return None, False


def _of_reader(c: Connection, subscriber: int, event: Event) -> tuple[Subject, bool]:
    values = {"subscriber": subscriber, "message_id": event.message_id, "told": micros(event.at)}
    exact = c.scalar(sql.HERS_BY_MESSAGE_ID, values) if event.message_id else None
    return _subject(c, subscriber, exact or c.scalar(sql.HERS_LATEST, values)), exact is not None


def _subject(c: Connection, subscriber: int, delivery: int | None) -> Subject:
    r = c.execute(sql.SUBJECT, {"subscriber": subscriber, "delivery": delivery}).one()
    return Subject(
        r.id, r.key, Status(r.status), Cause(r.cause) if r.cause else None, instant(r.created_at),
        optional_instant(r.confirmed_at), optional_instant(r.lifted_at), r.delivery,
        State(r.state) if r.state else None, optional_instant(r.begun_at), _key_of(r.recipient) or r.key,
        bool(r.merged),
    )  # fmt: skip


def _key_of(recipient: str | None) -> str:
    return _key(json.loads(recipient)[1]) if recipient else ""


def _key(address: str) -> str:
    """`Address.key` of what is told; empty when it can't be one."""
    try:
        return Address.parse(address).key
    except SubscriberError:
        return ""


def _reply(row: Any) -> Reply:
    return Reply(row.code or 0, row.status or "", row.diagnostic or "")


def _printable(words: str) -> str:
    return "".join(c if c.isprintable() else " " for c in words)[:_TEXT_MAX]
