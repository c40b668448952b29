"""Carrying a ledger from SQLite to PostgreSQL, or back: all of it, in one go, with its ids.

Guarantees
    At every moment one of the two is the ledger and refuses nothing, or none is; never both. Nothing is written to the
    old one from the first row that is read to the fence. The new one is `arriving` until every table has been counted
    and summed on both sides; after the fence it opens. Whatever ends the program in between, typing the same again
    goes on: before the fence from the beginning, after it with what is left.

Diagnostics
    `StoreError` when the new database isn't empty and not the half of this very move, or the accounts differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    func,
    inspect,
    select,
    text,
)

from newsletter.errors import StoreError, StoreMoved
from newsletter.store import HEAD, Store, fence
from newsletter.store.engine import copy_in, plain_errors
from newsletter.store.marker import generation, set_generation
from newsletter.store.schema import State, metadata

_CHUNK = 5_000
_ROUND = 1 << 64
_TYPES = {BigInteger: "int8", Integer: "int4", SmallInteger: "int2", Text: "text", LargeBinary: "bytea"}
# The order in which each may refer to those before it.
TABLES = tuple(metadata.sorted_tables)


@dataclass(frozen=True, slots=True)
class Account:
    """What one side has of one table; rows in any order come to the same sum."""

    rows: int = 0
    checksum: int = 0


@dataclass(frozen=True, slots=True)
class Moved:
    """What a move carried."""

    tables: dict[str, Account]
    states: dict[str, int]  #: deliveries by state


Progress = Callable[[int, int], None]


def move(source: Store, target: Store, *, progress: Progress = lambda done, total: None) -> Moved:
    """Carry everything from *source* into the empty *target*, and fence *source*.

    Both were opened with `Store.half_open`. May be called again after an interruption.
    """
    here, there = fence.shown(source.url), fence.shown(target.url)
    with plain_errors(source.label), source.engine.connect() as old, old.begin():
        _still(old)
        ident = str(old.scalar(text("SELECT value FROM meta WHERE key = 'id'")))
        if fence.version(old) == fence.MOVED:
            moved = _look_again(source, target, old)
        else:
            if source.state_folder and (place := fence.noted(source.state_folder, ident, here)):
                raise StoreMoved(fence.moved(source.label, place))  # a copy from before an earlier move
            set_generation(old, generation(old))
            moved = _bring(target, old, here, progress)
            fence.shut(old, there)
    # From here on the old one is shut, and the new one not yet open: typing it again opens it.
    fence.leave_note(source.state_folder, ident, here, there)
    fence.forget_note(source.state_folder, ident, there)
    with plain_errors(target.label), target.engine.begin() as new:
        if fence.version(new) == fence.ARRIVING:
            set_generation(new, int(new.scalar(text("SELECT value FROM meta WHERE key = 'generation'"))))
            fence.open_gate(new, HEAD)
    if target.engine.dialect.name == "postgresql":  # what was brought by COPY, nobody has looked at
        with target.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as new:
            new.execute(text("ANALYZE"))
    return moved


def _bring(target: Store, old: Connection, here: str, progress: Progress) -> Moved:
    """The tables, into a database that is `arriving` from here on."""
    with plain_errors(target.label), target.engine.begin() as new:
        _prepare(new, target.label, here)
        moved = _carry(old, new, progress)
        fence.put_mark(new, fence.ARRIVING, here)
    return moved


def _look_again(source: Store, target: Store, old: Connection) -> Moved:
    """The fence stands, so nothing has changed in *old* since; what was brought is compared once more."""
    if (place := fence.said(old)) != fence.shown(target.url):
        raise StoreMoved(fence.moved(source.label, str(place)))
    with plain_errors(target.label), target.engine.connect() as new:
        version = fence.version(new)
        if version == fence.ARRIVING:
            return _compare({t.name: _account(_rows(old, t)) for t in TABLES}, old, new)
        if not version:
            raise StoreError(
                f"the ledger was moved to {target.label}, and there is nothing there now: put a backup of it back"
                " (pg_restore). Nothing was changed."
            )
        return Moved({}, _states(new))


def _still(old: Connection) -> None:
    """Let nobody write here until the transaction ends; SQLite's began as its one writer."""
    if old.dialect.name == "postgresql":
        old.execute(text("SET LOCAL lock_timeout = '15s'"))
        names = ", ".join(metadata.tables)
        old.execute(text(f"LOCK TABLE {names} IN EXCLUSIVE MODE"))


def _prepare(new: Connection, label: str, here: str) -> None:
    """Empty the half of this very move; refuse anything else that is there."""
    version = fence.version(new)
    if version == fence.ARRIVING and fence.said(new) == here:
        for table in reversed(TABLES):
            new.execute(text(f"DELETE FROM {table.name}"))
        return
    if version in (fence.MOVED, fence.ARRIVING):
        raise StoreError(
            f"{label} holds a ledger that was carried {'away' if version == fence.MOVED else 'here'}"
            f" ({fence.said(new)}); name an empty database. Nothing was changed."
        )
    if version == HEAD:
        used = [t.name for t in TABLES if t.name != "meta" and new.scalar(select(func.count()).select_from(t))]
        if used or (new.scalar(text("SELECT COUNT(*) FROM meta WHERE key NOT IN ('id', 'generation')"))):
            raise StoreError(f"{label} is a newsletter's own database already; name an empty one. Nothing was changed.")
        new.execute(text("DELETE FROM meta"))
        return
    if version or inspect(new).get_table_names():
        raise StoreError(f"{label} is not empty; name a new, empty database. Nothing was changed.")
    from newsletter.store.migrations import upgrade

    upgrade(new)


def _carry(old: Connection, new: Connection, progress: Progress) -> Moved:
    """Every table, counted and summed as it passes by, and again where it arrived."""
    total = sum(int(old.scalar(select(func.count()).select_from(t)) or 0) for t in TABLES)
    done, sent = 0, dict[str, Account]()
    for table in TABLES:
        tally = _Tally()
        before = done

        def passing(rows: Iterable[tuple[Any, ...]], tally: _Tally = tally, before: int = before) -> Iterator[Any]:
            for row in tally.through(rows):
                if tally.rows % _CHUNK == 0:
                    progress(before + tally.rows, total)
                yield row

        _fill(new, table, passing(_rows(old, table)))
        sent[table.name], done = tally.account, before + tally.rows
    if new.dialect.name == "postgresql":
        for table in TABLES:
            _set_sequence(new, table)
    return _compare(sent, old, new)


def _compare(sent: dict[str, Account], old: Connection, new: Connection) -> Moved:
    """Raise `StoreError` unless *new* has what was *sent*."""
    for table in TABLES:
        here = _account(_rows(new, table))
        if here != sent[table.name]:
            raise StoreError(
                f"the table {table.name} arrived with {here.rows:,} rows of {sent[table.name].rows:,}, or with other"
                " contents: the move was undone. Nothing was changed; the ledger is where it was."
            )
    states = _states(old)
    if states != _states(new):
        raise StoreError("the deliveries arrived in other states: the move was undone. Nothing was changed.")
    return Moved(sent, states)


def _states(c: Connection) -> dict[str, int]:
    found = {r[0]: int(r[1]) for r in c.execute(text("SELECT state, COUNT(*) FROM delivery GROUP BY state"))}
    return {s.value: found[s.value] for s in State if s.value in found}


class _Tally:
    """Counts and sums the rows that pass."""

    def __init__(self) -> None:
        self.rows, self._sum = 0, 0

    @property
    def account(self) -> Account:
        return Account(self.rows, self._sum)

    def through(self, rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        for row in rows:
            self.rows += 1
            digest = blake2b(repr(row).encode(errors="surrogatepass"), digest_size=8).digest()
            self._sum = (self._sum + int.from_bytes(digest)) % _ROUND
            yield row


def _account(rows: Iterable[tuple[Any, ...]]) -> Account:
    tally = _Tally()
    for _ in tally.through(rows):
        pass
    return tally.account


def _columns(table: Table) -> str:
    return ", ".join(f'"{column.name}"' for column in table.columns)


def _rows(c: Connection, table: Table) -> Iterator[tuple[Any, ...]]:
    """Every row of *table*, streamed, as the driver has it; less the mark of a move."""
    where = " WHERE key <> 'moved'" if table.name == "meta" else ""
    question = f"SELECT {_columns(table)} FROM {table.name}{where}"
    for row in c.exec_driver_sql(question, execution_options={"yield_per": _CHUNK}):
        yield tuple(row)


def _fill(c: Connection, table: Table, rows: Iterator[tuple[Any, ...]]) -> None:
    if c.dialect.name == "postgresql":
        statement = f"COPY {table.name} ({_columns(table)}) FROM STDIN (FORMAT BINARY)"
        copy_in(c, statement, [_type(column.type) for column in table.columns], rows)
        return
    marks = ", ".join("?" for _ in table.columns)
    while chunk := list(islice(rows, _CHUNK)):
        c.exec_driver_sql(f"INSERT INTO {table.name} ({_columns(table)}) VALUES ({marks})", chunk)


def _type(kind: Any) -> str:
    kind = getattr(kind, "impl_instance", kind)
    return next(name for base, name in _TYPES.items() if type(kind) is base)


def _set_sequence(c: Connection, table: Table) -> None:
    """New rows are numbered after those that came along."""
    key = next((column for column in table.primary_key if column is table.autoincrement_column), None)
    if key is None or not (last := c.scalar(select(func.max(key)))):
        return
    sequence = c.scalar(text("SELECT pg_get_serial_sequence(:table, :key)"), {"table": table.name, "key": key.name})
    if sequence:
        c.execute(text("SELECT setval(:sequence, :last)"), {"sequence": sequence, "last": last})
