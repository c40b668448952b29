"""The statements of what came back.

One statement per verb, the same for both databases. Values are bound; what is formatted in is named in braces.
"""

from __future__ import annotations

from sqlalchemy import text

from newsletter.store.audience_sql import STANDS_FOR, STRUCK
from newsletter.store.ledger_sql import CAME_BACK

#: Those who tell at once wait for each other, so that all of them together are counted. SQLite has one writer.
QUEUE = text("SELECT pg_advisory_xact_lock(7301)")

FORGET_NONCES = text("DELETE FROM nonce WHERE at < :before")
USE_NONCE = text("INSERT INTO nonce (hash, at) VALUES (:hash, :at) ON CONFLICT (hash) DO NOTHING")

# Found by the index on subscriber_id, where NULL stands for them alone.
FORGET_UNKNOWN = text("DELETE FROM event WHERE subscriber_id IS NULL AND effect = 'unknown' AND heard_at < :before")
KNOWN = text("SELECT 1 FROM event WHERE ident = :ident")
CONCERNS = text("SELECT 1 FROM event WHERE ident = :ident AND effect <> 'unknown'")
ADD = text(
    "INSERT INTO event (ident, source, kind, at, heard_at, effect, subscriber_id, delivery_id, hard, dead, code,"
    " status, diagnostic)"
    " VALUES (:ident, :source, :kind, :at, :heard_at, :effect, :subscriber, :delivery, :hard, :dead, :code,"
    " :status, :diagnostic) RETURNING id"
)
SET_EFFECT = text("UPDATE event SET effect = :effect WHERE id = :id")

# Whom and what it is about.
BY_DELIVERY = text("SELECT subscriber_id, id FROM delivery WHERE id = :delivery")
BY_TOKEN = text("SELECT id FROM subscriber WHERE token = :token")
BY_KEY = text("SELECT id, status FROM subscriber WHERE key = :key")
# A queue id of a mail server may come again after years: the latest.
BY_PROVIDER_ID = text(
    "SELECT subscriber_id, id, provider, recipient FROM delivery WHERE provider_id = :provider_id"
    " AND provider_id IS NOT NULL ORDER BY id DESC LIMIT 20"
)
# There is no index on Message-IDs: each message would pay for it, and these are told of with an address or not at all.
BY_MESSAGE_ID = text("SELECT subscriber_id, id FROM delivery WHERE message_id = :message_id LIMIT 1")
HERS = "subscriber_id = :subscriber AND post_id IN (SELECT id FROM post)"  # by the unique key, post by post
HERS_BY_MESSAGE_ID = text(f"SELECT id FROM delivery WHERE {HERS} AND message_id = :message_id LIMIT 1")
HERS_LATEST = text(
    f"SELECT id FROM delivery WHERE {HERS} AND state IN ('accepted', 'uncertain', 'submitting')"
    " ORDER BY CASE WHEN begun_at <= :told THEN 0 ELSE 1 END, begun_at DESC LIMIT 1"
)
SUBJECT = text(
    "SELECT s.id, s.key, s.status, s.created_at,"
    " (SELECT c.cause FROM consent c WHERE c.subscriber_id = s.id"
    "  AND c.cause NOT IN ('requested', 'preferred', 'merged') ORDER BY c.id DESC LIMIT 1) AS cause,"
    " (SELECT MAX(c.at) FROM consent c WHERE c.subscriber_id = s.id AND c.cause = 'confirmed') AS confirmed_at,"
    " (SELECT MAX(c.at) FROM consent c WHERE c.subscriber_id = s.id AND c.cause = 'lifted') AS lifted_at,"
    " d.id AS delivery, d.state, d.begun_at, d.recipient, g.id <> s.id AS merged"
    # What is told about a merged record is about the person, whose other record stands for both.
    f" FROM subscriber g JOIN subscriber s ON s.id = {STANDS_FOR.format(g='g')}"
    " LEFT JOIN delivery d ON d.id = :delivery AND d.subscriber_id = g.id WHERE g.id = :subscriber"
)

# A letter to a record that was merged since came back: what only that one had, nobody has now.
OWED_AFTER_ALL = text(
    "UPDATE delivery SET reopen = 1, late = 1, reason = 'the first came back'"
    " WHERE subscriber_id = :subscriber AND state = 'skipped' AND reason = 'merged'"
    " AND post_id = (SELECT b.post_id FROM delivery b WHERE b.id = :delivery) AND NOT EXISTS (SELECT 1 FROM delivery d"
    "  JOIN merged m ON m.subscriber_id = d.subscriber_id WHERE m.into_id = delivery.subscriber_id"
    "  AND d.post_id = delivery.post_id AND d.id <> :delivery AND d.state = 'accepted'"
    f"  AND NOT {CAME_BACK.format(d='d')})"
)

# Strikes. An acceptance takes them away, but a relay accepts everything: what counts is how many letters in a row came
# back, the one in hand among them, in whatever order that is told.
COUNTED_ALREADY = text("SELECT 1 FROM event WHERE delivery_id = :delivery AND effect = 'counted' AND id <> :id")
LATEST = text(
    "SELECT d.id, d.begun_at, d.recipient,"
    " (SELECT MIN(e.at) FROM event e WHERE e.delivery_id = d.id AND e.effect = 'counted') AS struck_at"
    f" FROM delivery d WHERE d.{HERS} AND d.state = 'accepted' ORDER BY d.accepted_at DESC, d.id DESC LIMIT :most"
)
STRIKE = text(
    "UPDATE subscriber SET strikes = CASE WHEN strikes > :run THEN strikes ELSE :run END,"
    " struck_at = CASE WHEN strikes > :run THEN struck_at ELSE :since END WHERE id = :subscriber"
)
STRUCK_OUT = text(f"SELECT 1 FROM subscriber s WHERE s.id = :subscriber AND {STRUCK}")

# The breaker.
FEW_READERS = text("SELECT COUNT(*) FROM (SELECT 1 FROM subscriber WHERE status = 'active' LIMIT :most) AS few")
LATELY = text(
    "SELECT COUNT(DISTINCT subscriber_id) FROM event WHERE heard_at > :since AND source = :source"
    " AND effect IN ('suppressed', 'quarantined')"
)
WAITING = (
    "SELECT e.id, e.source, e.kind, e.at, e.heard_at, e.dead, e.code, e.status, e.diagnostic, e.subscriber_id,"
    " e.delivery_id, s.address, s.key FROM event e JOIN subscriber s ON s.id = e.subscriber_id"
    " WHERE e.effect = 'quarantined'{which} ORDER BY e.id"
)

# Figures.
RECENT = text(
    "SELECT d.post_id, COUNT(DISTINCT CASE WHEN e.hard = 1 THEN d.id END) AS hard,"
    " COUNT(DISTINCT CASE WHEN e.kind = 'complained' THEN d.id END) AS complained"
    " FROM event e JOIN delivery d ON d.id = e.delivery_id WHERE e.heard_at > :since AND d.accepted_at > :since"
    " AND d.state = 'accepted' AND e.effect <> 'discarded' GROUP BY d.post_id"
)
RECENTLY_ACCEPTED = text(
    "SELECT p.number, p.title, COUNT(d.id) AS accepted FROM post p JOIN delivery d ON d.post_id = p.id"
    " WHERE p.id = :post AND d.state = 'accepted' AND d.accepted_at > :since GROUP BY p.number, p.title"
)
