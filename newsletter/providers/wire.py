"""SMTP's wire format: replies as they come in, message bytes as they go out. Pure.

Guarantees
    A reply is at most 100 lines of 8 kB, all with the same code, however it was cut up on the way; anything else is
    `Dropped`, since a server that doesn't speak SMTP can't be told from one that is out of step.
    No byte of a message can end it early: line ends become CRLF and leading dots are doubled (RFC 5321 section
    4.5.2), so a message never smuggles in a second one.
"""

from __future__ import annotations

import re
import smtplib
from collections import deque
from functools import lru_cache

from newsletter.mail import Message, shown

LINE_MAX = 8_192  # octets; RFC 5321 section 4.5.3.1.5 asks for 512
LINES_MAX = 100
_LONG = 512  # octets
FINAL_DOT = b".\r\n"
_LINE_END = re.compile(rb"\r\n|\r|\n")


class Dropped(smtplib.SMTPServerDisconnected):
    """The session is of no more use: closed, silent for too long, or not speaking SMTP."""


class ReplyReader:
    """Bytes go in by `feed` in any pieces, whole replies come out by `take`."""

    def __init__(self) -> None:
        self._rest = b""  # of a line that has not ended
        self._whole: deque[bytes] = deque()  # lines
        self._code = 0  # of the reply whose first lines were taken
        self._lines: list[bytes] = []

    def __bool__(self) -> bool:
        """Whether something was fed that `take` has not given out."""
        return bool(self._rest or self._whole or self._lines)

    def feed(self, data: bytes) -> None:
        """Take in what was received."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        self._whole += whole

    def take(self) -> tuple[int, list[bytes]] | None:
        """The next reply: its code and the text of each line; None while it isn't complete. Raises `Dropped`."""
        while self._whole:
            line = self._whole.popleft().rstrip(b"\r")
            if len(line) > LINE_MAX:
                raise Dropped("its answer did not end")
            code, more = _BEGINNINGS.get(line[:4], (0, False))
            # RFC 5321 section 4.2.1: the same code on every line.
            if not code or (self._code or code) != code:
                raise Dropped(f"it answered {shown(line.decode('utf-8', 'replace'))}, which is not SMTP")
            self._lines.append(line[4:])
            if not more:
                lines, self._lines, self._code = self._lines, [], 0
                return code, lines
            self._code = code
            if len(self._lines) >= LINES_MAX:
                raise Dropped("its answer did not end")
        if len(self._rest) > LINE_MAX:
            raise Dropped("its answer did not end")
        return None


#: How a line of a reply may begin: its code, and whether more lines follow.
_BEGINNINGS = {b"%d%b" % (code, sign): (code, sign == b"-") for code in range(200, 600) for sign in (b"", b" ", b"-")}


def spoken(line: str) -> bytes:
    """A command as bytes. An `Address` has parsed; this holds if one ever hadn't."""
    if not line.isascii() or not line.isprintable():
        raise ValueError(f"{shown(line)} can't be said in SMTP")
    return line.encode("ascii") + b"\r\n"


def canonical(data: bytes) -> bytes:
    """*data* with CRLF as its only line end, and one at its end."""
    ends = data.count(b"\r\n")
    if data.count(b"\r") != ends or data.count(b"\n") != ends:
        data = _LINE_END.sub(b"\r\n", data)
    return data if data.endswith(b"\r\n") else data + b"\r\n"


def stuffed(data: bytes) -> bytes:
    """Canonical *data* with leading dots doubled (RFC 5321 section 4.5.2), without the final dot."""
    data = data.replace(b"\r\n.", b"\r\n..")
    return b"." + data if data.startswith(b".") else data


def clean(message: Message) -> bool:
    """Whether *message* can go as it is: canonical, nothing to stuff, ASCII, no NUL. False: unknown.

    Looking through 25 kB takes 30 µs, as much as all else that a session does: what messages share is looked through
    once.
    """
    form, pieces = message.form, message.pieces
    if form and form.literals:  # a signature may stand in front of them
        shared, own = form.literals, [*pieces[: len(pieces) - len(form.literals)], *message.values]
    else:
        shared, own = tuple(p for p in pieces if len(p) >= _LONG), [p for p in pieces if len(p) < _LONG]
    # Between line ends each piece shows a dot it begins with, or the half of a line end.
    return (
        bool(pieces) and pieces[-1].endswith(b"\r\n") and _all_clean(shared) and _clean(b"\r\n".join([b"", *own, b""]))
    )


@lru_cache(maxsize=64)
def _all_clean(pieces: tuple[bytes, ...]) -> bool:
    return all(map(_clean, pieces))


def _clean(piece: bytes) -> bool:
    """Holds for pieces joined if it holds for each."""
    ends = piece.count(b"\r\n")
    return (
        piece.count(b"\r") == ends == piece.count(b"\n")
        and b"\r\n." not in piece
        and piece[:1] != b"."
        and piece.isascii()
        and b"\0" not in piece
    )
