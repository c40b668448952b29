"""Mailjet, by version 3.1 of its interface for sending."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from newsletter.config.vendors import VendorSettings
from newsletter.errors import HookRefused
from newsletter.events import Event, EventKind, Heard, Hook
from newsletter.mail import Reply
from newsletter.providers import told

# -- what comes back ---------------------------------------------------------------------------------

#: What Mailjet makes of a refusal, in the words of RFC 3463.
_STATUS = {
    "user unknown": "5.1.1",
    "mailbox inactive": "5.2.1",
    "quota exceeded": "4.2.2",
    "invalid domain": "5.1.2",
    "no mail host": "5.1.2",
    "relay/access denied": "5.7.1",
    "greylisted": "4.7.1",
    "typofix": "5.1.1",
    "sender blocked": "5.7.1",
    "content blocked": "5.7.1",
    "policy issue": "5.7.1",
    "connection issue": "4.4.1",
    "protocol error": "5.5.0",
}


def hear(hook: Hook, settings: VendorSettings, *, at: datetime) -> Heard:
    """What a webhook tells: one event, or a list. Mailjet signs nothing: who knows the secret is believed.

    Raises `HookRefused`.
    """
    items = told.posted(hook)
    events = tuple(event for item in items if (event := _event(item, at)))
    return Heard(events, ignored=len(items) - len(events))


def _event(item: Mapping[str, object], at: datetime) -> Event | None:
    name, number = told.text(item, "event"), told.text(item, "MessageID")
    error = told.text(item, "error")
    kind, reply, suppress = EventKind.BOUNCED, Reply(0, "", ""), False
    match name:
        case "bounce":
            permanent = item.get("hard_bounce") is True
            words = told.text(item, "comment") or error
            reply, suppress = told.refusal(words, _STATUS.get(error, ""), permanent=permanent)
            if error == "greylisted" and not permanent:  # it tries again
                kind = EventKind.DELAYED
        case "blocked":  # not sent, because of what happened before, or of what it says
            words = f"Mailjet did not send it: {error}"
            reply, suppress = told.refusal(words, _STATUS.get(error, "5.7.1"), permanent=True)
            if error == "spam reporter":
                kind, suppress = EventKind.COMPLAINED, False
        case "spam":
            kind = EventKind.COMPLAINED
        case "unsub":
            kind = EventKind.UNSUBSCRIBED
        case _:
            return None
    when, recipient = told.text(item, "time"), told.text(item, "email")
    return Event(
        kind,
        "mailjet",
        f"{number}/{name}/{when}/{recipient}",  # it numbers nothing; told twice, all of this is the same
        told.instant(item.get("time"), at),
        message_id=told.text(item, "CustomID"),
        provider_id=number,
        recipient=recipient,
        reply=reply,
        suppress=suppress,
    )
