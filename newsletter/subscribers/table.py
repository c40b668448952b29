"""A subscriber file as records with their row numbers: encoding, delimiter, header, quotation marks.

Guarantees
    Holds one row at a time. Row numbers are those a spreadsheet shows; a cell with line breaks is one row.
    A quotation mark that is never closed costs its own row and not those below it; so does a damaged letter.

Diagnostics
    `SubscriberError` when the file as a whole can't be used; `EmptyFileError` when it has no header.
    A record whose quotation marks do not pair up carries a sentence that says so, and its cells as far as they go.

Sources: RFC 4180 (CSV).
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import TextIOWrapper
from typing import BinaryIO, NamedTuple

from newsletter.errors import SubscriberError
from newsletter.subscribers.headers import COLUMNS, Header, read_header, sense

Record = tuple[int, list[str], str]  #: row number, cells, and what is wrong with the row as a row (else empty)

_DELIMITERS: tuple[str, ...] = (",", ";", "\t")
_EXCEL_SEP = re.compile(r'(?i)"?sep=([,;\t])"?[,;]*')  # Excel's own first line; it shows no row for it
_BLOCK = 1 << 20  # octets read at once to find the encoding
_DAMAGED = "surrogateescape"  # an octet that is no UTF-8 costs its own row and not the file
_ACCIDENT = 10
DAMAGE = re.compile(r"[\udc80-\udcff]")  #: what stands for such an octet
_LINE_MAX = 128 * 1024  # characters; the csv module's own limit for a field
_LINES_MAX = 64  # lines of one row; a quotation mark left open would take in the rest of the file


class EmptyFileError(SubscriberError):
    """A subscriber file without a single row: an accident more often than a wish."""


@contextmanager
def open_table(
    file: BinaryIO, name: str, chosen: Mapping[str, str] | None = None
) -> Iterator[tuple[Header, Iterator[Record]]]:
    """The columns of *file*, which can be read twice, and the records below its header; leaves it open.

    *chosen* names headers by column; None reads the owner's own file, whose headers are our words.
    """
    encoding = _encoding(file, name)
    text = TextIOWrapper(file, encoding, errors=_DAMAGED if encoding.startswith("utf-8") else "strict", newline="")
    try:
        yield _table(_Lines(text, name), name, chosen)
    except UnicodeDecodeError:  # the whole of it could be read a moment ago
        raise SubscriberError(f"{name} was changed while it was read; try again") from None
    finally:
        text.detach()


def _encoding(file: BinaryIO, name: str) -> str:
    """The encoding in which the whole of *file* can be read; a second reading is cheaper than a wrong name."""
    file.seek(0)
    start = file.read(8)
    for magic, what in ((b"PK\x03\x04", "a spreadsheet or an archive"), (b"\xd0\xcf\x11\xe0", "an old Excel workbook")):
        if start.startswith(magic):
            raise SubscriberError(f'{name} is {what}, not text; in your spreadsheet save it as "CSV UTF-8"')
    encoding = "utf-16" if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "cp1252"
    try:
        if start.startswith(codecs.BOM_UTF8):
            return "utf-8-sig"
        if encoding == "cp1252":
            letters = _letters(file, "utf-8", _DAMAGED)
            # Another encoding makes a letter of UTF-8 by rare accident only; a damaged file has whole ones as well.
            if letters.damaged <= _ACCIDENT * letters.whole:
                return "utf-8"
        _letters(file, encoding, "strict")
    except UnicodeDecodeError:
        raise SubscriberError(
            f'{name} is not text in an encoding known here; in your spreadsheet save it as "CSV UTF-8"'
        ) from None
    finally:
        file.seek(0)
    return encoding


class _Letters(NamedTuple):
    """How many letters outside ASCII could be read, and how many octets not."""

    whole: int
    damaged: int


def _letters(file: BinaryIO, encoding: str, errors: str) -> _Letters:
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    file.seek(0)
    whole = damaged = 0
    while True:
        block = file.read(_BLOCK)
        text = decoder.decode(block, final=not block)
        if not text.isascii():
            lost = len(DAMAGE.findall(text))
            damaged += lost
            whole += len(text) - len(text.encode("ascii", "ignore")) - lost
        if not block:
            return _Letters(whole, damaged)


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


def _table(lines: _Lines, name: str, chosen: Mapping[str, str] | None) -> tuple[Header, Iterator[Record]]:
    row, delimiters = _to_header(lines)
    if not lines.current:
        raise EmptyFileError(f"{name} is empty; its first row has to name the columns: {','.join(COLUMNS)}")
    line = lines.current[0]
    if "\x00" in line:
        raise SubscriberError(f'{name} is not plain text; in your spreadsheet save it as "CSV UTF-8"')
    lines.give_back(0)
    # The delimiter is the one that makes most sense of the header, else the most columns.
    splits = {delimiter: _split(line, delimiter) for delimiter in delimiters}
    delimiter = max(splits, key=lambda each: (sense(splits[each], chosen), len(splits[each])))
    records = _records(lines, delimiter, row)
    _, header, problem = next(records)
    if problem:
        raise SubscriberError(f"{name}: in the first row, {problem}")
    return read_header(header, name, chosen), records


def _to_header(lines: _Lines) -> tuple[int, tuple[str, ...]]:
    """Read up to the header's first line; returns its row number and the delimiters it may have."""
    row, delimiters = 1, _DELIMITERS
    for line in lines:
        if match := _EXCEL_SEP.fullmatch(line.strip(" \r\n")):
            delimiters = (match[1],)
        elif line.strip(' ,;\t\r\n"\xa0'):
            break
        else:
            row += 1
        lines.give_back(1)
    return row, delimiters


def _split(line: str, delimiter: str, *, strict: bool = False) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True, strict=strict), [])


def _records(lines: _Lines, delimiter: str, number: int) -> Iterator[Record]:
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    while True:
        try:
            yield number, next(reader), ""
            lines.current = []
        except StopIteration:
            return
        except csv.Error:
            # Quotation marks that don't pair up. The lines after this one were taken into the row by mistake.
            line = lines.current[0]
            lines.give_back(1)
            yield number, *_lenient(line, delimiter)
        number += 1


def _lenient(line: str, delimiter: str) -> tuple[list[str], str]:
    """The cells of one line, where white space may follow a closing quotation mark; and what is wrong."""
    line = re.sub(rf'"[ \xa0]+(?={re.escape(delimiter)}|[\r\n]|$)', '"', line)
    try:
        return _split(line, delimiter, strict=True), ""
    except csv.Error:
        problem = 'the quotation marks do not pair up; write a cell as "Lee, Anna" and a mark inside it twice'
        return _split(line, delimiter), problem
