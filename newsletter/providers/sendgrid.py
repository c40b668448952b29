"""SendGrid, by version 3 of its interface.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from newsletter.config.vendors import VendorSettings
from newsletter.errors import HookRefused
from newsletter.events import Event, EventKind, Heard, Hook
from newsletter.mail import Reply
from newsletter.providers import told
from newsletter.signatures import ecdsa_holds

# -- what comes back ---------------------------------------------------------------------------------

_WINDOW = timedelta(minutes=5)  # either way; every try is signed anew
_NOTHING = Reply(0, "", "")
#: Of "dropped": SendGrid didn't send it, because of what the address did before.
_DROPPED = {
    "Bounced Address": (EventKind.BOUNCED, "5.1.1", True),
    "Spam Reporting Address": (EventKind.COMPLAINED, "", False),
    "Unsubscribed Address": (EventKind.UNSUBSCRIBED, "", False),
}


def hear(hook: Hook, settings: VendorSettings, *, at: datetime) -> Heard:
    """What a signed event webhook tells; the key to look at it with is *settings*' webhook_secret.

    Raises `HookRefused`.
    """
    _check_signature(hook, settings.webhook_secret, at)
    items = told.posted(hook)
    events = tuple(event for item in items if (event := _event(item, at)))
    return Heard(events, ignored=len(items) - len(events))


def _check_signature(hook: Hook, key: str, at: datetime) -> None:
    signature = hook.headers.get("x-twilio-email-event-webhook-signature", "")
    stamp = hook.headers.get("x-twilio-email-event-webhook-timestamp", "")
    if not key:
        raise HookRefused("the key of SendGrid's signed webhooks is not set: webhook_secret_file of [provider.sendgrid]")
    if not signature or not stamp:
        raise HookRefused("it is not signed; switch on signature verification in SendGrid's webhook settings")
    # The time is signed too, so it is read first and believed when the signature holds.
    if not stamp.isascii() or not stamp.isdigit() or len(stamp) > 11:
        raise HookRefused("its time can't be read")
    if abs(at - datetime.fromtimestamp(int(stamp), UTC)) > _WINDOW:
        raise HookRefused("it was signed more than five minutes ago, or is from the future")
    if not ecdsa_holds(key, stamp.encode() + hook.body, signature):
        raise HookRefused("its signature does not hold")


def _event(item: Mapping[str, object], at: datetime) -> Event | None:
    reason = told.text(item, "reason")
    match told.text(item, "event"):
        case "bounce":
            # "blocked" is refused for now, or for reasons that aren't the address's; "bounce" is permanent.
            permanent = told.text(item, "type") != "blocked"
            reply, suppress = told.refusal(reason, told.text(item, "status"), permanent=permanent)
            kind = EventKind.BOUNCED
        case "deferred":
            words = told.text(item, "response") or reason
            (reply, suppress), kind = told.refusal(words, permanent=False), EventKind.DELAYED
        case "dropped":
            kind, status, suppress = _DROPPED.get(reason, (EventKind.BOUNCED, "5.0.0", False))
            reply = Reply(0, status, f"SendGrid did not send it: {reason}") if status else _NOTHING
        case "spamreport":
            kind, reply, suppress = EventKind.COMPLAINED, _NOTHING, False
        case "unsubscribe" | "group_unsubscribe":
            kind, reply, suppress = EventKind.UNSUBSCRIBED, _NOTHING, False
        case _:
            return None
    if not (ident := told.text(item, "sg_event_id")):
        return None
    return Event(
        kind,
        "sendgrid",
        ident,
        told.instant(item.get("timestamp"), at),
        message_id=told.text(item, "message_id"),  # our custom argument
        provider_id=told.text(item, "sg_message_id").partition(".")[0],  # the rest names machines of theirs
        recipient=told.text(item, "email"),
        reply=reply,
        suppress=suppress,
    )
