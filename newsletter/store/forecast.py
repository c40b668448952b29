"""What will leave when, if nothing changes: the real planner, run ahead on a copy in memory.

The rules stand once, in `planning`; a forecast plans instant after instant and takes every message for
accepted as soon as the ledger would let it go. A large list is folded: readers whom the planner can't tell
apart become one with a weight, so that ten million take no longer than the ways in which they differ.
Recent hand-overs are rounded up to `_ROUND` when there are many readers; the forecast is then exact to that,
and a reader whose tags changed after a post had passed them by may be counted for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from heapq import heappop, heappush
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from newsletter.config import Identity, Rules
from newsletter.sequence import DAY, DAYTIME, PROMPT, next_slot, slot_on
from newsletter.store import Store, facts
from newsletter.store.planning import plan_within
from newsletter.store.schema import HOME_ZONE, instant, metadata, micros

_FOLD_FROM = 5_000  # readers
_ROUND = timedelta(minutes=10)
_COPIED = ("zone", "post", "audience")
_FACTS = ("resumed_at", "holds")  # what of `meta` the planner heeds
_MOMENTS_MAX = 500  # of gaps that end, per forecast


@dataclass(frozen=True, slots=True)
class Expected:
    """So many messages of one post at one instant."""

    at: datetime
    post: int
    count: int


def forecast(
    store: Store,
    identity: Identity,
    rules: Rules,
    *,
    at: datetime,
    days: int,
    reader: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Expected]:
    """What leaves from *at* on within *days*, for everybody or for one *reader* (id), in order of time."""
    memory = Store.in_memory()
    with store.read() as source, memory.write() as target:
        _copy(source, target, reader)
        previous: int | None = facts.read(source, "last_tick")
    with memory.write() as c:
        expected = _Ahead(c, identity, rules, at, at + timedelta(days=days), previous).run(progress)
    memory.close()
    return [Expected(when, post, count) for (when, post), count in sorted(expected.items())]


def leaving(store: Store, *, at: datetime) -> dict[int, int]:
    """How many of each post, by number, would leave at *at* of what is planned, whenever that was."""
    with store.read() as c:
        values = {"at": micros(at), "late": micros(at - PROMPT)}
        return {row.number: row.n for row in c.execute(_LEAVING_NOW, values)}


def _copy(source: Connection, target: Connection, reader: int | None) -> None:
    for name in _COPIED:
        copied = [dict(row) for row in source.execute(metadata.tables[name].select()).mappings()]
        if copied:
            target.execute(metadata.tables[name].insert(), copied)
    target.execute(text("INSERT INTO meta (key, value) VALUES ('generation', '0')"))
    for key in _FACTS:
        value = source.scalar(text("SELECT value FROM meta WHERE key = :key"), {"key": key})
        if value is not None:
            target.execute(text("INSERT INTO meta (key, value) VALUES (:key, :value)"), {"key": key, "value": value})
    target.exec_driver_sql("CREATE TABLE weight (subscriber_id INTEGER PRIMARY KEY, n INTEGER NOT NULL)")
    values = {"round": _ROUND // timedelta(microseconds=1), "reader": reader or 0}
    many = reader is None and int(source.scalar(text("SELECT COUNT(*) FROM subscriber")) or 0) > _FOLD_FROM
    only = " AND s.id = :reader" if reader is not None else ""
    rows = source.execute(text((_FOLDED if many else _SINGLE) + only + (_FOLDED_END if many else "")), values)
    for batch in rows.mappings().partitions(2_000):
        readers = [dict(r) for r in batch]
        target.execute(_READER, readers)
        target.execute(text("INSERT INTO weight VALUES (:id, :n)"), readers)
        if under_way := [r for r in readers if r["open_post"] is not None]:
            target.execute(_UNDER_WAY, under_way)
    special = source.execute(text((_SPECIAL if many else _SETTLED) + only), values).mappings()
    for some in special.partitions(2_000):
        target.execute(_DELIVERY, [dict(r) for r in some])


class _Ahead:
    """Plans from moment to moment; what happens in one makes later ones."""

    def __init__(
        self, c: Connection, identity: Identity, rules: Rules, start: datetime, end: datetime, previous: int | None
    ) -> None:
        self.c, self.identity, self.rules, self.start, self.end = c, identity, rules, start, end
        self.previous = previous  # the last tick there was
        self.heap: list[datetime] = []
        self.zones: dict[int, tzinfo] = {
            key: identity.timezone if key == HOME_ZONE else ZoneInfo(name) for key, name in c.execute(_ZONES)
        }

    def run(self, progress: Callable[[int, int], None]) -> dict[tuple[datetime, int], int]:
        for moment in {self.start, *self._slots(), *self._others()}:
            heappush(self.heap, moment)
        expected: dict[tuple[datetime, int], int] = {}
        done, last = 0, None
        while self.heap:
            moment = heappop(self.heap)
            if moment == last:
                continue
            last, done = moment, done + 1
            progress(done, done + len(self.heap))
            previous = self.previous if moment == self.start else None
            self.c.execute(_PASS_OVER, {"before": micros(moment - self.rules.hold_for)})
            plan_within(self.c, self.identity, self.rules, at=moment, previous=previous)
            for post, count in self._accept(moment):
                expected[moment, post] = expected.get((moment, post), 0) + count
            for later in self._waits(moment):
                heappush(self.heap, later)
        return expected

    def _slots(self) -> Iterator[datetime]:
        for zone in self.zones.values():
            moment = self.start
            while (slot := next_slot(moment, zone, self.rules)) is not None and slot <= self.end:
                yield slot
                moment = slot + timedelta(seconds=1)

    def _others(self) -> Iterator[datetime]:
        """Publications, gaps that are running, and drafts that readers no longer wait for."""
        gap, hold = (span // timedelta(microseconds=1) for span in (self.rules.min_gap, self.rules.hold_for))
        values = {"start": micros(self.start), "end": micros(self.end), "gap": gap, "hold": hold, "most": _MOMENTS_MAX}
        for (when,) in self.c.execute(_OTHER_MOMENTS, values):
            yield instant(when)

    def _accept(self, at: datetime) -> list[tuple[int, int]]:
        """Take for accepted what the ledger would let go at *at*: (number, count)."""
        values = {"at": micros(at), "late": micros(at - PROMPT)}
        found = [(row.number, row.n) for row in self.c.execute(_LEAVING, values)]
        if found:
            self.c.execute(_ADVANCE, values)
            self.c.execute(_ACCEPT, values)
            over = at + self.rules.min_gap
            if over <= self.end:
                heappush(self.heap, over)
        return found

    def _waits(self, at: datetime) -> Iterator[datetime]:
        """When what is planned and could not leave at *at* may: its time comes, quiet hours end, the day begins."""
        for zone, when in self.c.execute(_WAITING).all():
            moment = max(instant(when), at)
            hours = [DAYTIME[0], *([self.rules.quiet_hours[1]] if self.rules.quiet_hours else [])]
            day = moment.astimezone(self.zones[zone]).date()
            candidates = [slot_on(d, self.zones[zone], hour) for d in (day, day + DAY) for hour in hours]
            for later in (moment, *candidates):
                if later is not None and at < later <= self.end and later >= moment:
                    yield later


# One row a reader, or one a kind of reader, with the delivery that is under way.
_FIELDS = (
    "s.zone_id, s.tags, s.status, s.epoch, s.high_water, s.floor, {active} AS active_since, {before} AS not_before,"
    " {anchor} AS anchor_at, {handed} AS handed_over_at,"
    " o.post_id AS open_post, o.number AS open_number, o.copy AS open_copy, o.late AS open_late, o.slot AS open_slot,"
    " {leaves} AS open_from, s.pace"
)
_FROM = " FROM subscriber s LEFT JOIN delivery o ON o.subscriber_id = s.id AND o.open = 1"
_ACTIVE = "s.status = 'active' AND s.pauses = 0"
_PLAIN = {
    "active": "s.active_since",
    "before": "s.not_before",
    "anchor": "s.anchor_at",
    "handed": "s.handed_over_at",
    "leaves": "o.not_before",
}
_SINGLE = f"SELECT s.id, 1 AS n, {_FIELDS.format(**_PLAIN)}{_FROM} WHERE {_ACTIVE}"
_UP = "(({column} + :round - 1) / :round) * :round"
# Rows that the position does not tell: refused, doubtful, or waiting to come back. Who has some stands alone.
_APART = "(d.reopen = 1 OR d.state IN ('uncertain', 'quarantined', 'rejected'))"
_FOLDED = (
    f"SELECT MIN(s.id) AS id, COUNT(*) AS n, COALESCE(x.subscriber_id, 0) AS apart,"
    f" {_FIELDS.format(**{k: _UP.format(column=v) for k, v in _PLAIN.items()})}{_FROM}"
    f" LEFT JOIN (SELECT DISTINCT d.subscriber_id FROM delivery d WHERE {_APART}) x ON x.subscriber_id = s.id WHERE"
    f" {_ACTIVE}"
)
_FOLDED_END = " GROUP BY 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20"
_READER = text(
    "INSERT INTO subscriber (id, token, address, key, zone_id, tags, status, created_at, active_since, not_before,"
    " epoch, high_water,"
    " floor, anchor_at, handed_over_at, pace) VALUES (:id, :id, '', :id, :zone_id, :tags, :status, 0, :active_since,"
    " :not_before, :epoch,"
    " :high_water, :floor, :anchor_at, :handed_over_at, :pace)"
)
_UNDER_WAY = text(
    "INSERT INTO delivery (post_id, subscriber_id, epoch, copy, number, late, state, open, slot, not_before,"
    " planned_at)"
    " VALUES (:open_post, :id, :epoch, :open_copy, :open_number, :open_late, 'planned', 1, :open_slot, :open_from, 0)"
)
_ROWS = (
    "SELECT d.post_id, d.subscriber_id, d.epoch, d.copy, d.number, d.late, d.state, d.reopen, d.reason FROM delivery d"
    f" JOIN subscriber s ON s.id = d.subscriber_id JOIN post p ON p.id = d.post_id WHERE {_ACTIVE} AND d.open IS NULL"
)
_SPECIAL = f"{_ROWS} AND {_APART}"
_SETTLED = (
    f"{_ROWS} AND ({_APART} OR p.number > COALESCE((SELECT h.number FROM post h WHERE h.id = s.high_water), s.floor))"
)
_DELIVERY = text(
    "INSERT INTO delivery (post_id, subscriber_id, epoch, copy, number, late, state, reopen, reason, slot,"
    " not_before, planned_at)"
    " VALUES (:post_id, :subscriber_id, :epoch, :copy, :number, :late, :state, :reopen, :reason, 0, 0, 0)"
)
_ZONES = text("SELECT DISTINCT z.id, z.name FROM zone z JOIN subscriber s ON s.zone_id = z.id")
# As the catalogue lets a once live post go.
_AWAITED = "status = 'draft' AND standing = 'blocks'"
_PASS_OVER = text(f"UPDATE post SET standing = 'absent' WHERE {_AWAITED} AND off_since <= :before")
_OTHER_MOMENTS = text(
    "SELECT DISTINCT m FROM (SELECT release_at AS m FROM post UNION SELECT handed_over_at + :gap FROM subscriber"
    f" UNION SELECT off_since + :hold FROM post WHERE {_AWAITED})"
    " WHERE m > :start AND m <= :end ORDER BY m LIMIT :most"
)
# As the ledger claims.
_MAY_LEAVE = (
    "SELECT d.id FROM delivery d JOIN subscriber s ON s.id = d.subscriber_id JOIN zone z ON z.id = s.zone_id"
    " JOIN post p ON p.id = d.post_id WHERE d.open = 1 AND d.state IN ('planned', 'deferred') AND d.not_before <= :at"
    f" AND {_ACTIVE} AND COALESCE(s.not_before, 0) <= :at AND z.quiet = 0 AND (z.daytime = 1 OR d.slot >= :late)"
    " AND p.standing = 'live'"
)
_LEAVING = text(
    "SELECT p.number, SUM(w.n) AS n FROM delivery d JOIN weight w ON w.subscriber_id = d.subscriber_id"
    f" JOIN post p ON p.id = d.post_id WHERE d.id IN ({_MAY_LEAVE}) GROUP BY p.number"
)
_LEAVING_NOW = text(
    "SELECT p.number, COUNT(*) AS n FROM delivery d JOIN post p ON p.id = d.post_id"
    f" WHERE d.id IN ({_MAY_LEAVE}) GROUP BY p.number"
)
_ADVANCE = text(
    "UPDATE subscriber SET handed_over_at = :at, anchor_at = CASE WHEN d.copy = 0 THEN :at ELSE anchor_at END,"
    " high_water = CASE WHEN d.late = 1 OR d.copy > 0 THEN high_water ELSE d.post_id END"
    f" FROM delivery d WHERE d.subscriber_id = subscriber.id AND d.id IN ({_MAY_LEAVE})"
)
_ACCEPT = text(f"UPDATE delivery SET state = 'accepted', open = NULL WHERE id IN ({_MAY_LEAVE})")
_WAITING = text(
    "SELECT DISTINCT s.zone_id, d.not_before FROM delivery d JOIN subscriber s ON s.id = d.subscriber_id"
    " JOIN post p ON p.id = d.post_id WHERE d.open = 1 AND p.standing = 'live'"
)
