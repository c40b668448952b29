"""A message as services with a JSON interface want it: decoded, and joined to a request from escaped fragments. Pure.

A vendor says once, as a function of a `Letter`, what its JSON looks like. `Splicer` calls it for a letter whose
personal values are marks, escapes the result and cuts it at the marks; a message is then those fragments with the
reader's values, escaped, in between. So no message is parsed or serialised by itself.

Guarantees
    What `Splicer.part` gives is what serialising the decoded message would give.

Price
    A vendor's function may place a letter's values, not look into them: it sees marks. Whatever has to be derived from
    a value is a field of its own here (`token`, `Person.text`).
    A form costs some milliseconds once, a message of 25 kB about 15 µs (`bench/vendors.py`).
"""

from __future__ import annotations

import hashlib
import json
import re
from binascii import a2b_qp
from collections.abc import Callable
from dataclasses import dataclass, replace
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import Message as Parsed
from email.utils import parseaddr
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any

from newsletter.config import Config
from newsletter.mail import Form, Message

_OWN = frozenset(
    {"from", "to", "reply-to", "subject", "date", "message-id", "mime-version", "dkim-signature"}
    | {"content-type", "content-transfer-encoding"}
)  # fields that are told in another way, or made by the vendor
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")  # RFC 5322 section 3.2.3, as a display name
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")
_FOLD = re.compile(r"\r?\n(?=[ \t])")


@dataclass(frozen=True, slots=True)
class Person:
    """A mailbox."""

    name: str  #: may be empty
    address: str
    text: str  #: as one text: "Name <address>", or the address alone

    @classmethod
    def of(cls, name: str, address: str) -> Person:
        """Both, and joined by RFC 5322 section 3.4, but in Unicode."""
        if not name:
            return cls("", address, address)
        quoted = name if _ATOMS.fullmatch(name) else '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'
        return cls(name, address, f"{quoted} <{address}>")


@dataclass(frozen=True, slots=True)
class Image:
    """A picture that travels with the letter."""

    name: str
    kind: str  #: "image/png"
    cid: str  #: without angle brackets
    base64: str  #: on one line


@dataclass(frozen=True, slots=True)
class Letter:
    """One message, decoded."""

    sender: Person
    to: Person
    reply_to: Person | None
    subject: str
    date: str
    message_id: str  #: without angle brackets
    token: str  #: the same message in letters, digits, - and _, at most 64
    headers: dict[str, str]  #: the other fields, decoded, in their order
    text: str
    html: str  #: empty: there is none
    images: tuple[Image, ...] = ()


def token(message_id: str) -> str:
    """*message_id* as a vendor's tag can hold it: its local part, unless that has other signs; then a hash."""
    local = message_id.partition("@")[0]
    return local if _TOKEN.fullmatch(local) else hashlib.sha256(message_id.encode()).hexdigest()


def letter(message: Message) -> Letter:
    """*message*, parsed. Costs milliseconds: for what was composed by itself, a test or a notice."""
    found = _letter(message.data, message.message_id)
    named = _person(_parsed(message.data)["To"])
    return replace(found, to=Person.of(named.name if named else "", str(message.envelope.recipient)))


def _parsed(data: bytes) -> Parsed:
    return message_from_bytes(data, policy=policy.compat32)


def _letter(data: bytes, message_id: str) -> Letter:
    """All but who it is to."""
    parsed = _parsed(data)
    leaves = {part.get_content_type(): part for part in parsed.walk() if not part.is_multipart()}
    images = [part for part in parsed.walk() if part.get_content_maintype() == "image"]
    return Letter(
        sender=_person(parsed["From"]) or Person("", "", ""),
        to=Person("", "", ""),
        reply_to=_person(parsed["Reply-To"]),
        subject=_decoded(parsed["Subject"] or ""),
        date=parsed["Date"] or "",
        message_id=message_id,
        token=token(message_id),
        headers={name: _decoded(value) for name, value in parsed.items() if name.lower() not in _OWN},
        text=_body(leaves.get("text/plain")),
        html=_body(leaves.get("text/html")),
        images=tuple(map(_image, images)),
    )


def _decoded(value: str) -> str:
    value = _FOLD.sub("", str(value))
    return str(make_header(decode_header(value))) if "=?" in value else value


def _person(value: str | None) -> Person | None:
    if not value:
        return None
    name, address = parseaddr(_FOLD.sub("", value))  # before decoding: what an encoded word holds is no syntax
    return Person.of(_decoded(name), address)


def _body(part: Parsed | None) -> str:
    if part is None:
        return ""
    octets: Any = part.get_payload(decode=True)
    return str(octets.decode(part.get_content_charset("utf-8"), "replace")).replace("\r\n", "\n")


def _image(part: Parsed) -> Image:
    content = "".join(str(part.get_payload()).split())
    return Image(part.get_filename("image"), part.get_content_type(), str(part["Content-ID"]).strip("<> "), content)


def dkim_is_lost(config: Config, title: str) -> list[str]:
    """The refusal of vendors that build each message themselves, if signatures of our own are set up."""
    if config.dkim is None:
        return []
    return [
        f"{title} builds each message itself, so the signatures of [dkim] can't go with it. Take [dkim] out of"
        f" newsletter.toml and authenticate your domain at {title}, which then signs for it; or use another provider."
    ]


# --- fragments


class Splicer:
    """Messages → parts of a JSON request, as *item* lays a letter out."""

    def __init__(self, item: Callable[[Letter], object]) -> None:
        self._item = item
        self._plans: dict[tuple[str, bool], _Plan] = {}  # by revision, and whether the reader has a name

    def part(self, message: Message) -> bytes:
        """One message as JSON, in UTF-8."""
        if message.form is None:
            return dumps(self._item(letter(message)))
        to = _recipient(message)
        key = message.form.revision, bool(to.name)
        if key not in self._plans:
            if len(self._plans) >= _PLANS_MOST:
                self._plans.clear()
            self._plans[key] = _Plan(self._item, message.form, len(message.values), named=bool(to.name))
        return self._plans[key].part(message, to)


_PLANS_MOST = 64  # each holds the fragments of a post


def dumps(value: object) -> bytes:
    """*value* as JSON in UTF-8, without white space."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


class _Plan:
    """The fragments of one form."""

    def __init__(self, item: Callable[[Letter], object], form: Form, slots: int, *, named: bool) -> None:
        # In quoted-printable "=5A" is read as Z; in base64 and in header fields it stays, so that a mark tells how the
        # value in its place is encoded. The rest of it occurs in no letter.
        mark = f"{form.revision[:24]}q%dZ"
        marks = [f"=5A{mark % n}" for n in range(slots + len(_DERIVED))]
        found = _letter(b"".join(form.pieces([m.encode() for m in marks[:slots]])), "")
        derived = dict(zip(_DERIVED, marks[slots:], strict=True))
        to = Person(derived["name"] if named else "", derived["address"], derived["text"])
        found = replace(found, to=to, message_id=derived["message_id"], token=derived["token"])
        text = dumps(item(found)).decode()
        pieces = re.split(f"(=5A|Z){re.escape(form.revision[:24])}q([0-9]+)Z", text)
        self._literals = [b""] * (2 * len(pieces[::3]) - 1)
        self._literals[::2] = [piece.encode() for piece in pieces[::3]]
        self._slots: list[tuple[int, int, bool]] = []  # place, slot, whether it is quoted-printable
        self._derived: list[tuple[int, str]] = []
        for place, (kind, n) in enumerate(zip(pieces[1::3], pieces[2::3], strict=True)):
            if int(n) < slots:
                self._slots.append((2 * place + 1, int(n), kind == "Z"))
            else:
                self._derived.append((2 * place + 1, _DERIVED[int(n) - slots]))

    def part(self, message: Message, to: Person) -> bytes:
        pieces = self._literals.copy()
        for place, slot, quoted in self._slots:
            pieces[place] = _escaped(message.values[slot], quoted)
        for place, name in self._derived:
            pieces[place] = _inner(_value(name, message, to))
        return b"".join(pieces)


_DERIVED = ("name", "address", "text", "message_id", "token")


def _value(name: str, message: Message, to: Person) -> str:
    match name:
        case "message_id":
            return message.message_id
        case "token":
            return token(message.message_id)
        case _:
            return str(getattr(to, name))


def _recipient(message: Message) -> Person:
    """Who *message* is to: its own To field holds the name."""
    start = message.data.find(b"\r\nTo: ") + 6
    end = message.data.find(b"\r\n", start)
    while message.data[end + 2 : end + 3] in (b" ", b"\t"):
        end = message.data.find(b"\r\n", end + 2)
    value = message.data[start:end].decode("ascii")
    address = str(message.envelope.recipient)
    if value == address:
        return Person("", address, address)
    name, _, rest = value.rpartition(" <")
    if _ATOMS.fullmatch(name) and "=?" not in name and rest == f"{address}>":  # nearly every reader
        return Person(name, address, value)
    return Person.of(_decoded(parseaddr(_FOLD.sub("", value))[0]), address)


def _inner(text: str) -> bytes:
    """*text* as it stands between the quotes of JSON."""
    return str(encode_basestring(text))[1:-1].encode()


@lru_cache(maxsize=1024)  # first names repeat, and one value stands in several places
def _escaped(value: bytes, quoted: bool) -> bytes:
    return _inner((a2b_qp(value) if quoted else value).decode())
