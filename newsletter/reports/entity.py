"""MIME as it comes from strangers: fields, parts and text of whatever octets there are. Pure.

Guarantees
    Any octets can be read: cut anywhere, without a boundary, in a charset that nobody knows. Nothing raises, and the
    time grows with the length alone: nesting, parts and the length of a line are bounded.

Python's own parser isn't used: it is quadratic in nested boundaries, and half of what is broken in bounces (no boundary
named, a header field inside a body) it gives up on.

Sources: RFC 5322 sections 2.2 and 3.6.8, RFC 2045 sections 5 and 6, RFC 2046 section 5.1, RFC 2047.
"""

from __future__ import annotations

import binascii
import codecs
import quopri
import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from html import unescape
from itertools import islice, pairwise

_DEPTH = 6  # of parts within parts
_PARTS = 100  # of one entity
_MAILS = 10_000  # of one mbox
_FIELDS = 400  # of one entity; what comes after is no letter's header
_VALUE_MAX = 4_000  # characters kept of a field
_TEXT_MAX = 64_000  # octets read of a text; what a report has to say stands at its beginning
_LINE_MAX = 2_000  # characters of a line of text

_FIELD = re.compile(rb"([!-9;-~]{1,76})[ \t]*:")
_PARAMETER = r"""\b{}\s*=\s*(?:"([^"]{{1,200}})"|([^\s;"]{{1,200}}))"""
_BOUNDARY = re.compile(_PARAMETER.format("boundary"), re.IGNORECASE)
_CHARSET = re.compile(_PARAMETER.format("charset"), re.IGNORECASE)
_REPORT = re.compile(_PARAMETER.format("report-type"), re.IGNORECASE)
_PART_BEGINS = re.compile(rb"^--(\S[^\n]{0,200})\n(?:[!-9;-~]{1,76}:[^\n]*\n){0,5}?content-type:", re.IGNORECASE | re.M)
_MBOX = re.compile(rb"(?:\A|(?<=\n))From \S{1,320} +(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [ \d]\d \d\d:\d\d")
# Codecs that Python has for other things than text; some take time without bound.
_NO_CHARSETS = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined"})
_BREAKS = frozenset({"p", "br", "div", "tr", "li", "td", "h1", "h2", "h3", "table", "hr", "title"})

Fields = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Entity:
    """A message or a part of one."""

    fields: Fields  #: names in lower case, values on one line, undecoded
    body: bytes  #: line ends are LF

    @classmethod
    def parse(cls, data: bytes) -> Entity:
        """The message in *data*; an mbox line in front is passed over."""
        lines = data.removeprefix(codecs.BOM_UTF8).replace(b"\r\n", b"\n").replace(b"\r", b"\n").lstrip(b"\n")
        if lines.startswith((b"From ", b">From ")):
            lines = lines.partition(b"\n")[2]
        return _entity(lines)

    def get(self, name: str) -> str:
        """The first field called *name*, or ""."""
        return next((value for field, value in self.fields if field == name), "")

    def all(self, *names: str) -> list[str]:
        """Every field with one of *names*."""
        return [value for field, value in self.fields if field in names]

    def words(self, name: str) -> str:
        """The first field called *name* as people read it (RFC 2047)."""
        return decoded(self.get(name))

    @property
    def kind(self) -> str:
        """The media type in lower case; text/plain where none is told (RFC 2045 section 5.2)."""
        return self.get("content-type").partition(";")[0].strip().lower() or "text/plain"

    @property
    def report(self) -> str:
        """The report type of a multipart/report (RFC 6522), or ""."""
        return _parameter(_REPORT, self.get("content-type")).lower()

    def leaves(self, depth: int = 0) -> Iterator[Entity]:
        """Every part that has no parts of its own; a message within counts as one."""
        parts = self._parts() if depth < _DEPTH else []
        if not parts:
            yield self
        for part in parts:
            yield from part.leaves(depth + 1)

    def _parts(self) -> list[Entity]:
        kind = self.kind
        if not kind.startswith("multipart/"):
            return []
        boundary = _parameter(_BOUNDARY, self.get("content-type")).encode("latin-1", "replace")
        body = b"\n" + self.body
        if not boundary or b"\n--" + boundary not in body:
            # Some reporters name none, or another one: the first line that looks like it is taken.
            if not (found := _PART_BEGINS.search(self.body)):
                return []
            boundary = found[1].rstrip()
        pieces = body.split(b"\n--" + boundary, _PARTS)[1:]
        return [_entity(piece.partition(b"\n")[2]) for piece in pieces if not piece.startswith(b"--")]

    def octets(self) -> bytes:
        """The body with its transfer encoding undone; what is damaged stays as it is."""
        encoding = self.get("content-transfer-encoding").strip().lower()
        if encoding == "base64":
            try:
                kept = re.sub(rb"[^A-Za-z0-9+/]", b"", self.body[: _TEXT_MAX * 2])
                return b64decode(kept[: len(kept) // 4 * 4])
            except (binascii.Error, ValueError):
                return self.body
        return quopri.decodestring(self.body[: _TEXT_MAX * 3]) if encoding == "quoted-printable" else self.body

    def text(self) -> str:
        """The body as text: of HTML the words alone."""
        text = _read(self.octets()[:_TEXT_MAX], _parameter(_CHARSET, self.get("content-type")))
        text = _words_of(text) if self.kind == "text/html" else text
        return "\n".join(line[:_LINE_MAX].rstrip() for line in text.replace("\r", "\n").split("\n"))


def mails(data: bytes) -> list[bytes]:
    """The mails in *data*: those of an mbox (RFC 4155), else the one that it is."""
    if not _MBOX.match(data):
        return [data]
    starts = [found.start() for found in islice(_MBOX.finditer(data), _MAILS)]
    return [data[start:end] for start, end in pairwise([*starts, len(data)])]


def decoded(value: str) -> str:
    """A field's *value* with its encoded words (RFC 2047) read."""
    value = value[: _LINE_MAX // 2]
    if "=?" not in value:
        return value
    try:
        return str(make_header(decode_header(value)))
    except (HeaderParseError, LookupError, ValueError):
        return value


def fields_of(text: str) -> Fields:
    """The header fields at the beginning of *text*."""
    return _header(text.encode("utf-8", "replace").lstrip(b"\n"))[0]


def _entity(lines: bytes) -> Entity:
    return Entity(*_header(lines))


def _header(lines: bytes) -> tuple[Fields, bytes]:
    """The fields, and what comes after; a line that is no field ends the header as an empty one does."""
    fields: list[tuple[str, list[str]]] = []
    at = 0
    while at < len(lines):
        end = lines.find(b"\n", at)
        end = len(lines) if end < 0 else end
        line, here = lines[at:end], at
        at = end + 1
        if line[:1] in (b" ", b"\t") and line.strip():
            if fields:
                fields[-1][1].append(_read(line.strip(), ""))
            continue
        found = _FIELD.match(line)
        if not found or len(fields) >= _FIELDS:
            return _unfolded(fields), lines[at if not line.strip() else here :]
        fields.append((found[1].decode("ascii").lower(), [_read(line[found.end() :].strip(), "")]))
    return _unfolded(fields), b""


def _unfolded(fields: list[tuple[str, list[str]]]) -> Fields:
    return tuple((name, " ".join(values)[:_VALUE_MAX]) for name, values in fields)


def _parameter(pattern: re.Pattern[str], value: str) -> str:
    found = pattern.search(value)
    return (found[1] or found[2]) if found else ""


def _read(octets: bytes, charset: str) -> str:
    if b"\x1b$" in octets:  # ISO 2022 says so itself, whatever the field says
        charset = "iso-2022-jp"
    elif octets.isascii() and not charset.lower().startswith(("utf-7", "unicode-1-1")):
        return octets.decode("ascii")
    try:
        name = codecs.lookup(charset or "utf-8").name
        return octets.decode("utf-8" if name in _NO_CHARSETS else name, "replace")
    except (LookupError, ValueError):
        return octets.decode("utf-8", "replace")


def _words_of(html: str) -> str:
    """What is read of a page: no tags, no styles."""
    first, *pieces = html.split("<")
    words, hidden = [first], ""
    for piece in pieces:
        tag, closed, rest = piece.partition(">")
        if not closed:
            words.append("" if hidden else tag)
            continue
        name = tag.strip("/ ").partition(" ")[0].lower()
        if hidden:
            hidden = "" if tag.lower().startswith(f"/{hidden}") else hidden
        elif name in ("style", "script", "head") and not tag.startswith("/"):
            hidden = name
        elif name in _BREAKS:
            words.append("\n")
        if not hidden:
            words.append(rest)
    return unescape("".join(words))
