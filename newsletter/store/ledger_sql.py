"""The ledger's statements.

One statement per verb, the same for both databases. Values are bound; what is formatted in is named in braces.
"""

from __future__ import annotations

from sqlalchemy import text

from newsletter.store.planning_sql import MATCHES

ACTIVE = "s.status = 'active' AND s.pauses = 0"
# What may leave now, of what comes after a place in the order.
DUE = (
    " FROM delivery d JOIN subscriber s ON s.id = d.subscriber_id JOIN zone z ON z.id = s.zone_id"
    " JOIN post p ON p.id = d.post_id"
    " WHERE d.open = 1 AND d.state IN ('planned', 'deferred') AND d.not_before <= :at"
    " AND (d.not_before, d.id) > (:after_time, :after_id)"  # as one, it is where the index is entered
    f" AND {ACTIVE} AND COALESCE(s.not_before, 0) <= :at"
    " AND z.quiet = 0 AND (z.daytime = 1 OR d.slot >= :late)"
    " AND p.standing = 'live'"
)
CLAIMABLE = (
    "SELECT d.id, d.fence + 1, d.post_id, p.ident, d.epoch, d.copy, d.attempts, d.date, d.revision, d.content,"
    f" d.recipient, s.token, s.name, s.address, d.not_before{DUE}{{elsewhere}}"
    " ORDER BY d.not_before, d.id LIMIT :size {skip_locked}"
)
CLAIM = "UPDATE delivery SET state = 'claimed', fence = fence + 1, lease_until = :lease WHERE id IN (VALUES :ids)"
MINE = "id = :id AND fence = :fence"
RELEASE = text(
    "UPDATE delivery SET state = 'planned', lease_until = NULL,"
    " attempts = CASE WHEN state = 'submitting' THEN attempts - 1 ELSE attempts END"
    f" WHERE {MINE} AND state IN ('claimed', 'submitting')"
)
# One statement for a window of rows: one for each would cost more in binding its values than in the database.
# VALUES calls its columns column1, column2, ... on both databases. PostgreSQL takes a column of NULLs for text.
BEGIN = (
    "UPDATE delivery SET state = 'submitting', attempts = attempts + 1, begun_at = :at, lease_until = :lease,"
    " provider = :provider, revision = v.column3, date = CAST(v.column4 AS BIGINT), recipient = v.column5,"
    " message_id = v.column6, content = v.column7"
    " FROM (VALUES :rows) AS v"
    " WHERE delivery.id = CAST(v.column1 AS BIGINT) AND delivery.fence = CAST(v.column2 AS BIGINT)"
    # Not the index of leases, which PostgreSQL would walk from end to end for each window.
    " AND COALESCE(delivery.state, '') = 'claimed'"
    f" AND EXISTS (SELECT 1 FROM subscriber s WHERE s.id = delivery.subscriber_id AND {ACTIVE}) RETURNING delivery.id"
)
WITHDRAW = text(
    "UPDATE delivery SET state = 'withdrawn', reason = 'left or paused', open = NULL, reopen = 1, lease_until = NULL"
    f" WHERE {MINE} AND state = 'claimed'"
)
# Late results of our own attempt still count after its lease ran out: the fence says that nobody else tried.
OURS = f"{MINE} AND state IN ('submitting', 'uncertain')"
REPLY = "lease_until = NULL, provider = :provider, code = :code, status = :status, diagnostic = :diagnostic"
IS_BEHIND = (
    "number < (SELECT COALESCE((SELECT h.number FROM post h WHERE h.id = s.high_water), s.floor)"
    " FROM subscriber s WHERE s.id = delivery.subscriber_id)"
)
# A result so late that its doubt was held in the meantime may find the reader at a later post.
ACCEPT = (
    "UPDATE delivery SET state = 'accepted', open = NULL, reopen = 0, accepted_at = :at, provider = :provider,"
    " lease_until = NULL, provider_id = v.column3, code = CAST(v.column4 AS SMALLINT), status = v.column5,"
    " diagnostic = v.column6,"
    f" late = CASE WHEN open IS NULL AND copy = 0 AND {IS_BEHIND} THEN 1 ELSE late END"
    " FROM (VALUES :rows) AS v"
    " WHERE delivery.id = CAST(v.column1 AS BIGINT) AND delivery.fence = CAST(v.column2 AS BIGINT)"
    " AND delivery.state IN ('submitting', 'uncertain') RETURNING delivery.id"
)
# Copies and late posts never move the position; nothing ever moves it back.
ADVANCE_WHICH = (
    "UPDATE subscriber SET handed_over_at = CASE WHEN handed_over_at > :at THEN handed_over_at ELSE :at END,"
    " anchor_at = CASE WHEN d.copy > 0 OR anchor_at > :at THEN anchor_at ELSE :at END, strikes = 0, struck_at = NULL,"
    # What had begun before its reader started over counts for the pace, not for the new epoch's position.
    " high_water = CASE WHEN d.copy = 0 AND d.late = 0 AND d.epoch = subscriber.epoch AND d.number >"
    "  COALESCE((SELECT h.number FROM post h WHERE h.id = subscriber.high_water), subscriber.floor)"
    "  THEN d.post_id ELSE high_water END"
    " FROM (SELECT post_id, subscriber_id, copy, late, epoch, number FROM delivery WHERE {which}) AS d"
    " WHERE subscriber.id = d.subscriber_id"
)
ADVANCE = text(ADVANCE_WHICH.format(which="id = :id"))
ADVANCE_ALL = ADVANCE_WHICH.format(which="id IN (VALUES :ids)")
DEFER = text(
    f"UPDATE delivery SET state = 'deferred', not_before = :retry, faults = faults + :faults, {REPLY} WHERE {OURS}"
)
GIVE_UP = text(
    f"UPDATE delivery SET state = 'deferred', open = NULL, reopen = 1, reason = 'given up for now', {REPLY} WHERE"
    f" {OURS}"
)
STRIKE = text(
    "UPDATE subscriber SET strikes = strikes + 1, struck_at = COALESCE(struck_at, :at), not_before = :at"
    " WHERE id = (SELECT subscriber_id FROM delivery WHERE id = :id)"
)
REJECT = text(
    "UPDATE delivery SET state = 'rejected', open = NULL, reopen = :reopen, about = :about, reason = :reason,"
    f" {REPLY} WHERE {OURS}"
)
PAUSE = text(
    "UPDATE subscriber SET pauses = pauses | :pause WHERE id = (SELECT subscriber_id FROM delivery WHERE id = :id)"
)
DOUBT = text(f"UPDATE delivery SET state = 'uncertain', not_before = :retry, {REPLY} WHERE {OURS}")
ON_ATTEMPT = (
    "ON CONFLICT (delivery_id, n) DO UPDATE SET outcome = excluded.outcome, code = excluded.code,"
    " status = excluded.status, diagnostic = excluded.diagnostic"
)
ATTEMPT = text(
    "INSERT INTO attempt (delivery_id, n, at, provider, outcome, code, status, diagnostic)"
    " SELECT id, attempts, begun_at, :provider, :outcome, :code, :status, :diagnostic FROM delivery WHERE id = :id"
    f" {ON_ATTEMPT}"
)
ATTEMPT_ACCEPTED = (
    "INSERT INTO attempt (delivery_id, n, at, provider, outcome, code, status, diagnostic)"
    " SELECT id, attempts, begun_at, provider, 'accepted', code, status, diagnostic FROM delivery"
    " WHERE id IN (VALUES :ids)"
    f" {ON_ATTEMPT}"
)
# SQLite uses a partial index only when the query repeats its condition word for word.
LEASED = "state IN ('claimed', 'submitting')"
DOUBTFUL = "state IN ('uncertain', 'quarantined', 'rejected')"
RELEASE_EXPIRED = text(
    "UPDATE delivery SET state = 'planned', lease_until = NULL"
    f" WHERE {LEASED} AND state = 'claimed' AND lease_until <= :at"
)
EXPIRED = f"{LEASED} AND state = 'submitting' AND lease_until <= :at"
ATTEMPT_UNKNOWN = text(
    "INSERT INTO attempt (delivery_id, n, at, provider, outcome, diagnostic)"
    f" SELECT id, attempts, begun_at, '', 'uncertain', 'the run ended before the answer' FROM delivery WHERE {EXPIRED}"
    " ON CONFLICT (delivery_id, n) DO NOTHING"
)
DOUBT_EXPIRED = text(
    "UPDATE delivery SET state = 'uncertain', lease_until = NULL, not_before = begun_at + :wait,"
    f" diagnostic = 'the run ended before the answer' WHERE {EXPIRED}"
)
IN_DOUBT = text(
    f"SELECT id, message_id, provider, resent, begun_at FROM delivery WHERE {DOUBTFUL} AND state = 'uncertain'"
    " AND open = 1 AND not_before <= :at ORDER BY id"
)
RESEND = text(
    "UPDATE delivery SET state = 'planned', resent = CASE WHEN :resent = 1 THEN 1 ELSE resent END, not_before = :at"
    " WHERE id = :id AND state = 'uncertain'"
)
HOLD_DOUBT = text("UPDATE delivery SET open = NULL, reason = 'held' WHERE id = :id AND state = 'uncertain'")
# Doubt and quarantine let the sequence go on, one `every` after the attempt.
PASS_ON = text(
    "UPDATE subscriber SET anchor_at = COALESCE(d.begun_at, :at), handed_over_at = COALESCE(d.begun_at, handed_over_at)"
    " FROM (SELECT subscriber_id, begun_at FROM delivery WHERE id = :id) AS d WHERE subscriber.id = d.subscriber_id"
)
ACCEPT_UNCERTAIN = text(
    "UPDATE delivery SET state = 'accepted', open = NULL, reopen = 0, accepted_at = COALESCE(:at, begun_at),"
    " diagnostic = :why,"
    f" late = CASE WHEN copy = 0 AND {IS_BEHIND} THEN 1 ELSE late END WHERE id = :id AND state = 'uncertain'"
)
FAULT = text(
    "UPDATE delivery SET state = 'planned', lease_until = NULL, faults = faults + 1, not_before = :retry, diagnostic"
    " = :diagnostic"
    f" WHERE {MINE} AND state = 'claimed'"
)
QUARANTINE = text(
    f"UPDATE delivery SET state = 'quarantined', open = NULL WHERE {MINE} AND state IN ('planned', 'deferred')"
    " AND faults >= :most"
)
TAKE_BACK = text(
    # Mended or not, what leaves next is the post of that day: the refused bytes never arrived. Only what was sent
    # again after doubt may have.
    "UPDATE delivery SET state = 'planned', open = 1, about = NULL, reopen = 0, not_before = :at,"
    " revision = CASE WHEN resent = 1 THEN revision END, date = CASE WHEN resent = 1 THEN date END,"
    " recipient = CASE WHEN resent = 1 THEN recipient END, content = CASE WHEN resent = 1 THEN content END"
    f" WHERE {MINE} AND state = 'rejected'"
)
UNBLAME = text(
    "UPDATE subscriber SET pauses = pauses & :others WHERE id = (SELECT subscriber_id FROM delivery"
    f" WHERE {MINE} AND state = 'rejected' AND about = 'address')"
)
SETTLING = text(
    "SELECT d.id, d.attempts, (SELECT COUNT(*) FROM delivery o WHERE o.subscriber_id = d.subscriber_id AND o.open = 1"
    " AND o.id <> d.id)"
    " AS other FROM delivery d WHERE d.id = :id AND d.state IN ('uncertain', 'quarantined')"
)
SEND_AGAIN = text(
    "UPDATE delivery SET state = 'planned', open = 1, reason = '', faults = 0, resent = CASE WHEN state ="
    " 'uncertain' THEN 1 ELSE resent END,"
    " slot = :at, not_before = (SELECT CASE WHEN COALESCE(s.handed_over_at, 0) + :gap > :at THEN s.handed_over_at +"
    " :gap ELSE :at END"
    "  FROM subscriber s WHERE s.id = delivery.subscriber_id),"
    f" late = CASE WHEN {IS_BEHIND} THEN 1 ELSE late END WHERE id = :id AND state IN ('uncertain', 'quarantined')"
)
BELIEVED = "{e}.effect NOT IN ('quarantined', 'discarded')"  # of an event
# A letter that was accepted and came back afterwards.
CAME_BACK = (
    "EXISTS (SELECT 1 FROM event e WHERE e.delivery_id = {d}.id AND e.kind = 'bounced' AND "
    + BELIEVED.format(e="e")
    + ")"
)
# Of a record that was merged into this one: see store.merging.
BY_ANOTHER = "({d}.state = 'skipped' AND {d}.reason = 'merged')"
GOT = (
    "EXISTS (SELECT 1 FROM delivery g WHERE g.post_id = p.id AND g.subscriber_id = s.id AND g.epoch = s.epoch"
    f" AND ((g.state = 'accepted' AND NOT {CAME_BACK.format(d='g')}) OR {BY_ANOTHER.format(d='g')}))"
)
PASSED = "p.number <= COALESCE((SELECT h.number FROM post h WHERE h.id = s.high_water), s.floor)"
WHICH = {
    # Those of its audience whose sequence went by without it; news: all of them who do not have it.
    "missing": f"NOT {GOT} AND {MATCHES} AND ({PASSED} OR (:news = 1 AND p.release_at < :at))",
    "failed": f"NOT {GOT} AND EXISTS (SELECT 1 FROM delivery f WHERE f.post_id = p.id AND f.subscriber_id = s.id"
    " AND f.epoch = s.epoch AND (f.state IN ('rejected', 'quarantined') OR (f.state = 'accepted' AND"
    f" {CAME_BACK.format(d='f')})))",
    "revised": f"{GOT} AND NOT EXISTS (SELECT 1 FROM delivery g WHERE g.post_id = p.id AND g.subscriber_id = s.id"
    f" AND g.epoch = s.epoch AND (g.state = 'accepted' OR {BY_ANOTHER.format(d='g')}) AND g.revision = :revision)",
}
COPIES = (
    "INSERT INTO delivery (post_id, subscriber_id, epoch, copy, number, late, state, open, slot, not_before,"
    " planned_at)"
    " SELECT p.id, s.id, s.epoch, 1 + COALESCE((SELECT MAX(m.copy) FROM delivery m WHERE m.post_id = p.id AND"
    " m.subscriber_id = s.id"
    "  AND m.epoch = s.epoch), 0), p.number, 1, 'planned', 1, :at, {greatest}(:at, COALESCE(s.handed_over_at + :gap,"
    " 0)), :at"
    " FROM subscriber s JOIN post p ON p.number = :number AND p.status = 'live' AND p.standing <> 'blocks'"
    " WHERE s.status = 'active' AND s.pauses = 0 AND :revision = :revision AND :news = :news"
    " AND NOT EXISTS (SELECT 1 FROM delivery o WHERE o.subscriber_id = s.id AND o.open = 1)"
    # It comes by itself.
    " AND NOT EXISTS (SELECT 1 FROM delivery w WHERE w.subscriber_id = s.id AND w.reopen = 1 AND w.post_id = p.id"
    "  AND w.epoch = s.epoch) AND {which}"
    " ORDER BY s.id"
)
PROMISE_COPIES = text(
    "INSERT INTO promise (at, post_id, kind, count) SELECT :at, id, 'copy', :count FROM post WHERE number = :number"
    " AND status = 'live' AND standing <> 'blocks' AND :count > 0"
)
# What came back since the last letter that did not: once the reader can be reached again it is theirs, as a copy, in
# the order of numbers and one at a time.
AGAIN = text(
    "INSERT INTO delivery (post_id, subscriber_id, epoch, copy, number, late, state, open, reopen, reason, slot,"
    " not_before, planned_at)"
    " SELECT d.post_id, d.subscriber_id, d.epoch, d.copy + 1, d.number, 1, 'withdrawn', NULL, 1,"
    " 'the first came back', :at, :at, :at"
    " FROM delivery d JOIN subscriber s ON s.id = d.subscriber_id AND s.epoch = d.epoch"
    " WHERE d.subscriber_id = :subscriber AND d.post_id IN (SELECT id FROM post) AND d.state = 'accepted'"
    f" AND {CAME_BACK.format(d='d')}"
    " AND NOT EXISTS (SELECT 1 FROM delivery n WHERE n.post_id = d.post_id AND n.subscriber_id = d.subscriber_id"
    "  AND n.epoch = d.epoch AND n.copy > d.copy)"
    " AND NOT EXISTS (SELECT 1 FROM delivery l WHERE l.subscriber_id = d.subscriber_id"
    "  AND l.post_id IN (SELECT id FROM post) AND l.state = 'accepted' AND l.accepted_at > d.accepted_at"
    f"  AND NOT {CAME_BACK.format(d='l')})"
    " RETURNING post_id"
)
PROMISE_COPY = text("INSERT INTO promise (at, post_id, kind, count) VALUES (:at, :post, 'copy', 1)")
# News that was held for being late has its audience now: it goes to those, and to nobody else by itself.
SETTLE_AUDIENCE = text(
    "UPDATE post SET frozen_at = :at WHERE number = :number AND status = 'live' AND frozen_at IS NULL AND :news = 1"
    " AND :count > 0"
)
KEEP = text(
    "INSERT INTO template (revision, post_id, created_at, body) VALUES (:revision, :post, :at, :body)"
    " ON CONFLICT (revision) DO NOTHING"
)
