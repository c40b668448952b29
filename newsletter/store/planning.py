"""The planner: who is due for which post, for any number of readers, in one statement; what is planned for those
who have left or are paused is withdrawn first.

`sequence.window` gives three instants a zone; they are joined here with the readers. A reader's next
post is the lowest one above their position that is not settled for them and not passed over; they are
due when the zone's latest slot is not earlier than anything that holds them back.

Guarantees
    Rows are planned when they fall due, never ahead. A second post is never planned while one is open
    (the index uq_delivery_open refuses it), a post never twice for one reader and epoch (the unique
    key). Rows and the journal's counts are one transaction; planning again at once plans nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select, text

from newsletter.config import First, Identity, Mode, Rules
from newsletter.sequence import NEVER, PROMPT, window
from newsletter.store import facts, stirring
from newsletter.store import planning_sql as sql
from newsletter.store.engine import plan_alone
from newsletter.store.facts import HoldKind
from newsletter.store.schema import HOME_ZONE, micros, post, zone

if TYPE_CHECKING:
    from newsletter.store import Store

_BACKLOG_MIN, _BACKLOG_SHARE = 50, 0.2


@dataclass(frozen=True, slots=True)
class Planned:
    """What one planning did, by post number."""

    planned: dict[int, int]
    skipped: dict[int, int]
    held: int = 0  #: rows not planned because they looked like a backlog

    @property
    def count(self) -> int:
        """Messages that will leave."""
        return sum(self.planned.values())


class Planner:
    """Plans deliveries from the catalogue and the audience."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def refresh_zones(self, identity: Identity, rules: Rules, *, at: datetime) -> None:
        """Write the windows of every zone in use as of *at*."""
        with self._store.write() as connection:
            refresh_zones(connection, identity, rules, at=at)

    def plan(self, identity: Identity, rules: Rules, *, at: datetime) -> Planned:
        """Plan every delivery that is due at *at*; commits once."""
        with self._store.write() as connection:
            plan_alone(connection)
            if connection.dialect.name == "postgresql":
                connection.execute(text("SET LOCAL enable_seqscan = off"))  # see _BY_INDEX
            previous: int | None = facts.read(connection, "last_tick")
            planned = plan_within(connection, identity, rules, at=at, previous=previous, narrow=True)
            facts.write(connection, "last_tick", micros(at))  # posts and slots are measured against it
            return planned


def plan_within(
    connection: Connection,
    identity: Identity,
    rules: Rules,
    *,
    at: datetime,
    previous: int | None = None,
    narrow: bool = False,
) -> Planned:
    """As `Planner.plan`, within a transaction, and without noting that a tick was here.

    *previous* is the tick before, in microseconds; None when ticks follow each other without a gap. *narrow*: look at
    nobody who can't have fallen due since the last planning.
    """
    refresh_zones(connection, identity, rules, at=at)
    return _Run(connection, rules, at, previous, narrow).plan()


def refresh_zones(connection: Connection, identity: Identity, rules: Rules, *, at: datetime) -> None:
    """As `Planner.refresh_zones`, within a transaction."""
    every = rules.catch_up_every if rules.mode is Mode.HYBRID else rules.every
    ensure_home_zone(connection)
    rows = []
    for key, name in connection.execute(select(zone.c.id, zone.c.name)).all():
        w = window(at, identity.timezone if key == HOME_ZONE else ZoneInfo(name), rules, every=every)
        rows.append(
            {
                "id": key, "slot": micros(w.slot), "cutoff": micros(w.cutoff), "day_end": micros(w.day_end),
                "opens": micros(w.opens), "daytime": int(w.daytime), "quiet": int(w.quiet),
            }
        )  # fmt: skip
    connection.execute(sql.SET_ZONE, rows)
    _refresh_paces(connection, identity, rules, every, at)


def _refresh_paces(connection: Connection, identity: Identity, rules: Rules, every: int, at: datetime) -> None:
    """The cut-offs of readers who go at a pace of their own: slower than the newsletter's, never faster."""
    rows = []
    for key, name, pace in connection.execute(sql.PACES).all():
        zone = identity.timezone if key == HOME_ZONE else ZoneInfo(name)
        cutoff = window(at, zone, rules, every=max(pace, every)).cutoff
        rows.append({"zone": key, "every": pace, "cutoff": micros(cutoff)})
    if rows:
        connection.execute(sql.SET_PACE, rows)


def ensure_home_zone(connection: Connection) -> None:
    """Row 1 of `zone` is the newsletter's own, whatever its name is today."""
    connection.execute(sql.HOME_ZONE, {"id": HOME_ZONE, "never": micros(NEVER)})


class _Run:
    """One planning, inside its transaction."""

    def __init__(
        self, connection: Connection, rules: Rules, at: datetime, tick_before: int | None, narrow: bool
    ) -> None:
        self.connection, self.rules, self.at = connection, rules, at
        previous = facts.read(connection, "last_tick")
        holds = facts.read(connection, "holds") or {}
        backlog = holds.get(HoldKind.BACKLOG)
        self.tagged = connection.scalar(text("SELECT 1 FROM audience LIMIT 1")) is not None
        self.guard = previous if previous is not None and not facts.read(connection, "backlog_confirmed") else None
        self.values: dict[str, Any] = {
            "at": micros(at),
            "tick_before": micros(at) if tick_before is None else tick_before,
            "gap": _micros(rules.min_gap),
            "prompt": _micros(PROMPT),
            "max_lateness": _micros(rules.max_lateness),
            # Slots inside a pause of the owner's do not count; what a backlog holds back stays back.
            "since": facts.read(connection, "resumed_at") or 0,
            "earliest": backlog["since"] if backlog else 0,
        }
        self.narrow, self.only = narrow, "TRUE"

    def plan(self) -> Planned:
        start = self._last_id()
        self.connection.execute(sql.WITHDRAW_PASSED)
        if self.narrow and (ids := stirring.whom(self.connection, self.rules, self.values)) is not None:
            dialect = self.connection.dialect.name
            self.only = sql.AMONG[dialect]
            self.values["ids"] = ids if dialect == "postgresql" else json.dumps(ids)
        self.connection.execute(text(self._sql(sql.WITHDRAW_INACTIVE)), self.values)
        reopened = self._reopen()
        # A reader whom a post's audience leaves out is due for the next one in the same slot.
        while self._insert():
            pass
        if self.narrow and self.rules.mode is Mode.SEQUENCE:
            stirring.wait_for_gap(self.connection, self._sql("{maybe}"), self.only, self.values)
        held = self._hold_backlog(start)
        planned, skipped = self._count(start)
        self._journal(planned, skipped)
        if self.rules.mode is Mode.BROADCAST:
            self.connection.execute(sql.FREEZE, {"at": self.values["at"]})
        facts.write(self.connection, "backlog_confirmed", None)
        numbers = {row.id: row.number for row in self.connection.execute(select(post.c.id, post.c.number))}
        by_number: dict[int, int] = {}
        for source in (planned, reopened):
            for key, count in source.items():
                by_number[numbers[key]] = by_number.get(numbers[key], 0) + count
        return Planned(by_number, {numbers[k]: n for k, n in skipped.items()}, held)

    def _insert(self) -> bool:
        """Plan one post for every reader who is due; True when some were passed over and must be looked at again."""
        before = self._last_id()
        self.connection.execute(text(self._sql(sql.INSERT)), self.values)
        if not self.tagged:
            return False
        skipped = text("SELECT 1 FROM delivery WHERE id > :before AND state = 'skipped' LIMIT 1")
        return self.connection.scalar(skipped, {"before": before}) is not None

    def _reopen(self) -> dict[int, int]:
        """Give withdrawn, unreachable and late posts their turn again."""
        if self.connection.scalar(text("SELECT 1 FROM delivery WHERE reopen = 1 LIMIT 1")) is None:
            return {}
        if self.rules.mode is Mode.BROADCAST:
            self.connection.execute(sql.STALE, self.values)
        rows = self.connection.execute(text(self._sql(sql.REOPEN)), self.values).all()
        counts: dict[int, int] = {}
        for (key,) in rows:
            counts[key] = counts.get(key, 0) + 1
        return counts

    def _sql(self, statement: str) -> str:
        parts = sql.DUE[self.rules.mode]
        dialect = self.connection.dialect.name
        greatest = "GREATEST" if dialect == "postgresql" else "MAX"
        first = sql.AT_ONCE if self.rules.first is First.AT_ONCE else "FALSE"
        matches = sql.MATCHES if self.tagged else "TRUE"
        parts = parts | {"readers": sql.READERS[dialect].format(only=self.only, **parts)}
        return statement.format(
            matches=matches,
            **{k: v.format(greatest=greatest, at_once=first) for k, v in parts.items()},
            only=self.only,
            greatest=greatest,
        )

    def _last_id(self) -> int:
        return int(self.connection.scalar(text("SELECT COALESCE(MAX(id), 0) FROM delivery")) or 0)

    def _hold_backlog(self, start: int) -> int:
        """Take back rows that should have been planned before the previous tick, when they are suspiciously many."""
        if self.guard is None:
            return 0
        values = {"start": start, "previous": self.guard, "gap": self.values["gap"]}
        late = int(self.connection.scalar(sql.LATE, values) or 0)
        if late <= _BACKLOG_MIN:
            return 0
        active = int(self.connection.scalar(text("SELECT COUNT(*) FROM subscriber WHERE status = 'active'")) or 0)
        if late <= _BACKLOG_SHARE * active:
            return 0
        self.connection.execute(sql.TAKE_BACK, values)
        stirring.look_at_all(self.connection)
        reason = (
            f"{late:,} readers would get a post at once that was due before the last run, which is more than a fifth"
            " of the list. "
            "Look at `newsletter plan`; if it is right, `newsletter resume` lets them go."
        )
        facts.add_hold(self.connection, HoldKind.BACKLOG, reason, at=self.at)
        return late

    def _count(self, start: int) -> tuple[dict[int, int], dict[int, int]]:
        planned: dict[int, int] = {}
        skipped: dict[int, int] = {}
        for key, state, count in self.connection.execute(sql.COUNT, {"start": start}):
            (skipped if state == "skipped" else planned)[key] = count
        return planned, skipped

    def _journal(self, planned: dict[int, int], skipped: dict[int, int]) -> None:
        rows = [
            {"at": self.values["at"], "post": key, "kind": kind, "count": count}
            for kind, counts in (("planned", planned), ("skipped", skipped))
            for key, count in counts.items()
        ]
        if rows:
            self.connection.execute(
                text("INSERT INTO promise (at, post_id, kind, count) VALUES (:at, :post, :kind, :count)"), rows
            )


def _micros(delta: timedelta) -> int:
    return delta // timedelta(microseconds=1)
