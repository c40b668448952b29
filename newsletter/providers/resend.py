"""Provider `resend`: Resend's interface, in batches under idempotency keys.

Guarantees
    A request carries a key made from its own octets. Resend remembers it for a day, so that the same request counts
    once: it is sent again at once when no answer came, and by a later attempt too, since a batch is made of a block of
    deliveries (by number) with the same Date, and so again of the same ones, whatever else is due by then.
    A batch is taken whole or not at all (strict validation, the default).

What goes wrong
    Somebody in a batch left before it was tried again: the rest of it makes another request, under another key, and
    if the first was taken after all those readers get the letter twice.
    Resend can't be asked what became of a message whose answer never came.
    Pictures that travel with a letter don't go in batches: such letters go one by one.

Sources: resend.com/docs (Send Email, Send Batch Emails, Idempotency Keys, Errors, Webhooks), as of November 2026.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from newsletter.config import Config, VendorSettings
from newsletter.errors import HookRefused, ProviderError
from newsletter.events import Event, EventKind, Heard, Hook
from newsletter.mail import About, Accepted, Message, Outcome, Rejected, Reply
from newsletter.providers import http, told
from newsletter.providers.exchange import Answer, Request
from newsletter.providers.letter import Letter, Splicer, dkim_is_lost

_TAG = "newsletter"  # whose value names a message
_PICTURE = b"\r\nContent-ID: <"


class Resend:
    """Resend; see the module's page."""

    name = "resend"
    title = "Resend"
    octets_most = 40_000_000  # of an email, pictures included

    def __init__(self, settings: VendorSettings) -> None:
        self.window = settings.batch * settings.threads
        self._settings = settings
        self._splicer = Splicer(item)
        self._headers = {"Authorization": f"Bearer {settings.key}", "Content-Type": "application/json"}

    def submit(self, messages: Iterable[Message]) -> Iterator[tuple[Message, Outcome]]:
        """As `newsletter.mail.Provider`."""
        return http.submit(self, self._settings, messages)

    def together(self, message: Message) -> object:
        """A block of numbers and the Date of the first attempt: what was begun together, and nothing else."""
        if _PICTURE in message.data:
            return message.delivery
        start = message.data.find(b"\r\nDate: ")
        return (message.delivery - 1) // self._settings.batch, message.data[
            start : message.data.find(b"\r\n", start + 2)
        ]

    def part(self, message: Message) -> bytes:
        """One email."""
        return self._splicer.part(message)

    def request(self, parts: Sequence[bytes]) -> Request:
        """A batch, or one email alone."""
        path, body = ("/emails/batch", b"[%b]" % b",".join(parts)) if len(parts) > 1 else ("/emails", parts[0])
        return Request(path, self._headers | {"Idempotency-Key": hashlib.sha256(body).hexdigest()}, body)

    def taken(self, messages: Sequence[Message], answer: Answer) -> Sequence[Outcome]:
        """An id for each."""
        told_ = answer.json()
        return [Accepted(_ident(one)) for one in (told_["data"] if len(messages) > 1 else [told_])]

    def refused(self, answer: Answer) -> Outcome | ProviderError | None:
        """By the name of the error."""
        return refused(answer)


def _ident(one: Mapping[str, object]) -> str:
    found = one["id"]
    if not found or not isinstance(found, str):
        raise ValueError("no id")
    return found


def item(letter: Letter) -> dict[str, object]:
    """One email as Resend has it."""
    found: dict[str, object] = {
        "from": letter.sender.text,
        "to": [letter.to.text],
        "subject": letter.subject,
        "text": letter.text,
        "headers": letter.headers,
        "tags": [{"name": _TAG, "value": letter.token}],
    }
    if letter.html:
        found["html"] = letter.html
    if letter.reply_to:
        found["reply_to"] = [letter.reply_to.text]
    if letter.images:
        found["attachments"] = [
            {"filename": i.name, "content": i.base64, "content_type": i.kind, "content_id": i.cid}
            for i in letter.images
        ]
    return found


_OURS = {
    "missing_api_key": "misses the key",
    "restricted_api_key": "doesn't let this key do that; make one that may send",
    "invalid_api_key": "refused the key; make a new one",
    "invalid_from_address": "doesn't take the sender; look at [newsletter] from",
    "invalid_access": "doesn't let this account do that",
    "invalid_region": "doesn't know the region of your domain",
    "daily_quota_exceeded": "takes no more today: the day's quota of your plan is used up",
    "monthly_quota_exceeded": "takes no more this month: the month's quota of your plan is used up",
}


def refused(answer: Answer) -> Outcome | ProviderError | None:
    """A 4xx by the name of its error; None: by the status alone."""
    try:
        name, words = str(answer.json()["name"]), str(answer.json()["message"])
    except (ValueError, LookupError, TypeError):
        return None
    about_us = "domain is not verified" in words or "API key" in words or "testing emails" in words
    if name in _OURS or about_us:
        quota = name.endswith("quota_exceeded")
        return ProviderError(
            f"Resend {_OURS.get(name, 'refuses us')}. Look at [provider.resend] of newsletter.toml and into your"
            f' account there. It said: "{words}"',
            retry_after=answer.retry_after,
            busy=quota,
        )
    if name in ("validation_error", "missing_required_field", "invalid_attachment", "invalid_parameter"):
        to = "`to`" in words
        return Rejected(Reply(answer.status, "", words), About.ADDRESS if to else About.MESSAGE)
    return None


def open_(settings: VendorSettings, **_: object) -> Resend:
    """The provider."""
    return Resend(settings)


def refusals(config: Config) -> list[str]:
    """What Resend can't do exactly."""
    return dkim_is_lost(config, Resend.title)


# --- what comes back


def hear(hook: Hook, settings: VendorSettings, *, at: datetime) -> Heard:
    """One event, signed as Svix does; raises `HookRefused`."""
    _check(hook, settings.webhook_secret, at)
    return told.heard(hook, lambda item: _event(item, hook.headers["svix-id"], at))


def _check(hook: Hook, secret: str, at: datetime) -> None:
    """The signature is over id, time and octets of the body, so that none of them can be another's."""
    ident, stamp = hook.headers.get("svix-id", ""), hook.headers.get("svix-timestamp", "")
    try:
        key = b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if not key:
        raise HookRefused("webhook_secret in [provider.resend] isn't set to what Resend shows, whsec_…")
    if not ident or not hook.headers.get("svix-signature"):
        raise HookRefused("it is not signed")
    told.timely(stamp, at=at)
    signed = b"%b.%b.%b" % (ident.encode(), stamp.encode(), hook.body)
    wanted = "v1," + b64encode(hmac.digest(key, signed, "sha256")).decode()
    # Several, while a key is being changed.
    if not any([told.same(given, wanted) for given in hook.headers["svix-signature"].split(" ")]):  # noqa: C419
        raise HookRefused("its signature is wrong")


def _event(item: Mapping[str, object], ident: str, at: datetime) -> Event | None:
    data = told.section(item, "data")
    reply, suppress = Reply(0, "", ""), False
    match told.text(item, "type"):
        case "email.bounced":
            bounce = told.section(data, "bounce")
            kind, words = EventKind.BOUNCED, told.text(bounce, "message")
            codes = bounce.get("diagnosticCode")
            if isinstance(codes, list) and codes:
                words = str(codes[0]).removeprefix("smtp;").strip()
            reply, suppress = told.refusal(words, permanent=told.text(bounce, "type") == "Permanent")
        case "email.suppressed":
            kind = EventKind.BOUNCED
            words = told.text(told.section(data, "suppressed"), "message")
            reply, suppress = told.refusal(f"Resend did not send it: {words}", permanent=True)
        case "email.failed":
            kind = EventKind.BOUNCED
            words = told.text(told.section(data, "failed"), "reason")
            reply, suppress = told.refusal(f"Resend could not send it: {words}", permanent=False)
        case "email.complained":
            kind = EventKind.COMPLAINED
        case "email.delivery_delayed":
            kind = EventKind.DELAYED
        case _:
            return None
    to = data.get("to")
    return Event(
        kind,
        "resend",
        ident,
        told.instant(item.get("created_at"), at),
        provider_id=told.text(data, "email_id"),
        recipient=str(to[0]) if isinstance(to, list) and to else "",
        reply=reply,
        suppress=suppress,
    )
