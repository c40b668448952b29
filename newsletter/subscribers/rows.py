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
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Protocol, TextIO

from newsletter.config.times import zone
from newsletter.config.values import WrongValueError
from newsletter.errors import SubscriberError
from newsletter.mail import Address, shown
from newsletter.subscribers.table import COLUMNS, DAMAGE, Columns, EmptyFileError, open_table

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
    silent: frozenset[str] = field(default=frozenset(), compare=False)  #: columns that the file does not have


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that can't be taken."""

    row: int
    problem: str
    address: Address | None = None  #: when it could be read: this person did not leave the file

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


class _RowError(Exception):
    """One cell can't be taken; the words say why."""


def read_rows(path: Path) -> Iterator[Row | BadRow]:
    """Read a subscriber file row by row; raises `SubscriberError` when it can't be used at all.

    Comma, semicolon or tab; UTF-8 with or without byte-order mark, UTF-16 with one, Windows-1252.
    The error may come after rows that were good: take nothing of them for final before the end.
    """
    try:
        with path.open("rb") as file:
            yield from rows_in(file, str(path))
    except FileNotFoundError:
        raise SubscriberError(f"there is no file {path}; check its name, or the folder you are in") from None
    except IsADirectoryError:
        raise SubscriberError(f"{path} is a folder; name the file in it") from None
    except OSError as error:
        raise SubscriberError(f"{path} can't be read: {error.strerror or error}; check its permissions") from None


def rows_in(file: BinaryIO, name: str) -> Iterator[Row | BadRow]:
    """As `read_rows`, from an open file that can be read twice; *name* is how messages call it."""
    seen: dict[int, int] = {}  # hash of an address → its row; one list of a million in ten million has a false double
    found = False
    with open_table(file, name) as (columns, records):
        silent = frozenset(COLUMNS) - set(columns)
        for number, cells, problem in records:
            if any(map(str.strip, cells)):
                found = True
                yield _row(number, cells, problem, columns, silent, seen)
    if not found:
        raise EmptyFileError(f"{name} has a header and no rows below it")


def _row(
    number: int, cells: list[str], problem: str, columns: Columns, silent: frozenset[str], seen: dict[int, int]
) -> Row | BadRow:
    values = {column: cell for column, cell in zip(columns, cells, strict=False) if column and cell}
    if len(cells) > len(columns):
        problem = problem or _surplus(cells, columns)
    address = None
    try:
        address, inline_name = _address(values.get("email", ""))
        if problem:
            return BadRow(number, problem, address)
        row = Row(
            number,
            address,
            _name(values.get("name", "")) or _name(inline_name),
            _zone(values.get("timezone", "")),
            _tags(values.get("tags", "")),
            _confirmed(values.get("confirmed_at", "")),
            _number(values.get("had_through", "")),
            silent,
        )
    except _RowError as error:
        return BadRow(number, problem or str(error), address)
    first = seen.setdefault(hash(address.key), number)
    if first != number:
        return BadRow(number, f"{shown(str(address))} is already in row {first}; delete one of them", address)
    return row


def _surplus(cells: list[str], columns: Columns) -> str:
    """What is wrong with cells that stand beyond the header's columns, if they are not blank."""
    if not any(map(str.strip, cells[len(columns) :])):
        return ""
    return (
        f"it has {len(cells)} columns and the header {len(columns)}; "
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
def _tags(text: str) -> frozenset[str]:
    return frozenset(filter(None, (_plain(tag, "a tag") for tag in _cell(text).split("|"))))


@lru_cache(maxsize=4096)
def _confirmed(text: str) -> datetime | None:
    """A date (its midnight) or an instant, in UTC unless it says otherwise."""
    text = _cell(text)
    if not text:
        return None
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
        writer.writerow([*map(_guarded, cells), had])


def _guarded(text: str) -> str:
    """*text* on one line, never a formula to a spreadsheet."""
    text = " ".join(text.strip(_PADDING).split())
    return f"'{text}" if _RISKY.match(text) else text
