"""Amazon SNS: whether a request comes from a topic that is listened to, and what it says.

    notification    the message of a genuine request
    fetch           GET of one address at Amazon's

Guarantees
    Only topics on the owner's list are believed. The one host that is ever asked for a certificate or a confirmation
    is SNS's own in that topic's region; it comes from the list, not from the request.
    A request is genuine when its signature (version 1 or 2) holds under the certificate shown there, and it is not
    older than SNS keeps trying. Told twice, a message has the same id.

What goes wrong
    `HookRefused`: not genuine. `ProviderError`: Amazon can't be asked just now; answered 5xx, SNS comes again.

Sources: "Verifying the signatures of Amazon SNS messages", "Parsing message formats" in Amazon's SNS guide.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from newsletter.config.vendors import TOPIC
from newsletter.errors import HookRefused, ProviderError
from newsletter.events import Hook
from newsletter.providers.told import document
from newsletter.signatures import Certificate, certificate

Fetch = Callable[[str], bytes]

# An HTTP subscription may be retried for an hour at most, with the time stamp of the first try.
_OLDEST = timedelta(minutes=65)
_AHEAD = timedelta(minutes=5)
_PEM = re.compile(r"/[\w-]+\.pem", re.ASCII)
_ANSWER_MOST = 64 * 1024  # octets; a certificate has 2,000

_SIGNED = {  # of each type, in this order
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}


@dataclass(frozen=True, slots=True)
class Notification:
    """What a topic told."""

    id: str
    at: datetime
    text: str


def notification(hook: Hook, topics: Collection[str], *, at: datetime, fetch: Fetch) -> Notification | None:
    """What *hook* says; None when it was a subscription, which is confirmed, or its end."""
    fields = _fields(hook)
    topic, kind = fields["TopicArn"], fields["Type"]
    if topic not in topics:
        raise HookRefused("it comes from an SNS topic that is not in topics of [provider.ses]")
    if not (known := TOPIC.fullmatch(topic)):
        raise HookRefused("its topic is no topic of SNS")
    told = _when(fields["Timestamp"])
    if not -_AHEAD <= at - told <= _OLDEST:
        raise HookRefused(f"it is of {told:%Y-%m-%d %H:%M} UTC, too old or from the future")
    host = f"sns.{known[2]}.amazonaws.com{'.cn' if known[1] == 'aws-cn' else ''}"
    _check_signature(fields, host, at, fetch)
    if kind == "SubscriptionConfirmation":
        fetch(_confirmation(fields, host))
    return Notification(fields["MessageId"], told, fields["Message"]) if kind == "Notification" else None


def fetch(url: str) -> bytes:
    """What is at *url*. Raises `ProviderError`."""
    import requests

    from newsletter.providers.exchange import new_session

    try:
        with new_session() as session, session.get(url, timeout=10, allow_redirects=False, stream=True) as answer:
            body: bytes = next(answer.iter_content(_ANSWER_MOST + 1), b"")
            if answer.status_code != 200 or len(body) > _ANSWER_MOST:
                raise ProviderError(f"Amazon SNS answered {answer.status_code} at {urlsplit(url).netloc}")
    except requests.RequestException as error:
        raise ProviderError(f"Amazon SNS could not be asked at {urlsplit(url).netloc}: {error}") from error
    return body


def _fields(hook: Hook) -> dict[str, str]:
    """The signed fields of the request, and those about the signature."""
    found = document(hook.body)
    if not isinstance(found, dict) or not isinstance(kind := found.get("Type"), str) or kind not in _SIGNED:
        raise HookRefused("it is no message of Amazon SNS")
    if hook.headers.get("x-amz-sns-message-type", kind) != kind:
        raise HookRefused("its header and its body disagree about what it is")
    wanted = (*_SIGNED[kind], "SignatureVersion", "Signature", "SigningCertURL")
    if missing := [name for name in wanted if name != "Subject" and not isinstance(found.get(name), str)]:
        raise HookRefused(f"it lacks {', '.join(missing)}")
    return {name: value for name in wanted if isinstance(value := found.get(name), str)}


def _when(text: str) -> datetime:
    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        raise HookRefused("its time can't be read") from None
    if told.tzinfo is None:
        raise HookRefused("its time has no zone")
    return told


def _check_signature(fields: dict[str, str], host: str, at: datetime, fetch: Fetch) -> None:
    digests: dict[str, Literal["sha1", "sha256"]] = {"1": "sha1", "2": "sha256"}
    digest = digests.get(fields["SignatureVersion"])
    address = urlsplit(fields["SigningCertURL"])
    if digest is None:
        raise HookRefused("its signature is of a version that is not known")
    if (address.scheme, address.netloc) != ("https", host) or not _PEM.fullmatch(address.path):
        raise HookRefused(f"its certificate is not at {host}")
    try:
        signature = b64decode(fields["Signature"], validate=True)
    except ValueError:
        raise HookRefused("its signature can't be read") from None
    text = "".join(f"{name}\n{fields[name]}\n" for name in _SIGNED[fields["Type"]] if name in fields)
    shown = _certificate(f"https://{host}{address.path}", fetch)
    if not shown.valid_from <= at <= shown.valid_to:
        raise HookRefused("its certificate is not valid now")
    if not shown.holds(text.encode("utf-8", "surrogatepass"), signature, digest):
        raise HookRefused("its signature does not hold")


@lru_cache(maxsize=16)  # Amazon changes it once a year; what can't be read is not kept
def _certificate(url: str, fetch: Fetch) -> Certificate:
    if (found := certificate(fetch(url))) is None:
        raise HookRefused("its certificate can't be read")
    return found


def _confirmation(fields: dict[str, str], host: str) -> str:
    """The address at which the subscription is confirmed."""
    address = urlsplit(fields["SubscribeURL"])
    asked = parse_qs(address.query)
    if (
        (address.scheme, address.netloc, address.path) != ("https", host, "/")
        or asked.get("Action") != ["ConfirmSubscription"]
        or asked.get("TopicArn") != [fields["TopicArn"]]
    ):
        raise HookRefused("it asks to confirm something else")
    return fields["SubscribeURL"]
