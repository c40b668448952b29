"""What columns hold: the states of a delivery, and instants.

Instants are whole microseconds since 1970 (UTC): SQLite drops time-zone offsets silently, and the planner
compares and adds instants in SQL; the price is that a shell shows numbers. `Instant` lets only aware
datetimes in.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sqlalchemy import BigInteger, Dialect
from sqlalchemy.types import TypeDecorator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class State(StrEnum):
    """Of a delivery (docs/guarantees.md)."""

    PLANNED = "planned"  #: promised; nobody has touched it
    CLAIMED = "claimed"  #: one worker holds a lease; nothing that could be accepted has left
    SUBMITTING = "submitting"  #: may be accepted at any moment; a crash here leaves doubt
    ACCEPTED = "accepted"  #: the provider took responsibility, not: it was read
    DEFERRED = "deferred"  #: refused for now; another attempt at `not_before`
    REJECTED = "rejected"  #: refused for good
    UNCERTAIN = "uncertain"  #: handed over, no answer (RFC 1047)
    WITHDRAWN = "withdrawn"  #: consent, suppression, a pause or a retraction came first; never submitted
    SKIPPED = "skipped"  #: a rule passed it over, see `reason`
    QUARANTINED = "quarantined"  #: it could not be composed, or the server broke off at it, five times over


def micros(at: datetime) -> int:
    """*at* (aware) in microseconds since 1970."""
    if at.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def instant(value: int) -> datetime:
    """The aware UTC datetime of `micros`."""
    return _EPOCH + timedelta(microseconds=value)


def optional_instant(value: int | None) -> datetime | None:
    """As `instant`; None stays None."""
    return None if value is None else instant(value)


class Instant(TypeDecorator[datetime]):
    """An aware datetime, kept as microseconds."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else micros(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return optional_instant(value)
