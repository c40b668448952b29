"""Header fields as octets: cleaned, encoded, folded. Pure.

Guarantees
    Whatever text comes in, one header field comes out: `clean_header_text` is the one way in, and nothing that it lets
    pass ends a line or reads as an encoded word that somebody else wrote.
    Output is ASCII; lines are folded at 76, and no word in them is longer than that.

Python's own `email` package isn't used to write: it decodes ``=?utf-8?q?Bob=0D=0ABcc:…?=`` in a name and writes
the Bcc as a field of its own, and it encodes a long List-Unsubscribe, which no mail program then understands.
"""

from __future__ import annotations

import re
import unicodedata
from base64 import b64encode
from datetime import UTC, datetime
from functools import lru_cache

from newsletter.mail import Mailbox

_LINE = 76  # RFC 2047 section 2, for a line with an encoded word; RFC 5322 section 2.1.1 would allow 78
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")  # RFC 5322 section 3.2.3
# Line ends and other controls, lone surrogates, and the marks that turn the direction of all that follows.
_UNWANTED = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufeff]")
_SPACES = re.compile(r"\s+")  # takes CR, LF, NEL, U+2028 and U+2029 along
_PAYLOAD = 64 - len("=?utf-8?q??=")  # of an encoded word that fits on a line behind "Reply-To: "
_PHRASE_SAFE = re.compile(rb"[^A-Za-z0-9!*+/-]")  # RFC 2047 section 5 (3), what may stand as it is inside a phrase
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def clean_header_text(text: str) -> str:
    """*text* fit for a header field and for a line of a letter: one line, no controls, no encoded word in it.

    White space of any kind becomes one space; ``=?`` gets one in between, as a decoder further on would run it.
    """
    if text.isascii() and text.isprintable() and "=?" not in text and "  " not in text:
        return text.strip()
    text = unicodedata.normalize("NFC", _SPACES.sub(" ", _UNWANTED.sub("", _SPACES.sub(" ", text))))
    while "=?" in text:
        text = text.replace("=?", "= ?")
    return text.strip()


def unstructured(name: str, text: str) -> bytes:
    """The field *name* with free text (RFC 5322 section 3.2.5), folded, with its line end."""
    text = clean_header_text(text)
    words = text.split(" ") if _plain(text) else encoded_words(text)
    return _folded(f"{name}:", words)


def mailbox(name: str, value: Mailbox) -> bytes:
    """The field *name* with one mailbox, folded, with its line end."""
    return f"{name}: ".encode() + mailbox_value(value, len(name) + 2) + b"\r\n"


def mailbox_value(value: Mailbox, taken: int = 4) -> bytes:
    """A mailbox (RFC 5322 section 3.4) as the value of a field whose name takes *taken* columns."""
    address = str(value.address)
    name = clean_header_text(value.name)
    if not name:
        return address.encode()
    if _ATOMS.fullmatch(name) and taken + len(name) + len(address) + 3 <= _LINE:
        return f"{name} <{address}>".encode()  # nearly every reader: nothing to encode, quote or fold
    words = name.split(" ") if _ATOMS.fullmatch(name) else _quoted_string(name)
    if not _plain(" ".join(words)):
        words = encoded_words(name)
    return _folded(" " * (taken - 1), [*words, f"<{address}>"])[taken:-2]


def _quoted_string(text: str) -> list[str]:
    """A quoted string (RFC 5322 section 3.2.4), cut at its spaces, where it may be folded."""
    return ('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"').split(" ")


def _plain(text: str) -> bool:
    """Whether *text* can go as it is: ASCII, and every word short enough for a line."""
    return text.isascii() and (len(text) < _PAYLOAD or max(map(len, text.split(" "))) < _PAYLOAD)


def encoded_words(text: str) -> list[str]:
    """*text* as RFC 2047 encoded words in UTF-8, cut between characters; Q or B, whichever is shorter."""
    quoted = sum(len(_q(character)) for character in text)
    base64 = len(text.encode()) * 4 / 3
    return _cut_words(text, "q") if quoted <= base64 else _cut_words(text, "b")


def _cut_words(text: str, encoding: str) -> list[str]:
    words, piece, taken = [], "", 0
    room = _PAYLOAD if encoding == "q" else _PAYLOAD // 4 * 3  # octets before base64
    for character in text:
        octets = len(_q(character)) if encoding == "q" else len(character.encode())
        if taken + octets > room:
            words.append(piece)
            piece, taken = "", 0
        piece, taken = piece + character, taken + octets
    words.append(piece)
    encode = _q if encoding == "q" else lambda text: b64encode(text.encode()).decode()
    return [f"=?utf-8?{encoding}?{encode(word)}?=" for word in words]


def _q(text: str) -> str:
    return _PHRASE_SAFE.sub(lambda found: b"_" if found[0] == b" " else b"=%02X" % found[0][0], text.encode()).decode()


def _folded(line: str, words: list[str]) -> bytes:
    """*line* and *words* with spaces between them, folded where a line would pass 78 columns, with its line end."""
    lines = []
    for word in words:
        if len(line) + 1 + len(word) > _LINE and line.strip():
            lines.append(line)
            line = ""
        line = f"{line} {word}"
    return "\r\n".join([*lines, line]).encode() + b"\r\n"


def date(at: datetime) -> bytes:
    """An instant in the form of RFC 5322 section 3.3, in UTC."""
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone")
    return _date(int(at.timestamp()))


@lru_cache(maxsize=1024)  # a tick's messages share their seconds
def _date(second: int) -> bytes:
    at = datetime.fromtimestamp(second, UTC)
    day = f"{_DAYS[at.weekday()]}, {at.day:02} {_MONTHS[at.month - 1]} {at.year:04}"
    return f"{day} {at.hour:02}:{at.minute:02}:{at.second:02} +0000".encode()
