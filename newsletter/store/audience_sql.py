"""The audience's statements.

One statement per verb, the same for both databases. Values are bound; what is formatted in is named in braces.
"""

from __future__ import annotations

from sqlalchemy import text

START_OVER = text(
    "UPDATE subscriber SET epoch = epoch + 1, high_water = NULL, anchor_at = NULL, handed_over_at = NULL, not_before"
    " = :at,"
    " active_since = CASE WHEN active_since IS NULL THEN NULL ELSE :at END"
)
READERS = (
    "SELECT s.*, CASE WHEN s.zone_id = 1 THEN '' ELSE z.name END AS zone,"
    " COALESCE((SELECT p.number FROM post p WHERE p.id = s.high_water), s.floor) AS position"
    " FROM subscriber s JOIN zone z ON z.id = s.zone_id WHERE {where} ORDER BY s.id"
)
WITH_STATUS = {True: "s.status = :status", False: "s.status <> 'merged'"}
# A merged record's address, and its links, mean the record that stands for both.
STANDS_FOR = "COALESCE((SELECT m.into_id FROM merged m WHERE m.subscriber_id = {g}.id), {g}.id)"
BY_KEY = text(
    f"SELECT s.id, s.status, s.address, s.key FROM subscriber g JOIN subscriber s ON s.id = {STANDS_FOR.format(g='g')}"
    " WHERE g.key = :key"
)
MERGED_KEYS = text("SELECT s.key FROM merged m JOIN subscriber s ON s.id = m.subscriber_id WHERE m.into_id = :id")
ALIKE = text(
    "SELECT key, address FROM subscriber WHERE substr(key, 1, length(:local)) = :local OR substr(key, length(key) -"
    " length(:domain) + 1) = :domain"
    " OR (SELECT COUNT(*) FROM subscriber) <= :few LIMIT :most"
)
SUPPRESSED = text("SELECT 1 FROM suppression WHERE hash = :hash")
KEEP_HASH = text(
    "INSERT INTO suppression (hash, at, reason) VALUES (:hash, :at, :reason) ON CONFLICT (hash) DO UPDATE"
    " SET at = excluded.at, reason = excluded.reason"
    " WHERE excluded.reason = 'complained' AND suppression.reason <> 'complained'"  # it is for ever
)
LIFT_HASH = text("DELETE FROM suppression WHERE hash = :hash AND reason IN ('bounced', 'forbidden', 'corrected')")
FORGIVE = text(
    "UPDATE subscriber SET strikes = 0, struck_at = NULL, pauses = (pauses | :pause) - :pause, not_before = :at"
    " WHERE id = :id"
)
SET_PAUSE = text("UPDATE subscriber SET pauses = pauses | :pause WHERE id = :id")
LIFT_PAUSE = text(
    "UPDATE subscriber SET pauses = (pauses | :pause) - :pause, active_since = :at, not_before = :at WHERE id = :id"
    " AND (pauses & :pause) <> 0"
)
SET_STATUS = text(
    "UPDATE subscriber SET status = :status, active_since = CASE WHEN :status = 'active' THEN :at ELSE active_since"
    " END WHERE id = :id"
)
LAST_CAUSE = text(
    "SELECT cause FROM consent WHERE subscriber_id = :id AND cause NOT IN ('requested', 'preferred', 'merged')"
    " ORDER BY id DESC LIMIT 1"
)
# What was refused or put off for the old address never arrived: to the new one it leaves as a first attempt would.
FORGET_ATTEMPT = text(
    "UPDATE delivery SET revision = NULL, date = NULL, recipient = NULL, content = NULL"
    " WHERE subscriber_id = :id AND open = 1 AND state IN ('planned', 'deferred') AND resent = 0"
)
CORRECT = text(
    "UPDATE subscriber SET address = :address, key = :key, status = :status, pauses = (pauses | :pause) - :pause,"
    " strikes = 0, struck_at = NULL, active_since = :at, not_before = :at WHERE id = :id"
)
SET_ADDRESS = text("UPDATE subscriber SET address = :address, key = :key WHERE id = :id")
LOG = text("INSERT INTO consent (subscriber_id, at, cause, status, detail) VALUES (:id, :at, :cause, :status, :detail)")
STRUCK = "s.strikes >= :strikes AND s.struck_at <= :before"
# Driven by the few deliveries that wait to come back: what they wait for may be over.
DEAD = text(
    "SELECT DISTINCT s.id, s.key FROM delivery d JOIN subscriber s ON s.id = d.subscriber_id"
    f" WHERE d.reopen = 1 AND s.status = 'active' AND (({STRUCK})"
    "  OR (d.state = 'rejected' AND d.reason = 'dead' AND (s.pauses & :pause) <> 0))"
)
INCOMING = (
    "CREATE TEMPORARY TABLE IF NOT EXISTS incoming (row INTEGER, good INTEGER, token {blob}, address TEXT, key TEXT"
    " PRIMARY KEY, hash TEXT, name TEXT,"
    " zone TEXT, tags TEXT, confirmed BIGINT, floor INTEGER)"
)
STAGE = text(
    "INSERT INTO incoming (row, good, token, address, key, hash, name, zone, tags, confirmed, floor)"
    " VALUES (:row, :good, :token, :address, :key, :hash, :name, :zone, :tags, :confirmed, :floor)"
    # The good one of two rows for one person counts, wherever the bad one stands.
    " ON CONFLICT (key) DO UPDATE SET row = excluded.row, good = excluded.good, hash = excluded.hash,"
    " name = excluded.name, zone = excluded.zone, tags = excluded.tags, confirmed = excluded.confirmed,"
    " floor = excluded.floor"
    # So does, before all, the one that says they left.
    " WHERE (incoming.good = 0 AND excluded.good <> 0) OR (incoming.good <> 2 AND excluded.good = 2)"
)
ALIASES = text(
    "SELECT i.key, k.key FROM incoming i JOIN subscriber g ON g.key = i.key AND g.status = 'merged'"
    " JOIN merged m ON m.subscriber_id = g.id JOIN subscriber k ON k.id = m.into_id ORDER BY i.row"
)
_WEIGHT = "CASE {0}.good WHEN 2 THEN 2 WHEN 0 THEN 0 ELSE 1 END"
# PostgreSQL: COPY knows no ON CONFLICT, so the key comes after the rows, and with it what the planner must know.
EMPTY_FOR_COPY = ("DROP TABLE IF EXISTS incoming", INCOMING.format(blob="BYTEA").replace(" PRIMARY KEY", ""))
_COPIED = "row, key, address, token, good, hash, name, zone, tags, confirmed, floor"
COPY_INCOMING = f"COPY incoming ({_COPIED}) FROM STDIN (FORMAT BINARY)"
COPY_TYPES = ("int4", "text", "text", "bytea", "int4", "text", "text", "text", "text", "int8", "int4")
SORT_OUT = (
    "CREATE INDEX ON incoming (key)",
    "ANALYZE incoming",
    # As with STAGE: the first that says they left, else the first good one; `ctid` is the order of arrival.
    "DELETE FROM incoming i USING incoming o WHERE o.key = i.key AND ("
    + _WEIGHT.format("o")
    + ", i.ctid) > ("
    + _WEIGHT.format("i")
    + ", o.ctid)",
)
GONE = "s.in_file = 1 AND NOT EXISTS (SELECT 1 FROM incoming i WHERE i.key = s.key)"
DEPART = text(f"UPDATE subscriber AS s SET in_file = 0, pauses = s.pauses | :pause WHERE {GONE}")
ADD_ZONES = text(
    "INSERT INTO zone (name, slot, cutoff, day_end, opens) SELECT DISTINCT zone, 0, 0, 0, 0 FROM incoming WHERE zone"
    " <> ''"
    " ON CONFLICT (name) DO NOTHING"
)
RETURN = text(
    "UPDATE subscriber AS s SET pauses = (s.pauses | :file) - :file, active_since = :at, not_before = :at"
    " WHERE (s.pauses & :file) <> 0 AND s.key IN (SELECT key FROM incoming)"
)
# own_fields: 1 name, 2 zone, 4 tags were set by the reader. The owner's file is the whole truth about the others, as
# far as it has the column (else NULL); a file that is imported once adds to what is known: an empty cell says nothing.
NEW_NAME = "(s.own_fields & 1) = 0 AND s.name <> n.name AND (:in_file = 1 OR n.name <> '')"
NEW_ZONE = "(s.own_fields & 2) = 0 AND s.zone_id <> n.zone_id AND (:in_file = 1 OR n.zone_id <> :home)"
NEW_TAGS = "(s.own_fields & 4) = 0 AND s.tags <> n.tags AND (:in_file = 1 OR n.tags <> '')"
UPDATE = text(
    f"UPDATE subscriber AS s SET name = CASE WHEN {NEW_NAME} THEN n.name ELSE s.name END,"
    # Of another zone only the slots to come count.
    f" not_before = CASE WHEN {NEW_ZONE} AND COALESCE(s.not_before, 0) < :at THEN :at ELSE s.not_before END,"
    f" zone_id = CASE WHEN {NEW_ZONE} THEN n.zone_id ELSE s.zone_id END, tags = CASE WHEN {NEW_TAGS} THEN n.tags"
    " ELSE s.tags END"
    " FROM (SELECT i.key, i.name, i.tags, CASE WHEN i.zone IS NOT NULL THEN COALESCE(z.id, :home) END AS zone_id"
    " FROM incoming i LEFT JOIN zone z ON z.name = i.zone AND i.zone <> '') AS n"
    f" WHERE s.key = n.key AND (({NEW_NAME}) OR ({NEW_ZONE}) OR ({NEW_TAGS}))"
)
MARK_IN_FILE = text("UPDATE subscriber SET in_file = 1 WHERE in_file = 0 AND key IN (SELECT key FROM incoming)")
PENDING = "status = 'pending' AND key IN (SELECT key FROM incoming WHERE good = 1)"
LOG_CONFIRMED = text(
    "INSERT INTO consent (subscriber_id, at, cause, status, detail, form, wording)"
    " SELECT id, :at, :cause, 'active', :detail, :form, :wording FROM subscriber WHERE"
    f" {PENDING}"
)
CONFIRM = text(
    "UPDATE subscriber SET status = 'active', active_since = :at, not_before = :at,"
    " confirmed_at = COALESCE((SELECT i.confirmed FROM incoming i WHERE i.key = subscriber.key), :at)"
    f" WHERE {PENDING}"
)
KEPT_OUT = text(
    "SELECT (SELECT COUNT(*) FROM incoming i JOIN subscriber s ON s.key = i.key WHERE s.status IN ('unsubscribed',"
    " 'suppressed'))"
    " + (SELECT COUNT(*) FROM incoming i JOIN suppression x ON x.hash = i.hash WHERE i.key NOT IN (SELECT key FROM"
    " subscriber))"
)
# not_before: people the owner brings along wait for their next slot, never `first = "at once"`.
ADD = text(
    "INSERT INTO subscriber (token, address, key, name, zone_id, tags, status, in_file, created_at, confirmed_at,"
    " active_since,"
    " not_before, floor)"
    " SELECT i.token, i.address, i.key, COALESCE(i.name, ''), COALESCE(z.id, :home), COALESCE(i.tags, ''), i.status,"
    " :in_file, :at,"
    " CASE WHEN i.status = 'active' THEN COALESCE(i.confirmed, :at) END, CASE WHEN i.status = 'active' THEN :at END,"
    " :at, i.floor"
    " FROM (SELECT *, CASE WHEN good = 1 THEN :status ELSE 'pending' END AS status FROM incoming) AS i"
    " LEFT JOIN zone z ON z.name = i.zone AND i.zone <> ''"
    " WHERE NOT EXISTS (SELECT 1 FROM subscriber s WHERE s.key = i.key)"
    " AND NOT EXISTS (SELECT 1 FROM suppression x WHERE x.hash = i.hash)"
    " ORDER BY i.row"
)
LOG_ADDED = text(
    "INSERT INTO consent (subscriber_id, at, cause, status, detail, form, wording)"
    " SELECT s.id, :at, :cause, s.status, CASE WHEN s.status = 'active' THEN :detail ELSE '' END, :form, :wording"
    " FROM subscriber s JOIN incoming i ON i.token = s.token"
)
