"""What will leave when, if nothing changes: the real planner, run ahead on a copy in memory.

The rules stand once, in `planning`; a forecast plans instant after instant and takes every message for
accepted. A large list is folded: readers whom the planner can't tell apart become one with a weight, so
that ten million take no longer than the ways in which they differ. Recent hand-overs are rounded up to
`_ROUND` when there are many readers; the forecast is then exact to that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from newsletter.config import Identity, Rules
from newsletter.sequence import next_slot
from newsletter.store import Store
from newsletter.store.planning import plan_within
from newsletter.store.schema import HOME_ZONE, instant, metadata, micros

_FOLD_FROM = 5_000  # readers
_ROUND = timedelta(minutes=10)
_COPIED = ("zone", "post", "audience")
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
        _copy(source, target, at, reader)
    with memory.write() as c:
        expected = dict(_under_way(c, at))
        moments = sorted(_moments(c, identity, rules, at, at + timedelta(days=days)))
        for done, moment in enumerate(moments):
            progress(done, len(moments))
            plan_within(c, identity, rules, at=moment)
            for key, count in _accept(c, moment):
                expected[key] = expected.get(key, 0) + count
    memory.close()
    return [Expected(instant(when), post, count) for (when, post), count in sorted(expected.items())]


def _copy(source: Connection, target: Connection, at: datetime, reader: int | None) -> None:
    for name in _COPIED:
        copied = [dict(row) for row in source.execute(metadata.tables[name].select()).mappings()]
        if copied:
            target.execute(metadata.tables[name].insert(), copied)
    resumed = source.scalar(text("SELECT value FROM meta WHERE key = 'resumed_at'"))
    target.execute(text("INSERT INTO meta (key, value) VALUES ('generation', '0')"))
    if resumed:
        target.execute(text("INSERT INTO meta (key, value) VALUES ('resumed_at', :v)"), {"v": resumed})
    target.exec_driver_sql("CREATE TABLE weight (subscriber_id INTEGER PRIMARY KEY, n INTEGER NOT NULL, under_way INTEGER)")
    values = {"at": micros(at), "round": _ROUND // timedelta(microseconds=1), "reader": reader or 0}
    many = reader is None and int(source.scalar(text("SELECT COUNT(*) FROM subscriber")) or 0) > _FOLD_FROM
    only = " AND s.id = :reader" if reader is not None else ""
    rows = source.execute(text((_FOLDED if many else _SINGLE) + only + (_FOLDED_END if many else "")), values)
    for batch in rows.mappings().partitions(2_000):
        target.execute(_READER, [dict(r) for r in batch])
        target.execute(text("INSERT INTO weight VALUES (:id, :n, :under_way)"), [dict(r) for r in batch])
    special = source.execute(text(_SPECIAL + only), values).mappings()
    for some in special.partitions(2_000):
        target.execute(_DELIVERY, [dict(r) for r in some])


def _under_way(c: Connection, at: datetime) -> Iterator[tuple[tuple[int, int], int]]:
    """What is planned already leaves with the next tick, or when its time comes."""
    rows = c.execute(text("SELECT MAX(w.under_way, :at), p.number, SUM(w.n) FROM weight w JOIN subscriber s ON s.id = w.subscriber_id"
                          " JOIN post p ON p.id = s.high_water WHERE w.under_way IS NOT NULL GROUP BY 1, 2"), {"at": micros(at)})  # fmt: skip
    for when, number, count in rows:
        yield (when, number), count


def _moments(c: Connection, identity: Identity, rules: Rules, start: datetime, end: datetime) -> set[datetime]:
    """Every instant at which somebody may fall due: slots, publications, gaps that end, and now."""
    found = {start}
    zones = c.execute(text("SELECT DISTINCT z.id, z.name FROM zone z JOIN subscriber s ON s.zone_id = z.id"))
    for key, name in zones:
        zone = identity.timezone if key == HOME_ZONE else ZoneInfo(name)
        moment = start
        while (slot := next_slot(moment, zone, rules)) is not None and slot <= end:
            found.add(slot)
            moment = slot + timedelta(seconds=1)
    values = {"start": micros(start), "end": micros(end), "gap": rules.min_gap // timedelta(microseconds=1), "most": _MOMENTS_MAX}
    for (when,) in c.execute(_OTHER_MOMENTS, values):
        found.add(instant(when))
    return found


def _accept(c: Connection, at: datetime) -> list[tuple[tuple[int, int], int]]:
    """Take what was planned for accepted as soon as it could leave."""
    found = [((r[0], r[1]), r[2]) for r in c.execute(_PLANNED, {"at": micros(at)})]
    if found:
        c.execute(_ADVANCE, {"at": micros(at)})
        c.execute(text("UPDATE delivery SET state = 'accepted', open = NULL WHERE open = 1"))
    return found


# One row a reader, or one a kind of reader. An open delivery counts as handed over when it can leave.
_FIELDS = (
    "s.zone_id, s.tags, s.status, s.epoch, COALESCE(o.post_id, s.high_water) AS high_water, s.floor,"
    " {active} AS active_since, {before} AS not_before, {anchor} AS anchor_at, {handed} AS handed_over_at, o.not_before AS under_way"
)
_FROM = " FROM subscriber s LEFT JOIN delivery o ON o.subscriber_id = s.id AND o.open = 1 WHERE s.status = 'active' AND s.pauses = 0"
_PENDING = "CASE WHEN o.not_before > :at THEN o.not_before WHEN o.id IS NOT NULL THEN :at ELSE {column} END"
_SINGLE = (
    "SELECT s.id, 1 AS n, "
    + _FIELDS.format(
        active="s.active_since", before="s.not_before", anchor=_PENDING.format(column="s.anchor_at"),
        handed=_PENDING.format(column="s.handed_over_at"),
    )
    + _FROM
)  # fmt: skip
_UP = "(({column} + :round - 1) / :round) * :round"
_KEYS = _FIELDS.format(
    active=_UP.format(column="s.active_since"), before=_UP.format(column="s.not_before"),
    anchor=_UP.format(column=f"({_PENDING.format(column='s.anchor_at')})"),
    handed=_UP.format(column=f"({_PENDING.format(column='s.handed_over_at')})"),
)  # fmt: skip
_FOLDED = f"SELECT MIN(s.id) AS id, COUNT(*) AS n, {_KEYS}{_FROM}"
_FOLDED_END = " GROUP BY 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13"
_READER = text(
    "INSERT INTO subscriber (id, token, address, key, zone_id, tags, status, created_at, active_since, not_before, epoch, high_water,"
    " floor, anchor_at, handed_over_at) VALUES (:id, :id, '', :id, :zone_id, :tags, :status, 0, :active_since, :not_before, :epoch,"
    " :high_water, :floor, :anchor_at, :handed_over_at)"
)
# Rows that the position does not tell: refused, doubtful, or waiting to come back.
_SPECIAL = (
    "SELECT d.id, d.post_id, d.subscriber_id, d.epoch, d.copy, d.number, d.late, d.state, d.reopen, d.reason FROM delivery d"
    " JOIN subscriber s ON s.id = d.subscriber_id WHERE s.status = 'active' AND s.pauses = 0 AND d.open IS NULL"
    " AND (d.reopen = 1 OR d.state IN ('uncertain', 'quarantined', 'rejected'))"
)
_DELIVERY = text(
    "INSERT INTO delivery (id, post_id, subscriber_id, epoch, copy, number, late, state, reopen, reason, slot, not_before, planned_at)"
    " SELECT :id, :post_id, :subscriber_id, :epoch, :copy, :number, :late, :state, :reopen, :reason, 0, 0, 0"
    " WHERE :subscriber_id IN (SELECT id FROM subscriber)"
)
_OTHER_MOMENTS = text(
    "SELECT DISTINCT m FROM (SELECT release_at AS m FROM post UNION SELECT handed_over_at + :gap FROM subscriber)"
    " WHERE m > :start AND m <= :end ORDER BY m LIMIT :most"
)
_PLANNED = text(
    "SELECT MAX(d.not_before, :at), d.number, SUM(w.n) FROM delivery d JOIN weight w ON w.subscriber_id = d.subscriber_id"
    " WHERE d.open = 1 GROUP BY 1, 2"
)
_ADVANCE = text(
    "UPDATE subscriber SET handed_over_at = MAX(d.not_before, :at), anchor_at = MAX(d.not_before, :at),"
    " high_water = CASE WHEN d.late = 1 THEN high_water ELSE d.post_id END"
    " FROM delivery d WHERE d.subscriber_id = subscriber.id AND d.open = 1"
)
