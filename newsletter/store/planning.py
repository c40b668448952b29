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
    connection.execute(_SET_ZONE, rows)
    _refresh_paces(connection, identity, rules, every, at)


def _refresh_paces(connection: Connection, identity: Identity, rules: Rules, every: int, at: datetime) -> None:
    """The cut-offs of readers who go at a pace of their own: slower than the newsletter's, never faster."""
    rows = []
    for key, name, pace in connection.execute(_PACES).all():
        zone = identity.timezone if key == HOME_ZONE else ZoneInfo(name)
        cutoff = window(at, zone, rules, every=max(pace, every)).cutoff
        rows.append({"zone": key, "every": pace, "cutoff": micros(cutoff)})
    if rows:
        connection.execute(_SET_PACE, rows)


def ensure_home_zone(connection: Connection) -> None:
    """Row 1 of `zone` is the newsletter's own, whatever its name is today."""
    connection.execute(_HOME_ZONE, {"id": HOME_ZONE, "never": micros(NEVER)})


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
        self.connection.execute(_WITHDRAW_PASSED)
        if self.narrow and (ids := stirring.whom(self.connection, self.rules, self.values)) is not None:
            dialect = self.connection.dialect.name
            self.only = _AMONG[dialect]
            self.values["ids"] = ids if dialect == "postgresql" else json.dumps(ids)
        self.connection.execute(text(self._sql(_WITHDRAW_INACTIVE)), self.values)
        reopened = self._reopen()
        # A reader whom a post's audience leaves out is due for the next one in the same slot.
        while self._insert():
            pass
        if self.narrow:
            stirring.wait_for_gap(self.connection, self._sql("{maybe}"), self.only, self.values)
        held = self._hold_backlog(start)
        planned, skipped = self._count(start)
        self._journal(planned, skipped)
        if self.rules.mode is Mode.BROADCAST:
            self.connection.execute(_FREEZE, {"at": self.values["at"]})
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
        self.connection.execute(text(self._sql(_INSERT)), self.values)
        if not self.tagged:
            return False
        skipped = text("SELECT 1 FROM delivery WHERE id > :before AND state = 'skipped' LIMIT 1")
        return self.connection.scalar(skipped, {"before": before}) is not None

    def _reopen(self) -> dict[int, int]:
        """Give withdrawn, unreachable and late posts their turn again."""
        if self.connection.scalar(text("SELECT 1 FROM delivery WHERE reopen = 1 LIMIT 1")) is None:
            return {}
        if self.rules.mode is Mode.BROADCAST:
            self.connection.execute(_STALE, self.values)
        rows = self.connection.execute(text(self._sql(_REOPEN)), self.values).all()
        counts: dict[int, int] = {}
        for (key,) in rows:
            counts[key] = counts.get(key, 0) + 1
        return counts

    def _sql(self, statement: str) -> str:
        parts = _DUE[self.rules.mode]
        dialect = self.connection.dialect.name
        greatest = "GREATEST" if dialect == "postgresql" else "MAX"
        first = _AT_ONCE if self.rules.first is First.AT_ONCE else "FALSE"
        matches = MATCHES if self.tagged else "TRUE"
        parts = parts | {"readers": _READERS[dialect].format(only=self.only, **parts)}
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
        late = int(self.connection.scalar(_LATE, values) or 0)
        if late <= _BACKLOG_MIN:
            return 0
        active = int(self.connection.scalar(text("SELECT COUNT(*) FROM subscriber WHERE status = 'active'")) or 0)
        if late <= _BACKLOG_SHARE * active:
            return 0
        self.connection.execute(_TAKE_BACK, values)
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
        for key, state, count in self.connection.execute(_COUNT, {"start": start}):
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


_HOME_ZONE = text(
    "INSERT INTO zone (id, name, slot, cutoff, day_end, opens) VALUES (:id, '', :never, :never, :never, :never)"
    " ON CONFLICT (id) DO NOTHING"
)
_SET_ZONE = text(
    "UPDATE zone SET slot = :slot, cutoff = :cutoff, day_end = :day_end, opens = :opens, daytime = :daytime, quiet ="
    " :quiet"
    " WHERE id = :id"
)
_PACES = text(
    "SELECT z.id, z.name, k.pace FROM (SELECT DISTINCT zone_id, pace FROM subscriber WHERE pace > 0) k"
    " JOIN zone z ON z.id = k.zone_id"
)
_SET_PACE = text(
    "INSERT INTO pace (zone_id, every, cutoff) VALUES (:zone, :every, :cutoff)"
    " ON CONFLICT (zone_id, every) DO UPDATE SET cutoff = excluded.cutoff"
)

# Aliases: s subscriber, z their zone, c a candidate post, p the chosen one, d a delivery.
_POSITION = "COALESCE((SELECT h.number FROM post h WHERE h.id = s.high_water), s.floor)"
# OFFSET keeps PostgreSQL from making a join of it, which it would do over the whole ledger for each reader as long as
# it believes the ledger small: what it knows of a table may be a million rows old.
_BY_INDEX = "LIMIT 1 OFFSET 0"
_UNSETTLED = (
    "NOT EXISTS (SELECT 1 FROM delivery d WHERE d.post_id = c.id AND d.subscriber_id = s.id AND d.epoch = s.epoch"
    f" AND d.reopen = 0 {_BY_INDEX})"
)
# Forward only. What blocks is chosen too, and then found not to be deliverable: the reader waits.
_IN_ORDER = (
    "(SELECT c.id FROM post c WHERE c.standing <> 'absent' AND c.number > "
    + _POSITION
    + " AND "
    + _UNSETTLED
    + " ORDER BY c.number LIMIT 1)"
)
# Only what was published since the reader was there, and not too long ago.
_NEWS = (
    "(SELECT c.id FROM post c WHERE c.standing = 'live' AND c.release_at <= :at AND c.release_at >= s.active_since"
    " AND c.release_at >= :at - :max_lateness AND c.number > "
    + _POSITION
    + " AND "
    + _UNSETTLED
    + " ORDER BY c.number LIMIT 1)"
)
# Never for those the owner brought along: they have a not_before.
_AT_ONCE = "(s.handed_over_at IS NULL AND s.high_water IS NULL AND s.not_before IS NULL)"
# From the slot on, when `every` has passed since the last one; slots before the post or the reader came don't count.
_IN_SLOT = (
    "z.slot >= s.active_since AND z.slot >= COALESCE(s.not_before, 0) AND z.slot >= :since"
    " AND (s.anchor_at IS NULL OR s.anchor_at < CASE WHEN s.pace = 0 THEN z.cutoff ELSE"
    " (SELECT k.cutoff FROM pace k WHERE k.zone_id = s.zone_id AND k.every = s.pace) END)"
    # At the first tick after the slot nobody has waited: a cron that comes once a day, before the slot's hour, sees
    # each slot a day late, and would else find the gap in the way of every second one.
    " AND (s.handed_over_at IS NULL OR s.handed_over_at < z.day_end - :gap OR z.slot > :tick_before)"
)
_AT_SLOT = (
    "({at_once} AND s.active_since <= :at AND COALESCE(p.release_at, 0) <= :at) OR"
    f" ({_IN_SLOT} AND z.slot >= COALESCE(p.release_at, 0) AND z.slot >= COALESCE(p.present_from, 0))"
)
# What of it needs no post, first: it spares nearly everybody the search for one.
_MAYBE = f"(({{at_once}} AND s.active_since <= :at) OR ({_IN_SLOT}))"
_SLOT = "CASE WHEN {at_once} THEN s.active_since ELSE z.slot END"
# Level: everything below was handed over before this post came out.
_LEVEL = (
    "p.release_at IS NOT NULL AND p.release_at >= s.active_since AND p.release_at >= COALESCE(s.handed_over_at, 0)"
    " AND p.release_at >= :at - :max_lateness"
)
_AT_RELEASE = "p.release_at <= :at AND COALESCE(s.not_before, 0) <= :at"

_AGAIN = f"(r.late = 1 OR p.id = {_IN_ORDER})"
_DUE = {
    Mode.SEQUENCE: {"candidate": _IN_ORDER, "again": _AGAIN, "maybe": _MAYBE, "due": _AT_SLOT, "slot": _SLOT},
    Mode.BROADCAST: {"candidate": _NEWS, "again": "TRUE", "maybe": "TRUE", "due": _AT_RELEASE, "slot": "p.release_at"},
    Mode.HYBRID: {
        "candidate": _IN_ORDER,
        "again": _AGAIN,
        "maybe": "TRUE",
        "due": f"CASE WHEN {_LEVEL} THEN ({_AT_RELEASE}) ELSE ({_AT_SLOT}) END",
        "slot": f"CASE WHEN {_LEVEL} THEN p.release_at ELSE {_SLOT} END",
    },
}
# Of those whom the planner looks at at all, see `stirring`.
_AMONG = {
    "sqlite": "s.id IN (SELECT value FROM json_each(:ids))",
    "postgresql": "s.id = ANY(CAST(:ids AS BIGINT[]))",
}
_READY = (
    "{only} AND s.status = 'active' AND s.pauses = 0"
    " AND (s.handed_over_at IS NULL OR s.handed_over_at <= :at - :gap)"
    f" AND NOT EXISTS (SELECT 1 FROM delivery o WHERE o.subscriber_id = s.id AND o.open = 1 {_BY_INDEX})"
)
# When it fell due; and when it could leave at the earliest: a late one with the next daytime.
_FELL_DUE = "{greatest}({slot}, COALESCE(s.handed_over_at + :gap, 0))"
_NOT_BEFORE = "{greatest}(" + _FELL_DUE + ", CASE WHEN :at - ({slot}) > :prompt THEN z.opens ELSE 0 END)"
MATCHES = (
    "(NOT EXISTS (SELECT 1 FROM audience a WHERE a.post_id = p.id) OR EXISTS"
    " (SELECT 1 FROM audience a WHERE a.post_id = p.id AND s.tags LIKE a.pattern ESCAPE '\\'))"
)
# Every reader with their next post. PostgreSQL would search for that once for each post there is, were it not kept
# apart by OFFSET.
_READERS = {
    "sqlite": "subscriber s JOIN zone z ON z.id = s.zone_id JOIN post p ON p.id = {candidate} AND "
    + _READY
    + " AND {maybe}",
    "postgresql": "(SELECT s.*, {candidate} AS next FROM subscriber s JOIN zone z ON z.id = s.zone_id WHERE "
    + _READY
    + " AND {maybe} OFFSET 0) AS s JOIN zone z ON z.id = s.zone_id JOIN post p ON p.id = s.next",
}
_INSERT = (
    "INSERT INTO delivery (post_id, subscriber_id, epoch, copy, number, state, open, reason, slot, not_before,"
    " planned_at)"
    " SELECT p.id, s.id, s.epoch, 0, p.number,"
    " CASE WHEN {matches} THEN 'planned' ELSE 'skipped' END, CASE WHEN {matches} THEN 1 END,"
    f" CASE WHEN {{matches}} THEN '' ELSE 'audience' END, {{slot}}, {_NOT_BEFORE}, :at"
    " FROM {readers} WHERE p.standing = 'live' AND ({due}) AND " + _FELL_DUE + " >= :earliest"
    " ORDER BY s.id"
    " ON CONFLICT (post_id, subscriber_id, epoch, copy) DO NOTHING"
)
# What is passed over holds nobody: rows that wait for another attempt, also of a doubt that outlived its post.
_WITHDRAW_PASSED = text(
    "UPDATE delivery SET state = 'withdrawn', reason = CASE WHEN p.status = 'retracted' THEN 'retracted' ELSE 'passed"
    " over' END,"
    " open = NULL, reopen = CASE WHEN p.status = 'retracted' THEN 0 ELSE 1 END"
    " FROM post p WHERE p.id = delivery.post_id AND p.standing = 'absent' AND delivery.open = 1"
    " AND delivery.state IN ('planned', 'deferred')"
)
_WITHDRAW_INACTIVE = (
    "UPDATE delivery SET state = 'withdrawn', reason = 'left or paused', open = NULL, reopen = 1 FROM subscriber s"
    " WHERE s.id = delivery.subscriber_id AND {only} AND NOT (s.status = 'active' AND s.pauses = 0)"
    " AND delivery.open = 1 AND delivery.state IN ('planned', 'deferred')"
)
# The row comes back with a new attempt's bytes: what was withdrawn never left, what was refused never arrived. Only
# what was sent again after doubt may have: it keeps its bytes, since its Message-ID may be in the reader's mailbox.
_REOPEN = (
    "UPDATE delivery SET state = 'planned', open = 1, reopen = 0, reason = '', slot = due.slot, not_before ="
    " due.not_before, number = due.number,"
    " planned_at = :at, about = NULL,"
    " revision = CASE WHEN resent = 1 THEN revision END, date = CASE WHEN resent = 1 THEN date END,"
    " recipient = CASE WHEN resent = 1 THEN recipient END, content = CASE WHEN resent = 1 THEN content END"
    f" FROM (SELECT r.id AS id, {{slot}} AS slot, {_NOT_BEFORE} AS not_before, p.number AS number"
    "   FROM delivery r JOIN subscriber s ON s.id = r.subscriber_id AND s.epoch = r.epoch"
    "   JOIN zone z ON z.id = s.zone_id JOIN post p ON p.id = r.post_id"
    f"  WHERE r.reopen = 1 AND {_READY} AND p.standing = 'live'"
    "   AND {again}"
    "   AND NOT EXISTS (SELECT 1 FROM delivery e JOIN post q ON q.id = e.post_id WHERE e.subscriber_id = s.id"
    "     AND e.reopen = 1 AND e.epoch = s.epoch AND q.standing <> 'absent' AND q.number < p.number)"
    "   AND ({due})) AS due"
    " WHERE delivery.id = due.id RETURNING delivery.post_id"
)
# News withdrawn for a reader who came back when it was old.
_STALE = text(
    "UPDATE delivery SET state = 'skipped', reason = 'stale', reopen = 0 WHERE reopen = 1"
    " AND post_id IN (SELECT id FROM post WHERE release_at < :at - :max_lateness)"
)
_IS_LATE = (
    "id > :start AND state = 'planned' AND slot < :previous AND NOT EXISTS (SELECT 1 FROM subscriber s"
    " WHERE s.id = delivery.subscriber_id AND s.handed_over_at + :gap >= :previous)"
)
_LATE = text(f"SELECT COUNT(*) FROM delivery WHERE {_IS_LATE}")
_TAKE_BACK = text(f"DELETE FROM delivery WHERE {_IS_LATE}")
_COUNT = text("SELECT post_id, state, COUNT(*) FROM delivery WHERE id > :start GROUP BY post_id, state")
_FREEZE = text(
    "UPDATE post SET frozen_at = :at WHERE frozen_at IS NULL AND standing = 'live' AND release_at IS NOT NULL AND"
    " release_at <= :at"
)
