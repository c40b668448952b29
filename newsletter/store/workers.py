"""Workers: who delivers on which machine, when each was last heard of, and how much waits for them. PostgreSQL alone.

Guarantees
    All times are the database's: a worker whose own clock is wrong leases and plans like the others.
    A worker that freezes in the middle of a transaction, or is cut off, holds no lock for longer than `LINGER`. When it
    froze in the middle of a statement, PostgreSQL waits for the rest of it without end: the others end its session.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Connection, event, text

from newsletter.errors import StoreError, StoreMoved, StoreTooNew
from newsletter.sequence import PROMPT
from newsletter.store import HEAD, fence
from newsletter.store import ledger_sql as sql
from newsletter.store.engine import lively, lively_there, make_engine, plain_errors, settle
from newsletter.store.schema import instant, micros

if TYPE_CHECKING:
    from newsletter.store import Store

ALIVE = timedelta(seconds=15)  #: since it was last heard of
_KEPT = timedelta(hours=1)  # in the table, once it is silent
_COUNTED = 1_000_000  # due deliveries; more are "at least so many"
SILENCE = 9  #: seconds until a worker's dead line is given up, at both ends: sooner than its leases
#: Settings of a session; the server ends a transaction in which nothing happens (ms), and its locks.
LINGER = {"idle_in_transaction_session_timeout": 5000, **lively_there(SILENCE)}
SESSION = "newsletter worker"  #: what a worker's sessions are called
PLANNING, SWEEPING = 7310, 7311  #: advisory locks: a planner that freezes must not keep the sweep from its work


@dataclass(frozen=True, slots=True)
class Sign:
    """What a worker says of itself."""

    ident: str
    host: str
    done: int = 0
    rate: int = 0  #: messages in the last minute
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """A worker, as the others know it."""

    sign: Sign
    started_at: datetime
    heard_at: datetime


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits for workers."""

    due: int  #: deliveries that may leave now
    oldest: datetime | None  #: when the first of them fell due


class Workers:
    """The table of workers, and what they share."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def never_linger(self) -> None:
        """From now on transactions of this store end when this process freezes, or is cut off."""
        lines = lively(self._store.url, SILENCE) | {"application_name": SESSION}
        event.listen(self._store.engine, "do_connect", lambda *call: call[-1].update(lines))
        event.listen(self._store.engine, "connect", lambda driver, _: settle(driver, LINGER))
        self._store.engine.dispose()  # who is connected already was not told

    def clock(self) -> datetime:
        """The time of the database."""
        with self._store.read() as c:
            return _clock(c)

    def beat(self, sign: Sign) -> datetime:
        """Be heard of; the time of the database. Raises `StoreError` when its schema is not ours any more."""
        with self._store.write() as c:
            check_schema(str(c.scalar(_SCHEMA)), self._store.label)
            at = _clock(c)
            c.execute(_BEAT, {**_columns(sign), "at": micros(at)})
        return at

    def leave(self, ident: str) -> None:
        """One worker ends."""
        with self._store.write() as c:
            c.execute(text("DELETE FROM worker WHERE ident = :ident"), {"ident": ident})

    def heard(self, *, at: datetime) -> list[Heard]:
        """Those who are alive *at* this instant of the database."""
        with self._store.read() as c:
            rows = c.execute(_HEARD, {"after": micros(at - ALIVE)}).all()
        return [
            Heard(Sign(r.ident, r.host, r.done, r.rate, r.trouble), instant(r.started_at), instant(r.heard_at))
            for r in rows
        ]

    def renew(self, fences: Mapping[int, int], *, until: datetime) -> None:
        """Prolong the leases of the deliveries in *fences* (id → fence) that are still ours.

        Rows that another transaction is at are passed over: it renews them, or takes them away for good.
        """
        if fences:
            values = {"ids": list(fences), "fences": list(fences.values()), "until": micros(until)}
            with self._store.write() as c:
                c.execute(_RENEW, values)

    def end_frozen(self) -> None:
        """End sessions of workers that are silent in the middle of a statement, for as long as `LINGER` allows between
        two: there the server has no time limit of its own."""
        with self._store.read() as c:
            c.execute(_END_FROZEN)

    def backlog(self, *, at: datetime, most: int = _COUNTED) -> Backlog:
        """What may leave *at* this instant, counted up to *most*."""
        with self._store.read() as c:
            return backlog(c, at=at, most=most)

    def forget_silent(self, *, at: datetime) -> None:
        """Drop workers that have been silent for long."""
        with self._store.write() as c:
            c.execute(text("DELETE FROM worker WHERE heard_at < :before"), {"before": micros(at - _KEPT)})


def backlog(c: Connection, *, at: datetime, most: int) -> Backlog:
    """As `Workers.backlog`, within a transaction; doubt whose waiting time is over is work as well."""
    values = {"at": micros(at), "late": micros(at - PROMPT), "after_time": -1, "after_id": -1, "most": most}
    row = c.execute(_BACKLOG, values).one()
    return Backlog(int(row.due), None if row.oldest is None else instant(row.oldest))


def alone(c: Connection, lock: int = PLANNING, *, wait: bool) -> bool:
    """Whether this transaction is the only one with *lock*; *wait* until it is."""
    if wait:
        c.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock})
        return True
    return bool(c.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": lock}))


def fit_schema(url: str) -> None:
    """Raise `StoreError` unless the database at *url* has the schema of this version: a worker never migrates."""
    engine = make_engine(url)
    try:
        with plain_errors(f"database {engine.url.database}"), engine.connect() as c:
            known = c.scalar(text("SELECT to_regclass('alembic_version') IS NOT NULL"))
            found = str(c.scalar(_SCHEMA)) if known else ""
        check_schema(found, f"database {engine.url.database}")
    finally:
        engine.dispose()


def check_schema(found: str, label: str) -> None:
    """Raise `StoreError` when *found* is not the schema of this version."""
    if found in (fence.MOVED, fence.ARRIVING):
        raise StoreMoved(_MOVED.format(label=label))
    if found > HEAD:
        raise StoreTooNew(_NEWER.format(label=label, found=found, ours=HEAD))
    if found < HEAD:
        raise StoreError(_OLDER.format(label=label, found=f"has schema {found}" if found else "is empty", ours=HEAD))


def _columns(sign: Sign) -> dict[str, object]:
    return {name: getattr(sign, name) for name in Sign.__slots__}


def _clock(c: Connection) -> datetime:
    return c.execute(text("SELECT clock_timestamp()")).scalar_one().astimezone(UTC)  # type: ignore[no-any-return]


_MOVED = (
    "{label}: the ledger was moved, and `newsletter status` says where to: write that url under [store] in"
    " newsletter.toml, and start this worker again."
)
_NEWER = (
    "{label} was written by a newer version of newsletter (schema {found}, this worker knows {ours}): this worker"
    " stops, and the others take over what it had. Upgrade it (`pip install --upgrade newsletter`) and start it again."
)
_OLDER = (
    "{label} {found}, and this worker needs schema {ours}: nothing was changed, because workers of the earlier version"
    " may be at it. Upgrade the machine that plans and run `newsletter send` there; then start this worker again."
)
_END_FROZEN = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    f" AND usename = current_user AND application_name = '{SESSION}'"
    " AND state = 'active' AND wait_event IN ('ClientRead', 'ClientWrite')"
    f" AND state_change < clock_timestamp() - interval '{LINGER['idle_in_transaction_session_timeout']} ms'"
)
_SCHEMA = text("SELECT version_num FROM alembic_version")
_BEAT = text(
    "INSERT INTO worker (ident, host, started_at, heard_at, done, rate, trouble)"
    " VALUES (:ident, :host, :at, :at, :done, :rate, :trouble) ON CONFLICT (ident) DO UPDATE SET"
    " heard_at = excluded.heard_at, done = excluded.done, rate = excluded.rate, trouble = excluded.trouble"
)
_HEARD = text("SELECT * FROM worker WHERE heard_at >= :after ORDER BY host, started_at, ident")
_RENEW = text(
    "UPDATE delivery SET lease_until = :until WHERE id IN (SELECT d.id FROM delivery d"
    " JOIN unnest(CAST(:ids AS BIGINT[]), CAST(:fences AS INTEGER[])) AS mine (id, fence)"
    " ON d.id = mine.id AND d.fence = mine.fence"
    # Never waits for a row, so it can't be the second half of a deadlock.
    " WHERE d.state IN ('claimed', 'submitting') FOR UPDATE OF d SKIP LOCKED)"
)
_BACKLOG = text(
    "SELECT COUNT(*) AS due, MIN(not_before) AS oldest FROM ("
    f" SELECT not_before FROM (SELECT d.not_before{sql.DUE} ORDER BY d.not_before, d.id LIMIT :most) AS ready"
    f" UNION ALL SELECT not_before FROM (SELECT not_before FROM delivery WHERE {sql.DOUBTFUL} AND state = 'uncertain'"
    " AND open = 1 AND not_before <= :at LIMIT :most) AS doubt) AS waiting"
)
