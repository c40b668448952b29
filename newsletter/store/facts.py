"""The few facts about the project itself: holds, the last tick, providers that have gone live."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, text

from newsletter.store.schema import instant, micros

if TYPE_CHECKING:
    from newsletter.store import Store


class HoldKind(StrEnum):
    """Why nothing, or not everything, leaves."""

    OWNER = "owner"  #: `newsletter pause`: the readers' clock stands still
    RESTORED = "restored"  #: an older copy of the database was put in place
    CLOCK = "clock"  #: the machine's clock went back
    BACKLOG = "backlog"  #: more would leave late at once than looks intended; the rest goes on
    REFUSED = "refused"  #: the provider refused several messages in a row
    COMPOSE = "compose"  #: too many messages could not be composed
    FEEDBACK = "feedback"  #: too many letters came back, or were called spam


@dataclass(frozen=True, slots=True)
class Hold:
    """One hold; `newsletter resume` lifts it."""

    kind: HoldKind
    since: datetime
    reason: str

    @property
    def stops_all(self) -> bool:
        """Everything waits (a backlog holds only itself)."""
        return self.kind is not HoldKind.BACKLOG


class Facts:
    """Reads and writes of the table `meta`, each under one name."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, key: str) -> Any:
        """The fact under *key*, or None."""
        with self._store.read() as connection:
            return read(connection, key)

    def put(self, key: str, value: Any) -> None:
        """Keep *value* (JSON); None deletes."""
        with self._store.write() as connection:
            write(connection, key, value)

    # Ticks

    def last_tick(self) -> datetime | None:
        """When the scheduler last ran."""
        return _instant(self.get("last_tick"))

    def trusted_since(self) -> datetime | None:
        """When the owner last said that what had come back was no reason to stop."""
        return _instant(self.get("trusted_since"))

    def clock_off(self, at: datetime) -> timedelta:
        """How far *at* is ahead of the database server's clock; nothing with SQLite, which has none of its own."""
        with self._store.read() as connection:
            if connection.dialect.name != "postgresql":
                return timedelta(0)
            server = connection.scalar(text("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"))
            return timedelta(microseconds=micros(at) - int(server))

    # Holds

    def holds(self) -> list[Hold]:
        """Every hold in force, oldest first."""
        held = [Hold(HoldKind(kind), instant(h["since"]), h["reason"]) for kind, h in (self.get("holds") or {}).items()]
        return sorted(held, key=lambda h: h.since)

    def hold(self, kind: HoldKind, reason: str, *, at: datetime) -> None:
        """Put a hold in force; one already in force keeps its beginning."""
        with self._store.write() as connection:
            add_hold(connection, kind, reason, at=at)

    def lift(self, kinds: Iterable[HoldKind], *, at: datetime) -> None:
        """Lift holds. After the owner's own pause the readers' clock goes on where it stopped."""
        kinds = set(kinds)
        with self._store.write() as connection:
            holds: dict[str, Any] = read(connection, "holds") or {}
            paused = holds.get(HoldKind.OWNER) if HoldKind.OWNER in kinds else None
            write(connection, "holds", {k: h for k, h in holds.items() if HoldKind(k) not in kinds} or None)
            if HoldKind.BACKLOG in kinds:
                write(connection, "backlog_confirmed", True)
            if HoldKind.FEEDBACK in kinds:
                write(connection, "trusted_since", micros(at))
            if HoldKind.CLOCK in kinds:
                write(connection, "last_tick", micros(at))
            if paused:
                write(connection, "resumed_at", micros(at))
                connection.execute(_SHIFT, {"by": max(micros(at) - paused["since"], 0), "at": micros(at)})
        if HoldKind.RESTORED in kinds:
            self._store.overtake_marker()

    # Providers

    def went_live(self, provider: str) -> datetime | None:
        """When the owner let *provider* send."""
        return _instant((self.get("live") or {}).get(provider))

    def go_live(self, provider: str, *, at: datetime) -> None:
        """Remember that the owner let *provider* send."""
        with self._store.write() as connection:
            write(connection, "live", {**(read(connection, "live") or {}), provider: micros(at)})


def read(connection: Connection, key: str) -> Any:
    """The fact under *key*, within a transaction."""
    value = connection.scalar(text("SELECT value FROM meta WHERE key = :key"), {"key": key})
    return None if value is None else json.loads(value)


def write(connection: Connection, key: str, value: Any) -> None:
    """As `Facts.put`, within a transaction."""
    if value is None:
        connection.execute(text("DELETE FROM meta WHERE key = :key"), {"key": key})
    else:
        connection.execute(_PUT, {"key": key, "value": json.dumps(value)})


def add_hold(connection: Connection, kind: HoldKind, reason: str, *, at: datetime) -> None:
    """As `Facts.hold`, within a transaction."""
    holds: dict[str, Any] = read(connection, "holds") or {}
    since = holds[kind]["since"] if kind in holds else micros(at)
    write(connection, "holds", {**holds, kind: {"since": since, "reason": reason}})


def _instant(value: int | None) -> datetime | None:
    return None if value is None else instant(value)


_PUT = text(
    "INSERT INTO meta (key, value) VALUES (:key, :value) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
)
# What was handed over during the pause, or after it began, must not come to lie in the future.
_SHIFT = text(
    "UPDATE subscriber SET anchor_at = CASE WHEN anchor_at + :by > :at THEN :at ELSE anchor_at + :by END"
    " WHERE anchor_at IS NOT NULL AND anchor_at <= :at"
)
