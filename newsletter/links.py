"""Signed tokens and the URLs that carry them: unsubscribe, confirm, preferences, a reader's letters.

Guarantees
    A token names a subscriber by a random id, never by address, and is bound to one purpose and one
    list: an unsubscribe token opens nothing else and nothing elsewhere. It has exactly one spelling;
    anything else reads as None. Mailed URLs live for ever, so `{url}/u/TOKEN` never changes shape.

Form
    base64url without padding (RFC 4648 section 5) of key id (1 octet), subscriber id (16 octets) and
    HMAC-SHA256 truncated to 16 octets (RFC 2104 section 5): 33 octets, 44 characters, no spare bits.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from urllib.parse import quote

from newsletter.mail import Address

_KEY_ID = 1  # a second signing key would get the next one; old tokens keep naming theirs
_ID_OCTETS = 16
_MAC_OCTETS = 16
_TOKEN_CHARACTERS = 44
_SECRET_MIN = 16

# RFC 6068 section 2: what may stand in the address as it is; "%", "&", "?" and the like may not.
_MAILTO_SAFE = "!$'*+-._~"


def mac(secret: bytes, message: bytes) -> bytes:
    """HMAC-SHA256 of *message* under *secret*.

    With the key prepared once (RFC 2104 section 4) it costs 1 µs; `hmac.digest` prepares it anew each time and takes 3.
    """
    inner, outer = _pads(secret)
    return sha256(outer + sha256(inner + message).digest()).digest()


@lru_cache(maxsize=8)
def _pads(secret: bytes) -> tuple[bytes, bytes]:
    key = (sha256(secret).digest() if len(secret) > 64 else secret).ljust(64, b"\0")
    return bytes(octet ^ 0x36 for octet in key), bytes(octet ^ 0x5C for octet in key)


class Purpose(StrEnum):
    """What a token allows; the value is the path segment before it."""

    UNSUBSCRIBE = "u"
    CONFIRM = "c"
    PREFERENCES = "s"
    ARCHIVE = "a"


@dataclass(frozen=True, slots=True)
class Links:
    """Makes and reads the tokens of one list.

    *secret* is the signing key (16 octets or more), *url* the newsletter's https address without a
    trailing slash ("" when it has no web side), *list_id* its RFC 2919 identifier.
    """

    secret: bytes = field(repr=False)
    url: str
    list_id: str

    def __post_init__(self) -> None:
        if len(self.secret) < _SECRET_MIN:
            raise ValueError(f"a signing key needs {_SECRET_MIN} octets or more, this one has {len(self.secret)}")

    def token(self, purpose: Purpose, subscriber: bytes) -> str:
        """The token that lets *subscriber* (16 octets) do *purpose*."""
        if len(subscriber) != _ID_OCTETS:
            raise ValueError(f"a subscriber id has {_ID_OCTETS} octets, this one {len(subscriber)}")
        named = bytes((_KEY_ID,)) + subscriber
        # The list id comes last: it alone has no fixed length.
        signed = b"newsletter link\0" + purpose.encode() + b"\0" + named + self.list_id.encode()
        return urlsafe_b64encode(named + mac(self.secret, signed)[:_MAC_OCTETS]).decode()

    def read(self, purpose: Purpose, token: str) -> bytes | None:
        """The subscriber id in *token*, or None unless it is exactly what `token` makes for *purpose*."""
        if len(token) != _TOKEN_CHARACTERS or not token.isascii():
            return None
        # The decoder skips characters it doesn't know; the comparison as text refuses what it let pass.
        try:
            subscriber = urlsafe_b64decode(token)[1 : 1 + _ID_OCTETS]
        except ValueError:
            return None
        if len(subscriber) != _ID_OCTETS:
            return None
        return subscriber if hmac.compare_digest(token, self.token(purpose, subscriber)) else None

    def address(self, purpose: Purpose, subscriber: bytes) -> str:
        """The https address at which *subscriber* may do *purpose*, or "" when the newsletter has no web side."""
        return f"{self.url}/{purpose.value}/{self.token(purpose, subscriber)}" if self.url else ""

    def unsubscribe_url(self, subscriber: bytes) -> str:
        """The one-click address (RFC 8058) of *subscriber*, or "" when the newsletter has no web side."""
        return self.address(Purpose.UNSUBSCRIBE, subscriber)

    def unsubscribe_mailto(self, address: Address, subscriber: bytes) -> str:
        """A mailto URI (RFC 6068) to *address* whose subject carries the unsubscribe token."""
        return _mailto(address) + self.token(Purpose.UNSUBSCRIBE, subscriber)

    def unsubscribe(self, address: Address, subscriber: bytes) -> tuple[str, str]:
        """Both, with one token made for them."""
        token = self.token(Purpose.UNSUBSCRIBE, subscriber)
        return self._https(token), _mailto(address) + token

    def _https(self, token: str) -> str:
        return f"{self.url}/{Purpose.UNSUBSCRIBE.value}/{token}" if self.url else ""


@lru_cache(maxsize=8)  # a newsletter has one
def _mailto(address: Address) -> str:
    return f"mailto:{quote(address.local, safe=_MAILTO_SAFE)}@{address.domain}?subject=unsubscribe%20"
