"""Forgetting: people deleted with everything that was kept of them, within a transaction.

Guarantees
    The journal keeps the counts, so that the accounts still balance; no other trace stays in a table.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, text

from newsletter.store.engine import plan_alone
from newsletter.store.schema import micros

_MANY = 50


def forget(c: Connection, subscriber: int, *, at: datetime) -> None:
    """Delete one person, with the records that were merged into theirs."""
    others = c.scalars(text("SELECT subscriber_id FROM merged WHERE into_id = :id"), {"id": subscriber}).all()
    forget_all(c, ", ".join(map(str, (subscriber, *others))), many=1, at=at)


def forget_all(c: Connection, who: str, *, many: int, at: datetime) -> None:
    """Delete everybody whose id is in *who* (ids, or a question), which are about so *many*."""
    plan_alone(c)
    if c.dialect.name == "postgresql":  # whoever is at work on one of them ends first, so that nothing of it is left
        c.execute(text(f"SELECT 1 FROM subscriber WHERE id IN ({who}) FOR UPDATE"))
    # Nothing else looks for deliveries by their reader, so there is no index that every message would pay for. But
    # each reader who goes is looked for there, by SQLite's foreign key.
    index = many > _MANY and c.dialect.name == "sqlite"
    if index:
        c.execute(text("CREATE INDEX ix_delivery_forgotten ON delivery (subscriber_id)"))
    c.execute(text(_JOURNAL.format(who=who)), {"at": micros(at)})
    for statement in _STATEMENTS:
        c.execute(text(statement.format(who=who)))
    if index:
        c.execute(text("DROP INDEX ix_delivery_forgotten"))


_HIS = "post_id IN (SELECT id FROM post) AND subscriber_id IN ({who})"  # by the unique key, post by post
_JOURNAL = (
    "INSERT INTO promise (at, post_id, kind, count) SELECT :at, post_id, 'erased', -COUNT(*) FROM delivery"
    f" WHERE {_HIS} GROUP BY post_id"
)
_OTHERS = ("consent", "request", "imported", "stirred")
_STATEMENTS = (
    *(
        f"DELETE FROM {table} WHERE LOWER(address) IN (SELECT key FROM subscriber WHERE id IN ({{who}}))"
        for table in ("notice", "sign_up")
    ),
    "DELETE FROM event WHERE subscriber_id IN ({who})",
    f"DELETE FROM attempt WHERE delivery_id IN (SELECT id FROM delivery WHERE {_HIS})",
    f"DELETE FROM delivery WHERE {_HIS}",
    *(
        f"DELETE FROM {table} WHERE subscriber_id IN ({{who}})"
        for table in ("consent", "request", "imported", "stirred")
    ),
    "DELETE FROM merged WHERE into_id IN ({who}) OR subscriber_id IN ({who})",
    "DELETE FROM subscriber WHERE id IN ({who})",
)
