"""Readers for what has to do with time: spans, rates, hours, days, zones. As `values`, none of them touches the disk,
except `zone`, which asks the time-zone database.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from newsletter.config.settings import Rate
from newsletter.config.values import WrongValueError, nearest
from newsletter.mail import shown

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_UNITS = {
    "second": timedelta(seconds=1),
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}
_DURATION = re.compile(r"([0-9]{1,6})\s*([a-z]+)")
_RATE = re.compile(r"([0-9][0-9,]{0,9})\s*(?:per|an?|/)\s*(second|minute|hour|day)")
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})")
_TEN_YEARS = timedelta(days=3650)
# On this machine they are whatever the system is set to, or a second spelling with leap seconds.
_NOT_IANA = re.compile(r"(?i)(localtime|posixrules|factory|(right|posix)/.*)")


def duration(low: timedelta = timedelta(0), high: timedelta = _TEN_YEARS) -> Callable[[object], timedelta]:
    """A reader for a span of time such as ``"20 hours"`` within bounds, both included."""

    def read(value: object) -> timedelta:
        span = _span(value, _UNITS)
        if span is None:
            raise WrongValueError('write a number of minutes, hours, days or weeks, such as "20 hours"')
        if not low <= span <= high:
            raise WrongValueError(f"write a span of time from {_words(low)} to {_words(high)}")
        return span

    return read


def rate(value: object) -> Rate:
    """So many in each span of time, such as ``"600 per minute"``."""
    match = _RATE.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    count = int(match[1].replace(",", "")) if match else 0
    if match is None or not count:
        raise WrongValueError(
            'write how many in a second, minute, hour or day, such as "600 per minute"; "" is no limit'
        )
    return Rate(count, _UNITS[match[2]])


def a_day(value: object) -> int:
    """A number of letters a day, such as ``"50 a day"``."""
    try:
        if (found := rate(value)).per == _UNITS["day"]:
            return found.count
    except WrongValueError:
        pass
    raise WrongValueError('write how many letters may leave on the first day, such as "50 a day"')


def days(value: object) -> int:
    """A number of civil days, at least one, from ``"7 days"`` or ``"2 weeks"``."""
    span = _span(value, ("day", "week"))
    if span is None or not timedelta(days=1) <= span <= _TEN_YEARS:
        raise WrongValueError('write a number of days or weeks, such as "7 days"')
    return span.days


def _span(value: object, units: Iterable[str]) -> timedelta | None:
    match = _DURATION.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    unit = match[2].removesuffix("s") if match else ""
    return int(match[1]) * _UNITS[unit] if match and unit in units else None


def _words(span: timedelta) -> str:
    unit = next((unit for unit in reversed(_UNITS) if span and not span % _UNITS[unit] and unit != "week"), "second")
    count = span // _UNITS[unit]
    return f"{count} {unit}{'' if count == 1 else 's'}"


def clock(value: object) -> time:
    """A time of day in whole minutes, from ``"09:00"`` or TOML's own 09:00:00."""
    if isinstance(value, time) and not value.second and not value.microsecond:
        return value
    match = _CLOCK.fullmatch(value.strip()) if isinstance(value, str) else None
    if not match or int(match[1]) > 23 or int(match[2]) > 59:
        raise WrongValueError('write hours and minutes of a 24-hour clock, such as "09:00" or "17:30"')
    return time(int(match[1]), int(match[2]))


def quiet_hours(value: object) -> tuple[time, time] | None:
    """From when to when nothing leaves, from ``"22:00-07:00"`` or a list of both; false is off."""
    if value is False:
        return None
    parts = re.split(r"\s*[-–—]\s*", value.strip()) if isinstance(value, str) else value
    if not isinstance(parts, list) or len(parts) != 2:
        raise WrongValueError('write two times of day, such as "22:00-07:00", or false for none')
    begin, end = clock(parts[0]), clock(parts[1])
    if begin == end:
        raise WrongValueError(
            "the two times must differ, else nothing would ever leave; write false for no quiet hours"
        )
    return begin, end


def weekdays(value: object) -> frozenset[int]:
    """Allowed weekdays, Monday = 0, from a list of full or three-letter names."""
    if not isinstance(value, list) or not value:
        raise WrongValueError(
            'write a list of weekdays, such as ["tuesday"] or ["mon", "thu"]; for every day leave the key out'
        )
    return frozenset(map(_weekday, value))


def _weekday(value: object) -> int:
    name = value.strip().lower() if isinstance(value, str) else ""
    for index, day in enumerate(WEEKDAYS):
        if name in (day, day[:3]):
            return index
    close = nearest(name, WEEKDAYS)
    hint = f'did you mean "{close}"? ' if close else ""
    raise WrongValueError(
        f"{shown(str(value))} is no weekday; {hint}allowed: {', '.join(WEEKDAYS)}, or their first three letters"
    )


def day(value: object) -> date:
    """A date, from TOML's own or ``"2026-03-01"``."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value.strip()):
            return date.fromisoformat(value.strip())
    except ValueError:
        pass  # the thirteenth month and the like
    raise WrongValueError("write a date as year-month-day, such as 2026-03-01")


def holidays(value: object) -> frozenset[date]:
    """A list of dates."""
    if not isinstance(value, list):
        raise WrongValueError("write a list of dates, such as [2026-12-25, 2027-01-01]")
    return frozenset(map(day, value))


def start(value: object) -> str | int | date:
    """Where a new reader begins: ``"first"``, ``"latest"``, a post's number, or a date."""
    remedy = 'write "first", "latest", the number of a post, or a date such as 2026-03-01'
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    given = value.strip().lower() if isinstance(value, str) else value
    if given in ("first", "latest"):
        return str(given)
    try:
        return day(given)
    except WrongValueError:
        close = nearest(given, ("first", "latest")) if isinstance(given, str) else None
        raise WrongValueError(f'did you mean "{close}"? {remedy}' if close else remedy) from None


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The time zone *name* of the IANA database; raises `WrongValueError` with the nearest right spelling."""
    try:
        if not _NOT_IANA.fullmatch(name):
            return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder, such as "America"
        pass
    close = _nearest_zone(name)
    hint = f'did you mean "{close}"? ' if close else ""
    raise WrongValueError(f'{hint}write a time zone by its IANA name, such as "America/Los_Angeles" or "Europe/Berlin"')


@lru_cache(maxsize=1024)
def _nearest_zone(name: str) -> str | None:
    """Cached, because it reads the folders of the database (40 ms) and a subscriber file repeats its mistakes."""
    word = re.sub(r"\s+", "_", name.strip())
    # By the city first: owners write "Los Angeles" or "US/Los_Angeles". Etc/GMT+1 is an hour behind, not ahead.
    named = (key for key in sorted(_zones(), reverse=True) if "/" in key and not key.startswith("Etc/"))
    cities = {key.rpartition("/")[2].lower(): key for key in named}
    # Never one by its letters alone: for PST that would be MST, an hour off.
    return cities.get(word.rpartition("/")[2].lower()) or nearest(word, {"UTC", *cities.values()})


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def timezone(value: object) -> ZoneInfo:
    """A time zone of the IANA database."""
    return zone(value.strip() if isinstance(value, str) else "")
