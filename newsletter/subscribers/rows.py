"""Rows of the owner's file: cells → `Row` or `BadRow`, and back.

Guarantees
    A row that can't be taken is answered with its number and the remedy, never with a guess: a date that
    reads two ways, an address that needs a letter changed, two people in one cell are all `BadRow`.
    Reading holds one row at a time, and about 100 octets for each address to find it a second time.
    What `write_rows` writes, `read_rows` reads back, and no cell of it is a formula to a spreadsheet.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Protocol, TextIO, TypeVar

from newsletter.config.times import zone
from newsletter.config.values import WrongValueError
from newsletter.errors import SubscriberError
from newsletter.mail import Address, shown
from newsletter.subscribers.headers import COLUMNS, Header
from newsletter.subscribers.services import LEFT, says_left, standing
from newsletter.subscribers.status import Status
from newsletter.subscribers.table import DAMAGE, EmptyFileError, open_table

T = TypeVar("T")

_NAME_MAX = 500
_ADDRESS_MAX = 320  # characters: local part, @, domain (RFC 5321 section 4.5.3.1)

# A leading apostrophe makes a spreadsheet show the rest as text. Apostrophes before it are counted in, so that
# taking one off always gives back what was there.
_GUARDED = re.compile(r"'+[=+\-@\t\r]")
_RISKY = re.compile(r"'*[=+\-@\t\r]")
_FORMULA_TEXT = re.compile(r'="([^"]*)"')  # Excel's way to keep a text a text
_ISO = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:?\d\d)?)?", re.ASCII)
_WHOLE = re.compile(r"(\d{1,6})(?:[.,]0)?", re.ASCII)
_PADDING = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "\u200b\ufeff"
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff]")  # what is left when white space is one
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f\u202a\u202b\u202c\u202d\u202e"))


@dataclass(frozen=True, slots=True)
class Row:
    """One good row of a subscriber file."""

    row: int  #: as a spreadsheet shows it: the header is row 1
    address: Address
    name: str = ""
    timezone: str = ""  #: IANA; empty is the newsletter's own
    tags: frozenset[str] = frozenset()
    confirmed_at: datetime | None = None  #: aware, UTC; a date is its midnight in UTC
    had_through: int | None = None  #: number of the last post the person had before
    status: Status | None = None  #: where they stood, where the file says it
    silent: frozenset[str] = field(default=frozenset(), compare=False)  #: columns that the file does not have


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that can't be taken."""

    row: int
    problem: str
    address: Address | None = None  #: when it could be read: this person did not leave the file
    twin: bool = field(default=False, compare=False)  #: a good row for this person came before

    def __str__(self) -> str:
        return f"row {self.row}: {self.problem}"


class Listed(Protocol):
    """What `write_rows` needs to know of a person; a `Row` is one."""

    @property
    def address(self) -> Address: ...
    @property
    def name(self) -> str: ...
    @property
    def timezone(self) -> str: ...
    @property
    def tags(self) -> frozenset[str]: ...
    @property
    def confirmed_at(self) -> datetime | None: ...
    @property
    def had_through(self) -> int | None: ...
    @property
    def status(self) -> Status | None: ...


class _RowError(Exception):
    """One cell can't be taken; the words say why."""


def read_rows(path: Path, chosen: Mapping[str, str] | None = None) -> Iterator[Row | BadRow]:
    """Read a subscriber file row by row; raises `SubscriberError` when it can't be used at all.

    *chosen* (column → header) is for a file that is imported: other services' headers are then known, too.

    Comma, semicolon or tab; UTF-8 with or without byte-order mark, UTF-16 with one, Windows-1252.
    The error may come after rows that were good: take nothing of them for final before the end.
    """
    with _opened(path) as file:
        yield from rows_in(file, str(path), chosen)


def header_of(path: Path, chosen: Mapping[str, str] | None = None) -> Header:
    """What the first row of *path* says. Raises `SubscriberError` as `read_rows` does."""
    with _opened(path) as file, open_table(file, str(path), chosen) as (header, _):
        return header


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except FileNotFoundError:
        raise SubscriberError(f"there is no file {path}; check its name, or the folder you are in") from None
    except IsADirectoryError:
        raise SubscriberError(f"{path} is a folder; name the file in it") from None
    except OSError as error:
        raise SubscriberError(f"{path} can't be read: {error.strerror or error}; check its permissions") from None


def rows_in(file: BinaryIO, name: str, chosen: Mapping[str, str] | None = None) -> Iterator[Row | BadRow]:
    """As `read_rows`, from an open file that can be read twice; *name* is how messages call it."""
    seen: dict[int, int] = {}  # hash of an address → its row; one list of a million in ten million has a false double
    found = False
    with open_table(file, name, chosen) as (header, records):
        silent = frozenset(COLUMNS) - {"status"} - set(header.columns)
        for number, cells, problem in records:
            if any(map(str.strip, cells)):
                found = True
                yield _row(number, cells, problem, header, silent, seen)
    if not found:
        raise EmptyFileError(f"{name} has a header and no rows below it")


def _row(
    number: int, cells: list[str], problem: str, header: Header, silent: frozenset[str], seen: dict[int, int]
) -> Row | BadRow:
    values = {column: cell for column, cell in zip(header.columns, cells, strict=False) if column and cell}
    if len(cells) > len(header.columns):
        problem = problem or _surplus(cells, header)
    address = None
    try:
        address, inline_name = _address(values.get("email", ""))
        if problem:
            return BadRow(number, problem, address)
        foreign = header.service is not None
        row = Row(
            number,
            address,
            _name(values.get("name", "")) or _name(inline_name),
            _leniently(_zone, values, "timezone", header) or "",
            _tags(values.get("tags", ""), foreign and "|" not in values.get("tags", "")),
            _leniently(_confirmed, values, "confirmed_at", header),
            _number(values.get("had_through", "")),
            _status(values.get("status", ""), header) if "status" in values else None,
            silent,
        )
    except _RowError as error:
        return BadRow(number, problem or str(error), address)
    if foreign and _had_left(cells, header):
        row = replace(row, status=Status.UNSUBSCRIBED)
    first = seen.setdefault(hash(address.key), number)
    # Of two rows for one person the one that says they left counts, wherever it stands.
    if first != number and row.status not in (Status.UNSUBSCRIBED, Status.SUPPRESSED):
        problem = f"{shown(str(address))} is already in row {first}; delete one of them"
        return BadRow(number, problem, address, twin=True)
    return row


def _leniently(read: Callable[[str], T], values: Mapping[str, str], column: str, header: Header) -> T | None:
    """A cell that can't be read says nothing where another service wrote it, and the owner did not ask for it."""
    try:
        return read(values.get(column, ""))
    except _RowError:
        if header.service is None or column in header.chosen:
            raise
        return None


def _status(text: str, header: Header) -> Status | None:
    """Where the person stood. In a table of nobody's, other words are the owner's own matter."""
    found = standing(_cell(text))
    if found is None and text.strip() and (header.service is not None or "status" in header.chosen):
        raise _RowError(f"{shown(text)} is no status that is known here; write active, pending or unsubscribed")
    return found


def _had_left(cells: list[str], header: Header) -> bool:
    """Whether another service says, beside a status, that the person left."""
    pairs = zip(header.columns, cells, strict=False)
    return any(says_left(column, cell) for column, cell in pairs if column in LEFT)


def _surplus(cells: list[str], header: Header) -> str:
    """What is wrong with cells that stand beyond the header's columns, if they are not blank."""
    if not any(map(str.strip, cells[len(header.columns) :])):
        return ""
    return (
        f"it has {len(cells)} columns and the header {len(header.columns)}; "
        'is there a comma inside a cell? Put that cell in quotation marks: "Lee, Anna"'
    )


def _cell(text: str) -> str:
    """*text* without padding, and as text where a spreadsheet was kept from calculating with it."""
    text = text.strip() if text.isascii() else text.strip(_PADDING)
    if text[:1] == "'" and _GUARDED.match(text):
        return text[1:]
    if text[:1] == "=":
        if match := _FORMULA_TEXT.fullmatch(text):
            return match[1].strip()
        raise _RowError(f"{shown(text)} is a spreadsheet formula; write its result instead")
    return text


def _address(text: str) -> tuple[Address, str]:
    """The address in an email cell, and the name when it reads ``Name <local@domain>``."""
    text, name = _cell(text), ""
    if not text.isascii():
        text = text.translate(_INVISIBLE).strip()
    if text.endswith(">"):
        name, _, text = text[:-1].rpartition("<")
        name, text = name.strip(' "'), text.strip()
    if text[:7].lower() == "mailto:":
        local, at, domain = text[7:].partition("@")
        text = f"{local}{at}{domain.partition('?')[0]}".strip()
    text = text.rstrip(";, ")
    if not text:
        raise _RowError("there is no email address in it")
    if "<" in name or (text.count("@") > 1 and sum("@" in part for part in re.split(r"[\s,;/|]+", text)) > 1):
        raise _RowError(f"{shown(text)} is more than one address; give each a row of its own")
    if len(text) > _ADDRESS_MAX:
        raise _RowError(f"{shown(text)} is too long for an email address")
    try:
        return Address.parse(text), name
    except SubscriberError as error:
        raise _RowError(str(error)) from None


def _name(text: str) -> str:
    if not text:
        return ""
    text = _plain(_cell(text), "the name")
    if len(text) > _NAME_MAX:
        raise _RowError(f"the name {shown(text)} has more than {_NAME_MAX} letters; shorten it")
    return text


def _plain(text: str, what: str) -> str:
    """*text* on one line. A line break beside an address is a row that an open quotation mark swallowed."""
    if "@" in text and ("\n" in text or "\r" in text):
        raise _RowError(f"another row got into {what}; a quotation mark is missing at its end")
    text = " ".join(text.strip(_PADDING).split())
    if DAMAGE.search(text):
        raise _RowError(f'a letter of {what} {shown(text)} is damaged; correct it and save the file as "CSV UTF-8"')
    if _CONTROL.search(text):
        raise _RowError(f"{what} {shown(text)} has characters that can't be shown; type it again")
    return text


# A file repeats few zones, tags and dates, so a cache saves half of its reading.
@lru_cache(maxsize=4096)
def _zone(text: str) -> str:
    text = _cell(text)
    try:
        return text and zone(text).key
    except WrongValueError as wrong:
        raise _RowError(f"{shown(text)} is no time zone: {wrong}") from None


@lru_cache(maxsize=4096)
def _tags(text: str, commas: bool) -> frozenset[str]:
    """Tags between bars; other services write commas, and some put marks round each."""
    words = [tag.strip(' "') for tag in _cell(text).split(",")] if commas else _cell(text).split("|")
    return frozenset(filter(None, (_plain(tag, "a tag") for tag in words)))


@lru_cache(maxsize=4096)
def _confirmed(text: str) -> datetime | None:
    """A date (its midnight) or an instant, in UTC unless it says otherwise."""
    text = _cell(text)
    if not text:
        return None
    text = re.sub(r" ?UTC$", "Z", text)
    try:
        if _ISO.fullmatch(text):
            instant = datetime.fromisoformat(text)
            return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        pass  # the thirteenth month and the like
    raise _RowError(
        f"{shown(text)} is no date that reads one way only; write year-month-day, such as 2026-03-01, "
        "and format the column as text"
    )


@lru_cache(maxsize=4096)
def _number(text: str) -> int | None:
    text = _cell(text)
    if not text:
        return None
    if not (match := _WHOLE.fullmatch(text)):
        raise _RowError(f"had_through {shown(text)} is no number; write the number of the last post the person had")
    return int(match[1])


def write_rows(stream: TextIO, subscribers: Iterable[Listed]) -> None:
    """Write a header and one row for each of *subscribers* as comma-separated values."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for person in subscribers:
        confirmed = (
            person.confirmed_at.astimezone(UTC).isoformat().replace("+00:00", "Z") if person.confirmed_at else ""
        )
        cells = (str(person.address), person.name, person.timezone, "|".join(sorted(person.tags)), confirmed)
        had = "" if person.had_through is None else str(person.had_through)
        writer.writerow([*map(_guarded, cells), had, person.status.value if person.status else ""])


def _guarded(text: str) -> str:
    """*text* on one line, never a formula to a spreadsheet."""
    text = " ".join(text.strip(_PADDING).split())
    return f"'{text}" if _RISKY.match(text) else text
