"""What comes back about a message that was accepted: bounces, complaints, requests to leave. Values only.

Who tells it (a failure notice in the mailbox, a provider's webhook) makes an `Event`; `feedback` decides what it
does. An event names its delivery as exactly as its teller can: by our own reverse path or link first, by an id second,
by the address last.

Sources: RFC 3464 (delivery status), RFC 5965 (abuse reports), RFC 8058 and RFC 2369 (unsubscribing).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from newsletter.mail import Reply

_NOTHING_SAID = Reply(0, "", "")


class EventKind(StrEnum):
    """What is told."""

    BOUNCED = "bounced"  #: delivery failed after the message was accepted; the reply says for how long
    DELAYED = "delayed"  #: somebody on the way still tries; nothing to do
    COMPLAINED = "complained"  #: the reader called it spam
    UNSUBSCRIBED = "unsubscribed"  #: the reader asked to leave


@dataclass(frozen=True, slots=True)
class Event:
    """One thing told about one recipient."""

    kind: EventKind
    source: str  #: "mailbox", or the provider's name
    id: str  #: unique within *source*: told twice, it counts once
    at: datetime  #: aware; when it happened, as far as is told
    delivery: int | None = None  #: from our own reverse path, whose signature held
    subscriber: bytes | None = None  #: the id in one of our signed links
    message_id: str = ""  #: ours, without angle brackets
    provider_id: str = ""  #: as in `Accepted.provider_id`
    recipient: str = ""  #: the address, as told
    reply: Reply = _NOTHING_SAID
    suppress: bool = False  #: a bounce: the address is dead


@dataclass(frozen=True, slots=True)
class Hook:
    """A request that claims to come from a provider: as it came, nothing believed yet."""

    body: bytes  #: raw: signatures are over these octets
    headers: Mapping[str, str] = field(default_factory=dict)  #: names in lower case
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Heard:
    """What a genuine request told."""

    events: Sequence[Event] = ()
    once: str = ""  #: a nonce that may be used once, for signatures that don't cover the body
    ignored: int = 0  #: kinds of events that change nothing here: deliveries, opens
