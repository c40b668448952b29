"""How much may leave, how long what pushed back is left alone, and when to try again. Arithmetic only."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

LIFETIME = timedelta(hours=48)  #: of the attempts for one slot
_DELAYS = tuple(timedelta(minutes=m) for m in (5, 15, 30, 60, 120, 240))
_PAUSES = tuple(timedelta(minutes=m) for m in (1, 5, 15, 60))
_JITTER = 0.2
_DOUBLINGS_MAX = 30  # a thousand million times as many bind nobody


def pause(step: int, *, jitter: float) -> timedelta:
    """How long to leave a mail system alone that pushed back for the *step*-th time in a row (1 or more).

    *jitter* in [0, 1) spreads it by ±20 %.
    """
    return _PAUSES[min(step, len(_PAUSES)) - 1] * _spread(jitter)


def next_attempt(attempts: int, *, first: datetime, at: datetime, jitter: float) -> datetime | None:
    """When to try again after *attempts* attempts (1 or more), or None to give up for this slot.

    *jitter* in [0, 1) spreads the attempts of many by ±20 %.
    """
    delay = _DELAYS[min(attempts, len(_DELAYS)) - 1] * _spread(jitter)
    return at + delay if at + delay - first <= LIFETIME else None


def _spread(jitter: float) -> float:
    return 1 + _JITTER * (2 * jitter - 1)


def allowance(first: int, *, live_since: datetime, at: datetime, zone: ZoneInfo) -> int:
    """How many messages may leave on the day of *at*: *first* on the day of going live, then twice as many each day."""
    days = (at.astimezone(zone).date() - live_since.astimezone(zone).date()).days
    return int(first * 2 ** min(max(days, 0), _DOUBLINGS_MAX))
