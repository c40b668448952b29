"""The reverse path of one delivery (VERP): a bounce comes back to it and so names the delivery by itself.

Guarantees
    A path names a delivery by number, never a reader, and is signed for one list: nobody can make a bounce for a
    delivery whose message they have not seen. It has one spelling but for capitals, which some servers change; anything
    else reads as None. Every attempt of a delivery has the same path.

Form
    ``local+TOKEN@domain``, TOKEN being base32 (RFC 4648 section 6) in lower case of kind (1 octet), delivery (5 octets)
    and HMAC-SHA256 truncated to 9 octets: 15 octets, 24 characters, no spare bits. A forger has one chance in 2^72, and
    all it would win is a reader paused.

Sources: RFC 5321 section 4.5.3.1.1 (64 octets of local part), RFC 5233 (the part behind the plus).
"""

from __future__ import annotations

import hmac
from base64 import b32decode, b32encode
from dataclasses import dataclass, field

from newsletter.links import mac
from newsletter.mail import Address

TOKEN_CHARACTERS = 24
LOCAL_MOST = 64 - 1 - TOKEN_CHARACTERS  #: characters left for the owner's own part
_DELIVERY = 1  # the kind of what is named; a second kind would get the next number
_NUMBER_OCTETS = 5
_MAC_OCTETS = 9


@dataclass(frozen=True, slots=True)
class ReversePaths:
    """Makes and reads the reverse paths of one list, at the owner's *address* for bounces."""

    secret: bytes = field(repr=False)
    address: Address
    list_id: str
    _context: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.address.local) > LOCAL_MOST:
            raise ValueError(f"{self.address} leaves no room for a token of {TOKEN_CHARACTERS} characters")
        object.__setattr__(self, "_context", b"newsletter reverse path\0" + self.list_id.encode() + b"\0")

    def path(self, delivery: int) -> Address:
        """The reverse path of *delivery*. 4 µs, most of them for the HMAC and base32."""
        return Address(f"{self.address.local}+{self._token(delivery)}", self.address.domain)

    def read(self, path: str) -> int | None:
        """The delivery that *path* names, or None unless it is exactly what `path` makes, capitals apart."""
        local, _, domain = path.strip().strip("<>").lower().rpartition("@")
        name, _, token = local.rpartition("+")
        if name != self.address.local.lower() or domain != self.address.domain or len(token) != TOKEN_CHARACTERS:
            return None
        try:
            named = b32decode(token.upper())
        except ValueError:
            return None
        delivery = int.from_bytes(named[1 : 1 + _NUMBER_OCTETS])
        return delivery if hmac.compare_digest(token.encode(), self._token(delivery).encode()) else None

    def _token(self, delivery: int) -> str:
        named = bytes((_DELIVERY,)) + delivery.to_bytes(_NUMBER_OCTETS)
        return b32encode(named + mac(self.secret, self._context + named)[:_MAC_OCTETS]).decode().lower()
