"""What is known of each post, kept between ticks; and what a change of the folder does to the readers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, bindparam, delete, insert, select, text, update

from newsletter.catalogue import Entry, Standing, Survey
from newsletter.errors import NotFound
from newsletter.store.schema import audience, micros, post

if TYPE_CHECKING:
    from datetime import datetime

    from newsletter.store import Store

_FIELDS = (
    "ident", "number", "file", "title", "digest", "status", "reason",
    "publish_at", "release_at", "present_from", "live_since", "off_since", "frozen_at", "changed_at",
)  # fmt: skip


class CatalogueTable:
    """Rows of `post` as `catalogue.Entry`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def entries(self) -> list[Entry]:
        """Every known post, by number."""
        with self._store.read() as connection:
            return load(connection)

    def entry(self, number: int) -> Entry:
        """The post with *number*; raises `NotFound`."""
        for entry in sorted(self.entries(), key=lambda e: e.standing is Standing.ABSENT):
            if entry.number == number:
                return entry
        raise NotFound(f"there is no post {number} in the records yet; `newsletter posts` lists what is in the folder.")

    def in_flight(self) -> dict[str, str]:
        """For each broadcast that went out, the revision it began with."""
        with self._store.read() as connection:
            return {row.ident: row.revision for row in connection.execute(_BEGAN_WITH)}

    def apply(self, survey: Survey, *, at: datetime, first: bool) -> None:
        """Keep what a survey found. *first*: there was no look before, so nobody was passed by."""
        with self._store.write() as connection:
            if _save(connection, survey.entries):
                connection.execute(_WITHDRAW_BEHIND)
                connection.execute(_IN_ORDER_AGAIN)
            keys = {e.ident: e.key for e in load(connection)}
            _withdraw_retracted(connection, [keys[i] for i in survey.retracted])
            if not first:
                for ident in survey.past:
                    _record_past(connection, keys[ident], at)
            connection.execute(_REOPEN_LATE)


def load(connection: Connection) -> list[Entry]:
    """Every known post, by number, within a transaction."""
    rows = connection.execute(select(post, text(_DELIVERED)).order_by(post.c.number, post.c.ident)).mappings()
    return [
        Entry(
            **{f: row[f] for f in _FIELDS},
            standing=Standing(row["standing"]),
            late=bool(row["late"]),
            tags=frozenset(filter(None, row["tags"].split("|"))),
            delivered=bool(row["delivered"]),
            key=row["id"],
        )
        for row in rows
    ]


def _save(connection: Connection, entries: Iterable[Entry]) -> bool:
    """Write what differs; whether a post that was known has another number now."""
    before, renumbered = {e.ident: e for e in load(connection)}, False
    for entry in entries:
        old = before.get(entry.ident)
        if old == entry:
            continue
        values: dict[str, Any] = {f: getattr(entry, f) for f in _FIELDS}
        values |= {"standing": entry.standing, "late": int(entry.late), "tags": joined(entry.tags)}
        if old is None:
            key = connection.execute(insert(post).values(values).returning(post.c.id)).scalar_one()
        else:
            key = old.key
            connection.execute(update(post).where(post.c.id == key).values(values))
            renumbered |= old.number != entry.number
        connection.execute(delete(audience).where(audience.c.post_id == key))
        if entry.tags:
            connection.execute(
                insert(audience), [{"post_id": key, "pattern": _pattern(tag)} for tag in sorted(entry.tags)]
            )
    return renumbered


def joined(tags: Iterable[str]) -> str:
    """Tags as a column keeps them: ``|one|two|``, lower case; empty for none."""
    return "".join(f"|{tag.lower()}" for tag in sorted(tags)) + "|" if tags else ""


def _pattern(tag: str) -> str:
    plain = tag.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%|{plain}|%"


def _withdraw_retracted(connection: Connection, keys: list[int | None]) -> None:
    if keys:
        connection.execute(_WITHDRAW, {"posts": keys})


def _record_past(connection: Connection, key: int | None, at: datetime) -> None:
    """Readers who are beyond a newly placed post are recorded as such: forward only."""
    inserted = connection.execute(_PAST, {"post": key, "at": micros(at)}).rowcount
    if inserted:
        connection.execute(_PROMISE, {"post": key, "at": micros(at), "kind": "skipped", "count": inserted})


_DELIVERED = (
    "EXISTS (SELECT 1 FROM delivery d WHERE d.post_id = post.id"
    " AND d.state IN ('accepted', 'uncertain', 'submitting')) AS delivered"
)
_BEGAN_WITH = text(
    "SELECT p.ident, t.revision FROM template t JOIN post p ON p.id = t.post_id WHERE p.frozen_at IS NOT NULL"
    " AND t.created_at >= p.frozen_at ORDER BY t.created_at DESC"  # the first one is read last
)
# Final: a retraction is the only withdrawal that never comes back. What is being submitted can't be called back.
_WITHDRAW = text(
    "UPDATE delivery SET state = 'withdrawn', reason = 'retracted', open = NULL, reopen = 0"
    " WHERE post_id IN :posts AND (state IN ('planned', 'claimed', 'deferred') OR reopen = 1)"
).bindparams(bindparam("posts", expanding=True))
# Forward only: a post that got a higher number took its readers along, past what was planned for them.
_WITHDRAW_BEHIND = text(
    "UPDATE delivery SET state = 'withdrawn', reason = 'passed over', open = NULL, reopen = 1, lease_until = NULL"
    " FROM subscriber s, post p, post h WHERE s.id = delivery.subscriber_id AND p.id = delivery.post_id"
    " AND h.id = s.high_water AND p.number < h.number AND s.epoch = delivery.epoch AND delivery.open = 1"
    " AND delivery.copy = 0 AND delivery.late = 0 AND delivery.state IN ('planned', 'claimed', 'deferred')"
)
# What was to come late comes in its turn when its number is ahead of the reader by now.
_IN_ORDER_AGAIN = text(
    "UPDATE delivery SET late = 0, number = p.number FROM subscriber s, post p WHERE s.id = delivery.subscriber_id"
    " AND p.id = delivery.post_id AND s.epoch = delivery.epoch AND delivery.late = 1 AND delivery.copy = 0"
    " AND (delivery.open = 1 OR delivery.reopen = 1) AND delivery.state IN ('planned', 'claimed', 'deferred',"
    " 'skipped', 'withdrawn') AND p.number > COALESCE((SELECT h.number FROM post h WHERE h.id = s.high_water), s.floor)"
)
_PAST = text(
    "INSERT INTO delivery (post_id, subscriber_id, epoch, copy, number, state, reason, slot, not_before, planned_at)"
    " SELECT p.id, s.id, s.epoch, 0, p.number, 'skipped', 'past', :at, :at, :at FROM subscriber s JOIN post p ON p.id"
    " = :post"
    " WHERE s.status <> 'merged' AND p.number <= COALESCE((SELECT h.number FROM post h WHERE h.id = s.high_water),"
    " s.floor)"
    " ON CONFLICT (post_id, subscriber_id, epoch, copy) DO NOTHING"
)
_PROMISE = text("INSERT INTO promise (at, post_id, kind, count) VALUES (:at, :post, :kind, :count)")
_REOPEN_LATE = text(
    "UPDATE delivery SET reopen = 1, late = 1 WHERE state = 'skipped' AND reason = 'past' AND reopen = 0"
    " AND post_id IN (SELECT id FROM post WHERE late = 1 AND standing = 'live')"
)
