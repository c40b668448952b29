"""Base64 (RFC 2045 section 6.8) of a body with slots in it. Pure.

What an octet looks like in base64 hangs on how many came before it, modulo three, and so on the length of every value
before it. So each literal piece is encoded three times when it is made, and a message takes the one that fits: a value
is encoded with the one or two octets that its neighbours lack or have too many.

Guarantees
    Lines have at most 76 octets and end in CRLF; what is decoded is the pieces and the values, to the octet.
"""

from __future__ import annotations

from base64 import encodebytes
from dataclasses import dataclass, field

_Start = tuple[bytes, bytes, bytes]  # what completes the group before, lines, what is left over


@dataclass(frozen=True, slots=True)
class Piece:
    """The octets between two slots of a body, or between a slot and the body's end."""

    octets: bytes
    last: bool  #: the body ends here
    _starts: tuple[_Start, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_starts", tuple(map(self._start, range(3))))

    def _start(self, lacking: int) -> _Start:
        rest = self.octets[lacking:]
        whole = len(rest) if self.last else len(rest) // 3 * 3
        return self.octets[:lacking], lines(rest[:whole]), rest[whole:]

    def after(self, pending: bytes) -> tuple[bytes, bytes]:
        """The lines for *pending* octets and this piece behind them, and what is then left over of less than three."""
        head, following, left = self._starts[-len(pending) % 3]
        pending += head
        if len(pending) % 3 and not self.last:  # the piece is too short to complete the group
            return b"", pending
        return lines(pending) + following, left


def lines(octets: bytes) -> bytes:
    """*octets* as base64, in lines."""
    return encodebytes(octets).replace(b"\n", b"\r\n")
