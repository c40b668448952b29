"""Whether the accounts balance: every guarantee of the ledger, asked for as what would contradict it.

Guarantees
    An empty answer is a proof that they held: the journal against the rows, the rows against their attempts, positions
    against acceptances; and nothing refers to what is not on record, which on PostgreSQL no foreign key sees to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlalchemy import Connection, text

from newsletter.store.ledger_sql import BY_ANOTHER


def contradictions(c: Connection, progress: Callable[[int, int], None]) -> Iterator[str]:
    """Everything on record that contradicts the guarantees, as sentences."""
    for done, (sql, sentence) in enumerate(_CHECKS):
        progress(done, len(_CHECKS) + 1)
        for row in c.execute(text(sql)):
            yield sentence.format(**row._mapping)
    progress(len(_CHECKS), len(_CHECKS) + 1)
    if c.dialect.name == "sqlite":
        for (found,) in c.exec_driver_sql("PRAGMA quick_check(20)"):
            if found != "ok":
                yield f"the database file is damaged: {found}"


def _orphans(table: str, column: str, to: str) -> str:
    """How many rows of *table* refer to a row of *to* that isn't there, and one of them."""
    place, key = to.split(".")
    return (
        f"SELECT COUNT(*) AS n, MIN(o.{column}) AS one FROM {table} o WHERE o.{column} IS NOT NULL"
        f" AND NOT EXISTS (SELECT 1 FROM {place} r WHERE r.{key} = o.{column}) HAVING COUNT(*) > 0"
    )


_ACCEPTED = (
    "SELECT d.id, d.subscriber_id, s.address, d.number, d.accepted_at, d.epoch, LAG(d.number) OVER w AS before"
    " FROM delivery d JOIN subscriber s ON s.id = d.subscriber_id"
    " WHERE d.state = 'accepted' AND d.copy = 0 AND d.late = 0"
    " WINDOW w AS (PARTITION BY d.subscriber_id, d.epoch ORDER BY d.accepted_at, d.id)"
)
_CHECKS: tuple[tuple[str, str], ...] = (
    (
        "SELECT p.number, p.title, COALESCE(j.n, 0) AS promised, COALESCE(r.n, 0) AS found FROM post p"
        " LEFT JOIN (SELECT post_id, SUM(count) AS n FROM promise GROUP BY post_id) j ON j.post_id = p.id"
        " LEFT JOIN (SELECT post_id, COUNT(*) AS n FROM delivery GROUP BY post_id) r ON r.post_id = p.id"
        " WHERE COALESCE(j.n, 0) <> COALESCE(r.n, 0)",
        "post {number} ({title}): {promised} deliveries were promised, {found} are on record.",
    ),
    (f"SELECT * FROM ({_ACCEPTED}) t WHERE before >= number", "{address} got #{number} after #{before}: out of order."),
    (
        "SELECT s.address, p.number, COUNT(*) AS n FROM delivery d JOIN subscriber s ON s.id = d.subscriber_id JOIN"
        " post p ON p.id = d.post_id"
        " WHERE d.state = 'accepted' AND d.copy = 0 GROUP BY s.address, p.number, d.post_id, d.epoch HAVING COUNT(*)"
        " > 1",
        "{address} got #{number} {n} times.",
    ),
    (
        "SELECT s.address, COUNT(*) AS n FROM delivery d JOIN subscriber s ON s.id = d.subscriber_id WHERE d.open = 1"
        " GROUP BY s.address HAVING COUNT(*) > 1",
        "{address} has {n} posts under way at once.",
    ),
    (
        "SELECT s.address, d.number, d.state FROM delivery d JOIN subscriber s ON s.id = d.subscriber_id WHERE"
        " (d.open = 1 AND d.state IN ('accepted', 'rejected', 'withdrawn', 'skipped', 'quarantined'))"
        " OR (d.open IS NULL AND d.state IN ('planned', 'claimed', 'submitting'))",
        "{address}, #{number}: a delivery that is {state} is open, or not, where it should be the other way round.",
    ),
    (
        "SELECT s.address, d.number, d.state, d.attempts, COUNT(a.n) AS n FROM delivery d"
        " JOIN subscriber s ON s.id = d.subscriber_id LEFT JOIN attempt a ON a.delivery_id = d.id"
        " WHERE d.state <> 'submitting' AND (d.attempts > 0 OR d.state = 'accepted')"
        " GROUP BY d.id, s.address, d.number, d.state, d.attempts HAVING (COUNT(a.n) <> d.attempts OR d.attempts = 0)"
        # What `pruning` took away.
        " AND NOT (COUNT(a.n) = 0 AND d.attempts > 0 AND d.state = 'accepted' AND d.resent = 0 AND d.accepted_at <"
        "  COALESCE((SELECT CAST(value AS BIGINT) FROM meta WHERE key = 'pruned'), 0))",
        "{address}, #{number} ({state}): {attempts} attempts were begun, {n} are accounted for.",
    ),
    (
        "SELECT s.address, p.number FROM subscriber s JOIN post p ON p.id = s.high_water WHERE NOT EXISTS (SELECT 1"
        " FROM delivery d WHERE d.subscriber_id = s.id AND d.post_id = s.high_water"
        f"  AND (d.state = 'accepted' OR {BY_ANOTHER.format(d='d')}))"
        " AND NOT EXISTS (SELECT 1 FROM merged m WHERE m.into_id = s.id AND s.floor >= p.number)",
        "{address} stands at #{number}, but nothing says that it was accepted.",
    ),
    (
        "SELECT s.address, d.number FROM delivery d JOIN subscriber s ON s.id = d.subscriber_id AND s.epoch = d.epoch"
        " WHERE d.state = 'accepted' AND d.copy = 0 AND d.late = 0 AND (d.number > COALESCE("
        "  (SELECT h.number FROM delivery h WHERE h.subscriber_id = s.id AND h.post_id = s.high_water AND h.epoch ="
        " s.epoch"
        "   AND h.state = 'accepted' AND h.copy = 0), s.floor))",
        "{address} got #{number}, but their position is before it.",
    ),
    (
        "SELECT s.address, d.number FROM delivery d JOIN subscriber s ON s.id = d.subscriber_id"
        " JOIN consent c ON c.subscriber_id = s.id AND c.status IN ('unsubscribed', 'suppressed') AND c.at < d.begun_at"
        " WHERE d.state = 'accepted' AND NOT EXISTS (SELECT 1 FROM consent b WHERE b.subscriber_id = s.id AND b.id >"
        " c.id"
        "  AND b.status = 'active' AND b.at <= d.begun_at)",
        "{address} got #{number} after having left.",
    ),
    (
        "SELECT s.address, d.number FROM delivery k JOIN subscriber s ON s.id = k.subscriber_id JOIN delivery d"
        " ON d.post_id = k.post_id AND d.subscriber_id = k.subscriber_id AND d.epoch = k.epoch AND d.copy = 0"
        f" WHERE {BY_ANOTHER.format(d='k')} AND d.state = 'accepted' AND d.begun_at > k.planned_at",
        "{address} got #{number}, which another record of theirs had got before the two were merged.",
    ),
    (
        "SELECT s.address FROM subscriber s LEFT JOIN merged m ON m.subscriber_id = s.id"
        " LEFT JOIN subscriber k ON k.id = m.into_id"
        " WHERE (s.status = 'merged') <> (m.into_id IS NOT NULL) OR k.status = 'merged'",
        "{address} is merged, but into nobody, or into a record that was merged as well.",
    ),
    (
        _orphans("delivery", "subscriber_id", "subscriber.id"),
        "Deliveries to readers who are not on record: {n:,}, such as to reader {one}.",
    ),
    (
        _orphans("delivery", "post_id", "post.id"),
        "Deliveries of posts that are not on record: {n:,}, such as of post {one}.",
    ),
    (
        _orphans("delivery", "revision", "template.revision"),
        "Deliveries of a text that was not kept: {n:,}, such as of {one}.",
    ),
    (
        _orphans("attempt", "delivery_id", "delivery.id"),
        "Attempts at deliveries that are not on record: {n:,}, such as at delivery {one}.",
    ),
    (
        _orphans("subscriber", "high_water", "post.id"),
        "Readers at posts that are not on record: {n:,}, such as at post {one}.",
    ),
)
