"""What a provider tells in a webhook: the grammar that several of them share. Pure.

Guarantees
    Octets that are no JSON are refused; a field that is absent, or of another kind than documented, reads as empty.
    Whether an address is dead is judged by the words of the server that refused it, as in SMTP; the provider's own
    word alone never makes it so, and it must agree.
"""

from __future__ import annotations

import hmac
import json
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from newsletter import replies
from newsletter.errors import HookRefused
from newsletter.events import Event, Heard, Hook
from newsletter.mail import Rejected, Reply

_CODE = re.compile(r"\s*(?:smtp; ?)?([245]\d\d)(?:[ -]|$)", re.IGNORECASE)
WINDOW = timedelta(minutes=5)  #: within which a signed request must come

_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")


def document(text: str | bytes) -> object:
    """The JSON in *text*; None when it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def posted(hook: Hook) -> list[Mapping[str, object]]:
    """Each object of what was posted: one, or a list of them. Raises `HookRefused`."""
    found = document(hook.body)
    several: list[Any] = found if isinstance(found, list) else [found]
    if not all(isinstance(item, dict) for item in several):
        raise HookRefused("it is neither an event nor a list of events")
    return several


def heard(hook: Hook, read: Callable[[Mapping[str, object]], Event | None]) -> Heard:
    """The event in each object that was posted, as *read* finds it. Raises `HookRefused`."""
    found = [read(item) for item in posted(hook)]
    events = tuple(filter(None, found))
    return Heard(events, ignored=len(found) - len(events))


def section(item: object, key: str) -> Mapping[str, object]:
    """The object at *key*; empty when there is none."""
    value = item.get(key) if isinstance(item, dict) else None
    return value if isinstance(value, dict) else {}


def sections(item: object, key: str) -> list[Mapping[str, object]]:
    """The objects in the list at *key*."""
    value = item.get(key) if isinstance(item, dict) else None
    return [part for part in value if isinstance(part, dict)] if isinstance(value, list) else []


def text(item: Mapping[str, object], key: str) -> str:
    """The text or number at *key*, as one line; empty when there is none.

    What can't be shown becomes a space: no database takes NUL or half a surrogate.
    """
    value = item.get(key)
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        return ""
    return "".join(c if c.isprintable() else " " for c in str(value))


def instant(value: object, default: datetime) -> datetime:
    """A time of day as vendors write it (seconds since 1970, or ISO 8601), in UTC; *default* if it's neither."""
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
        found = datetime.fromisoformat(value) if isinstance(value, str) else default
    except (ValueError, OverflowError, OSError):
        return default
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def refusal(words: str, status: str = "", *, permanent: bool) -> tuple[Reply, bool]:
    """The reply a server gave according to the provider, and whether the address is dead.

    A status in the server's *words* comes before the one that the provider tells, or guesses.
    """
    found = _CODE.match(words)
    code = int(found[1]) if found else 0
    reply = replies.parse(code, [words[found.end() if found else 0 :].encode("utf-8", "replace")])
    status = status if _STATUS.fullmatch(status) else "5.0.0" if permanent else "4.0.0"
    status = reply.status or status
    judged = replies.outcome(replies.Phase.RCPT, Reply(code or (550 if permanent else 450), status, reply.text))
    dead = permanent and isinstance(judged, Rejected) and judged.suppress
    return Reply(code, status, reply.text), dead


def basic(hook: Hook) -> str:
    """The password of HTTP basic authentication (RFC 7617); empty when there is none."""
    scheme, _, given = hook.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return b64decode(given, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def check_password(hook: Hook, wanted: str) -> None:
    """Of vendors that sign nothing: the address is secret, and may carry a password as well. Raises `HookRefused`."""
    if wanted and not same(basic(hook), wanted):
        raise HookRefused("its password is missing or wrong")


def same(given: str, wanted: str) -> bool:
    """Whether a secret is the one that was agreed, in the same time whatever is wrong; an empty one never is."""
    return bool(wanted) and hmac.compare_digest(given.encode(), wanted.encode())


def timely(stamp: str, *, at: datetime) -> None:
    """Check a signed time, in seconds since 1970; raises `HookRefused`."""
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        raise HookRefused("the time of its signature can't be read")
    if abs(at.timestamp() - int(stamp)) > WINDOW.total_seconds():
        raise HookRefused("it was signed at another time; if this goes on, look at this machine's clock")
