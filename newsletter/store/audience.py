"""The readers: who they are, whether they may be mailed, where in the sequence they stand.

Guarantees
    A file or an import never makes an unsubscribed or suppressed person active, whatever it says, and an
    erased one stays away while her hash is kept. Every change of consent leaves a row in `consent`.
    A file is taken as a whole in one transaction, or, when it looks like an accident, not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, text
from sqlalchemy import Row as DbRow

from newsletter.errors import NotFound, SubscriberError
from newsletter.mail import Address, shown
from newsletter.store import audience_sql as sql
from newsletter.store.attempts import send_again
from newsletter.store.forgetting import forget
from newsletter.store.imports import Origin
from newsletter.store.joining import Refused, Taken, join, stage, take_file, take_import
from newsletter.store.schema import micros, optional_instant
from newsletter.subscribers import STANDINGS, BadRow, Cause, Pause, Row, Status, may

if TYPE_CHECKING:
    from newsletter.store import Store

Fingerprint = Callable[[str], str]  #: keyed hash of an `Address.key`

STRIKES, STRIKE_SPAN = 3, timedelta(days=10)  #: so many posts given up, over so long a time: nobody reads there
_FEW, _ALIKE_MAX = 5_000, 20_000  # readers compared with an address that isn't known

_UNNAMED = Origin()

_WHY_NOT_ADDED = {
    Status.ACTIVE: "is a subscriber already",
    Status.UNSUBSCRIBED: "has unsubscribed; only their own word brings them back",
    Status.SUPPRESSED: "is suppressed: mail to it failed for good, or was called spam",
}


@dataclass(frozen=True, slots=True)
class Reader:
    """One subscriber as the owner sees them."""

    id: int
    token: bytes
    address: Address
    name: str
    timezone: str  #: empty = the newsletter's own
    tags: frozenset[str]
    status: Status
    pauses: Pause
    in_file: bool
    created_at: datetime | None
    confirmed_at: datetime | None
    position: int  #: number of the post last handed over, or counted as had; -1 = none
    handed_over_at: datetime | None
    epoch: int

    @property
    def had_through(self) -> int | None:
        """The position as a subscriber file has it."""
        return self.position if self.position >= 0 else None


class Audience:
    """Subscribers, their consent log, and the suppressions."""

    def __init__(self, store: Store) -> None:
        self._store = store

    # Many at once

    def take_file(
        self,
        rows: Iterable[Row | BadRow],
        *,
        floor: int,
        fingerprint: Fingerprint,
        at: datetime,
        meant: bool = False,
        dry_run: bool = False,
    ) -> Taken:
        """Make the audience follow the owner's file: new rows join, rows that left are paused, others updated.

        A bad row whose address can be read changes nothing for that person: they did not leave. A file from which
        many rows are gone is refused unless that is *meant*. *dry_run* only counts.
        """
        taken = Taken()
        try:
            with self._store.write() as c:
                taken = take_file(c, rows, floor=floor, fingerprint=fingerprint, at=at, meant=meant)
                if dry_run:
                    raise Refused
        except Refused as refusal:
            return replace(taken, refused=str(refusal))
        return taken

    def import_rows(
        self,
        rows: Iterable[Row],
        *,
        confirmed: bool,
        floor: int,
        fingerprint: Fingerprint,
        at: datetime,
        origin: Origin = _UNNAMED,
        dry_run: bool = False,
    ) -> Taken:
        """Add the rows of a file that is imported once; nobody leaves by it. *dry_run* only counts."""
        try:
            with self._store.write() as c:
                taken = take_import(
                    c, rows, confirmed=confirmed, floor=floor, fingerprint=fingerprint, origin=origin, at=at
                )
                if dry_run:
                    raise Refused
        except Refused:
            pass  # only to roll back
        return taken

    def struck_out(self, *, fingerprint: Fingerprint, at: datetime) -> int:
        """Suppress every reader whose address is dead or has failed too often; levels, so it may run any time."""
        with self._store.write() as c:
            values = {"strikes": STRIKES, "before": micros(at - STRIKE_SPAN), "pause": int(Pause.ADDRESS)}
            found = c.execute(sql.DEAD, values).all()
            for row in found:
                suppress(c, row.id, fingerprint(row.key), Cause.BOUNCED, at)
            return len(found)

    def start_over(self, *, at: datetime) -> None:
        """Every reader begins anew from the next slot on: a new epoch. What was delivered stays on record."""
        with self._store.write() as c:
            c.execute(
                text(
                    "UPDATE delivery SET state = 'withdrawn', reason = 'started over', open = NULL, reopen = 0 WHERE"
                    " open = 1"
                )
            )
            c.execute(sql.START_OVER, {"at": micros(at)})

    # One at a time

    def find(self, address: str, *, follow: bool = True) -> Reader:
        """The subscriber with *address*; raises `NotFound` (with the nearest one) or `SubscriberError`.

        Of a merged record it is the one that stands for both, unless *follow* is false.
        """
        with self._store.read() as c:
            return as_reader(find(c, address, follow=follow))

    def add(self, row: Row, *, floor: int, at_once: bool, fingerprint: Fingerprint, at: datetime) -> Reader:
        """Add one subscriber on the owner's word, or confirm one who was pending.

        Raises `SubscriberError` when the person is active already, or left.
        """
        with self._store.write() as c:
            known = c.execute(sql.BY_KEY, {"key": row.address.key}).one_or_none()
            if known is not None and known.status != Status.PENDING:
                raise SubscriberError(f"{row.address} {_WHY_NOT_ADDED[Status(known.status)]}.")
            if c.scalar(sql.SUPPRESSED, {"hash": fingerprint(row.address.key)}):
                raise SubscriberError(
                    f"{row.address} was suppressed or erased and stays out; only their own new request changes that."
                )
            stage(c, [row], floor, fingerprint)
            join(c, 1, status=Status.ACTIVE, in_file=False, cause=Cause.ADDED, at=at)
            if at_once:
                c.execute(text("UPDATE subscriber SET not_before = NULL WHERE key = :key"), {"key": row.address.key})
            return as_reader(find(c, str(row.address)))

    def pause(self, address: str) -> Reader:
        """The owner pauses one reader."""
        with self._store.write() as c:
            row = find(c, address)
            c.execute(sql.SET_PAUSE, {"id": row.id, "pause": int(Pause.OWNER)})
            return as_reader(find(c, address))

    def resume(self, address: str, *, at: datetime) -> Reader:
        """Lift the owner's pause and one for a refused address; the next slot counts again."""
        with self._store.write() as c:
            row = find(c, address)
            c.execute(sql.LIFT_PAUSE, {"id": row.id, "pause": int(Pause.OWNER | Pause.ADDRESS), "at": micros(at)})
            return as_reader(find(c, address))

    def change(self, address: str, cause: Cause, status: Status, *, at: datetime, detail: str = "") -> Reader:
        """Change consent, if the table of transitions allows it; raises `SubscriberError`. For `consent` alone."""
        with self._store.write() as c:
            row = find(c, address)
            before = Status(row.status)
            if before is not status:
                if not may(before, status, cause, suppressed_for=last_cause(c, row.id)):
                    raise SubscriberError(f"{row.address} is {before}; {cause} can't make that {status}.")
                change(c, row.id, cause, status, at, detail)
            return as_reader(find(c, address))

    def correct(self, old: str, new: Address, *, fingerprint: Fingerprint, at: datetime) -> Reader:
        """Give a reader a corrected address; a post that was refused for the old one is sent to the new."""
        with self._store.write() as c:
            row = find(c, old)
            before = Status(row.status)
            if before is Status.UNSUBSCRIBED:  # under a new address the old one would be a stranger to the next file
                raise SubscriberError(f"{row.address} {_WHY_NOT_ADDED[before]}; nothing was changed.")
            other = c.execute(sql.BY_KEY, {"key": new.key}).one_or_none()
            if other is not None and other.id == row.id and other.key != new.key:
                return self._change_places(c, row, new)
            if other is not None and other.id != row.id:
                if other.key != new.key:
                    raise SubscriberError(f"{new} was merged into {other.address}; nothing was changed.")
                if other.status in (Status.UNSUBSCRIBED, Status.SUPPRESSED):
                    raise SubscriberError(f"{new} {_WHY_NOT_ADDED[Status(other.status)]}; nothing was changed.")
                if c.scalar(
                    text("SELECT 1 FROM delivery WHERE subscriber_id = :id AND state = 'accepted' LIMIT 1"),
                    {"id": other.id},
                ):
                    raise SubscriberError(f"{new} is already a subscriber who has had posts; nothing was changed.")
                forget(c, other.id, at=at)
            if c.scalar(sql.SUPPRESSED, {"hash": fingerprint(new.key)}):
                raise SubscriberError(f"{new} was suppressed or erased; nothing was changed.")
            if before is Status.SUPPRESSED:  # a file that still has the old address does not bring it back
                keep_out(c, fingerprint(row.key), "corrected", at)
            status = before
            if may(before, Status.ACTIVE, Cause.LIFTED, suppressed_for=last_cause(c, row.id)):
                status = Status.ACTIVE
                log(c, row.id, Cause.LIFTED, status, at, "address corrected")
            values = {"id": row.id, "address": str(new), "key": new.key, "status": status.value, "at": micros(at)}
            c.execute(sql.CORRECT, values | {"pause": int(Pause.ADDRESS)})
            c.execute(sql.FORGET_ATTEMPT, values)
            send_again(c, row.id, at)
            return as_reader(find(c, str(new)))

    def _change_places(self, c: Connection, row: DbRow[Any], new: Address) -> Reader:
        """Of one person's two addresses the other one is the right one: the merged record gets this one."""
        merged = c.scalar(text("SELECT id FROM subscriber WHERE key = :key"), {"key": new.key})
        for who, address, key in (
            (merged, row.address, f"{row.key} for {row.id}"),
            (row.id, str(new), new.key),
            (merged, row.address, row.key),
        ):
            c.execute(sql.SET_ADDRESS, {"id": who, "address": address, "key": key})
        return as_reader(find(c, str(new)))

    def erase(self, address: str, *, keep_hash: bool, fingerprint: Fingerprint, at: datetime) -> bool:
        """Delete a person with everything that was kept of them; returns whether their hash stays suppressed.

        The hash of somebody who unsubscribed or was suppressed always stays: forgetting it would bring them back.
        """
        try:
            with self._store.write() as c:
                row = find(c, address)
                keep = keep_hash or row.status in (Status.UNSUBSCRIBED, Status.SUPPRESSED)
                keys = keys_of(c, row)
                forget(c, row.id, at=at)
                for key in keys if keep else ():
                    keep_out(c, fingerprint(key), "erased", at)
        finally:  # also when nobody was found: that ends an erasure whose traces could not be removed
            self._store.scrub()
        return keep

    # Questions

    def readers(self, status: Status | None = None) -> Iterator[Reader]:
        """Every subscriber, oldest first, streamed."""
        with self._store.read() as c:
            question = text(sql.READERS.format(where=sql.WITH_STATUS[status is not None]))
            rows = c.execute(
                question, {"status": status.value if status else ""}, execution_options={"stream_results": True}
            )
            for row in rows:
                yield as_reader(row)

    def counts(self) -> dict[str, int]:
        """Subscribers by status, and how many of the active ones are paused."""
        with self._store.read() as c:
            found = {r[0]: r[1] for r in c.execute(text("SELECT status, COUNT(*) FROM subscriber GROUP BY status"))}
            paused = c.scalar(text("SELECT COUNT(*) FROM subscriber WHERE status = 'active' AND pauses <> 0")) or 0
        return {s.value: int(found.get(s.value, 0)) for s in STANDINGS} | {"paused": int(paused)}

    def at_domains(self, domains: Iterable[str]) -> int:
        """How many of the active readers who are not paused have an address in one of *domains*."""
        patterns = {f"domain_{n}": f"%@{domain}" for n, domain in enumerate(domains)}
        alike = " OR ".join(f"key LIKE :{name}" for name in patterns)
        question = text(f"SELECT COUNT(*) FROM subscriber WHERE status = 'active' AND pauses = 0 AND ({alike})")
        with self._store.read() as c:
            return int(c.scalar(question, patterns) or 0)

    def anybody(self, *, in_file: bool = False) -> bool:
        """Whether there is a subscriber of any kind, or one who stood in the owner's file when it was last taken."""
        which = " WHERE in_file = 1" if in_file else ""
        with self._store.read() as c:
            return c.scalar(text(f"SELECT 1 FROM subscriber{which} LIMIT 1")) is not None


# Within a transaction


def find(c: Connection, address: str, *, follow: bool = True) -> DbRow[Any]:
    """The row of the reader with *address*; raises `NotFound` (with the nearest one) or `SubscriberError`.

    Of a merged record it is the one that stands for both, unless *follow* is false.
    """
    key = Address.parse(address).key
    where = f"s.id = (SELECT {sql.STANDS_FOR.format(g='g')} FROM subscriber g WHERE g.key = :key)"
    row = c.execute(text(sql.READERS.format(where=where if follow else "s.key = :key")), {"key": key}).one_or_none()
    if row is None:
        near = _nearest(c, key)
        hint = f"did you mean {near}?" if near else "`newsletter subscribers list` shows who is."
        raise NotFound(f"{shown(address)} is not a subscriber; {hint}")
    return row


def _nearest(c: Connection, key: str) -> str | None:
    """The address that *key* was probably meant to be; in a long list, among those that share one of its halves."""
    local, _, domain = key.rpartition("@")
    found = c.execute(sql.ALIKE, {"local": f"{local}@", "domain": f"@{domain}", "few": _FEW, "most": _ALIKE_MAX})
    addresses = {r.key: str(r.address) for r in found}
    near = get_close_matches(key, addresses, n=1, cutoff=0.75)
    return addresses[near[0]] if near else None


def as_reader(row: DbRow[Any]) -> Reader:
    return Reader(
        row.id,
        bytes(row.token),
        Address(*row.address.rsplit("@", 1)),
        row.name,
        row.zone,
        frozenset(filter(None, row.tags.split("|"))),
        Status(row.status),
        Pause(row.pauses),
        bool(row.in_file),
        optional_instant(row.created_at),
        optional_instant(row.confirmed_at),
        row.position,
        optional_instant(row.handed_over_at),
        row.epoch,
    )


def log(c: Connection, subscriber: int, cause: Cause, status: Status, at: datetime, detail: str) -> None:
    """Leave a row of evidence."""
    c.execute(
        sql.LOG, {"id": subscriber, "at": micros(at), "cause": cause.value, "status": status.value, "detail": detail}
    )


def change(c: Connection, subscriber: int, cause: Cause, status: Status, at: datetime, detail: str) -> None:
    """Change a reader's status, and leave the evidence. Whether it may be is the caller's."""
    c.execute(sql.SET_STATUS, {"id": subscriber, "status": status.value, "at": micros(at)})
    log(c, subscriber, cause, status, at, detail)


def suppress(c: Connection, subscriber: int, fingerprint: str, cause: Cause, at: datetime, detail: str = "") -> None:
    """Send a reader nothing more, for *cause*; the hash outlives an erasure. Whether it may be is the caller's."""
    change(c, subscriber, cause, Status.SUPPRESSED, at, detail)
    keep_out(c, fingerprint, cause.value, at)


def keys_of(c: Connection, row: DbRow[Any]) -> list[str]:
    """The keys of every address of one person."""
    return [row.key, *c.scalars(sql.MERGED_KEYS, {"id": row.id})]


def keep_out(c: Connection, fingerprint: str, reason: str, at: datetime) -> None:
    """No file and no import brings this address in again."""
    c.execute(sql.KEEP_HASH, {"hash": fingerprint, "at": micros(at), "reason": reason})


def last_cause(c: Connection, subscriber: int) -> Cause | None:
    """What the status came from; what the person merely asked for, or prefers, changed none."""
    last = c.scalar(sql.LAST_CAUSE, {"id": subscriber})
    return Cause(last) if last else None


def keep_hash(c: Connection, fingerprint: str, reason: str, *, at: datetime) -> None:
    """What is left of a person who was erased or suppressed: it keeps files from bringing them back."""
    c.execute(sql.KEEP_HASH, {"hash": fingerprint, "at": micros(at), "reason": reason})
