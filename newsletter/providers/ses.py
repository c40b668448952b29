"""Amazon SES, by the interface of its version 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from email.utils import parseaddr

from newsletter.config.vendors import VendorSettings
from newsletter.events import Event, EventKind, Heard, Hook
from newsletter.mail import Reply
from newsletter.providers import sns, told

# -- what comes back ---------------------------------------------------------------------------------

#: Bounces of which no server told: Amazon holds the message back because of what the address did before.
_HELD_BACK = {
    "Suppressed": "Amazon SES did not send it: the address bounced before (its own suppression list)",
    "OnAccountSuppressionList": "Amazon SES did not send it: the address bounced or complained before (your account's"
    " suppression list)",
}
#: Feedback (RFC 5965 section 7.3) that is no reader's complaint.
_NO_COMPLAINT = frozenset({"not-spam", "auth-failure"})


def hear(hook: Hook, settings: VendorSettings, *, at: datetime, fetch: sns.Fetch = sns.fetch) -> Heard:
    """What SES tells through an SNS topic, as a notification or as an event of a configuration set.

    The subscription of a topic that is listened to is confirmed. Raises `HookRefused`; `ProviderError` when Amazon's
    certificate or confirmation can't be had now.
    """
    notification = sns.notification(hook, settings.topics, at=at, fetch=fetch)
    if notification is None:
        return Heard()
    events = tuple(_events(notification))
    return Heard(events, ignored=0 if events else 1)


def _events(notification: sns.Notification) -> Iterator[Event]:
    found = told.document(notification.text)  # None for "Successfully validated SNS topic …"
    if not isinstance(found, dict):
        return
    mail = told.section(found, "mail")
    match told.text(found, "eventType") or told.text(found, "notificationType"):
        case "Bounce":
            what = told.section(found, "bounce")
            for person in told.sections(what, "bouncedRecipients"):
                yield _event(EventKind.BOUNCED, what, person, mail, notification, *_bounced(what, person))
        case "DeliveryDelay":
            what = told.section(found, "deliveryDelay")
            for person in told.sections(what, "delayedRecipients"):
                words, status = told.text(person, "diagnosticCode"), told.text(person, "status")
                reply, _ = told.refusal(words, status, permanent=False)
                yield _event(EventKind.DELAYED, what, person, mail, notification, reply)
        case "Complaint":
            what = told.section(found, "complaint")
            if told.text(what, "complaintFeedbackType") not in _NO_COMPLAINT:
                for person in told.sections(what, "complainedRecipients"):
                    yield _event(EventKind.COMPLAINED, what, person, mail, notification)
        case "Reject":  # a virus, found after the message was taken; every message of ours has one recipient
            reply = Reply(0, "5.7.1", told.text(told.section(found, "reject"), "reason"))
            destinations = mail.get("destination")
            for address in destinations if isinstance(destinations, list) else ():
                yield _event(EventKind.BOUNCED, {}, {"emailAddress": address}, mail, notification, reply)


def _bounced(bounce: Mapping[str, object], person: Mapping[str, object]) -> tuple[Reply, bool]:
    """The reply of the server that refused, and whether the address is dead."""
    permanent = told.text(bounce, "bounceType") == "Permanent"
    kind = told.text(bounce, "bounceSubType")
    if permanent and kind in _HELD_BACK:
        return Reply(0, "5.1.1", _HELD_BACK[kind]), True
    words = told.text(person, "diagnosticCode") or kind
    reply, dead = told.refusal(words, told.text(person, "status"), permanent=permanent)
    return reply, dead


def _event(
    kind: EventKind,
    what: Mapping[str, object],
    person: Mapping[str, object],
    mail: Mapping[str, object],
    notification: sns.Notification,
    reply: Reply = Reply(0, "", ""),
    suppress: bool = False,
) -> Event:
    address = parseaddr(told.text(person, "emailAddress"))[1]
    # A bounce that is told in both ways, by two messages of SNS, has one feedbackId.
    ident = told.text(what, "feedbackId") or notification.id
    return Event(
        kind,
        "ses",
        f"{ident}/{address}",
        told.instant(what.get("timestamp"), notification.at),
        message_id=_message_id(mail),
        provider_id=told.text(mail, "messageId"),
        recipient=address,
        reply=reply,
        suppress=suppress,
    )


def _message_id(mail: Mapping[str, object]) -> str:
    """Ours, which SES replaces in the message and remembers, if it's set to tell the original header fields."""
    for header in told.sections(mail, "headers"):
        if told.text(header, "name").lower() == "message-id":
            return told.text(header, "value").strip().strip("<>")
    return ""
