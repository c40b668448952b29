"""Quoted-printable (RFC 2045 section 6.7), so that encoded pieces can be joined in any order. Pure.

Guarantees
    Lines have at most 76 octets, end in CRLF, and never begin with a dot (SMTP's dot-stuffing has nothing to do) or
    with "From " (which some relays mark with ">"). A piece between two soft breaks means the same wherever it stands.
    There is never a second space behind a space, nor one at the end of a line: the octets are their own canonical form
    for DKIM (RFC 6376 section 3.4.4), and nothing on the way that squeezes white space can change a message.

Python's `quopri` and `binascii.b2a_qp` leave a leading dot unless it is alone on its line.
"""

from __future__ import annotations

import re
from html import escape

SOFT_BREAK = b"=\r\n"

_MOST = 75  # octets of a line before the "=" of a soft break
# What may not stand as it is: all but printable ASCII without "=", white space behind a space, at the end of a line or
# of the piece, and what a line may not begin with.
_UNSAFE = re.compile(rb"[^\n\x20-\x3c\x3e-\x7e]|(?<=\x20)\x20|\x20(?=\n|\Z)|(?m:^)(?:\.|F(?=rom ))")
# What stands in HTML as in text, and needs "=" encoded at most.
_PLAIN = re.compile(r"(?!\.|From )[ !#-%(-;=?-~]*(?<! )")


def encode(text: str) -> bytes:
    """*text*, whose lines end in LF, as quoted-printable."""
    octets = _UNSAFE.sub(lambda found: b"=%02X" % found[0][0], text.encode())
    return b"\r\n".join(map(_wrapped, octets.split(b"\n")))


def values(text: str) -> tuple[bytes, bytes]:
    """A short *text* that will stand between two soft breaks, as quoted-printable: in plain text, and in HTML."""
    if _PLAIN.fullmatch(text) and "  " not in text:  # nearly every name and address
        octets = _wrapped(text.encode().replace(b"=", b"=3D"))
        return octets, octets
    return encode(text), encode(escape(text))


def _wrapped(line: bytes) -> bytes:
    """One encoded line, with soft breaks where it is too long."""
    if len(line) <= _MOST:
        return line
    pieces = []
    while len(line) > _MOST:
        # "=XX" stays whole.
        end = _MOST - 1 if line[_MOST - 1] == 0x3D else _MOST - 2 if line[_MOST - 2] == 0x3D else _MOST
        pieces.append(line[:end])
        line = line[end:]
        if line[:1] == b"." or line[:5] == b"From ":
            line = b"=%02X" % line[0] + line[1:]
    return SOFT_BREAK.join([*pieces, line])
