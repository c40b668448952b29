"""Invariant 9: any IANA zone over a whole year. Pure arithmetic."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st
from life import last_slot, slot_of

from newsletter.config import Rules
from newsletter.sequence import latest_slot, next_slot, slot_on, window

DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)
ALL = sorted(available_timezones() - {"localtime"})
YEAR = 2026
HOURS = [time(0), time(0, 30), time(1), time(1, 59, 59), time(2), time(2, 30), time(3), time(9), time(23), time(23, 59)]

zones = st.sampled_from(ALL).map(ZoneInfo)
days = st.dates(date(2005, 1, 1), date(2037, 12, 31))
times = st.times().map(lambda t: t.replace(microsecond=0))


def clock_changes(zone: ZoneInfo, year: int) -> list[date]:
    """The days of *year* on which, or the day before which, the clock changes."""
    noon = [datetime(year, 1, 1, 12, tzinfo=UTC) + n * DAY for n in range(-2, 368)]
    offsets = [n.astimezone(zone).utcoffset() for n in noon]
    return [noon[n].date() for n in range(1, len(noon)) if offsets[n] != offsets[n - 1]]


def check_day(day: date, zone: ZoneInfo, at: time) -> None:
    """The slot of one day is the first instant at which the clock shows *at* or later."""
    slot = slot_on(day, zone, at)
    assert slot is not None
    wall = datetime.combine(day, at)
    shown = slot.astimezone(zone)
    if shown.replace(tzinfo=None) == wall:
        assert shown.fold == 0, f"{zone} {wall}: the second of two"
        return
    before = (slot - SECOND).astimezone(zone).replace(tzinfo=None)
    assert before < wall < shown.replace(tzinfo=None), f"{zone} {wall}: slot at {shown}, and {before} a second before"


@pytest.mark.parametrize("part", range(8))
def test_one_slot_on_every_day_of_the_year_in_every_zone(part: int) -> None:
    for n, name in enumerate(ALL[part::8]):
        zone, at = ZoneInfo(name), HOURS[n % len(HOURS)]
        day, before = date(YEAR, 1, 1), datetime.min.replace(tzinfo=UTC)
        while day.year == YEAR:
            check_day(day, zone, at)
            slot = slot_on(day, zone, at)
            assert slot is not None and slot > before
            day, before = day + DAY, slot
        for change in clock_changes(zone, YEAR):
            for hour in HOURS:
                check_day(change, zone, hour)
                check_day(change - DAY, zone, hour)


@given(zones, days, times)
def test_a_slot_is_the_first_instant_at_which_the_clock_shows_it(zone: ZoneInfo, day: date, at: time) -> None:
    slot = slot_on(day, zone, at)
    if slot is None:  # the zone moved over the date line and left this day out
        assert {
            (datetime.combine(day, time(h), UTC) + n * HOUR).astimezone(zone).date()
            for h in range(24)
            for n in (-14, 0, 14)
        }
        around = [datetime.combine(day, time(0), UTC) + n * HOUR for n in range(-20, 44)]
        assert day not in {a.astimezone(zone).date() for a in around}
        return
    check_day(day, zone, at)
    assert slot == slot_of(day, zone, at)


@given(
    zones,
    st.datetimes(datetime(2005, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC)),
    times,
    st.frozensets(st.integers(0, 6), min_size=1),
    st.frozensets(st.integers(-9, 9), max_size=9),
    st.integers(1, 30),
)
def test_the_window_of_an_instant(
    zone: ZoneInfo, at: datetime, hour: time, allowed: frozenset[int], off: frozenset[int], every: int
) -> None:
    """The latest slot, the next one and the cut-off, against counting days."""
    holidays = frozenset(at.date() + n * DAY for n in off)
    chosen = Rules(at=hour, days=allowed, holidays=holidays)
    expected = last_slot(at, zone, chosen)
    found = latest_slot(at, zone, chosen)
    assert found == expected
    following = next_slot(at, zone, chosen)
    assert following is not None and following >= at
    assert last_slot(following, zone, chosen) == (following.astimezone(zone).date(), following) or not _ordinary(
        following, zone, hour
    )
    if found is None:
        return
    day, slot = found
    w = window(at, zone, chosen, every=every)
    assert w.slot == slot <= at
    assert slot <= w.day_end <= slot + 26 * HOUR  # the end of a day that may have 25 hours
    # Whoever was handed something before the cut-off has a last slot at least `every` days earlier; who was after, not.
    for moment in (w.cutoff - SECOND, w.cutoff, w.cutoff + HOUR, slot):
        if moment <= slot and (previous := last_slot(moment, zone, chosen)) is not None:
            assert ((day - previous[0]).days >= every) is (moment < w.cutoff)


def _ordinary(instant: datetime, zone: ZoneInfo, hour: time) -> bool:
    return instant.astimezone(zone).time() == hour


@pytest.mark.parametrize("part", range(8))
def test_a_daily_tick_at_any_hour_keeps_every_reader_s_cadence(part: int) -> None:
    """One letter every `every` days for a whole year, whatever hour cron has, in every zone.

    Any hour at which something may leave at all: a cron that wakes only at night, more than twelve hours after
    the slot, must send nothing (invariant 5).
    """
    for n, name in enumerate(ALL[part::8]):
        zone, every, at, minute = ZoneInfo(name), (1, 2, 7)[n % 3], HOURS[n % len(HOURS)], (n * 17) % 60
        chosen = Rules(at=at, every=every)
        hour = next(h % 24 for h in range(n * 5, n * 5 + 24) if allowed(h % 24, minute, zone, at))
        changes = {d + m * DAY for d in clock_changes(zone, YEAR) + clock_changes(zone, YEAR + 1) for m in range(-2, 3)}
        served = year_of_letters(zone, chosen, datetime(YEAR, 1, 1, hour, minute, tzinfo=UTC))
        gaps = [(b - a).days for a, b in zip(served, served[1:], strict=False)]
        assert all(g == every or (g == every + 1 and d in changes) for g, d in zip(gaps, served[1:], strict=True)), (
            f"{name}, cron at {hour}:{minute:02} UTC, slot at {chosen.at}, every {every}: {served}"
        )
        assert len(served) >= (365 - 2 - len(changes)) // every


def allowed(hour: int, minute: int, zone: ZoneInfo, at: time) -> bool:
    """Whether a tick at that hour (UTC) is by day, or soon after the slot, all the year round."""
    for month in range(1, 13):
        local = datetime(YEAR, month, 1, hour, minute, tzinfo=UTC).astimezone(zone)
        after = (local.hour * 60 + local.minute - at.hour * 60 - at.minute - 1) % 1440
        if not (8 <= local.hour < 19 or 60 < after < 11 * 60):
            return False
    return True


def year_of_letters(zone: ZoneInfo, chosen: Rules, first: datetime) -> list[date]:
    """The days whose slots served a reader who never lacks a next post, with one tick a day."""
    anchor: datetime | None = None
    served = []
    for n in range(365):
        at = first + n * DAY
        w = window(at, zone, chosen, every=chosen.every)
        assert at - w.slot <= 12 * HOUR or w.daytime
        if anchor is None or anchor < w.cutoff:
            anchor = at
            found = latest_slot(at, zone, chosen)
            assert found is not None
            served.append(found[0])
    return served
