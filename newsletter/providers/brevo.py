"""Brevo, by version 3 of its interface.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime

from newsletter.config.vendors import VendorSettings
from newsletter.errors import HookRefused
from newsletter.events import Event, EventKind, Heard, Hook
from newsletter.mail import Reply
from newsletter.providers import told

# -- what comes back ---------------------------------------------------------------------------------

_KINDS = {
    "hard_bounce": EventKind.BOUNCED,
    "soft_bounce": EventKind.BOUNCED,
    "invalid_email": EventKind.BOUNCED,
    "blocked": EventKind.BOUNCED,
    "error": EventKind.BOUNCED,
    "deferred": EventKind.DELAYED,
    "spam": EventKind.COMPLAINED,
    "unsubscribed": EventKind.UNSUBSCRIBED,
    "unsubscribe": EventKind.UNSUBSCRIBED,
}
_REFUSED = frozenset({"hard_bounce", "invalid_email"})


def hear(hook: Hook, settings: VendorSettings, *, at: datetime) -> Heard:
    """What a webhook tells. Brevo signs nothing: who knows the secret is believed. Raises `HookRefused`."""
    items = told.posted(hook)
    events = tuple(event for item in items if (event := _event(item, at)))
    return Heard(events, ignored=len(items) - len(events))


def _event(item: Mapping[str, object], at: datetime) -> Event | None:
    name, message_id = told.text(item, "event"), told.text(item, "message-id")
    if name not in _KINDS or not message_id:
        return None
    kind, reply, suppress = _KINDS[name], Reply(0, "", ""), False
    if kind in (EventKind.BOUNCED, EventKind.DELAYED):
        reply, suppress = told.refusal(told.text(item, "reason"), permanent=name in _REFUSED)
        # Brevo found the address impossible, and asked nobody.
        suppress = suppress or name == "invalid_email"
    # Other times are in the zone of the account, without saying which.
    told_at = item.get("ts_epoch")
    recipient = told.text(item, "email")
    # It numbers nothing; told twice, all of this is the same.
    ident = "\n".join((name, message_id, recipient, told.text(item, "ts_epoch") or told.text(item, "date")))
    return Event(
        kind,
        "brevo",
        hashlib.sha256(ident.encode("utf-8", "replace")).hexdigest()[:40],
        told.instant(told_at / 1_000 if isinstance(told_at, int | float) else None, at),
        message_id=told.text(item, "X-Mailin-custom"),
        provider_id=message_id.strip("<>"),
        recipient=recipient,
        reply=reply,
        suppress=suppress,
    )
