"""JSON of which nothing is promised, as answers and webhooks bring it. Pure.

Guarantees
    A field that is absent, or of another kind than documented, reads as empty.
    Whether an address is dead is judged by the words of the server that refused it, as in SMTP; the vendor must agree,
    and its own word alone never makes it so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from newsletter.events import Hook
from newsletter.mail import Reply
from newsletter.providers.hooks import dead, not_genuine, reply_in


def document(text: str | bytes) -> object:
    """The JSON in *text*; None when it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def posted(hook: Hook, title: str) -> Sequence[Mapping[str, object]]:
    """Each object of what was posted: one, or a list of them. Raises `HookRefused`."""
    found = document(hook.body)
    several = found if isinstance(found, list) else [found]
    objects = [item for item in several if isinstance(item, dict)]
    if len(objects) != len(several):
        raise not_genuine(title, "it is neither an event nor a list of events")
    return objects


def section(item: object, key: str) -> Mapping[str, object]:
    """The object at *key*; empty when there is none."""
    value = item.get(key) if isinstance(item, dict) else None
    return value if isinstance(value, dict) else {}


def sections(item: object, key: str) -> Sequence[Mapping[str, object]]:
    """The objects in the list at *key*."""
    value = item.get(key) if isinstance(item, dict) else None
    return [part for part in value if isinstance(part, dict)] if isinstance(value, list) else []


def text(item: Mapping[str, object], key: str) -> str:
    """The text or number at *key*, as text; empty when there is none."""
    value = item.get(key)
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def bounced(words: str, status: str = "", *, permanent: bool) -> tuple[Reply, bool]:
    """The reply of the server that refused, in its *words*, and whether the address is dead.

    *status* and *permanent* are the vendor's: where the server's words have no status, that; where nothing has, whether
    the vendor gave up. Both have to say that an address is dead.
    """
    reply = reply_in(words)
    exact = reply.status or reply_in("", status=status).status or ("5.0.0" if permanent else "4.0.0")
    reply = replace(reply, status=exact)
    return reply, permanent and dead(reply)
