"""Whom the planner need look at: everybody, or only those to whom something has happened since.

Nobody falls due without a cause. Either it concerns many (a slot begins, a post comes out, a rule changes), and the
planner looks at everybody, once for each such state of affairs; or it befalls one reader (confirmed, no longer paused,
a post given up), and triggers write them down in `stirred`. So a run with nothing due costs the same for ten readers
and for ten million.

Guarantees
    What is missed here waits for the next slot, when everybody is looked at; it is never lost.
    Whoever is stirred while the planner is at work is looked at by the next run.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection, text

from newsletter.config import Mode, Rules
from newsletter.store import facts

_MANY = 20_000  # from here on looking at everybody is no dearer


def install(c: Connection) -> None:
    """Make the triggers that write down who is stirred; those that are there already stay."""
    if c.dialect.name == "postgresql":
        c.exec_driver_sql(_FUNCTION)
    for name, when, whose in (("reader", _READER, "id"), ("delivery", _DELIVERY, "subscriber_id")):
        what, columns, condition = when
        if c.dialect.name == "postgresql":
            does = f"EXECUTE FUNCTION newsletter_stir('{whose}')"
        else:
            does = f"BEGIN INSERT INTO stirred (subscriber_id, at) VALUES (NEW.{whose}, 0); END"
        c.exec_driver_sql(
            f"CREATE TRIGGER stir_{name} AFTER UPDATE OF {columns} ON {what} FOR EACH ROW WHEN ({condition}) {does}"
        )


def whom(c: Connection, rules: Rules, values: dict[str, Any]) -> list[int] | None:
    """The ids of the readers to look at; None: everybody. They are no longer written down after it.

    *values* are the planner's; the windows of the zones are those of this moment.
    """
    affairs = _affairs(c, rules, values)
    known = affairs is not None and facts.read(c, "planned_for") == affairs
    if known and c.scalar(_COUNT, values | {"many": _MANY}) < _MANY:
        return [row[0] for row in c.execute(_TAKE, values)]
    facts.write(c, "planned_for", affairs)
    c.execute(_FORGET)
    return None


def wait_for_gap(c: Connection, maybe: str, only: str, values: dict[str, Any]) -> None:
    """Write down who would be due but for the gap after their last letter; *maybe*, *only* are the planner's terms."""
    c.execute(text(_BY_GAP.format(maybe=maybe, only=only)), values)


def stir_joined(c: Connection, added: int) -> None:
    """The staged rows of `joining` brought so many new readers; a trigger would cost more than their rows."""
    if added < _MANY:
        c.execute(_STIR_JOINED)
    else:
        look_at_all(c)


def look_at_all(c: Connection) -> None:
    """The next planning looks at everybody."""
    facts.write(c, "planned_for", None)


def _affairs(c: Connection, rules: Rules, values: dict[str, Any]) -> str | None:
    """A hash of all that decides for many who is due; None when every run must look at everybody."""
    if rules.mode is not Mode.SEQUENCE:
        return None  # news are due when the gap after the last letter is over, which is another instant for each
    state: list[Any] = [rules.first.value, *(values[name] for name in ("gap", "since", "earliest"))]
    state += (c.execute(text(statement), values).all() for statement in (_ZONES, _PACES, _POSTS))
    return blake2b(repr(state).encode(), digest_size=16).hexdigest()


_ZONES = "SELECT id, name, slot, cutoff, day_end FROM zone ORDER BY id"
_PACES = "SELECT zone_id, every, cutoff FROM pace ORDER BY zone_id, every"
_POSTS = (
    "SELECT id, number, standing, release_at, present_from, CASE WHEN release_at <= :at THEN 1 ELSE 0 END FROM post"
    " ORDER BY id"
)
_COUNT = text("SELECT COUNT(*) FROM (SELECT 1 FROM stirred WHERE at <= :at LIMIT :many) AS k")
_TAKE = text("DELETE FROM stirred WHERE at <= :at RETURNING subscriber_id")
_FORGET = text("DELETE FROM stirred")
_STIR_JOINED = text(
    "INSERT INTO stirred (subscriber_id, at) SELECT s.id, 0 FROM incoming i JOIN subscriber s ON s.token = i.token"
)
_BY_GAP = (
    "INSERT INTO stirred (subscriber_id, at) SELECT s.id, s.handed_over_at + :gap FROM subscriber s"
    " JOIN zone z ON z.id = s.zone_id WHERE s.status = 'active' AND s.pauses = 0 AND s.handed_over_at > :at - :gap"
    " AND {maybe} AND {only}"
)
# Letters handed over are no cause, as the reader's next slot is yet to come: so every message passes by for free.
_READER = (
    "subscriber",
    "status, pauses, zone_id, tags, pace, epoch, floor, active_since, not_before, anchor_at, high_water",
    "COALESCE(NEW.anchor_at, 0) <= COALESCE(OLD.anchor_at, 0)"
    " AND COALESCE(NEW.handed_over_at, 0) <= COALESCE(OLD.handed_over_at, 0)",
)
_DELIVERY = (
    "delivery",
    "open",
    "OLD.open = 1 AND NEW.open IS NULL AND (NEW.state <> 'accepted' OR OLD.state <> 'submitting' OR NEW.copy > 0)",
)
_FUNCTION = (
    "CREATE OR REPLACE FUNCTION newsletter_stir() RETURNS trigger LANGUAGE plpgsql AS $stir$ BEGIN"
    " IF TG_ARGV[0] = 'id' THEN INSERT INTO stirred (subscriber_id, at) VALUES (NEW.id, 0);"
    " ELSE INSERT INTO stirred (subscriber_id, at) VALUES (NEW.subscriber_id, 0); END IF; RETURN NULL; END $stir$"
)
