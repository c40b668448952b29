"""What the webhooks of all vendors need: whether a request is genuine, and what a server's words in it mean. Pure.

Guarantees
    Signatures are over the octets as they came, and compared in constant time; nothing is parsed as JSON before.
    A signed time further than `WINDOW` from ours, on either side, is refused.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64decode
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from newsletter.errors import HookRefused
from newsletter.events import Hook
from newsletter.mail import Rejected, Reply
from newsletter.replies import Phase, outcome, parse

WINDOW = timedelta(minutes=5)
_CODE = re.compile(r"(?:^|[^\d.])([245]\d\d)[ -](?=[245]\.\d{1,3}\.\d|[^\d\s])")
_STATUS = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d.])")


def not_genuine(title: str, why: str) -> HookRefused:
    """The refusal of a request that says it comes from *title*."""
    return HookRefused(f"a webhook that claims to come from {title} was refused: {why}")


def basic(hook: Hook, secret: str, title: str) -> None:
    """Check the password of basic auth (RFC 7617), "user:password" or the password alone; nothing is set: no check.

    Raises `HookRefused`.
    """
    if not secret:
        return  # the address itself is the secret
    scheme, _, given = hook.headers.get("authorization", "").partition(" ")
    try:
        pair = b64decode(given, validate=True)
    except ValueError:
        pair = b""
    wanted = secret.encode()
    password = pair.partition(b":")[2]
    if scheme.lower() != "basic" or not same_as_any(wanted, [pair, password]):
        raise not_genuine(title, "its password is missing or wrong")


def same_as_any(wanted: bytes, given: Iterable[bytes]) -> bool:
    """Whether one of *given* is *wanted*, in a time that tells nothing of it."""
    return any([hmac.compare_digest(wanted, one) for one in given])  # noqa: C419  each is looked at


def timely(stamp: str, title: str, *, at: datetime) -> None:
    """Check a signed time, in seconds since 1970; raises `HookRefused`."""
    if not stamp.isascii() or not stamp.isdigit() or len(stamp) > 12:
        raise not_genuine(title, "its time can't be read")
    if abs(at.timestamp() - int(stamp)) > WINDOW.total_seconds():
        raise not_genuine(title, "it was signed at another time; if this goes on, look at this machine's clock")


def when(moment: object, at: datetime) -> datetime:
    """A time as vendors tell it: seconds since 1970, or ISO 8601, by itself in UTC; *at* when it can't be read."""
    try:
        if isinstance(moment, int | float):
            return datetime.fromtimestamp(moment, UTC)
        found = datetime.fromisoformat(str(moment))
    except (ValueError, OverflowError, OSError):
        return at
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def reply_in(text: str, *, code: object = 0, status: object = "") -> Reply:
    """A server's reply as a vendor tells it: *code* and *status* where it has fields for them, else from its words."""
    words = parse(0, [line.encode() for line in text.splitlines()])
    number = int(str(code)) if str(code).isdecimal() else 0
    if not 200 <= number < 600:
        found = _CODE.search(text)
        number = int(found[1]) if found else 0
    exact = _STATUS.search(str(status)) or _STATUS.search(text)
    return Reply(number, exact[0] if exact else words.status, words.text)


def dead(reply: Reply) -> bool:
    """Whether a server's words say that the address is dead."""
    judged = outcome(Phase.RCPT, reply)
    return isinstance(judged, Rejected) and judged.suppress
