"""Provider `mailgun`: Mailgun's interface for whole messages, octet by octet as they were composed.

Guarantees
    What leaves is the message itself, with its own Message-ID, Date and List-Unsubscribe; tracking is off for it.
    `lookup` finds a message in doubt by its Message-ID.

What goes wrong
    Mailgun takes one such message in a request. There are no idempotency keys, so a request without an answer leaves
    its message in doubt. Its log may be half an hour behind, and small plans keep a day of it: outside of that
    nobody can say that a message did not arrive.

Sources: documentation.mailgun.com (Messages, Events, Webhooks, Securing webhooks), as of November 2026.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from urllib.parse import quote, urlencode

from newsletter.config import Config, VendorSettings
from newsletter.errors import HookRefused, ProviderError
from newsletter.events import Event, EventKind, Heard, Hook
from newsletter.mail import About, Accepted, Message, Outcome, Rejected, Reply, Uncertain
from newsletter.providers import http, told
from newsletter.providers.exchange import Answer, Request, ask, basic_auth

_LOG_BEHIND, _LOG_KEPT = timedelta(minutes=30), timedelta(hours=23)
_REPLY_CODE = re.compile("[245][0-9][0-9]")  # its own go from 600 up
_ABOUT_TO = ("to parameter is not a valid address", "'to' parameter")
_ABOUT_US = ("domain", "account", "sandbox", "authorized recipients", "disabled", "probation")
_FIELD = b'--%b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
_FILE = (
    b'--%b\r\nContent-Disposition: form-data; name="message"; filename="message.eml"\r\n'
    b"Content-Type: message/rfc822\r\n\r\n%b\r\n--%b--\r\n"
)


class Mailgun:
    """Mailgun; see the module's page."""

    name = "mailgun"
    title = "Mailgun"
    octets_most = 25 * 1024 * 1024  # of a message
    together: Callable[[Message], object] | None = None

    def __init__(self, settings: VendorSettings, *, now: Callable[[], datetime]) -> None:
        self.window = settings.batch * settings.threads
        self._settings, self._now = settings, now
        self._path = f"/v3/{quote(settings.domain)}"
        self._headers = {"Authorization": basic_auth("api", settings.key)}

    def submit(self, messages: Iterable[Message]) -> Iterator[tuple[Message, Outcome]]:
        """As `newsletter.mail.Provider`."""
        return http.submit(self, self._settings, messages)

    def part(self, message: Message) -> bytes:
        """The form that Mailgun wants (RFC 7578), with the message in it as it is."""
        # The boundary is a hash of what it stands around, which so can't hold it.
        mark = hashlib.sha256(message.data).hexdigest()[:40].encode()
        fields = [(b"to", str(message.envelope.recipient).encode()), (b"o:tracking", b"no")]
        form = [_FIELD % (mark, name, value) for name, value in fields]
        return b"".join([*form, _FILE % (mark, message.data, mark)])

    def request(self, parts: Sequence[bytes]) -> Request:
        """One form; it begins with its boundary."""
        mark = parts[0][2 : parts[0].index(b"\r\n")].decode()
        kind = {"Content-Type": f"multipart/form-data; boundary={mark}"}
        return Request(f"{self._path}/messages.mime", self._headers | kind, parts[0])

    def taken(self, messages: Sequence[Message], answer: Answer) -> Sequence[Outcome]:
        """Its id is our Message-ID."""
        ident = answer.json()["id"].strip("<>")
        if not ident:
            raise ValueError("no id")
        return [Accepted(ident)]

    def refused(self, answer: Answer) -> Outcome | ProviderError | None:
        """By the words: Mailgun has no codes."""
        return refused(answer)

    def lookup(self, message_id: str, *, since: datetime) -> Accepted | Uncertain | None:
        """By Mailgun's log of events."""
        query = urlencode({"message-id": message_id, "limit": 1})
        answer = ask(self._settings, Request(f"{self._path}/events?{query}", self._headers, method="GET"), self.title)
        if answer.status != 200:  # a key that may only send
            return Uncertain(f"Mailgun doesn't let us look for it ({answer.status})")
        try:
            if answer.json()["items"]:
                return Accepted(message_id)
        except (ValueError, LookupError, TypeError):
            return Uncertain("what Mailgun answered can't be read")
        if _LOG_BEHIND <= self._now() - since <= _LOG_KEPT:
            return None
        return Uncertain("Mailgun's log has nothing of it, and may be behind or cut off")


def refused(answer: Answer) -> Outcome | ProviderError | None:
    """A 4xx by its words; None: by the status alone."""
    try:
        words = str(answer.json()["message"])
    except (ValueError, LookupError, TypeError):
        return None
    if answer.status != 400:
        return None
    if any(phrase in words for phrase in _ABOUT_TO):
        return Rejected(Reply(400, "", words), About.ADDRESS)
    if any(word in words.lower() for word in _ABOUT_US):
        return ProviderError(
            "Mailgun refuses us. Look at domain and base_url in [provider.mailgun] of newsletter.toml and into your"
            f' account there. It said: "{words}"'
        )
    return None


def open_(settings: VendorSettings, *, now: Callable[[], datetime]) -> Mailgun:
    """The provider."""
    return Mailgun(settings, now=now)


def refusals(_: Config) -> list[str]:
    """Mailgun takes messages as they are: nothing is left out."""
    return []


# --- what comes back


def hear(hook: Hook, settings: VendorSettings, *, at: datetime) -> Heard:
    """One event. The signature is over a time and a token only, so the token may be used once; raises `HookRefused`."""
    (posted, *more) = told.posted(hook) or [{}]
    signature = told.section(posted, "signature")
    stamp, token = told.text(signature, "timestamp"), told.text(signature, "token")
    if not settings.webhook_secret:
        raise HookRefused("webhook_secret in [provider.mailgun] isn't set to Mailgun's HTTP webhook signing key")
    if more or not token or not told.text(signature, "signature"):
        raise HookRefused("it is not signed")
    told.timely(stamp, at=at)
    wanted = hmac.digest(settings.webhook_secret.encode(), f"{stamp}{token}".encode(), "sha256").hex()
    if not told.same(told.text(signature, "signature"), wanted):
        raise HookRefused("its signature is wrong")
    event = _event(told.section(posted, "event-data"), at)
    return Heard((event,) if event else (), once=token, ignored=0 if event else 1)


#: Failures that Mailgun made up itself, because of what it was told before.
_REMEMBERED = {"suppress-unsubscribe": EventKind.UNSUBSCRIBED, "suppress-complaint": EventKind.COMPLAINED}


def _event(item: Mapping[str, object], at: datetime) -> Event | None:
    reply, suppress = Reply(0, "", ""), False
    match told.text(item, "event"), told.text(item, "reason"):
        case "failed", reason if reason in _REMEMBERED:
            kind = _REMEMBERED[reason]
        case "failed", _:
            permanent = told.text(item, "severity") == "permanent"
            kind = EventKind.BOUNCED if permanent else EventKind.DELAYED
            status = told.section(item, "delivery-status")
            words = told.text(status, "message") or told.text(status, "description")
            code = told.text(status, "code")
            if _REPLY_CODE.fullmatch(code) and not words.startswith(code):
                words = f"{code} {words}"
            reply, suppress = told.refusal(words, told.text(status, "enhanced-code"), permanent=permanent)
        case "complained", _:
            kind = EventKind.COMPLAINED
        case "unsubscribed", _:
            kind = EventKind.UNSUBSCRIBED
        case _:
            return None
    headers = told.section(told.section(item, "message"), "headers")
    message_id = told.text(headers, "message-id")
    return Event(
        kind,
        "mailgun",
        told.text(item, "id"),
        told.instant(item.get("timestamp"), at),
        message_id=message_id,
        provider_id=message_id,
        recipient=told.text(item, "recipient"),
        reply=reply,
        suppress=suppress,
    )
