"""The statements of merging.

One statement per verb, the same for both databases. Values are bound; what is formatted in is named in braces.
"""

from __future__ import annotations

from sqlalchemy import text

from newsletter.store.ledger_sql import BY_ANOTHER, CAME_BACK

_BOTH = "d.post_id IN (SELECT id FROM post) AND d.subscriber_id IN (:keep, :gone)"  # by the unique key, post by post
THEIRS = f"SELECT d.id FROM delivery d WHERE {_BOTH} ORDER BY d.id"
IN_DOUBT = text(
    "SELECT s.address, d.number, d.state FROM delivery d JOIN subscriber s ON s.id = d.subscriber_id"
    f" WHERE {_BOTH} AND (d.state IN ('claimed', 'submitting', 'uncertain') OR (d.open = 1 AND d.resent = 1))"
    " ORDER BY d.id"
)
_TAKEN_BACK = (
    "state = CASE WHEN open = 1 THEN 'withdrawn' ELSE state END,"
    " reason = CASE WHEN open = 1 OR state = 'withdrawn' THEN 'merged' ELSE reason END, open = NULL, reopen = 0,"
    " lease_until = NULL"
)
WITHDRAW_GONE = text(
    f"UPDATE delivery SET {_TAKEN_BACK}"
    " WHERE post_id IN (SELECT id FROM post) AND subscriber_id = :gone AND (open = 1 OR reopen = 1)"
)
# What the other had, under whatever beginning: accepted and not come back, or had by a record merged into that one.
_HAD = (
    "SELECT d.post_id, MAX(d.number) AS number, MAX(d.revision) AS revision FROM delivery d"
    " WHERE d.post_id IN (SELECT id FROM post) AND d.subscriber_id = :gone"
    f" AND ((d.state = 'accepted' AND NOT {CAME_BACK.format(d='d')}) OR {BY_ANOTHER.format(d='d')})"
    " GROUP BY d.post_id"
)
WITHDRAW_HAD = text(
    f"UPDATE delivery SET {_TAKEN_BACK} WHERE subscriber_id = :keep AND (open = 1 OR reopen = 1)"
    f" AND post_id IN (SELECT h.post_id FROM ({_HAD}) AS h)"
)
# What had passed this one by, and might be reopened for those whom it did.
PASSED_BY = text(
    "UPDATE delivery SET reason = 'merged', reopen = 0, late = 0, revision = h.revision"
    f" FROM ({_HAD}) AS h WHERE delivery.subscriber_id = :keep AND delivery.post_id = h.post_id"
    " AND delivery.state = 'skipped' RETURNING delivery.number"
)
# One row for each other post that the other had and this one, since they last began, had not.
MARK = text(
    "INSERT INTO delivery (post_id, subscriber_id, epoch, copy, number, state, reason, revision, slot, not_before,"
    " planned_at)"
    " SELECT h.post_id, s.id, s.epoch, COALESCE((SELECT MAX(m.copy) + 1 FROM delivery m WHERE m.post_id = h.post_id"
    "  AND m.subscriber_id = s.id AND m.epoch = s.epoch), 0), h.number, 'skipped', 'merged', h.revision, :at, :at, :at"
    f" FROM ({_HAD}) AS h JOIN subscriber s ON s.id = :keep"
    " WHERE NOT EXISTS (SELECT 1 FROM delivery d WHERE d.post_id = h.post_id AND d.subscriber_id = s.id"
    f"  AND d.epoch = s.epoch AND ((d.state = 'accepted' AND NOT {CAME_BACK.format(d='d')})"
    f"   OR {BY_ANOTHER.format(d='d')}))"
    " RETURNING post_id, number, copy"
)
PROMISE = text("INSERT INTO promise (at, post_id, kind, count) VALUES (:at, :post, :kind, 1)")
_PLACE = "COALESCE((SELECT h.number FROM post h WHERE h.id = {s}.high_water), {s}.floor)"
_LATER = "CASE WHEN COALESCE(g.{0}, 0) > COALESCE(s.{0}, 0) THEN g.{0} ELSE s.{0} END"
_FURTHER = f"{_PLACE.format(s='g')} > {_PLACE.format(s='s')}"
TAKE_OVER = text(
    f"UPDATE subscriber AS s SET high_water = CASE WHEN {_FURTHER} THEN g.high_water ELSE s.high_water END,"
    f" floor = CASE WHEN {_FURTHER} THEN {_PLACE.format(s='g')} ELSE s.floor END,"
    + "".join(f" {column} = {_LATER.format(column)}," for column in ("handed_over_at", "anchor_at", "not_before"))
    + " pauses = s.pauses | (g.pauses & :pauses),"
    " name = :name, zone_id = :zone, tags = :tags, language = :language, own_fields = :own,"
    " in_file = CASE WHEN g.in_file = 1 THEN 1 ELSE s.in_file END"
    " FROM subscriber g WHERE s.id = :keep AND g.id = :gone"
)
MERGE = text("INSERT INTO merged (subscriber_id, into_id, at) VALUES (:gone, :keep, :at)")
LEAVE_FILE = text("UPDATE subscriber SET in_file = 0 WHERE id = :gone")
FLATTEN = text("UPDATE merged SET into_id = :keep WHERE into_id = :gone")
MERGED_INTO = text(
    "SELECT s.address FROM merged m JOIN subscriber s ON s.id = m.subscriber_id WHERE m.into_id = :id"
    " ORDER BY m.at, s.id"
)
