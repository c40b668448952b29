"""Subscribers: who may become what, and the file the owner keeps them in.

Guarantees
    `TRANSITIONS` is the whole law of consent: an import never turns an unsubscribed or suppressed person
    into anything, a complaint is for ever, and back from unsubscribed leads only the person's own word.
    `read_rows` holds one row at a time (and eight-byte hashes to find doubles), takes what spreadsheets write,
    and answers every row it can't take with its number and the remedy, never with a guess: a date that reads
    two ways, an address that needs a letter changed, a quotation mark that swallows rows are all `BadRow`.
    What `write_rows` writes, `read_rows` reads back, and no cell of it is a formula to a spreadsheet.

Diagnostics
    `SubscriberError` when a file as a whole can't be used; `EmptyFileError` when it has no rows.

Sources: RFC 4180 (CSV).
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntFlag, StrEnum
from functools import lru_cache
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, Final, Protocol, TextIO

from newsletter.config.values import WrongValueError, nearest, zone
from newsletter.errors import SubscriberError
from newsletter.mail import Address, shown


class Status(StrEnum):
    """Where a person stands. Only `ACTIVE` gets mail of the sequence."""

    PENDING = "pending"  #: asked for or imported, not confirmed
    ACTIVE = "active"  #: confirmed, by the person or on the owner's word
    UNSUBSCRIBED = "unsubscribed"  #: the person left; only the person comes back
    SUPPRESSED = "suppressed"  #: the address bounced for good, or the person complained


class Cause(StrEnum):
    """Why a status changes."""

    IMPORTED = "imported"  #: a row of a file
    ADDED = "added"  #: the owner, by hand
    REQUESTED = "requested"  #: somebody typed the address into a form
    CONFIRMED = "confirmed"  #: the person said yes
    UNSUBSCRIBED = "unsubscribed"  #: the person said no
    BOUNCED = "bounced"  #: the mailbox is not there
    COMPLAINED = "complained"  #: the person called a message spam
    LIFTED = "lifted"  #: the owner found that a suppression for bounces was wrong


_FILED = frozenset({Cause.IMPORTED, Cause.ADDED})

#: (from, to) → what may cause it; None is a person not known so far. What is not here can't happen.
#: Unsubscribed never becomes pending: from there an import could make it active. For the same reason a bounce
#: leaves it as it is: lifting the suppression would bring a person back who had left.
TRANSITIONS: Final[dict[tuple[Status | None, Status], frozenset[Cause]]] = {
    (None, Status.PENDING): _FILED | {Cause.REQUESTED},
    (None, Status.ACTIVE): _FILED,
    (Status.PENDING, Status.ACTIVE): _FILED | {Cause.CONFIRMED},
    (Status.PENDING, Status.UNSUBSCRIBED): frozenset({Cause.UNSUBSCRIBED}),
    (Status.PENDING, Status.SUPPRESSED): frozenset({Cause.BOUNCED, Cause.COMPLAINED}),
    (Status.ACTIVE, Status.UNSUBSCRIBED): frozenset({Cause.UNSUBSCRIBED}),
    (Status.ACTIVE, Status.SUPPRESSED): frozenset({Cause.BOUNCED, Cause.COMPLAINED}),
    (Status.UNSUBSCRIBED, Status.ACTIVE): frozenset({Cause.CONFIRMED}),
    (Status.UNSUBSCRIBED, Status.SUPPRESSED): frozenset({Cause.COMPLAINED}),
    # The next three hold for a suppression by bounces only, see `may`.
    (Status.SUPPRESSED, Status.SUPPRESSED): frozenset({Cause.COMPLAINED}),
    (Status.SUPPRESSED, Status.UNSUBSCRIBED): frozenset({Cause.UNSUBSCRIBED}),
    (Status.SUPPRESSED, Status.ACTIVE): frozenset({Cause.CONFIRMED, Cause.LIFTED}),
}


def may(from_: Status | None, to: Status, cause: Cause, *, suppressed_for: Cause | None = None) -> bool:
    """Whether *cause* may turn *from_* (None: not known) into *to*.

    *suppressed_for* is what a suppression came from. Only one that is known to be `Cause.BOUNCED` ends:
    a complaint is for ever.
    """
    if from_ is Status.SUPPRESSED and suppressed_for is not Cause.BOUNCED:
        return False
    return cause in TRANSITIONS.get((from_, to), frozenset())


class Pause(IntFlag):
    """Why an active person gets nothing for now. Each reason is lifted by itself."""

    OWNER = 1  #: by the owner
    FILE = 2  #: the row left the owner's file
    ADDRESS = 4  #: a message was rejected for the address
    READER = 8  #: by the person


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


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that can't be taken."""

    row: int
    problem: str
    address: Address | None = None  #: when it could be read: this person did not leave the file

    def __str__(self) -> str:
        return f"row {self.row}: {self.problem}"


class EmptyFileError(SubscriberError):
    """A subscriber file without a single row: an accident more often than a wish."""


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


COLUMNS = ("email", "name", "timezone", "tags", "confirmed_at", "had_through")

# Header words without case, spaces, hyphens and underscores. "Address" alone is not here: mostly it is a street.
_HEADER_WORDS = {
    **{column.replace("_", ""): column for column in COLUMNS},
    "emailaddress": "email",
    "mail": "email",
    "mailaddress": "email",
    "fullname": "name",
    "tz": "timezone",
    "tag": "tags",
    "confirmedon": "confirmed_at",
}
_DELIMITERS = (",", ";", "\t")
_BLOCK = 1 << 20  # octets read at once to find the encoding
_LINE_MAX = 128 * 1024  # characters; the csv module's own limit for a field
_LINES_MAX = 64  # lines of one row; a quotation mark left open would take in the rest of the file
_NAME_MAX = 500

# A leading apostrophe makes a spreadsheet show the rest as text. Apostrophes before it are counted in, so that
# taking one off always gives back what was there.
_GUARDED = re.compile(r"'+[=+\-@\t\r]")
_RISKY = re.compile(r"'*[=+\-@\t\r]")
_FORMULA_TEXT = re.compile(r'="([^"]*)"')  # Excel's way to keep a text a text
_NAME_ADDR = re.compile(r'(?:"([^"]*)"|([^<>]*))\s*<([^<>]*)>')
_ISO = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:?\d\d)?)?", re.ASCII)
_WHOLE = re.compile(r"(\d{1,6})(?:[.,]0+)?", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff]")  # what is left when white space is one
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f\u202a\u202b\u202c\u202d\u202e"))


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
        raise SubscriberError(f"{path} can't be read: {error.strerror}; check its permissions") from None


def rows_in(file: BinaryIO, name: str) -> Iterator[Row | BadRow]:
    """As `read_rows`, from an open file that can be read twice; *name* is how messages call it."""
    lines = _Lines(TextIOWrapper(file, encoding=_encoding(file, name), newline=""), name)
    try:
        columns, records = _table(lines, name)
        seen: dict[int, int] = {}  # hash of an address → the row that has it; a false double in 10^7 lists of a million
        found = False
        for number, cells in records:
            if isinstance(cells, str):
                yield BadRow(number, cells)
            elif any(map(str.strip, cells)):
                yield _row(number, cells, columns, seen)
            else:
                continue
            found = True
        if not found:
            raise EmptyFileError(f"{name} has a header and no rows below it")
    finally:
        lines.detach()


def _encoding(file: BinaryIO, name: str) -> str:
    """The encoding in which the whole of *file* can be read; a second reading is cheaper than a wrong name."""
    start = file.read(8)
    for magic, what in ((b"PK\x03\x04", "a spreadsheet or an archive"), (b"\xd0\xcf\x11\xe0", "an old Excel workbook")):
        if start.startswith(magic):
            raise SubscriberError(f'{name} is {what}, not text; in your spreadsheet save it as "CSV UTF-8"')
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ["utf-16"]
    elif start.startswith(codecs.BOM_UTF8):
        encodings = ["utf-8-sig"]
    else:
        encodings = ["utf-8", "cp1252"]
    for encoding in encodings:
        if _decodes(file, encoding, name):
            return encoding
    raise SubscriberError(f'{name} is not text in an encoding known here; in your spreadsheet save it as "CSV UTF-8"')


def _decodes(file: BinaryIO, encoding: str, name: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    file.seek(0)
    line, accents = 1, False
    try:
        while block := file.read(_BLOCK):
            text = decoder.decode(block)
            line += text.count("\n")
            accents = accents or not text.isascii()
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        before: bytes = error.object[: error.start]
        # Accents that read well before the fault: this is UTF-8 with one damaged place, not another encoding.
        if encoding == "utf-8" and (accents or not before.isascii()):
            line += before.count(b"\n")
            raise SubscriberError(
                f'{name}, line {line}: a letter is damaged; correct it and save the file as "CSV UTF-8"'
            ) from None
        return False
    finally:
        file.seek(0)
    return True


class _Lines:
    """Lines for the csv module, which remember those of the current row and can be read again."""

    def __init__(self, file: TextIOWrapper, name: str) -> None:
        self._file, self._name = file, name
        self.current: list[str] = []
        self._again: list[str] = []  # last first

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self.current) >= _LINES_MAX:
            raise csv.Error("a row with too many lines")
        line = self._again.pop() if self._again else self._file.readline(_LINE_MAX)
        if not line:
            raise StopIteration
        if len(line) == _LINE_MAX:
            raise SubscriberError(
                f"{self._name} has a line longer than any row can be; it is not a list of subscribers"
            )
        self.current.append(line)
        return line

    def give_back(self, kept: int) -> None:
        """Read the current row's lines again, except the first *kept*."""
        self._again += reversed(self.current[kept:])
        self.current = []

    def detach(self) -> None:
        """Leave the file below open: it is the caller's."""
        self._file.detach()


def _table(lines: _Lines, name: str) -> tuple[list[str | None], Iterator[tuple[int, list[str] | str]]]:
    """The columns by position (None: not ours), and the records below the header with their row numbers."""
    skipped, delimiters = 0, _DELIMITERS
    for line in lines:
        if match := re.fullmatch(r"\ufeff?\"?sep=(.)\"?", line.strip(" \r\n"), re.IGNORECASE):
            delimiters = (match[1],)  # Excel's own first line; it shows no row for it
            lines.give_back(1)
        elif line.strip(' ,;\t\r\n"\xa0'):
            break
        else:
            skipped += 1
            lines.give_back(1)
    if not lines.current:
        raise EmptyFileError(f"{name} is empty; its first row has to name the columns: {','.join(COLUMNS)}")
    if "\x00" in lines.current[0]:
        raise SubscriberError(f'{name} is not plain text; in your spreadsheet save it as "CSV UTF-8"')
    lines.give_back(0)
    # The delimiter is the one that makes most sense of the header.
    sample = lines._again[-1]
    splits = {delimiter: _split(sample, delimiter) for delimiter in delimiters}
    delimiter = max(splits, key=lambda each: sum(cell is not None for cell in map(_column, splits[each])))
    records = _records(lines, delimiter, skipped + 1)
    _, header = next(records)
    if isinstance(header, str):
        raise SubscriberError(f"{name}: in the first row, {header}")
    return _columns(header, name), records


def _split(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])


def _column(cell: str) -> str | None:
    return _HEADER_WORDS.get(re.sub(r"[\W_]", "", cell).lower())


def _columns(header: list[str], name: str) -> list[str | None]:
    columns = [_column(cell) for cell in header]
    found = ", ".join(shown(cell.strip(), limit=30) for cell in header[:20] if cell.strip())
    if "email" not in columns:
        if any("@" in cell for cell in header):
            raise SubscriberError(f"{name}: the first row has to name the columns; put a row above it: email,name")
        words = {cell.strip(): re.sub(r"[\W_]", "", cell).lower() for cell in header}
        close = next((cell for cell, word in words.items() if nearest(word, ("email", "emailaddress"))), None)
        hint = f'; is it {shown(close, limit=30)}? Then rename that column to "email"' if close else ""
        raise SubscriberError(f'{name} has no column "email"; its columns are {found}{hint}')
    for column in COLUMNS:
        if columns.count(column) > 1:
            raise SubscriberError(f'{name} has two columns that both mean "{column}" ({found}); delete or rename one')
    return columns


def _records(lines: _Lines, delimiter: str, number: int) -> Iterator[tuple[int, list[str] | str]]:
    """Each record with its row number, or in its place what is wrong with it."""
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    while True:
        try:
            yield number, next(reader)
            lines.current = []
        except StopIteration:
            return
        except csv.Error:
            # Quotation marks that don't pair up. The lines after this one were taken into the row by mistake.
            line = lines.current[0]
            lines.give_back(1)
            yield number, _lenient(line, delimiter)
        number += 1


def _lenient(line: str, delimiter: str) -> list[str] | str:
    """The cells of a line with white space behind closing quotation marks; else what is wrong."""
    try:
        cells = _split(re.sub(rf'"[ \xa0]+(?={re.escape(delimiter)}|[\r\n]|$)', '"', line), delimiter)
    except csv.Error:
        cells = ['"']
    if any('"' in cell or "\n" in cell or "\r" in cell for cell in cells):
        return 'the quotation marks do not pair up; write a cell as "Lee, Anna" and a mark inside it twice'
    return cells


def _row(number: int, cells: list[str], columns: list[str | None], seen: dict[int, int]) -> Row | BadRow:
    address = None
    try:
        if len(cells) > len(columns) and any(map(str.strip, cells[len(columns) :])):
            raise _RowError(
                f"it has {len(cells)} columns and the header {len(columns)}; "
                'is there a comma inside a cell? Put that cell in quotation marks: "Lee, Anna"'
            )
        values = {column: cell for column, cell in zip(columns, cells, strict=False) if column and cell}
        address, inline_name = _address(values.get("email", ""))
        row = Row(
            number,
            address,
            _name(values.get("name", "")) or _name(inline_name),
            _zone(_cell(values.get("timezone", ""))),
            _tags(values.get("tags", "")),
            _confirmed(_cell(values.get("confirmed_at", ""))),
            _number(_cell(values.get("had_through", ""))),
        )
    except _RowError as error:
        return BadRow(number, str(error), address)
    first = seen.setdefault(hash(address.key), number)
    if first != number:
        return BadRow(number, f"{shown(str(address))} is already in row {first}; delete one of them", address)
    return row


def _cell(text: str) -> str:
    """*text* without padding, and as text where a spreadsheet was kept from calculating with it."""
    text = text.strip().strip("\u200b\ufeff").strip()
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
    if match := _NAME_ADDR.fullmatch(text):
        name, text = (match[1] or match[2] or "").strip(), match[3].strip()
    if text[:7].lower() == "mailto:":
        local, at, domain = text[7:].partition("@")
        text = f"{local}{at}{domain.partition('?')[0]}".strip()
    text = text.rstrip(";, ")
    if not text:
        raise _RowError("there is no email address in it")
    if text.count("@") > 1 and re.search(r"@.*[\s,;/|].*@", text):
        raise _RowError(f"{shown(text)} is more than one address; give each a row of its own")
    try:
        return Address.parse(text), name
    except SubscriberError as error:
        raise _RowError(str(error)) from None


def _name(text: str) -> str:
    """A name on one line. A line break with an address behind it is a row that a quotation mark swallowed."""
    if not text:
        return ""
    if "@" in text and ("\n" in text or "\r" in text):
        raise _RowError("another row got into the name; a quotation mark is missing at its end")
    text = _plain(_cell(text), "the name")
    if len(text) > _NAME_MAX:
        raise _RowError(f"the name {shown(text)} has more than {_NAME_MAX} letters; shorten it")
    return text


def _plain(text: str, what: str) -> str:
    text = " ".join(text.split())
    if _CONTROL.search(text):
        raise _RowError(f"{what} {shown(text)} has characters that can't be shown; type it again")
    return text


def _zone(text: str) -> str:
    if not text:
        return ""
    problem = _zone_problem(text)
    if problem:
        raise _RowError(f"{shown(text)} is no time zone: {problem}")
    return text


@lru_cache(maxsize=4096)
def _zone_problem(text: str) -> str:
    """Empty when *text* is a time zone. Cached: a file repeats few, and the nearest right one takes long to find."""
    try:
        zone(text)
    except WrongValueError as wrong:
        return str(wrong)
    return ""


def _tags(text: str) -> frozenset[str]:
    if not text:
        return frozenset()
    return frozenset(filter(None, (_plain(tag, "the tag") for tag in _cell(text).split("|"))))


def _confirmed(text: str) -> datetime | None:
    """A date (its midnight) or an instant, in UTC unless it says otherwise."""
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


def _number(text: str) -> int | None:
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
    text = " ".join(text.split())
    return f"'{text}" if _RISKY.match(text) else text
