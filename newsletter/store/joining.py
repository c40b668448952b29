"""Joining: rows of a file or an import are staged in a temporary table, and brought in set by set."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, text

from newsletter.store import audience_sql as sql
from newsletter.store import imports, stirring
from newsletter.store.catalogue import joined
from newsletter.store.engine import copy_in
from newsletter.store.planning import ensure_home_zone
from newsletter.store.schema import HOME_ZONE, micros
from newsletter.subscribers import BadRow, Cause, Pause, Row, Status

if TYPE_CHECKING:
    from newsletter.store.audience import Fingerprint

_GONE_MIN, _GONE_SHARE = 5, 0.1
_CHUNK = 2_000
_BAD, _GOOD, _LEFT, _WAITS = 0, 1, 2, 3  # incoming.good: who had left where the file comes from, and who not confirmed
_HER_WORD = "on the owner's word"


@dataclass(frozen=True, slots=True)
class Taken:
    """What taking rows did."""

    rows: int = 0
    added: int = 0
    updated: int = 0
    departed: int = 0  #: left the file: paused
    returned: int = 0  #: came back to it
    kept_out: int = 0  #: unsubscribed, suppressed or erased: they stay so
    left_there: int = 0  #: had left where the file comes from: kept out as well
    left_but_known: int = 0  #: of those, are active readers here: nothing was changed
    refused: str = ""  #: why nothing was taken at all
    number: int = field(default=0, compare=False)  #: of the import


class Refused(Exception):
    """Rolls a suspicious file back."""


def take_file(
    c: Connection, rows: Iterable[Row | BadRow], *, floor: int, fingerprint: Fingerprint, at: datetime, meant: bool
) -> Taken:
    """The owner's file as a whole; raises `Refused` when it looks like an accident and is not *meant*."""
    count = stage(c, rows, floor, fingerprint)
    before = int(c.scalar(text("SELECT COUNT(*) FROM subscriber WHERE in_file = 1")) or 0)
    gone = int(c.scalar(text(f"SELECT COUNT(*) FROM subscriber s WHERE {sql.GONE}")) or 0)
    if not meant and before and (count == 0 or gone > max(_GONE_MIN, _GONE_SHARE * before)):
        raise Refused(f"{gone:,} of the {before:,} people who stood in it are missing")
    departed = c.execute(sql.DEPART, {"pause": int(Pause.FILE)}).rowcount
    bad = c.execute(text("DELETE FROM incoming WHERE good <> :good"), {"good": _GOOD}).rowcount
    taken = join(c, count - bad, status=Status.ACTIVE, in_file=True, cause=Cause.IMPORTED, at=at)
    return Taken(taken.rows, taken.added, taken.updated, departed, taken.returned, taken.kept_out)


def take_import(
    c: Connection,
    rows: Iterable[Row],
    *,
    confirmed: bool,
    floor: int,
    fingerprint: Fingerprint,
    origin: imports.Origin,
    at: datetime,
) -> Taken:
    """A file that is imported once: nobody leaves by it, and what it does is kept, so that it can be undone."""
    count = stage(c, rows, floor, fingerprint)
    number = imports.begin(c, origin, confirmed=confirmed, at=at)
    left, known = imports.keep_left(c, number, left=_LEFT, at=at)
    status = Status.ACTIVE if confirmed else Status.PENDING
    imports.note_known(c, number, status=status)
    evidence = (origin.form(number), origin.source)
    taken = join(c, count - left, status=status, in_file=False, cause=Cause.IMPORTED, at=at, evidence=evidence)
    imports.note_done(c, number, added=taken.added)
    return replace(taken, left_there=left, left_but_known=known, number=number)


def stage(c: Connection, rows: Iterable[Row | BadRow], floor: int, fingerprint: Fingerprint) -> int:
    """Put *rows* into a temporary table, in chunks, so that memory stays flat; returns how many."""
    staged, count = (_staged(row, floor, fingerprint) for row in rows if row.address is not None), 0
    if c.dialect.name == "postgresql":
        count = _copied(c, staged)
    else:
        c.execute(text(sql.INCOMING.format(blob="BLOB")))
        c.execute(text("DELETE FROM incoming"))
        while chunk := list(islice(staged, _CHUNK)):
            c.execute(sql.STAGE, chunk)
            count += len(chunk)
    return count - _under_one_address(c)


def _under_one_address(c: Connection) -> int:
    """A merged record's address in a file means the record that stands for both; returns how many rows that spares."""
    spared = 0
    for alias, key in c.execute(sql.ALIASES).all():
        if c.scalar(text("SELECT 1 FROM incoming WHERE key = :key"), {"key": key}):
            spared += c.execute(text("DELETE FROM incoming WHERE key = :alias"), {"alias": alias}).rowcount
        else:
            c.execute(text("UPDATE incoming SET key = :key WHERE key = :alias"), {"key": key, "alias": alias})
    return spared


_STANDING = {Status.PENDING: _WAITS, Status.UNSUBSCRIBED: _LEFT, Status.SUPPRESSED: _LEFT}


def _copied(c: Connection, rows: Iterable[dict[str, Any]]) -> int:
    """Stage *rows* by COPY: three times as fast as by INSERT, and what stands there twice is sorted out afterwards."""
    for statement in sql.EMPTY_FOR_COPY:
        c.execute(text(statement))
    count = copy_in(c, sql.COPY_INCOMING, sql.COPY_TYPES, (tuple(row.values()) for row in rows))
    for statement in sql.SORT_OUT:
        c.execute(text(statement))
    return count


def _staged(row: Row | BadRow, floor: int, fingerprint: Fingerprint) -> dict[str, Any]:
    assert row.address is not None
    key = row.address.key
    staged = {"row": row.row, "key": key, "address": str(row.address), "token": os.urandom(16)}
    if isinstance(row, BadRow):
        return staged | {"good": 0, "hash": "", "name": "", "zone": "", "tags": "", "confirmed": None, "floor": 0}
    return staged | {  # in the order of sql.COPY_INCOMING
        "good": _STANDING.get(row.status, _GOOD) if row.status else _GOOD,
        "hash": fingerprint(key),
        "name": None if "name" in row.silent else row.name,
        "zone": None if "timezone" in row.silent else row.timezone,
        "tags": None if "tags" in row.silent else joined(row.tags),
        "confirmed": micros(row.confirmed_at) if row.confirmed_at else None,
        "floor": floor if row.had_through is None else row.had_through,
    }


def join(
    c: Connection,
    count: int,
    *,
    status: Status,
    in_file: bool,
    cause: Cause,
    at: datetime,
    evidence: tuple[str, str] = ("", ""),
) -> Taken:
    """Bring the staged rows in: new ones join, known ones are updated, those who left stay out.

    *evidence* is how the record of consent names where they come from, and what it says of that.
    """
    ensure_home_zone(c)
    values = {
        "status": status.value,
        "in_file": int(in_file),
        "at": micros(at),
        "home": HOME_ZONE,
        "file": int(Pause.FILE),
        "cause": cause.value,
        "detail": _HER_WORD if status is Status.ACTIVE else "",
        "form": evidence[0],
        "wording": evidence[1],
    }
    c.execute(sql.ADD_ZONES)
    returned = c.execute(sql.RETURN, values).rowcount if in_file else 0
    updated = c.execute(sql.UPDATE, values).rowcount
    if in_file:
        c.execute(sql.MARK_IN_FILE)
    if status is Status.ACTIVE:
        _confirm_pending(c, values)
    kept_out = int(c.scalar(sql.KEPT_OUT) or 0)
    added = c.execute(sql.ADD, values).rowcount
    c.execute(sql.LOG_ADDED, values)
    stirring.stir_joined(c, added)
    return Taken(count, added, updated, 0, returned, kept_out)


def _confirm_pending(c: Connection, values: dict[str, Any]) -> None:
    """The owner vouches for people who were waiting to confirm."""
    c.execute(sql.LOG_CONFIRMED, values)
    c.execute(sql.CONFIRM, values)
