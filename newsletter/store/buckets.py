"""Buckets: how much may still leave, and what is left alone for a while.

A row for a provider ("provider smtp"), for a mail system ("to gmail.com") and for a day of warming up. They stand in
the database so that processes and ticks that follow each other agree; a bucket nobody limits has no row.

Guarantees
    What is granted to one is not granted to another: each verb is one writing transaction.

Tokens are kept as time (microseconds of a rate), so that a rate may change between two ticks. A bucket holds half the
rate's period and 30 seconds at most: emptied and filled again, it never gives more than the rate says.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text

from newsletter.config import Rate
from newsletter.store.schema import instant, micros

if TYPE_CHECKING:
    from newsletter.store import Store

_FULL = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Rest:
    """Something that pushed back *step* times in a row, and is left alone *until* then."""

    step: int
    until: datetime


class Buckets:
    """The table of buckets."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def take(self, name: str, want: int, rate: Rate, *, at: datetime) -> tuple[int, datetime]:
        """Up to *want* tokens of *rate*, and when as many are there again.

        None before the bucket has what was asked for, or is full: a limit is met in few large steps.
        """
        period = _micros(rate.per)
        full = max(min(_micros(_FULL), period // 2), -(-period // rate.count))
        with self._store.write() as c:
            tokens, then = _read(c, name, full, micros(at))
            tokens = min(full, tokens + max(micros(at) - then, 0))
            most = min(want, full * rate.count // period)
            granted = most if tokens * rate.count >= most * period else 0
            tokens -= -(-granted * period // rate.count)
            _write(c, name, tokens, max(then, micros(at)))
        return granted, at + timedelta(microseconds=max(-(-most * period // rate.count) - tokens, 1))

    def give_back(self, name: str, count: int, rate: Rate) -> None:
        """Put tokens back that were not used."""
        with self._store.write() as c:
            c.execute(_ADD, {"name": name, "tokens": count * _micros(rate.per) // rate.count})

    def spend(self, name: str, want: int, allowance: int, *, at: datetime) -> int:
        """Up to *want* of *allowance*, which does not fill up again; a negative *want* gives back."""
        with self._store.write() as c:
            spent, _ = _read(c, name, 0, 0)
            granted = min(want, max(allowance - spent, 0))
            _write(c, name, spent + granted, micros(at))
        return granted

    def spent(self, name: str) -> int:
        """How much of an allowance is gone."""
        with self._store.read() as c:
            return int(c.scalar(text("SELECT tokens FROM bucket WHERE name = :name"), {"name": name}) or 0)

    def back_off(self, name: str, step: int, *, until: datetime) -> None:
        """Leave *name* alone *until* then."""
        with self._store.write() as c:
            c.execute(_REST, {"name": name, "step": step, "until": micros(until)})

    def recover(self, name: str) -> None:
        """It takes mail again: the next time it pushes back counts as the first."""
        with self._store.write() as c:
            c.execute(_RECOVER, {"name": name})

    def resting(self) -> dict[str, Rest]:
        """What pushed back and has taken nothing since."""
        with self._store.read() as c:
            return {r.name: Rest(r.step, instant(r.paused_until)) for r in c.execute(_RESTING)}


def count(c: Connection, name: str, rate: Rate, *, at: datetime) -> bool:
    """Count one more against *rate*, in windows of its period; False when this window's are used up.

    For visitors, within a transaction. They come in bursts, which the buckets above would turn away. *name* must not
    tell who they are. The row is of no use after its window: see `clear`.
    """
    window = micros(at) // _micros(rate.per)
    values = {"name": f"{_VISITS}{name} {window}", "at": micros(at), "most": rate.count}
    return bool(c.execute(_COUNT, values).rowcount == 1)


def clear(c: Connection, *, before: datetime) -> None:
    """Forget counts that nobody has added to since."""
    c.execute(_CLEAR, {"before": micros(before), "visits": f"{_VISITS}%"})


def _micros(span: timedelta) -> int:
    return span // timedelta(microseconds=1)


def _read(c: Connection, name: str, tokens: int, at: int) -> tuple[int, int]:
    c.execute(_MAKE, {"name": name, "tokens": tokens, "at": at})
    lock = " FOR UPDATE" if c.dialect.name == "postgresql" else ""  # SQLite has one writer and needs none
    row = c.execute(text(f"SELECT tokens, at FROM bucket WHERE name = :name{lock}"), {"name": name}).one()
    return int(row.tokens), int(row.at)


def _write(c: Connection, name: str, tokens: int, at: int) -> None:
    c.execute(_SET, {"name": name, "tokens": tokens, "at": at})


_MAKE = text(
    "INSERT INTO bucket (name, tokens, at, step) VALUES (:name, :tokens, :at, 0) ON CONFLICT (name) DO NOTHING"
)
_VISITS = "visits "
_COUNT = text(
    "INSERT INTO bucket (name, tokens, at, step) VALUES (:name, 1, :at, 0)"
    " ON CONFLICT (name) DO UPDATE SET tokens = bucket.tokens + 1, at = excluded.at WHERE bucket.tokens < :most"
)
_CLEAR = text("DELETE FROM bucket WHERE name LIKE :visits AND at < :before")
_SET = text("UPDATE bucket SET tokens = :tokens, at = :at WHERE name = :name")
_ADD = text("UPDATE bucket SET tokens = tokens + :tokens WHERE name = :name")
_REST = text(
    "INSERT INTO bucket (name, tokens, at, step, paused_until) VALUES (:name, 0, 0, :step, :until)"
    " ON CONFLICT (name) DO UPDATE SET step = excluded.step, paused_until = excluded.paused_until"
)
_RECOVER = text("UPDATE bucket SET step = 0, paused_until = NULL WHERE name = :name")
_RESTING = text("SELECT name, step, paused_until FROM bucket WHERE step > 0 ORDER BY name")
