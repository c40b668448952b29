"""Provider `mailjet`: Mailjet's interface for sending, version 3.1, fifty messages a request.

Guarantees
    Every answer is read item by item, a 400 too: some of a request may have been taken.
    Counting of openings and clicks and Mailjet's template language are switched off in every message. Reply-To,
    List-Unsubscribe and attached pictures are carried; Date, Message-ID and List-Id can't be set there.
    Events find their message by Mailjet's id, which is kept, or by ours, which they bring back.

What goes wrong
    There are no idempotency keys: a message without an answer is looked up by our id. Mailjet lists it late, so that
    what isn't found stays in doubt.

Sources: dev.mailjet.com ("Send Emails", "Messages", "Event callbacks"), as of November 2026.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from newsletter.config import Config, VendorSettings
from newsletter.errors import ProviderError
from newsletter.events import Event, EventKind, Heard, Hook
from newsletter.mail import About, Accepted, Deferred, Message, Outcome, Rejected, Reply, Uncertain
from newsletter.providers import http, told
from newsletter.providers.exchange import Answer, Request, ask, basic_auth
from newsletter.providers.letter import Letter, Person, Splicer, dkim_is_lost

_TITLE = "Mailjet"
_BEFORE = b'{"Messages":['
_AFTER = b"]}"
_CLOCKS = timedelta(minutes=5)  # ours and Mailjet's may differ


class Mailjet:
    """Mailjet; see the module's page."""

    name = "mailjet"
    title = _TITLE
    octets_most = 15_000_000  # of one message; a request of many is kept to the same
    together: Callable[[Message], object] | None = None

    def __init__(self, settings: VendorSettings) -> None:
        self.window = settings.batch * settings.threads
        self._settings = settings
        self._splicer = Splicer(item)
        self._headers = {"Authorization": basic_auth(settings.key, settings.secret)}

    def submit(self, messages: Iterable[Message]) -> Iterator[tuple[Message, Outcome]]:
        """As `newsletter.mail.Provider`."""
        return http.submit(self, self._settings, messages)

    def part(self, message: Message) -> bytes:
        """One message of the request."""
        return self._splicer.part(message)

    def request(self, parts: Sequence[bytes]) -> Request:
        """All of them."""
        body = b"".join((_BEFORE, b",".join(parts), _AFTER))
        return Request("/v3.1/send", self._headers | {"Content-Type": "application/json"}, body)

    def taken(self, messages: Sequence[Message], answer: Answer) -> Sequence[Outcome]:
        """Item by item."""
        return [outcome(one) for one in answer.json()["Messages"]]

    def refused(self, answer: Answer) -> Outcome | ProviderError | http.Itemised | None:
        """Item by item as well, where one was refused; without items, by the status alone."""
        return http.Itemised() if told.sections(told.document(answer.body), "Messages") else None

    def lookup(self, message_id: str, *, since: datetime) -> Accepted | Uncertain | None:
        """By our id. What isn't listed may still come, so it is never said that it didn't arrive."""
        query = urlencode({"CustomID": message_id, "FromTS": int((since - _CLOCKS).timestamp()), "Limit": 1})
        question = Request(f"/v3/REST/message?{query}", self._headers, method="GET")
        return found(ask(self._settings, question, self.title))


def open_(settings: VendorSettings, **_: object) -> Mailjet:
    """The provider."""
    return Mailjet(settings)


def refusals(config: Config) -> list[str]:
    """What Mailjet can't do exactly."""
    return dkim_is_lost(config, Mailjet.title)


# --- what is sent, and what comes of it


def item(letter: Letter) -> dict[str, object]:
    """One message."""
    found: dict[str, object] = {
        "From": _mailbox(letter.sender),
        "To": [_mailbox(letter.to)],
        "Subject": letter.subject,
        "TextPart": letter.text,
        "CustomID": letter.message_id,
        "Headers": {name: value for name, value in letter.headers.items() if name.lower() not in _FORBIDDEN},
        "TrackOpens": "disabled",
        "TrackClicks": "disabled",
        "TemplateLanguage": False,
    }
    if letter.html:
        found["HTMLPart"] = letter.html
    if letter.reply_to:
        found["ReplyTo"] = _mailbox(letter.reply_to)
    if letter.images:
        found["InlinedAttachments"] = [
            {"ContentType": i.kind, "Filename": i.name, "ContentID": i.cid, "Base64Content": i.base64}
            for i in letter.images
        ]
    return found


_FORBIDDEN = frozenset({"list-id"})  # Mailjet refuses a message that sets it


def _mailbox(person: Person) -> dict[str, str]:
    return {"Email": person.address} | ({"Name": person.name} if person.name else {})


def outcome(one: Mapping[str, Any]) -> Outcome:
    """One item of an answer; `LookupError` or `TypeError` when it is none."""
    if one["Status"] == "success":
        return Accepted(str(one["To"][0]["MessageID"]))
    errors = told.sections(one, "Errors")
    words = "; ".join(f"{told.text(e, 'ErrorMessage')} ({told.text(e, 'ErrorCode')})" for e in errors)
    code = int(told.text(errors[0], "StatusCode"))
    reply = Reply(code, "", words)
    if code == 429:
        return Deferred(reply)
    if code >= 500:
        return Uncertain(f"Mailjet: {words}")
    related = [field for e in errors for field in _fields(e)]
    if code in (401, 403) or any(field.startswith(("From", "Sender")) for field in related):
        return Rejected(reply, About.US)
    return Rejected(reply, About.ADDRESS if any(field.startswith("To") for field in related) else About.MESSAGE)


def _fields(error: Mapping[str, object]) -> list[str]:
    """The places in a message that an error is about: "To[0].Email", "From"."""
    fields = error.get("ErrorRelatedTo")
    return [str(field) for field in fields] if isinstance(fields, list) else []


def found(answer: Answer) -> Accepted | Uncertain:
    """What the list of messages says."""
    if answer.status != 200:
        return Uncertain(f"Mailjet's list of messages can't be read ({answer.status})")
    for message in told.sections(told.document(answer.body), "Data"):
        return Accepted(told.text(message, "ID"))
    return Uncertain("Mailjet doesn't list it; it may be late")


# --- what comes back

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
    """Mailjet signs nothing: the address is secret, and may carry a password (basic auth) as well."""
    told.check_password(hook, settings.webhook_secret)
    return told.heard(hook, lambda item: _event(item, at))


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
    stamp, recipient = told.text(item, "time"), told.text(item, "email")
    return Event(
        kind,
        "mailjet",
        f"{number}/{name}/{stamp}/{recipient}",  # it numbers nothing; told twice, all of this is the same
        told.instant(item.get("time"), at),
        message_id=told.text(item, "CustomID"),
        provider_id=number,
        recipient=recipient,
        reply=reply,
        suppress=suppress,
    )
