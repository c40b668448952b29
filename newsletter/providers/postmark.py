"""Provider `postmark`: Postmark's batch interface.

Guarantees
    A batch's 200 is read item by item: some may have failed.
    `lookup` finds a message in doubt by the metadata it was sent with.

What goes wrong
    Postmark adds unsubscribe links and List-Unsubscribe fields of its own to broadcast streams. Only its support can
    switch that off for a stream; as long as `manages_unsubscribe` isn't false, go-live refuses.
    There are no idempotency keys: a request without an answer leaves its messages in doubt until they are looked up.

Sources: postmarkapp.com/developer (Email API, Messages API, Webhooks), as of November 2026.
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
from newsletter.providers.exchange import Answer, Request, ask
from newsletter.providers.letter import Letter, Splicer, dkim_is_lost, token

_KEY = "newsletter"  # of the metadata that names a message
_SEARCH_BEHIND, _SEARCH_KEPT = timedelta(minutes=5), timedelta(days=6)  # it keeps 7 to 365 days
_ABOUT_US = frozenset({10, 100, 400, 401, 405, 412, 413})  # key, maintenance, sender, account
_ABOUT_THEM = frozenset({406})  # bounced, complained or was taken off before, so Postmark sends nothing there


class Postmark:
    """Postmark; see the module's page."""

    name = "postmark"
    title = "Postmark"
    octets_most = 50_000_000 - 1_000  # of one request
    together: Callable[[Message], object] | None = None

    def __init__(self, settings: VendorSettings, *, now: Callable[[], datetime]) -> None:
        self.window = settings.batch * settings.threads
        self._settings, self._now = settings, now
        stream = settings.message_stream
        self._splicer = Splicer(lambda letter: item(letter, stream))
        self._headers = {"X-Postmark-Server-Token": settings.key}

    def submit(self, messages: Iterable[Message]) -> Iterator[tuple[Message, Outcome]]:
        """As `newsletter.mail.Provider`."""
        return http.submit(self, self._settings, messages)

    def part(self, message: Message) -> bytes:
        """One message of the batch."""
        return self._splicer.part(message)

    def request(self, parts: Sequence[bytes]) -> Request:
        """The batch."""
        body = b"[%b]" % b",".join(parts)
        return Request("/email/batch", self._headers | {"Content-Type": "application/json"}, body)

    def taken(self, messages: Sequence[Message], answer: Answer) -> Sequence[Outcome]:
        """Item by item."""
        return [outcome(one) for one in answer.json()]

    def refused(self, answer: Answer) -> Outcome | ProviderError | None:
        """A batch refused whole has one code for all."""
        try:
            code, words = int(answer.json()["ErrorCode"]), str(answer.json()["Message"])
        except (ValueError, LookupError, TypeError):
            return None
        if code == 429:
            return None
        if code in _ABOUT_US:
            return ProviderError(
                f"Postmark refuses us: {words} (its code {code}). Look into your Postmark account, and check the"
                " token in [provider.postmark] of newsletter.toml"
            )
        return Rejected(Reply(answer.status, "", f"{words} (code {code})"), About.MESSAGE) if code else None

    def lookup(self, message_id: str, *, since: datetime) -> Accepted | Uncertain | None:
        """By the metadata that the message was sent with."""
        query = urlencode({"count": 1, "offset": 0, f"metadata_{_KEY}": token(message_id)})
        answer = ask(self._settings, Request(f"/messages/outbound?{query}", self._headers, method="GET"), self.title)
        if answer.status != 200:
            return Uncertain(f"Postmark doesn't let us look for it ({answer.status})")
        try:
            if found := answer.json()["Messages"]:
                return Accepted(str(found[0]["MessageID"]))
        except (ValueError, LookupError, TypeError):
            return Uncertain("what Postmark answered can't be read")
        if _SEARCH_BEHIND <= self._now() - since <= _SEARCH_KEPT:
            return None
        return Uncertain("Postmark has nothing of it, and may be behind or have forgotten")


def item(letter: Letter, stream: str) -> dict[str, object]:
    """One message as Postmark's batch has it."""
    found: dict[str, object] = {
        "From": letter.sender.text,
        "To": letter.to.text,
        "Subject": letter.subject,
        "TextBody": letter.text,
        "MessageStream": stream,
        "TrackOpens": False,
        "TrackLinks": "None",
        "Metadata": {_KEY: letter.token},
        "Headers": [{"Name": name, "Value": value} for name, value in letter.headers.items()]
        # Without the second field Postmark puts a Message-ID of its own in place of ours.
        + [{"Name": "Message-ID", "Value": f"<{letter.message_id}>"}, {"Name": "X-PM-KeepID", "Value": "true"}],
    }
    if letter.html:
        found["HtmlBody"] = letter.html
    if letter.reply_to:
        found["ReplyTo"] = letter.reply_to.text
    if letter.images:
        found["Attachments"] = [
            {"Name": i.name, "Content": i.base64, "ContentType": i.kind, "ContentID": f"cid:{i.cid}"}
            for i in letter.images
        ]
    return found


def outcome(result: Mapping[str, Any]) -> Outcome:
    """One item of a batch's answer."""
    code, words = int(result["ErrorCode"]), str(result.get("Message", ""))
    if code == 0:
        return Accepted(str(result["MessageID"]))
    reply = Reply(0, "", f"{words} (Postmark's code {code})")
    if code in (100, 429):
        return Deferred(reply)
    if code in _ABOUT_THEM or (code == 300 and "'To'" in words):
        return Rejected(reply, About.ADDRESS)
    # From 1200 up they are about streams, templates and accounts.
    about_us = code in _ABOUT_US or code >= 1200 or (code == 300 and "'From'" in words)
    return Rejected(reply, About.US if about_us else About.MESSAGE)


def open_(settings: VendorSettings, *, now: Callable[[], datetime]) -> Postmark:
    """The provider."""
    return Postmark(settings, now=now)


def refusals(config: Config) -> list[str]:
    """What Postmark can't do exactly."""
    lost = dkim_is_lost(config, Postmark.title)
    if not config.vendors["postmark"].manages_unsubscribe:
        return lost
    return [
        *lost,
        "Postmark puts an unsubscribe link and List-Unsubscribe fields of its own into every letter, so that readers"
        " who leave are unknown here. Ask Postmark's support to switch that off for your stream, and then write"
        " manages_unsubscribe = false in [provider.postmark] of newsletter.toml; or use another provider.",
    ]


# --- what comes back

#: Types of bounces that are none: somebody still tries, or an answer that a program gave for a person.
_NONE = frozenset({"Transient", "AutoResponder", "ChallengeVerification", "AddressChange", "Subscribe", "Unsubscribe"})


def hear(hook: Hook, settings: VendorSettings, *, at: datetime) -> Heard:
    """One event. Postmark signs nothing: who knows the address is believed, and the password where one is set.

    Raises `HookRefused`.
    """
    told.check_password(hook, settings.webhook_secret)
    return told.heard(hook, lambda item: _event(item, at))


def _event(item: Mapping[str, object], at: datetime) -> Event | None:
    name, ident = told.text(item, "RecordType"), told.text(item, "ID")
    recipient, moment = told.text(item, "Email"), item.get("BouncedAt")
    reply, suppress = Reply(0, "", ""), False
    match name, told.text(item, "SuppressionReason"):
        case "Bounce", _:
            kind = EventKind.DELAYED if told.text(item, "Type") in _NONE else EventKind.BOUNCED
            hard = told.text(item, "Type") == "HardBounce"
            words = told.text(item, "Details") or told.text(item, "Description")
            reply, suppress = told.refusal(words, permanent=hard)
        case "SpamComplaint", _:
            kind = EventKind.COMPLAINED
        case "SubscriptionChange", "ManualSuppression" if item.get("SuppressSending") is True:
            if told.text(item, "Origin") != "Recipient":
                return None  # taken off by the owner, there
            kind, recipient, moment = EventKind.UNSUBSCRIBED, told.text(item, "Recipient"), item.get("ChangedAt")
            ident = f"{recipient}/{moment}"
        case _:  # deliveries, opens, clicks; what a bounce or a complaint did to its list is told by itself
            return None
    return Event(
        kind,
        "postmark",
        f"{name}/{ident}",
        told.instant(moment, at),
        provider_id=told.text(item, "MessageID"),
        recipient=recipient,
        reply=reply,
        suppress=suppress,
    )
