"""What one mail tells, decided kind by kind. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from newsletter.events import Event, EventKind
from newsletter.links import Links, Purpose
from newsletter.mail import Reply
from newsletter.replies import dead
from newsletter.reports import automatic, prose, second
from newsletter.reports.entity import Entity
from newsletter.reports.opened import Opened
from newsletter.reports.status import Group, addresses, names, phase, reply
from newsletter.verp import ReversePaths
from newsletter.wording import Said, words

_TOKEN = re.compile(r"[A-Za-z0-9_-]{44}(?![A-Za-z0-9_-])")  # a link ends in its token; "%20" may stand before it
_TOKENS_MOST = 20
_AROUND_MAX = 4_000  # characters of a report in which another reason would stand
_RECIPIENTS_MOST = 50  # of a notice in words
_NOTHING = Reply(0, "", "")
_FEEDBACK_TYPE = re.compile(r"^\s*([A-Za-z-]{1,40})")
_OUTLOOK = "x-hmxmroriginalrecipient"
_NO_COMPLAINT = frozenset({"auth-failure", "dmarc", "not-spam", "virus", "other"})
_ARRIVED = frozenset({"delivered", "relayed", "expanded", "deliverable", "deliver"})


class Kind(StrEnum):
    """What a mail is, for one recipient."""

    BOUNCE = "bounce"  #: delivery failed for good
    DELAYED = "delayed"  #: somebody on the way still tries
    DELIVERED = "delivered"  #: a receipt
    COMPLAINT = "complaint"  #: the reader called it spam
    UNSUBSCRIBE = "unsubscribe"  #: the reader wants to leave
    AUTO_REPLY = "auto-reply"  #: out of office and the like
    CHALLENGE = "challenge"  #: a machine that wants to be convinced first
    REPLY = "reply"  #: a person's
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Ours:
    """How we know our own marks again; without them only what a report says by itself counts."""

    links: Links | None = None
    paths: ReversePaths | None = None
    unsubscribe: str = ""  #: where requests to leave are sent, in lower case
    domain: str = ""  #: of our Message-IDs


NOBODY = Ours()
_EVENTS = {
    Kind.BOUNCE: EventKind.BOUNCED,
    Kind.DELAYED: EventKind.DELAYED,
    Kind.COMPLAINT: EventKind.COMPLAINED,
    Kind.UNSUBSCRIBE: EventKind.UNSUBSCRIBED,
}


@dataclass(frozen=True, slots=True)
class Told:
    """What is told of one recipient."""

    kind: Kind
    recipient: str = ""
    reply: Reply = _NOTHING
    suppress: bool = False  #: the address is dead, or its owner complained
    delivery: int | None = None  #: from our reverse path
    subscriber: bytes | None = None  #: from one of our signed links
    message_id: str = ""  #: ours, of the letter that came back


def read(data: bytes, ours: Ours = NOBODY) -> tuple[Told, ...]:
    """What the mail in *data* tells; one for each recipient it speaks of, and never none."""
    opened = Opened.of(data)
    marks = _Marks.of(opened, ours)
    told = _complaint(opened) or _leaving(opened, ours) or _status(opened) or _bounce(opened)
    if not told:
        kind = _other(opened)
        # A machine answers in the place of whom we wrote to; a person's letter is a report about nobody.
        return (Told(kind, opened.sender if kind in (Kind.AUTO_REPLY, Kind.CHALLENGE) else ""),)
    return tuple(marks.put_on(told))


def events(data: bytes, told: Iterable[Told], *, source: str, at: datetime) -> list[Event]:
    """What was *told* as events of *source*; the same mail read twice gives the same ids.

    The id is of what the reporter wrote alone: what servers on the way put in front differs when a mail comes twice.
    """
    mail = Entity.parse(data)
    who = "\0".join(mail.get(name) for name in ("message-id", "date", "from", "subject"))
    found = []
    for one in told:
        if kind := _EVENTS.get(one.kind):
            ident = sha256("\0".join((who, kind, one.recipient.lower(), str(one.delivery))).encode("utf-8", "replace"))
            found.append(
                Event(
                    kind,
                    source,
                    ident.hexdigest(),
                    at,
                    delivery=one.delivery,
                    subscriber=one.subscriber,
                    message_id=one.message_id,
                    recipient=one.recipient,
                    reply=one.reply,
                    suppress=one.suppress and one.kind is Kind.BOUNCE,
                )
            )
    return found


# --- our own marks


@dataclass(frozen=True, slots=True)
class _Marks:
    """What our own signatures say of a mail."""

    delivery: int | None
    subscriber: bytes | None
    message_id: str

    @classmethod
    def of(cls, opened: Opened, ours: Ours) -> _Marks:
        paths = [*opened.arrived_at, *(a for n, v in opened.returned if n == "return-path" for _, a in addresses(v))]
        delivery = next(filter(None, map(ours.paths.read, paths)), None) if ours.paths else None
        listed = " ".join(value for name, value in opened.returned if name == "list-unsubscribe")
        ident = next((v.strip(" <>") for n, v in opened.returned if n == "message-id"), "")
        known = bool(ours.domain) and ident.endswith(f"@{ours.domain}")
        return cls(delivery, subscriber_in(listed, ours.links), ident if known else "")

    def put_on(self, told: Iterable[Told]) -> Iterable[Told]:
        """*told* with the marks; they say who is meant when one recipient is spoken of, for a letter has but one."""
        several = list(told)
        if len(several) > 1:
            return several
        return [
            replace(
                one,
                delivery=self.delivery,
                subscriber=one.subscriber or self.subscriber,
                message_id=self.message_id,
            )
            for one in several
        ]


def subscriber_in(text: str, links: Links | None) -> bytes | None:
    """Whose unsubscribe token stands in *text*."""
    if links is None:
        return None
    found = _TOKEN.findall(text)[:_TOKENS_MOST]
    return next(filter(None, (links.read(Purpose.UNSUBSCRIBE, token) for token in found)), None)


# --- kinds


def _complaint(opened: Opened) -> list[Told]:
    """RFC 5965. What is about authentication (RFC 6591) or a virus, or says "not spam" after all, accuses nobody."""
    fields = dict(reversed(opened.feedback))
    kind = "".join(_FEEDBACK_TYPE.findall(fields.get("feedback-type", ""))[:1]).lower() or "abuse"
    names = ("original-rcpt-to", "removal-recipient", _OUTLOOK)
    named = [a for name, v in (*opened.feedback, *opened.returned) if name in names for _, a in addresses(v)]
    # Outlook.com's own programme returns the letter alone, with the recipient in a field of its header.
    if not (opened.feedback or any(name == _OUTLOOK for name, _ in opened.returned)):
        return []
    whom = list(dict.fromkeys(named or opened.written_to)) or [""]
    said = Reply(0, "", f"feedback-type: {kind}")
    if kind.startswith("opt-out"):
        return [Told(Kind.UNSUBSCRIBE, one) for one in whom]
    if kind in _NO_COMPLAINT:
        return [Told(Kind.UNKNOWN, one, said) for one in whom]
    return [Told(Kind.COMPLAINT, one, said, suppress=True) for one in whom]


def _leaving(opened: Opened, ours: Ours) -> list[Told]:
    if (token := automatic.token_of(opened)) and (who := subscriber_in(token, ours.links)):
        return [Told(Kind.UNSUBSCRIBE, opened.sender, subscriber=who)]
    if automatic.wants_to_leave(opened, ours.unsubscribe):
        return [Told(Kind.UNSUBSCRIBE, opened.sender)]
    return []


def _status(opened: Opened) -> list[Told]:
    """RFC 3464."""
    if not opened.groups and opened.inner and automatic.from_a_daemon(opened):
        opened = Opened.of(opened.inner)  # a scanner put a report into a report of its own
    told: dict[str, Told] = {}
    for group in opened.groups:
        recipient = group.recipient or next(iter(opened.written_to), "")
        if recipient.lower() not in told:
            told[recipient.lower()] = _of_group(opened, group, recipient)
    return list(told.values())


def _of_group(opened: Opened, group: Group, recipient: str) -> Told:
    said = group.reply
    if group.action in _ARRIVED or said.status.startswith("2."):
        return Told(Kind.DELIVERED, recipient, said)
    if group.action == "delayed":
        return Told(Kind.DELAYED, recipient, said)
    near = prose.about(opened.words, group.final, {other.final for other in opened.groups})
    text = said.text or near or opened.words
    if not said.text:
        said = _reply(text, said.status)
    if not group.action and said.status.startswith("4."):
        return Told(Kind.DELAYED, recipient, said)
    around = near if len(opened.groups) > 1 else opened.words
    return _bounced(recipient, said, around, named=names(text, group.final))


def _bounce(opened: Opened) -> list[Told]:
    """A failure told in words."""
    if not automatic.tells_failure(opened):
        return []
    failed = [a for value in opened.mail.all("x-failed-recipients") for _, a in addresses(value)][:_RECIPIENTS_MOST]
    ours, to = opened.ours, opened.written_to
    whom = failed or prose.spoken_of(opened.words, ours=ours, written_to=to)
    if not failed and not set(other := second.opinion(opened.mail.fields, opened.words, ours)) <= set(whom):
        whom = other
    if not whom and len(foreign := {a.lower(): a for a in to if a.lower() not in ours}) == 1:
        whom = list(foreign.values())
    delayed = automatic.tells_delay(opened)
    told: dict[str, Told] = {}
    for one in whom or [""]:
        near = prose.about(opened.words, one, whom) if one else ""
        around = near if len(whom) > 1 else opened.words
        text = near if automatic.gives_a_reason(near) else around  # some give the reason in front of the address
        if delayed:
            told.setdefault(one.lower(), Told(Kind.DELAYED, one, _reply(text)))
        else:
            told.setdefault(one.lower(), _bounced(one, _reply(text), around, named=names(text, one)))
    return list(told.values())


def _bounced(recipient: str, said: Reply, around: str, *, named: bool) -> Told:
    """*around* is what else the report says of it."""
    gone = dead(said, phase(said.text) or phase(around), named=named)
    # Two reasons that don't agree are a doubt.
    kept = words(around[:_AROUND_MAX]) in (Said.FULL, Said.CLOSED)
    return Told(Kind.BOUNCE, recipient, said, suppress=gone and not kept)


def _reply(text: str, status: str = "") -> Reply:
    return reply(" ".join(text[:_AROUND_MAX].split()), status)


def _other(opened: Opened) -> Kind:
    if automatic.challenges(opened):
        return Kind.CHALLENGE
    if automatic.answers_by_itself(opened):
        return Kind.AUTO_REPLY
    return Kind.REPLY if opened.sender and not automatic.from_a_daemon(opened) else Kind.UNKNOWN
