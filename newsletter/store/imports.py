"""Imports: what each did to whom, and how one is taken back.

    begin, keep_left, note_known, note_done   kept while `joining` brings the rows in
    undo                           take one back, as a whole
    Imports                        questions: which there were, and what they did to one reader

Guarantees
    Undoing is one transaction. Who joined by the import and was handed nothing is gone without a trace; who was handed
    something, or may have been, is pending: nothing more leaves, the history stays, and a later import on the owner's
    word goes on where they stopped. Who has come by another way since (their own word, the owner's, her file, another
    import) stays as they are, and nobody who left, bounced or complained is touched. Fields get back what they had,
    unless somebody changed them since.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, text

from newsletter.errors import NotFound
from newsletter.store import imports_sql as sql
from newsletter.store.forgetting import forget_all
from newsletter.store.schema import instant, micros, optional_instant
from newsletter.subscribers import Cause, Status

if TYPE_CHECKING:
    from newsletter.store import Store
    from newsletter.store.audience import Reader


@dataclass(frozen=True, slots=True)
class Origin:
    """Where imported people come from: for the record of their consent."""

    file: str = ""  #: the file's name
    source: str = ""  #: where they said yes, and who says so, in the owner's words

    def form(self, number: int) -> str:
        """How a record of consent names the import."""
        return f"import {number}" + (f" ({self.file})" if self.file else "")


@dataclass(frozen=True, slots=True)
class ImportRecord:
    """One import as the owner sees it."""

    number: int
    at: datetime
    file: str
    source: str
    confirmed: bool
    added: int
    undone_at: datetime | None


@dataclass(frozen=True, slots=True)
class Touched:
    """What one import did to one reader."""

    number: int
    at: datetime
    file: str
    changed: tuple[str, ...]  #: fields
    undone_at: datetime | None


@dataclass(frozen=True, slots=True)
class Undone:
    """What taking an import back does."""

    number: int
    file: str
    removed: int = 0  #: joined by it, and were handed nothing
    stopped: int = 0  #: were handed something, or were pending before: pending from now on
    restored: int = 0  #: got their former name, time zone or tags back
    kept: int = 0  #: joined by it, and have come by another way since, or have left: as they are


class Imports:
    """The imports of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self) -> list[ImportRecord]:
        """Every import, the latest last."""
        with self._store.read() as c:
            return [
                ImportRecord(
                    r.id, instant(r.at), r.file, r.source, bool(r.confirmed), r.added, optional_instant(r.undone_at)
                )
                for r in c.execute(text("SELECT * FROM import_file ORDER BY id"))
            ]

    def of(self, reader: Reader) -> Iterator[Touched]:
        """What imports changed in a reader they did not bring, oldest first."""
        with self._store.read() as c:
            for r in c.execute(sql.TOUCHED, {"id": reader.id}):
                fields = (("name", r.name_after), ("time zone", r.zone_after), ("tags", r.tags_after))
                changed = tuple(field for field, after in fields if after is not None)
                if changed:
                    yield Touched(r.id, instant(r.at), r.file, changed, optional_instant(r.undone_at))

    def pending(self, number: int) -> int:
        """How many joined by import *number* and wait to confirm."""
        with self._store.read() as c:
            return int(c.scalar(sql.PENDING, {"import": number}) or 0)

    def undo(self, number: int | None = None, *, at: datetime) -> Undone:
        """Take import *number* back, or the latest that was not. Raises `NotFound`."""
        with self._store.write() as c:
            if c.dialect.name == "postgresql":
                c.execute(sql.PLANNER_WAITS)
            return undo(c, number, at=at)


# Within a transaction


def begin(c: Connection, origin: Origin, *, confirmed: bool, at: datetime) -> int:
    """Number a new import."""
    values = {"at": micros(at), "file": origin.file, "source": origin.source, "confirmed": int(confirmed)}
    if c.dialect.name == "postgresql":  # two at once would choose the same number
        c.execute(text("LOCK TABLE import_file IN SHARE ROW EXCLUSIVE MODE"))
    return int(c.execute(sql.BEGIN, values).scalar_one())


def keep_left(c: Connection, number: int, *, left: int, at: datetime) -> tuple[int, int]:
    """Keep out, from now on, whom the staged rows say to have left; how many those are, and how many are readers."""
    values = {"import": number, "left": left, "at": micros(at)}
    known = int(c.scalar(sql.LEFT_BUT_KNOWN, values) or 0)
    c.execute(sql.NOTE_LEFT, values)
    c.execute(sql.KEEP_LEFT, values)
    return c.execute(text("DELETE FROM incoming WHERE good = :left"), values).rowcount, known


def note_known(c: Connection, number: int, *, status: Status) -> None:
    """Before anything changes: how the known people of the staged rows are."""
    c.execute(sql.NOTE_KNOWN, {"import": number, "status": status.value})


def note_done(c: Connection, number: int, *, added: int) -> None:
    """After it: who joined, and which fields have changed."""
    c.execute(sql.NOTE_CHANGED, {"import": number})
    c.execute(sql.NOTE_JOINED, {"import": number})
    c.execute(sql.NOTE_COUNT, {"import": number, "added": added})


def undo(c: Connection, number: int | None, *, at: datetime) -> Undone:
    """Take an import back; see the module's guarantees."""
    found = _which(c, number)
    values: dict[str, Any] = {
        "import": found.id, "at": micros(at), "form": Origin(found.file).form(found.id),
        "cause": Cause.UNDONE.value, "detail": f"import {found.id} was undone",
    }  # fmt: skip
    c.execute(text("CREATE TEMPORARY TABLE IF NOT EXISTS undoing (id BIGINT PRIMARY KEY, fate TEXT)"))
    c.execute(text("DELETE FROM undoing"))
    if c.dialect.name == "postgresql":  # what a worker is about to begin is seen as begun, or never begins
        c.execute(sql.LOCK_DELIVERIES, values)
    c.execute(sql.SORT, values)
    c.execute(sql.HAND_OVER, values)
    restored = _restore(c, values)
    for statement in (sql.LOG_STOPPED, sql.STOP, sql.WITHDRAW_STOPPED):
        c.execute(statement, values)
    counts = {r.fate: r.n for r in c.execute(sql.FATES)}
    c.execute(text("DELETE FROM undoing WHERE fate <> 'remove'"))
    forget_all(c, "SELECT id FROM undoing", many=counts.get("remove", 0), at=at)
    for statement in (sql.FORGET_LEFT, sql.CLOSE):
        c.execute(statement, values)
    stopped, kept = counts.get("stop", 0), counts.get("keep", 0)
    return Undone(found.id, found.file, counts.get("remove", 0), stopped, restored, kept)


def _which(c: Connection, number: int | None) -> Any:
    if number is None:
        found = c.execute(
            text("SELECT * FROM import_file WHERE undone_at IS NULL ORDER BY id DESC LIMIT 1")
        ).one_or_none()
        if found is None:
            raise NotFound("there is no import that could be taken back; `newsletter subscribers imports` lists them.")
        return found
    found = c.execute(text("SELECT * FROM import_file WHERE id = :import"), {"import": number}).one_or_none()
    if found is None:
        raise NotFound(f"there is no import {number}; `newsletter subscribers imports` lists them.")
    if found.undone_at is not None:
        raise NotFound(f"import {number} ({found.file}) was taken back already; nothing was changed.")
    return found


def _restore(c: Connection, values: dict[str, Any]) -> int:
    """Give fields back what they had; where a later import has changed one since, that one will."""
    for field, _, _ in sql.FIELDS:
        c.execute(text(sql.INHERIT.format(field=field)), values)
    return c.execute(sql.RESTORE, values).rowcount
