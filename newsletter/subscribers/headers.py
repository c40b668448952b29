"""What the first row of a table says: which column is which.

The owner's own file has our words. A file that is imported may come from another service, whose headers are
recognised, or have any, and then the owner says which is which. What nobody claims is not read.

Diagnostics
    `SubscriberError` when there is no column of addresses, when two mean the same, or a chosen one is not there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from newsletter.config.values import nearest
from newsletter.errors import SubscriberError
from newsletter.mail import shown
from newsletter.subscribers.services import LEFT, Service, recognised, word

COLUMNS = ("email", "name", "timezone", "tags", "confirmed_at", "had_through", "status")

# Header words as `word` makes them. "Address" alone is not here: mostly it is a street.
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
_FIRST_NAMES = frozenset({"firstname", "givenname"})  # in a file that is imported, when there is no whole name


@dataclass(frozen=True, slots=True)
class Header:
    """The columns of a table."""

    columns: tuple[str | None, ...]  #: by position; None is one that says nothing to us
    cells: tuple[str, ...] = ()  #: as they stand in the first row
    service: Service | None = None  #: whose export it is
    chosen: frozenset[str] = frozenset()  #: columns that the owner named

    @property
    def meanings(self) -> list[tuple[str, str]]:
        """Each header that is read, and the column that it is."""
        pairs = zip(self.cells, self.columns, strict=True)
        return [(cell.strip(), column) for cell, column in pairs if column and column not in LEFT]


def sense(cells: Sequence[str], chosen: Mapping[str, str] | None) -> int:
    """How many of *cells* mean something; the delimiter that makes most of them is the right one."""
    wanted = set() if chosen is None else {word(header) for header in chosen.values()}
    return sum(word(cell) in wanted or word(cell) in _HEADER_WORDS for cell in cells)


def read_header(cells: Sequence[str], name: str, chosen: Mapping[str, str] | None) -> Header:
    """What *cells* mean; *chosen* (column → header) is None for the owner's own file. Raises `SubscriberError`."""
    service = None if chosen is None else recognised(cells)
    columns = _of_service(cells, service) if service else [_HEADER_WORDS.get(word(cell)) for cell in cells]
    if chosen is not None and not service and "name" not in columns:
        first = next((n for n, cell in enumerate(cells) if word(cell) in _FIRST_NAMES), None)
        if first is not None:
            columns[first] = "name"
    for column, header in (chosen or {}).items():
        columns = [None if old == column else old for old in columns]
        columns[_place(cells, header, name)] = column
    _check(cells, columns, name, foreign=chosen is not None)
    return Header(tuple(columns), tuple(cells), service, frozenset(chosen or ()))


def _of_service(cells: Sequence[str], service: Service) -> list[str | None]:
    words = list(map(word, cells))
    columns: list[str | None] = [None] * len(cells)
    for header, column in service.columns.items():
        if header in words and (column in LEFT or column not in columns):
            columns[words.index(header)] = column
    return columns


def _place(cells: Sequence[str], header: str, name: str) -> int:
    """Where the chosen *header* stands: as it is written, else whatever its case and hyphens."""
    for alike in (str.strip, word):
        found = [n for n, cell in enumerate(cells) if alike(cell) == alike(header) and alike(cell)]
        if len(found) == 1:
            return found[0]
        if found:
            raise SubscriberError(f"{name} has {len(found)} columns {shown(header)}; rename all but one")
    close = nearest(word(header), tuple(map(word, cells)))
    hint = next((f"; did you mean {shown(cell.strip())}?" for cell in cells if close and word(cell) == close), "")
    raise SubscriberError(f"{name} has no column {shown(header)}; its columns are {_listed(cells)}{hint}")


def _listed(cells: Sequence[str]) -> str:
    return ", ".join(shown(cell.strip(), limit=30) for cell in cells[:20] if cell.strip())


def _check(cells: Sequence[str], columns: Sequence[str | None], name: str, *, foreign: bool) -> None:
    found = _listed(cells)
    if "email" not in columns:
        if any("@" in cell for cell in cells):
            raise SubscriberError(f"{name}: the first row has to name the columns; put a row above it: email,name")
        close = next((cell.strip() for cell in cells if nearest(word(cell), ("email", "emailaddress"))), None)
        hint = f'; is it {shown(close, limit=30)}? Then rename that column to "email"' if close else ""
        if foreign:
            hint = f'{hint}{", or say" if close else "; say"} which one has the addresses: --column email="…"'
        raise SubscriberError(f'{name} has no column "email"; its columns are {found}{hint}')
    for column in COLUMNS:
        if columns.count(column) > 1:
            raise SubscriberError(f'{name} has two columns that both mean "{column}" ({found}); delete or rename one')
