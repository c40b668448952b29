"""What readers wish for themselves, by a signed link: leave, pause, start over, jump ahead, change, see, erase.

Functions within a transaction of `Store.together` or `Store.write`.

Guarantees
    What had not begun is never submitted once a wish against it is kept. What had begun stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from newsletter.store.catalogue import joined
from newsletter.store.requests import Person
from newsletter.store.schema import HOME_ZONE, micros, optional_instant
from newsletter.subscribers import Status

_NAME, _ZONE, _TAGS = 1, 2, 4  # subscriber.own_fields


@dataclass(frozen=True, slots=True)
class Situation:
    """Where a reader stands, as their own pages show it."""

    name: str
    timezone: str  #: empty = the newsletter's own
    tags: frozenset[str]
    paused_until: datetime | None
    position: int  #: number of the post last handed over, or counted as had; -1 = none
    left_at: datetime | None  #: when they unsubscribed last
    was_reader: bool  #: they had confirmed once
    gave_reason: bool  #: since they left
    pace: int  #: days from letter to letter, by their own choice; 0 = the newsletter's


def situation(c: Connection, person: Person, *, at: datetime) -> Situation:
    """Where *person* stands at *at*."""
    row = c.execute(_SITUATION, {"id": person.id, "at": micros(at), "home": HOME_ZONE}).one()
    left = row.left_at if person.status is Status.UNSUBSCRIBED else None
    return Situation(
        row.name,
        row.zone,
        frozenset(filter(None, row.tags.split("|"))),
        optional_instant(row.paused_until) if person.status is Status.ACTIVE else None,
        row.position,
        optional_instant(left),
        row.confirmed_at is not None,
        bool(row.gave_reason),
        row.pace,
    )


def set_status(c: Connection, person: Person, status: Status, *, at: datetime) -> None:
    """Change where *person* stands; `consent` asks `subscribers.may` first."""
    c.execute(_SET_STATUS, {"id": person.id, "status": status.value, "at": micros(at)})


def pause(c: Connection, person: Person, *, until: datetime) -> None:
    """Nothing before *until*; what waits to leave waits too."""
    c.execute(_NOT_BEFORE, {"id": person.id, "until": micros(until)})
    c.execute(_WITHDRAW, {"id": person.id, "reason": "left or paused", "reopen": 1})


def go_on(c: Connection, person: Person, *, at: datetime) -> None:
    """End a pause of the reader's own: slots from now on count."""
    c.execute(_GO_ON, {"id": person.id, "at": micros(at)})


def start_over(c: Connection, person: Person, *, at: datetime) -> None:
    """Everything from the first post on, in a new epoch, at the same pace: the last hand-over still counts for it."""
    c.execute(_WITHDRAW, {"id": person.id, "reason": "started over", "reopen": 0})
    c.execute(_FORGET_LATER, {"id": person.id})
    c.execute(_START_OVER, {"id": person.id, "at": micros(at)})


def jump(c: Connection, person: Person) -> bool:
    """Let the latest live post be the next; False when they have it, or it is their next anyway."""
    row = c.execute(_LATEST, {"id": person.id}).one()
    if row.latest is None or row.before is None or row.before <= row.position:
        return False
    c.execute(_WITHDRAW, {"id": person.id, "reason": "jumped ahead", "reopen": 0})
    c.execute(_FORGET_LATER, {"id": person.id})
    c.execute(_JUMP, {"id": person.id, "post": row.before_id})
    return True


def change(
    c: Connection,
    person: Person,
    *,
    at: datetime,
    name: str | None = None,
    timezone: str | None = None,
    language: str | None = None,
    tags: frozenset[str] | None = None,
    pace: int | None = None,
) -> None:
    """Fields that the reader set; None leaves one as it is. No file overwrites them from now on."""
    zone = HOME_ZONE if not timezone else _zone(c, timezone)
    own = sum(flag for flag, value in ((_NAME, name), (_ZONE, timezone), (_TAGS, tags)) if value is not None)
    values: dict[str, Any] = {
        "id": person.id, "at": micros(at), "name": name, "zone": None if timezone is None else zone,
        "language": language, "tags": None if tags is None else joined(tags), "own": own,
        "pace": pace,
    }  # fmt: skip
    c.execute(_CHANGE, values)


def _zone(c: Connection, name: str) -> int:
    c.execute(_ADD_ZONE, {"name": name})
    return int(c.execute(text("SELECT id FROM zone WHERE name = :name"), {"name": name}).scalar_one())


def everything(c: Connection, person: Person) -> dict[str, list[dict[str, Any]]]:
    """All rows about *person*, for themselves."""
    values = {"id": person.id, "key": person.address.key}
    return {name: [dict(row._mapping) for row in c.execute(question, values)] for name, question in _EVERYTHING.items()}


_SITUATION = text(
    "SELECT s.name, s.tags, s.pace, s.confirmed_at, CASE WHEN s.zone_id = :home THEN '' ELSE z.name END AS zone,"
    " CASE WHEN s.not_before > :at THEN s.not_before END AS paused_until,"
    " COALESCE((SELECT p.number FROM post p WHERE p.id = s.high_water), s.floor) AS position,"
    " (SELECT MAX(k.at) FROM consent k WHERE k.subscriber_id = s.id AND k.cause = 'unsubscribed') AS left_at,"
    " (SELECT k.detail LIKE 'said: %' FROM consent k WHERE k.subscriber_id = s.id AND k.cause = 'unsubscribed'"
    "  ORDER BY k.id DESC LIMIT 1) AS gave_reason"
    " FROM subscriber s JOIN zone z ON z.id = s.zone_id WHERE s.id = :id"
)
_SET_STATUS = text(
    "UPDATE subscriber SET status = :status, active_since = CASE WHEN :status = 'active' THEN :at ELSE active_since"
    " END WHERE id = :id"
)
_NOT_BEFORE = text("UPDATE subscriber SET not_before = :until WHERE id = :id")
_GO_ON = text("UPDATE subscriber SET not_before = :at WHERE id = :id AND not_before > :at")
# A worker that holds one of these in its hand loses it: `begin` wants the state that it was claimed in.
_WITHDRAW = text(
    "UPDATE delivery SET state = 'withdrawn', reason = :reason, open = NULL, reopen = :reopen, lease_until = NULL"
    " WHERE subscriber_id = :id AND open = 1 AND state IN ('planned', 'deferred', 'claimed')"
)
_FORGET_LATER = text("UPDATE delivery SET reopen = 0 WHERE subscriber_id = :id AND reopen = 1")
_START_OVER = text(
    "UPDATE subscriber SET epoch = epoch + 1, high_water = NULL, floor = -1, active_since = :at, not_before = :at"
    " WHERE id = :id"
)
_LATEST = text(
    "SELECT l.number AS latest, b.number AS before, b.id AS before_id,"
    " COALESCE((SELECT h.number FROM post h WHERE h.id = s.high_water), s.floor) AS position"
    " FROM subscriber s LEFT JOIN post l ON l.id = (SELECT id FROM post WHERE standing = 'live' ORDER BY number DESC"
    " LIMIT 1) LEFT JOIN post b ON b.id = (SELECT id FROM post WHERE number < l.number ORDER BY number DESC LIMIT 1)"
    " WHERE s.id = :id"
)
_JUMP = text("UPDATE subscriber SET high_water = :post WHERE id = :id")
_CHANGE = text(
    "UPDATE subscriber SET name = COALESCE(:name, name), language = COALESCE(:language, language),"
    " pace = COALESCE(:pace, pace),"
    " tags = COALESCE(:tags, tags), own_fields = own_fields | :own,"
    # Of another zone only the slots to come count.
    " not_before = CASE WHEN zone_id <> COALESCE(:zone, zone_id) AND COALESCE(not_before, 0) < :at THEN :at"
    " ELSE not_before END, zone_id = COALESCE(:zone, zone_id) WHERE id = :id"
)
_ADD_ZONE = text(
    "INSERT INTO zone (name, slot, cutoff, day_end, opens) VALUES (:name, 0, 0, 0, 0) ON CONFLICT (name) DO NOTHING"
)
_THEIRS = "SELECT :id UNION ALL SELECT subscriber_id FROM merged WHERE into_id = :id"
_EVERYTHING = {
    "you": text(
        "SELECT s.address, s.name, s.language, CASE WHEN s.zone_id = 1 THEN '' ELSE z.name END AS timezone, s.tags,"
        " s.pace, s.status, s.created_at, s.confirmed_at, s.not_before"
        " FROM subscriber s JOIN zone z ON z.id = s.zone_id WHERE s.id = :id AND :key = :key"
    ),
    "consent": text(
        "SELECT at, cause, status, detail, form, wording, origin FROM consent"
        f" WHERE subscriber_id IN ({_THEIRS}) AND :key = :key ORDER BY id"
    ),
    "letters": text(
        "SELECT p.number, p.title, d.state, d.planned_at, d.accepted_at, d.message_id, d.status, d.diagnostic"
        " FROM delivery d JOIN post p ON p.id = d.post_id"
        f" WHERE d.subscriber_id IN ({_THEIRS}) AND :key = :key ORDER BY d.id"
    ),
    "notices": text(
        "SELECT kind, state, planned_at, accepted_at, message_id FROM notice WHERE LOWER(address) = :key AND :id = :id"
        " ORDER BY id"
    ),
}
