"""The statements of imports that are kept, and taken back.

One statement per verb, the same for both databases. Values are bound; what is formatted in is named in braces.
"""

from __future__ import annotations

from sqlalchemy import text

PLANNER_WAITS = text("SELECT pg_advisory_xact_lock(7301)")
# By hand: a sequence of PostgreSQL also counts what was only looked at and undone, and owners are told this number.
BEGIN = text(
    "INSERT INTO import_file (id, at, file, source, confirmed) SELECT COALESCE(MAX(id), 0) + 1, :at, :file, :source,"
    " CAST(:confirmed AS SMALLINT) FROM import_file RETURNING id"
)
_WORD = ":status = 'active' AND i.good = 1"
NOTE_KNOWN = text(
    "INSERT INTO imported (import_id, subscriber_id, joined, confirmed, vouched, name_before, zone_before, tags_before)"
    f" SELECT :import, s.id, 0, CASE WHEN s.status = 'pending' AND {_WORD} THEN 1 ELSE 0 END,"
    f" CASE WHEN {_WORD} THEN 1 ELSE 0 END, s.name, s.zone_id, s.tags"
    " FROM subscriber s JOIN incoming i ON i.key = s.key"
)
#: name in `imported`, column in `subscriber`, flag in `own_fields`
FIELDS = (("name", "name", 1), ("zone", "zone_id", 2), ("tags", "tags", 4))
NOTE_CHANGED = text(
    "UPDATE imported SET "
    + ", ".join(
        f"{field}_before = CASE WHEN s.{column} <> {field}_before THEN {field}_before END,"
        f" {field}_after = CASE WHEN s.{column} <> {field}_before THEN s.{column} END"
        for field, column, _ in FIELDS
    )
    + " FROM subscriber s WHERE s.id = imported.subscriber_id AND imported.import_id = :import"
)
NOTE_JOINED = text(
    "INSERT INTO imported (import_id, subscriber_id, joined, vouched)"
    " SELECT :import, s.id, 1, CASE WHEN s.status = 'active' THEN 1 ELSE 0 END"
    " FROM subscriber s JOIN incoming i ON i.token = s.token"
)
# Whom the file says to have left where it comes from: unless they are known here, no file brings them in.
NOTE_LEFT = text(
    "INSERT INTO left_elsewhere (import_id, hash) SELECT :import, i.hash FROM incoming i WHERE i.good = :left"
    " AND NOT EXISTS (SELECT 1 FROM subscriber s WHERE s.key = i.key)"
)
KEEP_LEFT = text(
    "INSERT INTO suppression (hash, at, reason) SELECT hash, :at, 'left elsewhere' FROM left_elsewhere"
    " WHERE import_id = :import ON CONFLICT (hash) DO NOTHING"
)
LEFT_BUT_KNOWN = text(
    "SELECT COUNT(*) FROM incoming i JOIN subscriber s ON s.key = i.key WHERE i.good = :left AND s.status = 'active'"
)
NOTE_COUNT = text("UPDATE import_file SET added = :added WHERE id = :import")
TOUCHED = text(
    "SELECT f.id, f.at, f.file, f.undone_at, i.name_after, i.zone_after, i.tags_after FROM imported i"
    " JOIN import_file f ON f.id = i.import_id WHERE i.subscriber_id = :id AND i.joined = 0 ORDER BY f.id"
)
PENDING = text(
    "SELECT COUNT(*) FROM imported i JOIN subscriber s ON s.id = i.subscriber_id"
    " WHERE i.import_id = :import AND i.joined = 1 AND s.status = 'pending'"
)

# Undoing

LOCK_DELIVERIES = text(
    "SELECT d.id FROM delivery d JOIN imported i ON i.subscriber_id = d.subscriber_id AND i.import_id = :import"
    " AND (i.joined = 1 OR i.confirmed = 1) ORDER BY d.id FOR UPDATE OF d"
)
# Another word for them than this import's: their own, the owner's, her file's, another record of theirs.
_OTHER_WORD = (
    "(s.in_file = 1 OR EXISTS (SELECT 1 FROM consent c WHERE c.subscriber_id = s.id"
    " AND c.id > (SELECT MIN(m.id) FROM consent m WHERE m.subscriber_id = s.id AND m.form = :form)"
    " AND (c.cause IN ('confirmed', 'added', 'merged') OR (c.cause = 'imported' AND c.form = ''))))"
)
# Another import that has not been taken back: one that vouches for them, or any.
_VOUCHED = (
    "EXISTS (SELECT 1 FROM imported o JOIN import_file f ON f.id = o.import_id WHERE o.subscriber_id = s.id"
    " AND f.id <> :import AND f.undone_at IS NULL AND o.vouched = 1)"
)
_NAMED = (
    "EXISTS (SELECT 1 FROM imported o JOIN import_file f ON f.id = o.import_id WHERE o.subscriber_id = s.id"
    " AND f.id <> :import AND f.undone_at IS NULL)"
)
_MORE = (
    "(EXISTS (SELECT 1 FROM consent c WHERE c.subscriber_id = s.id AND c.cause NOT IN ('imported', 'undone'))"
    " OR EXISTS (SELECT 1 FROM delivery d WHERE d.subscriber_id = s.id AND d.begun_at IS NOT NULL)"
    " OR EXISTS (SELECT 1 FROM event e WHERE e.subscriber_id = s.id))"
)
SORT = text(
    "INSERT INTO undoing (id, fate) SELECT s.id, CASE"
    " WHEN s.status NOT IN ('active', 'pending') THEN 'keep'"
    f" WHEN {_OTHER_WORD} THEN 'keep'"
    f" WHEN {_VOUCHED} THEN 'keep'"
    f" WHEN i.joined = 0 OR {_MORE} OR {_NAMED} THEN CASE WHEN s.status = 'active' THEN 'stop' ELSE 'keep' END"
    " ELSE 'remove' END"
    " FROM imported i JOIN subscriber s ON s.id = i.subscriber_id"
    " WHERE i.import_id = :import AND (i.joined = 1 OR i.confirmed = 1)"
)
# Whom this import brought and another one named as well, that one brought.
HAND_OVER = text(
    "UPDATE imported SET joined = 1, confirmed = 0 WHERE import_id <> :import"
    " AND subscriber_id IN (SELECT i.subscriber_id FROM imported i JOIN undoing u ON u.id = i.subscriber_id"
    "  WHERE i.import_id = :import AND i.joined = 1 AND u.fate <> 'remove')"
    " AND import_id = (SELECT MIN(o.import_id) FROM imported o JOIN import_file f ON f.id = o.import_id"
    "  WHERE o.subscriber_id = imported.subscriber_id AND f.id <> :import AND f.undone_at IS NULL)"
)
# A later import that changed the same field remembers this one's word: from now on, what was there before it.
INHERIT = (
    "UPDATE imported SET {field}_before = a.{field}_before FROM imported a"
    " WHERE a.import_id = :import AND a.{field}_before IS NOT NULL AND imported.import_id > :import"
    " AND imported.subscriber_id = a.subscriber_id AND imported.{field}_before = a.{field}_after"
)
_BACK = {
    field: f"i.{field}_after IS NOT NULL AND s.{column} = i.{field}_after AND (s.own_fields & {flag}) = 0"
    for field, column, flag in FIELDS
}
RESTORE = text(
    "UPDATE subscriber AS s SET "
    + ", ".join(
        f"{column} = CASE WHEN {_BACK[field]} THEN i.{field}_before ELSE s.{column} END" for field, column, _ in FIELDS
    )
    # Of another zone only the slots to come count.
    + f", not_before = CASE WHEN {_BACK['zone']} AND COALESCE(s.not_before, 0) < :at THEN :at ELSE s.not_before END"
    " FROM imported i WHERE i.import_id = :import AND i.subscriber_id = s.id AND ("
    + " OR ".join(f"({condition})" for condition in _BACK.values())
    + ")"
)
_STOPPED = "IN (SELECT id FROM undoing WHERE fate = 'stop')"
LOG_STOPPED = text(
    "INSERT INTO consent (subscriber_id, at, cause, status, detail, form)"
    " SELECT u.id, :at, :cause, 'pending', :detail, '' FROM undoing u WHERE u.fate = 'stop'"
)
STOP = text(f"UPDATE subscriber SET status = 'pending', confirmed_at = NULL WHERE id {_STOPPED}")
# A worker that holds one of these in its hand loses it: `begin` wants the state that it was claimed in.
WITHDRAW_STOPPED = text(
    "UPDATE delivery SET state = 'withdrawn', reason = 'left or paused', open = NULL, reopen = 1, lease_until = NULL"
    f" WHERE open = 1 AND state IN ('planned', 'deferred', 'claimed') AND subscriber_id {_STOPPED}"
)
FATES = text("SELECT fate, COUNT(*) AS n FROM undoing GROUP BY fate")
FORGET_LEFT = text(
    "DELETE FROM suppression WHERE reason = 'left elsewhere'"
    " AND hash IN (SELECT hash FROM left_elsewhere WHERE import_id = :import)"
    " AND hash NOT IN (SELECT l.hash FROM left_elsewhere l JOIN import_file f ON f.id = l.import_id"
    "  WHERE f.id <> :import AND f.undone_at IS NULL)"
)
CLOSE = text("UPDATE import_file SET undone_at = :at WHERE id = :import")
