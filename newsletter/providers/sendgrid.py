"""Provider `sendgrid`: SendGrid's interface, version 3, one message a request.

Its personalizations let a thousand readers share one text; ours differ in theirs, and what differs goes by itself.

Guarantees
    Tracking, footers and unsubscribe links of SendGrid's own are switched off in every request, whatever the account
    says. Reply-To, List-Id, List-Unsubscribe, Message-ID and attached pictures are carried; the Date is SendGrid's.
    Events find their message by SendGrid's id, which is kept, or by ours, which they bring back.

What goes wrong
    SendGrid has no idempotency key: what stays without an answer is looked up in the activity feed. That is an extra of
    some plans, and late: what isn't found there stays in doubt.

Sources: twilio.com/docs/sendgrid ("Mail Send", "Email Activity", "Event Webhook Reference"), as of November 2026.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from urllib.parse import urlencode

from newsletter.config import Config, VendorSettings
from newsletter.errors import HookRefused, ProviderError
from newsletter.events import Event, EventKind, Heard, Hook
from newsletter.mail import About, Accepted, Message, Outcome, Rejected, Reply, Uncertain
from newsletter.providers import http, told
from newsletter.providers.exchange import Answer, Request, ask
from newsletter.providers.letter import Letter, Person, Splicer, dkim_is_lost
from newsletter.signatures import ecdsa_holds

_TITLE = "SendGrid"
_CREDITS_COME_BACK = timedelta(hours=1)


class Sendgrid:
    """SendGrid; see the module's page."""

    name = "sendgrid"
    title = _TITLE
    octets_most = 30_000_000  # of one message, attachments included
    together: Callable[[Message], object] | None = None

    def __init__(self, settings: VendorSettings) -> None:
        self.window = settings.batch * settings.threads
        self._settings = settings
        self._splicer = Splicer(item)
        self._headers = {"Authorization": f"Bearer {settings.key}"}

    def submit(self, messages: Iterable[Message]) -> Iterator[tuple[Message, Outcome]]:
        """As `newsletter.mail.Provider`."""
        return http.submit(self, self._settings, messages)

    def part(self, message: Message) -> bytes:
        """The body of a request."""
        return self._splicer.part(message)

    def request(self, parts: Sequence[bytes]) -> Request:
        """One message."""
        return Request("/v3/mail/send", self._headers | {"Content-Type": "application/json"}, parts[0])

    def taken(self, messages: Sequence[Message], answer: Answer) -> Sequence[Outcome]:
        """202: SendGrid took it."""
        return [Accepted(answer.headers["x-message-id"])]

    def refused(self, answer: Answer) -> Outcome | ProviderError | None:
        """By the field that it names."""
        return refused(answer)

    def lookup(self, message_id: str, *, since: datetime) -> Accepted | Uncertain | None:
        """In the activity feed. What is not there may still come, so it is never said that it didn't arrive."""
        query = urlencode({"query": f"unique_args['message_id']={json.dumps(message_id)}", "limit": 1})
        question = Request(f"/v3/messages?{query}", self._headers, method="GET")
        return found(ask(self._settings, question, self.title))


def open_(settings: VendorSettings, **_: object) -> Sendgrid:
    """The provider."""
    return Sendgrid(settings)


def refusals(config: Config) -> list[str]:
    """What SendGrid can't do exactly."""
    return dkim_is_lost(config, Sendgrid.title)


# --- what is sent, and what comes of it


def item(letter: Letter) -> dict[str, object]:
    """The body of a request."""
    body: dict[str, object] = {
        "personalizations": [{"to": [_mailbox(letter.to)], "custom_args": {"message_id": letter.message_id}}],
        "from": _mailbox(letter.sender),
        "subject": letter.subject,
        "content": [{"type": "text/plain", "value": letter.text}],
        "headers": {"Message-ID": f"<{letter.message_id}>", **letter.headers},
        "mail_settings": {"footer": {"enable": False}},
        "tracking_settings": {
            "click_tracking": {"enable": False, "enable_text": False},
            "open_tracking": {"enable": False},
            "subscription_tracking": {"enable": False},
            "ganalytics": {"enable": False},
        },
    }
    if letter.reply_to:
        body["reply_to"] = _mailbox(letter.reply_to)
    if letter.html:
        body["content"] = [
            {"type": "text/plain", "value": letter.text},  # the plain one must come first
            {"type": "text/html", "value": letter.html},
        ]
    if letter.images:
        body["attachments"] = [
            {
                "content": image.base64,
                "type": image.kind,
                "filename": image.name,
                "disposition": "inline",
                "content_id": image.cid,
            }
            for image in letter.images
        ]
    return body


def _mailbox(person: Person) -> dict[str, str]:
    return {"email": person.address} | ({"name": person.name} if person.name else {})


def refused(answer: Answer) -> Outcome | ProviderError | None:
    """What a 4xx says, by the field that it names and its words. None: by the status alone."""
    errors = told.sections(told.document(answer.body), "errors")
    words = " ".join(told.text(error, "message") for error in errors) or answer.text
    fields = {told.text(error, "field") for error in errors}
    if "credits exceeded" in words.lower():  # 401, as if it were the key
        return ProviderError(
            f'{_TITLE} takes no more for now: the messages of your plan are used up. It said: "{words}"',
            retry_after=_CREDITS_COME_BACK,
            busy=True,
        )
    if any(field.startswith("from") for field in fields):
        return ProviderError(
            f"{_TITLE} does not know the sender. Verify the address of `from`, or authenticate its domain, under"
            f' "Sender Authentication" there. It said: "{words}"'
        )
    if answer.status == 400 and any(".to" in field for field in fields):
        return Rejected(Reply(answer.status, "", words), About.ADDRESS)
    if answer.status in (400, 413):
        return Rejected(Reply(answer.status, "", words), About.MESSAGE)
    return None


def found(answer: Answer) -> Accepted | Uncertain:
    """What the activity feed says."""
    if answer.status != 200:
        return Uncertain(f"SendGrid's activity feed can't be read ({answer.status}); it is an extra of some plans")
    for message in told.sections(told.document(answer.body), "messages"):
        return Accepted(told.text(message, "msg_id").partition(".")[0])
    return Uncertain("SendGrid's activity feed doesn't show it; it may be late")


# --- what comes back

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
    return told.heard(hook, lambda item: _event(item, at))


def _check_signature(hook: Hook, key: str, at: datetime) -> None:
    signature = hook.headers.get("x-twilio-email-event-webhook-signature", "")
    stamp = hook.headers.get("x-twilio-email-event-webhook-timestamp", "")
    if not key:
        raise HookRefused("there is no key to look at it with; set webhook_secret_file in [provider.sendgrid]")
    if not signature or not stamp:
        raise HookRefused("it is not signed; switch signature verification on in SendGrid's webhook settings")
    told.timely(stamp, at=at)  # signed too; every try is signed anew
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
