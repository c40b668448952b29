"""Merging: two records of one person become one.

    merge       in one transaction; the record that stays stands for both
    standing    which record that is, for any other
    Merging     questions: which records were merged, which readers may be one person

Guarantees
    What either had is never sent again, and nothing before it: the place in the sequence is that of the one who was
    further along, and for each post that the other had a row says so. The more cautious state wins; nobody who has not
    confirmed is mailed because another record had. The merged record keeps its history, and its links work for ever:
    each means the record that stays. So does its address, in a file, in a form, and for what comes back.

What goes wrong
    While a letter to either is under way, or in doubt, nothing is merged: it may be the very post that the other had.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, text
from sqlalchemy import Row as DbRow

from newsletter.errors import SubscriberError
from newsletter.mail import Address
from newsletter.store import audience
from newsletter.store import merging_sql as sql
from newsletter.store.catalogue import joined
from newsletter.store.imports_sql import PLANNER_WAITS
from newsletter.store.requests import mailbox_key
from newsletter.store.schema import HOME_ZONE, micros
from newsletter.subscribers import Cause, Pause, Status, may, more_cautious

if TYPE_CHECKING:
    from newsletter.store import Store
    from newsletter.store.audience import Fingerprint, Reader

_REFUSALS = {Status.UNSUBSCRIBED: Cause.UNSUBSCRIBED}
# A pause for a refused address, or for a row that left a file, is the record's.
_TAKEN_OVER = Pause.OWNER | Pause.READER


@dataclass(frozen=True, slots=True)
class Merged:
    """What merging did."""

    kept: Reader  #: as they are now
    before: Status  #: of the one that was kept
    because: Cause | None  #: why nothing more is sent, when that comes from the other record
    spared: tuple[int, ...]  #: numbers of the posts that the other had, and this one had not


class Merging:
    """Records of one person."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def merge(self, keep: str, gone: str, *, fingerprint: Fingerprint, at: datetime) -> Merged:
        """Let the record of *keep* stand for that of *gone* too. Raises `NotFound`, `SubscriberError`."""
        with self._store.write() as c:
            if c.dialect.name == "postgresql":
                c.execute(PLANNER_WAITS)
            return _Merge(c, audience.find(c, keep), audience.find(c, gone), at).do(fingerprint)

    def into(self, address: str) -> Reader | None:
        """Whose record stands for that of *address*; None when it stands for itself."""
        with self._store.read() as c:
            record = audience.find(c, address, follow=False)
            return audience.as_reader(audience.find(c, address)) if record.status == Status.MERGED else None

    def of(self, reader: Reader) -> list[Address]:
        """The addresses of the records that were merged into *reader*'s."""
        with self._store.read() as c:
            found = c.execute(sql.MERGED_INTO, {"id": reader.id})
            return [Address(*row.address.rsplit("@", 1)) for row in found]

    def alike(self) -> Iterator[list[Reader]]:
        """Readers who may be one person, because their letters come to one mailbox as far as is known."""
        boxes: dict[int, int] = {}  # a hash for each mailbox, not its name: of ten million that is a lot of memory
        several: set[int] = set()
        for reader in self._store.audience.readers():
            box = hash(mailbox_key(reader.address))
            if boxes.setdefault(box, reader.id) != reader.id:
                several.add(box)
        found: dict[str, list[Reader]] = {}
        for reader in self._store.audience.readers() if several else ():
            if hash(box_name := mailbox_key(reader.address)) in several:
                found.setdefault(box_name, []).append(reader)
        yield from (readers for readers in found.values() if len(readers) > 1)


@dataclass(frozen=True, slots=True)
class _Merge:
    """One merging, inside its transaction."""

    c: Connection
    keep: DbRow[Any]
    gone: DbRow[Any]
    at: datetime

    def do(self, fingerprint: Fingerprint) -> Merged:
        keep, gone = self.keep, self.gone
        if keep.id == gone.id:
            raise SubscriberError(f"{keep.address} is one record already; nothing was changed.")
        self._wait_for_doubt()
        values = {"keep": keep.id, "gone": gone.id, "at": micros(self.at)}
        spared = self._settle(values)
        self.c.execute(sql.TAKE_OVER, values | {"pauses": int(_TAKEN_OVER)} | _fields(keep, gone))
        for statement in (sql.LEAVE_FILE, sql.FLATTEN, sql.MERGE):
            self.c.execute(statement, values)
        self.c.execute(text("DELETE FROM request WHERE subscriber_id = :gone"), values)
        before = Status(keep.status)
        audience.log(self.c, keep.id, Cause.MERGED, before, self.at, f"with {gone.address}, who was {gone.status}")
        because = self._be_cautious(fingerprint)
        audience.change(self.c, gone.id, Cause.MERGED, Status.MERGED, self.at, f"into {keep.address}")
        after = audience.as_reader(audience.find(self.c, keep.address))
        return Merged(after, before, because, spared)

    def _wait_for_doubt(self) -> None:
        lock = " FOR UPDATE OF d" if self.c.dialect.name == "postgresql" else ""  # SQLite has one writer
        both = {"keep": self.keep.id, "gone": self.gone.id}
        self.c.execute(text(sql.THEIRS + lock), both).all()
        doubt = self.c.execute(sql.IN_DOUBT, both).first()
        if doubt is None:
            return
        remedy = (
            f"say first what became of it: `newsletter settle {doubt.address} {doubt.number} accepted` or `resend`"
            if doubt.state == "uncertain"
            else "try again when the run is over and its answer is known"
        )
        raise SubscriberError(
            f"#{doubt.number} to {doubt.address} is {_DOUBT.get(doubt.state, 'being sent once more after doubt')};"
            f" {remedy}. Nothing was changed."
        )

    def _settle(self, values: dict[str, Any]) -> tuple[int, ...]:
        """What the other had is settled here too; what waited to leave for either is looked at anew."""
        self.c.execute(sql.WITHDRAW_GONE, values)
        self.c.execute(sql.WITHDRAW_HAD, values)
        passed = self.c.scalars(sql.PASSED_BY, values).all()
        rows = self.c.execute(sql.MARK, values).all()
        for row in rows:
            kind = "copy" if row.copy else "skipped"
            self.c.execute(sql.PROMISE, values | {"post": row.post_id, "kind": kind})
        return tuple(sorted({*passed, *(row.number for row in rows)}))

    def _be_cautious(self, fingerprint: Fingerprint) -> Cause | None:
        """Let the more cautious of the two states win; why nothing is sent, when that is the other's."""
        own, others = self._refusal(self.keep), self._refusal(self.gone)
        worst = more_cautious(own, others)
        if Cause.FORBIDDEN in (own, others):  # also where a leaving says more: they don't come back by a form
            audience.keep_out(self.c, fingerprint(self.keep.key), Cause.FORBIDDEN.value, self.at)
        if worst is None or worst is own:
            return None
        leaving = worst is Cause.UNSUBSCRIBED
        cause, status = (Cause.MERGED, Status.UNSUBSCRIBED) if leaving else (worst, Status.SUPPRESSED)
        if not may(Status(self.keep.status), status, cause, suppressed_for=own):
            return None
        detail = f"{self.gone.address} had left" if leaving else f"of {self.gone.address}, the same person"
        audience.change(self.c, self.keep.id, cause, status, self.at, detail)
        if not leaving:
            audience.keep_out(self.c, fingerprint(self.keep.key), worst.value, self.at)
        self.c.execute(text("DELETE FROM request WHERE subscriber_id = :id"), {"id": self.keep.id})
        return worst

    def _refusal(self, row: DbRow[Any]) -> Cause | None:
        """Why nothing is sent to one record; a suppression that nobody can explain is for ever."""
        if row.status == Status.SUPPRESSED:
            cause = audience.last_cause(self.c, row.id)
            return cause if cause in (Cause.BOUNCED, Cause.FORBIDDEN) else Cause.COMPLAINED
        return _REFUSALS.get(Status(row.status))


def _fields(keep: DbRow[Any], gone: DbRow[Any]) -> dict[str, Any]:
    """The fields of both: what a reader set themselves stands above a file's word, and any word above none."""
    fields: dict[str, Any] = {"own": keep.own_fields | gone.own_fields, "language": keep.language or gone.language}
    for field, column, flag, nothing in (("name", "name", 1, ""), ("zone", "zone_id", 2, HOME_ZONE)):
        ours, theirs = getattr(keep, column), getattr(gone, column)
        better = ours == nothing or (gone.own_fields & flag and not keep.own_fields & flag)
        fields[field] = theirs if better and theirs != nothing else ours
    tags = frozenset(filter(None, f"{keep.tags}|{gone.tags}".split("|")))
    fields["tags"] = keep.tags if keep.own_fields & 4 else gone.tags if gone.own_fields & 4 else joined(tags)
    return fields


_DOUBT = {"claimed": "about to leave", "submitting": "being handed over", "uncertain": "in doubt: it may have arrived"}
