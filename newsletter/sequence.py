"""The planner's arithmetic: slots, cut-offs and hours, zone by zone.

A *slot* is an allowed day's hour in one zone. The whole planner rests on one observation: every
condition of being due says "the slot must not be earlier than ...", so a reader is due at *t* exactly
when the **latest** slot at or before *t* satisfies them all. That leaves three instants a zone
(`Window`), which the store joins with its readers in one statement; the rules stand nowhere else.

Guarantees
    One slot per eligible day in any IANA zone, also across clock changes: a local time that is skipped
    gives the first valid instant after it, one that comes twice gives the first. No clock is read here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from newsletter.config import Rules

DAY = timedelta(days=1)
NEVER = datetime(1970, 1, 1, tzinfo=UTC)  #: "no such slot": older than anything a reader can be compared with
PROMPT = timedelta(hours=12)  #: a hand-over this soon after its slot may come at any hour
DAYTIME = (time(8), time(20))  #: a later one only between these, local time
_HORIZON = 800  # days searched for an allowed one: weekdays and two years of holidays fit


@dataclass(frozen=True, slots=True)
class Window:
    """What one zone allows at one instant."""

    slot: datetime  #: the latest slot at or before the instant
    cutoff: datetime  #: the previous hand-over must lie before this: then `every` days have passed
    day_end: datetime  #: end of the slot's local day; a `min_gap` that ends later waits for the next slot
    daytime: bool  #: late hand-overs are welcome
    opens: datetime  #: when the daytime that serves late hand-overs began, or begins next
    quiet: bool  #: inside quiet_hours: nothing leaves


def slot_on(day: date, zone: tzinfo, at: time) -> datetime | None:
    """The instant (UTC) of local time *at* on *day*; None for a day the zone skipped altogether."""
    local = datetime.combine(day, at, zone)
    early, late = local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)
    if late >= early:  # an ordinary time, or one that comes twice: fold 0 is the first of the two
        return early
    if early - late >= DAY:  # Samoa had no 30 December 2011
        return None
    # Skipped: early uses the offset before the change and late the one after; the change lies between.
    offset = early.astimezone(zone).utcoffset()
    while early - late > timedelta(seconds=1):
        middle = late + (early - late) // 2
        if middle.astimezone(zone).utcoffset() == offset:
            early = middle
        else:
            late = middle
    return early.replace(microsecond=0)


def _slots(day: date, step: int, zone: tzinfo, rules: Rules) -> tuple[date, datetime] | None:
    """The nearest eligible day from *day* in direction *step* (1 or -1), with its slot."""
    for _ in range(_HORIZON):
        if day.weekday() in rules.days and day not in rules.holidays:
            slot = slot_on(day, zone, rules.at)
            if slot is not None:
                return day, slot
        day += step * DAY
    return None


def latest_slot(at: datetime, zone: tzinfo, rules: Rules) -> tuple[date, datetime] | None:
    """The last slot at or before *at*, with the civil day it belongs to."""
    # A skipped local time can push a slot past midnight, so the search starts a day late.
    day = at.astimezone(zone).date() + DAY
    while (found := _slots(day, -1, zone, rules)) is not None:
        if found[1] <= at:
            return found
        day = found[0] - DAY
    return None


def next_slot(at: datetime, zone: tzinfo, rules: Rules) -> datetime | None:
    """The first slot at or after *at*."""
    day = at.astimezone(zone).date() - DAY
    while (found := _slots(day, 1, zone, rules)) is not None:
        if found[1] >= at:
            return found[1]
        day = found[0] + DAY
    return None


def window(at: datetime, zone: tzinfo, rules: Rules, *, every: int) -> Window:
    """The instants that decide at *at* who in *zone* is due, for a cadence of *every* days."""
    daytime, opens, quiet = _hours(at, zone, rules)
    found = latest_slot(at, zone, rules)
    if found is None:
        return Window(NEVER, NEVER, NEVER, daytime, opens, quiet)
    day, slot = found
    first = _slots(day - every * DAY + DAY, 1, zone, rules)
    assert first is not None  # the latest slot itself qualifies
    midnight = slot_on(day + DAY, zone, time(0)) or slot + DAY
    return Window(slot, first[1], max(midnight, slot), daytime, opens, quiet)


def _hours(at: datetime, zone: tzinfo, rules: Rules) -> tuple[bool, datetime, bool]:
    """Daytime now?, when it began or begins next, and quiet hours now?"""
    local = at.astimezone(zone)
    start, end = (slot_on(local.date(), zone, hour) or at for hour in DAYTIME)
    daytime = start <= at < end
    opens = start if at < end else slot_on(local.date() + DAY, zone, DAYTIME[0]) or at + DAY
    return daytime, opens, rules.quiet_hours is not None and _between(local.time(), *rules.quiet_hours)


def _between(moment: time, start: time, end: time) -> bool:
    """Whether *moment* lies in [start, end), which may run over midnight."""
    return start <= moment < end if start <= end else moment >= start or moment < end
