"""Provider `ses`: Amazon SES, version 2 of its interface, one message a request, as it was composed.

Guarantees
    The letter goes out as it was composed: Reply-To, List-Id, List-Unsubscribe and pictures included. SES puts a Date
    and a Message-ID of its own in place of ours, and signs with its own DKIM key.
    Events find their message by SES's id, which is kept, or by our Message-ID, which SES remembers.

What goes wrong
    SES has no idempotency key and nothing to look a message up by: what stays without an answer is in doubt.
    A reverse path of our own isn't possible: the envelope's sender is SES's, or of your MAIL FROM domain there.

Sources: docs.aws.amazon.com/ses ("SendEmail" of API v2; "Header fields", "Notification contents", "Event data"), as of
November 2026.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from email.utils import parseaddr

from newsletter.config import Config, VendorSettings
from newsletter.errors import ProviderError
from newsletter.events import Event, EventKind, Heard, Hook
from newsletter.mail import About, Accepted, Message, Outcome, Rejected, Reply
from newsletter.providers import http, sns, told
from newsletter.providers.exchange import Answer, Request
from newsletter.providers.letter import dumps
from newsletter.providers.sigv4 import signed
from newsletter.replies import BUSY

_TITLE = "Amazon SES"
_PATH = "/v2/email/outbound-emails"
_QUOTA_COMES_BACK = timedelta(hours=1)  # it is of the last 24 hours, and comes back little by little


class Ses:
    """Amazon SES; see the module's page."""

    name = "ses"
    title = _TITLE
    octets_most = 40_000_000  # of one message, in base64
    together: Callable[[Message], object] | None = None

    def __init__(self, settings: VendorSettings, *, now: Callable[[], datetime]) -> None:
        self.window = settings.batch * settings.threads
        self._settings, self._now = settings, now

    def submit(self, messages: Iterable[Message]) -> Iterator[tuple[Message, Outcome]]:
        """As `newsletter.mail.Provider`."""
        return http.submit(self, self._settings, messages)

    def part(self, message: Message) -> bytes:
        """The body of a request."""
        return part(message, self._settings.configuration_set)

    def request(self, parts: Sequence[bytes]) -> Request:
        """Signed now: a signature is good for five minutes."""
        return request(parts[0], self._settings, at=self._now())

    def taken(self, messages: Sequence[Message], answer: Answer) -> Sequence[Outcome]:
        """200: SES took it."""
        return [Accepted(answer.json()["MessageId"])]

    def refused(self, answer: Answer) -> Outcome | ProviderError | None:
        """By the exception's name."""
        return refused(answer)


def open_(settings: VendorSettings, *, now: Callable[[], datetime]) -> Ses:
    """The provider; *now* is what its requests are signed with."""
    return Ses(settings, now=now)


def refusals(config: Config) -> list[str]:
    """What SES can't do exactly."""
    if config.dkim is None:
        return []
    return [
        "Amazon SES replaces Date and Message-ID, which the signatures of [dkim] cover. Take [dkim] out of"
        " newsletter.toml and switch Easy DKIM on for your domain at Amazon, which then signs for it."
    ]


# --- what is sent, and what comes of it


def part(message: Message, configuration_set: str) -> bytes:
    """The body of a request."""
    head: dict[str, object] = {"Destination": {"ToAddresses": [str(message.envelope.recipient)]}}
    if configuration_set:
        head["ConfigurationSetName"] = configuration_set
    # base64 holds nothing that JSON escapes, so the letter's octets are not looked at again.
    return b'%b,"Content":{"Raw":{"Data":"%b"}}}' % (dumps(head)[:-1], b64encode(message.data))


def request(body: bytes, settings: VendorSettings, *, at: datetime) -> Request:
    """The whole request, signed."""
    headers = signed(
        "POST",
        settings.base_url + _PATH,
        {"Content-Type": "application/json"},
        body,
        key=settings.key,
        secret=settings.secret,
        region=settings.region,
        service="ses",
        at=at,
    )
    return Request(_PATH, headers, body)


_KEY = "does not know the access key; check access_key_id_file, and region, in [provider.ses] of newsletter.toml"
_SIGNATURE = (
    "finds our signature wrong; check secret_access_key_file in [provider.ses] of newsletter.toml, and this machine's"
    " clock"
)
_REMEDIES = {
    "AccountSuspendedException": "has shut your account for sending; its console says why",
    "SendingPausedException": "has paused sending for your account or configuration set; its console says why",
    "MailFromDomainNotVerifiedException": "does not find the records of your MAIL FROM domain in the DNS; its console"
    " shows them",
    "NotFoundException": "does not know the configuration_set in [provider.ses] of newsletter.toml; check its name, and"
    " region",
    "UnrecognizedClientException": _KEY,
    "InvalidClientTokenId": _KEY,
    "MissingAuthenticationTokenException": _KEY,
    "InvalidSignatureException": _SIGNATURE,
    "SignatureDoesNotMatch": _SIGNATURE,
    "RequestExpired": _SIGNATURE,
    "AccessDeniedException": "does not allow our key to send; give its user the permission ses:SendRawEmail",
}
_UNVERIFIED = re.compile(r"not verified|identities failed", re.IGNORECASE)
_QUOTA = re.compile(r"daily (?:message )?quota", re.IGNORECASE)
_ADDRESS = re.compile(r"\b(?:domain|local address|address|recipient|destination)\b", re.IGNORECASE)


def refused(answer: Answer) -> Outcome | ProviderError | None:
    """What a 4xx says, by the exception's name and its words. None: by the status alone."""
    name, words = _exception(answer)
    reply = Reply(answer.status, "", " ".join(filter(None, (name, words))))
    if name in _REMEDIES:
        return ProviderError(f'{_TITLE} {_REMEDIES[name]}. It said: "{words}"')
    if _QUOTA.search(words):
        return ProviderError(
            f'{_TITLE} takes no more today: the quota of 24 hours is used up. It said: "{words}"',
            retry_after=_QUOTA_COMES_BACK,
            busy=True,
        )
    if name == "LimitExceededException":
        return ProviderError(f'{_TITLE} takes no more for now. It said: "{words}"', retry_after=BUSY, busy=True)
    if name == "MessageRejected" and _UNVERIFIED.search(words):
        return ProviderError(
            f"{_TITLE} takes only verified senders, and, as long as your account is in its sandbox, only verified"
            ' readers; see "Identities" and "Account dashboard" in its console, in the region that [provider.ses] of'
            f' newsletter.toml names. It said: "{words}"'
        )
    if name == "BadRequestException" and _ADDRESS.search(words):
        return Rejected(reply, About.ADDRESS)
    if name in ("MessageRejected", "BadRequestException"):
        return Rejected(reply, About.MESSAGE)
    return None


def _exception(answer: Answer) -> tuple[str, str]:
    """The name of the exception, and its words."""
    body = told.document(answer.body)
    found = body if isinstance(body, dict) else {}
    name = answer.headers.get("x-amzn-errortype", "") or told.text(found, "__type")
    # "com.amazon.coral#AccessDeniedException:http://…": what stands around the name is not promised.
    name = name.partition(":")[0].rpartition("#")[2]
    return name, told.text(found, "message") or told.text(found, "Message") or answer.text


# --- what comes back

_NOTHING_SAID = Reply(0, "", "")
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
    reply: Reply = _NOTHING_SAID,
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
