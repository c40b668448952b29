"""The planner's statements: who is due for which post.

One statement per verb, the same for both databases. Values are bound; what is formatted in is named in braces.
"""

from __future__ import annotations

from sqlalchemy import text

from newsletter.config import Mode

HOME_ZONE = text(
    "INSERT INTO zone (id, name, slot, cutoff, day_end, opens) VALUES (:id, '', :never, :never, :never, :never)"
    " ON CONFLICT (id) DO NOTHING"
)
SET_ZONE = text(
    "UPDATE zone SET slot = :slot, cutoff = :cutoff, day_end = :day_end, opens = :opens, daytime = :daytime, quiet ="
    " :quiet"
    " WHERE id = :id"
)
PACES = text(
    "SELECT z.id, z.name, k.pace FROM (SELECT DISTINCT zone_id, pace FROM subscriber WHERE pace > 0) k"
    " JOIN zone z ON z.id = k.zone_id"
)
SET_PACE = text(
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
AT_ONCE = "(s.handed_over_at IS NULL AND s.high_water IS NULL AND s.not_before IS NULL)"
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
DUE = {
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
AMONG = {
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
# Every reader with their next post. PostgreSQL would search for that once for each post there is, or go through all
# readers once for each, were both not kept apart by OFFSET.
READERS = {
    "sqlite": "subscriber s JOIN zone z ON z.id = s.zone_id JOIN post p ON p.id = {candidate} AND "
    + _READY
    + " AND {maybe}",
    "postgresql": "(SELECT s.*, {candidate} AS next FROM subscriber s JOIN zone z ON z.id = s.zone_id WHERE "
    + _READY
    + " AND {maybe} OFFSET 0) AS s JOIN zone z ON z.id = s.zone_id"
    " CROSS JOIN LATERAL (SELECT * FROM post WHERE post.id = s.next OFFSET 0) AS p",
}
INSERT = (
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
WITHDRAW_PASSED = text(
    "UPDATE delivery SET state = 'withdrawn', reason = CASE WHEN p.status = 'retracted' THEN 'retracted' ELSE 'passed"
    " over' END,"
    " open = NULL, reopen = CASE WHEN p.status = 'retracted' THEN 0 ELSE 1 END"
    " FROM post p WHERE p.id = delivery.post_id AND p.standing = 'absent' AND delivery.open = 1"
    " AND delivery.state IN ('planned', 'deferred')"
)
WITHDRAW_INACTIVE = (
    "UPDATE delivery SET state = 'withdrawn', reason = 'left or paused', open = NULL, reopen = 1 FROM subscriber s"
    " WHERE s.id = delivery.subscriber_id AND {only} AND NOT (s.status = 'active' AND s.pauses = 0)"
    " AND delivery.open = 1 AND delivery.state IN ('planned', 'deferred')"
)
# The row comes back with a new attempt's bytes: what was withdrawn never left, what was refused never arrived. Only
# what was sent again after doubt may have: it keeps its bytes, since its Message-ID may be in the reader's mailbox.
REOPEN = (
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
STALE = text(
    "UPDATE delivery SET state = 'skipped', reason = 'stale', reopen = 0 WHERE reopen = 1"
    " AND post_id IN (SELECT id FROM post WHERE release_at < :at - :max_lateness)"
)
_IS_LATE = (
    "id > :start AND state = 'planned' AND slot < :previous AND NOT EXISTS (SELECT 1 FROM subscriber s"
    " WHERE s.id = delivery.subscriber_id AND s.handed_over_at + :gap >= :previous)"
)
LATE = text(f"SELECT COUNT(*) FROM delivery WHERE {_IS_LATE}")
TAKE_BACK = text(f"DELETE FROM delivery WHERE {_IS_LATE}")
COUNT = text("SELECT post_id, state, COUNT(*) FROM delivery WHERE id > :start GROUP BY post_id, state")
FREEZE = text(
    "UPDATE post SET frozen_at = :at WHERE frozen_at IS NULL AND standing = 'live' AND release_at IS NOT NULL AND"
    " release_at <= :at"
)
