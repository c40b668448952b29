"""Mail as values: addresses, messages, and what a provider answered.

Guarantees
    A wrong value can't be built: an `Address` has parsed and carries no control character,
    an `Envelope` has exactly one recipient.

Sources: RFC 5321 (envelope, replies), RFC 5322 (mailbox), RFC 3463 (enhanced status), RFC 5890 (A-labels).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parseaddr
from enum import StrEnum
from functools import lru_cache
from typing import Protocol

from newsletter.errors import SubscriberError

# RFC 5321 section 4.1.2, Dot-string; a leading dash is refused because command-line mailers read it as an option.
_DOT_STRING = re.compile(r"(?!-)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LOCAL_MAX = 64  # octets, RFC 5321 section 4.5.3.1.1


@lru_cache(maxsize=65_536)
def _domain(text: str) -> str:
    """*text* as a lower-case A-label domain; raises `SubscriberError`. Cached: lists share few domains."""
    from email_validator import EmailNotValidError, validate_email

    if text.lower() == "localhost":  # rehearsals on one machine are sent there, and to .test
        return "localhost"
    try:
        checked = validate_email(f"a@{text}", check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise SubscriberError(str(error)) from None
    return checked.ascii_domain.lower()


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """An addr-spec as it goes into an envelope: ASCII local part, domain in lower-case A-labels."""

    local: str
    domain: str

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read ``local@domain``; raises `SubscriberError` with a plain sentence.

        A local part outside ASCII needs SMTPUTF8 (RFC 6531) on the whole way and is refused.
        """
        text = text.strip()
        local, at, domain = text.rpartition("@")
        if not at or not local or not domain:
            raise SubscriberError(
                f"{shown(text)} is not an email address: it needs one @ with something on either side"
            )
        if not local.isascii():
            raise SubscriberError(
                f"{shown(text)} has letters before the @ that most mail servers refuse; ask for another address"
            )
        if not _DOT_STRING.fullmatch(local) or len(local) > _LOCAL_MAX:
            raise SubscriberError(f"{shown(text)} is not an email address: check the part before the @")
        try:
            return cls(local, _domain(domain))
        except SubscriberError as error:
            raise SubscriberError(f"{shown(text)} is not an email address: {error}") from None

    @property
    def key(self) -> str:
        """The form in which two addresses are one person: all lower case."""
        return f"{self.local}@{self.domain}".lower()

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"


def shown(text: str, *, limit: int = 60) -> str:
    """*text* in quotes, short and without control characters: fit for a message on a terminal."""
    plain = printable(text)
    return f'"{plain[: limit - 1] + "…" if len(plain) > limit else plain}"'


def printable(text: str) -> str:
    """*text* with � for whatever could paint on a terminal."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "�" for c in text)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A display name and an address (RFC 5322 section 3.4), as in From and To. The name may be empty."""

    name: str
    address: Address

    @classmethod
    def parse(cls, text: str) -> Mailbox:
        """Read ``Name <local@domain>`` or a bare address; raises `SubscriberError`."""
        name, bare = parseaddr(text)
        if not bare:
            raise SubscriberError(f'{shown(text)} is not a sender: write it as "Maya Thorne <maya@example.org>"')
        return cls(name, Address.parse(bare))

    def __str__(self) -> str:
        return f"{self.name} <{self.address}>" if self.name else str(self.address)


@dataclass(frozen=True, slots=True)
class Envelope:
    """Reverse path and the one recipient (RFC 5321 section 2.3.1)."""

    sender: Address
    recipient: Address


class Form(Protocol):
    """What many messages have in common: octets with slots between them."""

    @property
    def revision(self) -> str:
        """The same for the same octets and slots, another for others."""
        ...

    @property
    def literals(self) -> tuple[bytes, ...]:
        """The octets around the slots, if with the values they are the message; empty if some stand there in code."""
        ...

    def pieces(self, values: Sequence[bytes]) -> list[bytes]:
        """A message with *values* in the slots."""
        ...


@dataclass(frozen=True, slots=True)
class Message:
    """One delivery's exact bytes with their envelope; *delivery* is its id in the ledger."""

    delivery: int
    message_id: str  #: without angle brackets
    envelope: Envelope
    data: bytes  #: CRLF line ends, 7-bit, no dot-stuffing
    #: the same octets, cut where a template was filled in: what messages share need be looked at only once
    pieces: Sequence[bytes] = field(default=(), repr=False, compare=False)
    #: what it was made from, unless it was made by itself: whoever says it in another way translates a form once
    form: Form | None = field(default=None, repr=False, compare=False)
    values: Sequence[bytes] = field(default=(), repr=False, compare=False)  #: in the slots of *form*


class About(StrEnum):
    """Whom a refusal is about; it decides who pays for it."""

    ADDRESS = "address"  #: the mailbox can't be reached; the post waits for a corrected address
    MESSAGE = "message"  #: this message was refused; settles the post for this reader
    US = "us"  #: login, sender, quota, reputation; the run pauses and no recipient is marked


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's words: basic code (RFC 5321), enhanced status (RFC 3463, may be empty), text verbatim."""

    code: int
    status: str
    text: str

    def __str__(self) -> str:
        return " ".join(filter(None, (str(self.code or ""), self.status, self.text)))


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took responsibility. Not: it was read."""

    provider_id: str = ""  #: the provider's own id for the message; vendors replace our Message-ID
    reply: Reply | None = None


@dataclass(frozen=True, slots=True)
class Deferred:
    """A transient refusal; worth another attempt."""

    reply: Reply
    retry_after: timedelta | None = None  #: when the provider said so
    poison: bool = (
        False  #: at this message, and not at others, the server breaks off again and again; nothing was taken
    )


@dataclass(frozen=True, slots=True)
class Rejected:
    """A permanent refusal."""

    reply: Reply
    about: About
    suppress: bool = False  #: the address itself is dead: never mail it again


@dataclass(frozen=True, slots=True)
class Uncertain:
    """Handed over, no answer (RFC 1047): it may or may not have been accepted."""

    diagnostic: str


Outcome = Accepted | Deferred | Rejected | Uncertain


class Provider(Protocol):
    """Hands messages to a submission agent (RFC 6409).

    A provider may also have ``lookup(message_id, *, since) -> Accepted | Uncertain | None``, which settles a message in
    doubt whose attempt began at *since*: it was accepted; (None) it certainly was not; or nobody can say, and why. It
    raises ProviderError when asking later may tell.
    """

    name: str
    window: int  #: how many messages may be in doubt at once

    def submit(self, messages: Iterable[Message]) -> Iterator[tuple[Message, Outcome]]:
        """Yield each message with its Outcome as soon as it is known, in any order.

        Pulls the next message as room appears; the caller begins and records in groups. A message
        that was pulled and for which nothing is yielded was not handed over.
        Raises ProviderError only when the provider refuses *us* (login, sender, quota).
        """
        ...
