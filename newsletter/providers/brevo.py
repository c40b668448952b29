"""Provider `brevo`: Brevo's interface, version 3, one message a request.

Its messageVersions let many share a request, which then succeeds or fails as one; a message by itself has an answer.

Guarantees
    A request that is sent twice counts once: it carries a key made from its content, which Brevo remembers for at
    least fifteen minutes; the ledger sends a message in doubt again after ten. After a crash it takes longer than
    that, so Brevo's log of events is asked first, by the tag of the message.
    Reply-To, List-Id and List-Unsubscribe are carried; Date and Message-ID are Brevo's. Header fields are ASCII.
    Events find their message by Brevo's id, which is kept, or by ours, which they bring back.

What goes wrong
    What the log doesn't show may still come into it, so Brevo never says for certain that it has not taken a message.
    Brevo shows no picture that travels with a letter. It counts openings and clicks, and has a List-Unsubscribe of
    its own, unless its support has switched that off: `refusals`.
    A text alone gets an HTML part that says the same, as Brevo takes nothing without one. Double braces in a letter are
    its template language, so such a letter isn't handed over.

Sources: developers.brevo.com ("Send a transactional email", "Idempotency", "Transactional webhooks"), as of November
2026.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from html import escape
from operator import attrgetter
from urllib.parse import urlencode
from uuid import UUID

from newsletter.config import Config, Images, VendorSettings
from newsletter.errors import ProviderError
from newsletter.events import Event, EventKind, Heard, Hook
from newsletter.mail import About, Accepted, Message, Outcome, Rejected, Reply, Uncertain
from newsletter.providers import http, told
from newsletter.providers.exchange import Answer, Request, ask
from newsletter.providers.letter import Letter, Person, Splicer, dkim_is_lost, token

_TITLE = "Brevo"
_LOG_MOST = 90  # days that one question about events may span
_KEY = b"00000000-0000-0000-0000-000000000000"  # where the key of a request goes


class Brevo:
    """Brevo; see the module's page."""

    name = "brevo"
    title = _TITLE
    octets_most = 20_000_000  # of one message
    #: each has a request and a key of its own
    together: Callable[[Message], object] | None = attrgetter("delivery")

    def __init__(self, settings: VendorSettings, now: Callable[[], datetime]) -> None:
        self.window = settings.batch * settings.threads
        self._settings, self._now = settings, now
        self._headers = {"api-key": settings.key}
        self._splicer = Splicer(item)

    def submit(self, messages: Iterable[Message]) -> Iterator[tuple[Message, Outcome]]:
        """As `newsletter.mail.Provider`."""
        return http.submit(self, self._settings, messages)

    def part(self, message: Message) -> bytes:
        """The body of a request, without its key."""
        return self._splicer.part(message)

    def request(self, parts: Sequence[bytes]) -> Request:
        """One message under its key."""
        body = keyed(parts[0])
        return Request("/v3/smtp/email", self._headers | {"Content-Type": "application/json"}, body)

    def taken(self, messages: Sequence[Message], answer: Answer) -> Sequence[Outcome]:
        """201: Brevo took it."""
        return [Accepted(answer.json()["messageId"].strip("<>"))]

    def refused(self, answer: Answer) -> Outcome | ProviderError | None:
        """By the code."""
        return refused(answer)

    def lookup(self, message_id: str, *, since: datetime) -> Accepted | Uncertain | None:
        """In the log of events, by the message's tag."""
        days = min((self._now() - since).days + 2, _LOG_MOST)  # it counts today, and in a zone of its own
        query = urlencode({"tags": json.dumps([token(message_id)]), "days": days, "limit": 10, "offset": 0})
        question = Request(f"/v3/smtp/statistics/events?{query}", self._headers, method="GET")
        return found(ask(self._settings, question, _TITLE), token(message_id))


def open_(settings: VendorSettings, *, now: Callable[[], datetime]) -> Brevo:
    """The provider."""
    return Brevo(settings, now)


def refusals(config: Config) -> list[str]:
    """What Brevo can't do exactly."""
    out = dkim_is_lost(config, Brevo.title)
    if config.design.images is Images.ATTACHED and _has_pictures(config):
        out.append(
            "Brevo shows no picture that travels with a letter, and yours have some (in posts, or the logo). Set"
            ' images = "hosted" in [theme] of newsletter.toml, or use another provider.'
        )
    if config.vendors["brevo"].manages_unsubscribe:
        out.append(
            "Brevo counts openings and clicks, changing every link, and puts a List-Unsubscribe of its own into each"
            " letter. Ask its support to switch both off for your account, and then write manages_unsubscribe = false"
            " in [provider.brevo] of newsletter.toml; or use another provider."
        )
    return out


# --- what is sent, and what comes of it


_PICTURES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp"})


def _has_pictures(config: Config) -> bool:
    """Whether there is any that a letter could show."""
    return config.design.logo is not None or any(f.suffix.lower() in _PICTURES for f in config.posts.rglob("*"))


def item(letter: Letter) -> dict[str, object]:
    """The body of a request."""
    if letter.images:
        raise ProviderError('Brevo shows no picture that travels with a letter; set images = "hosted" in [theme]')
    for text in (letter.text, letter.html, letter.subject):
        if "{{" in text or "{%" in text:
            raise ProviderError(
                f'Brevo takes double braces for its template language and would change "{letter.subject}"; write a'
                " space between them, or use another provider"
            )
    for name, value in letter.headers.items():
        if not value.isascii():
            raise ProviderError(f"Brevo garbles a {name} with letters beyond ASCII; use another provider")
    body: dict[str, object] = {
        # Before anything a reader or a post may say, as the key goes where the first row of noughts is.
        "headers": {"idempotencyKey": _KEY.decode(), "X-Mailin-custom": letter.message_id, **letter.headers},
        "sender": _mailbox(letter.sender),
        "to": [_mailbox(letter.to)],
        "tags": [letter.token],
        "subject": letter.subject,
        "htmlContent": letter.html or f'<pre style="white-space:pre-wrap;font:inherit">{escape(letter.text)}</pre>',
        "textContent": letter.text,
    }
    if letter.reply_to:
        body["replyTo"] = _mailbox(letter.reply_to)
    return body


def _mailbox(person: Person) -> dict[str, str]:
    return {"email": person.address} | ({"name": person.name} if person.name else {})


def keyed(body: bytes) -> bytes:
    """*body* with its key, which is the same for the same body."""
    key = UUID(bytes=hashlib.sha256(body).digest()[:16], version=4)
    return body.replace(_KEY, str(key).encode(), 1)


_OURS = {
    "unauthorized": "refused our key; check key_file in [provider.brevo] of newsletter.toml, and whether Brevo lets"
    " this machine's address in (Security, Authorised IPs)",
    "permission_denied": "does not let your account send yet; its dashboard says what is missing",
    "account_under_validation": "is still looking at your account; its dashboard says what is missing",
}
_TAGS = re.compile(r"[\w-]+", re.ASCII)  # one, or a list of them
_SENDER = re.compile(r"\bsender\b", re.IGNORECASE)
_RECIPIENT = re.compile(r"\bin to\b|\bto\b.{0,20}\b(?:email|address|valid)|recipient", re.IGNORECASE)


def refused(answer: Answer) -> Outcome | ProviderError | None:
    """What a 4xx says, by its code and words. None: by the status alone."""
    body = told.document(answer.body)
    error = body if isinstance(body, dict) else {}
    code, words = told.text(error, "code"), told.text(error, "message") or answer.text
    if "idempoten" in f"{code} {words}".lower() or code == "duplicate_request":
        return Uncertain(f'Brevo had the same message before, and does not say what became of it: "{words}"')
    if code == "not_enough_credits":
        return ProviderError(
            f'{_TITLE} takes no more for now: the messages of your plan are used up. It said: "{words}"',
            retry_after=timedelta(hours=1),
            busy=True,
        )
    if code in _OURS:
        return ProviderError(f'{_TITLE} {_OURS[code]}. It said: "{words}"')
    if answer.status == 400 and _SENDER.search(words):
        return ProviderError(f'{_TITLE} does not know the sender; verify its domain there. It said: "{words}"')
    if answer.status == 400 and _RECIPIENT.search(words):
        return Rejected(Reply(answer.status, "", words), About.ADDRESS)
    if answer.status in (400, 413):
        return Rejected(Reply(answer.status, "", words), About.MESSAGE)
    return None


def found(answer: Answer, tag: str) -> Accepted | Uncertain:
    """What the log says of the message with this *tag*; of others nothing is believed."""
    if answer.status != 200:
        return Uncertain(f"Brevo's log of events can't be read ({answer.status})")
    for event in told.sections(told.document(answer.body), "events"):
        if tag in _TAGS.findall(told.text(event, "tag")) and (ident := told.text(event, "messageId").strip("<>")):
            return Accepted(ident)
    return Uncertain("Brevo's log of events doesn't show it; it may be late")


# --- what comes back

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
    """Brevo signs nothing: the address is secret, and may carry a password (basic auth) as well."""
    told.check_password(hook, settings.webhook_secret)
    return told.heard(hook, lambda item: _event(item, at))


def _event(item: Mapping[str, object], at: datetime) -> Event | None:
    name, message_id = told.text(item, "event"), told.text(item, "message-id")
    if name not in _KINDS or not message_id:
        return None
    kind, reply, suppress = _KINDS[name], Reply(0, "", ""), False
    if kind in (EventKind.BOUNCED, EventKind.DELAYED):
        invalid = name == "invalid_email"  # Brevo found the address impossible, and asked nobody
        reply, dead = told.refusal(told.text(item, "reason"), "5.1.3" * invalid, permanent=name in _REFUSED)
        suppress = dead or invalid
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
