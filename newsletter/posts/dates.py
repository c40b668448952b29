"""Dates as people type them in front matter, read as instants.

A date without a time means the newsletter's hour; a time without an offset is the newsletter's zone's. Where the clocks
go back and a time comes twice, it is the first; where they go forward over it, it is the first instant after.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from newsletter.mail import shown

_DATE = (
    r"(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:[Tt ]\s*(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*(?:([Zz])|([+-])(\d{1,2}):?(\d{2})?)?)?"
)


def instant(text: str, zone: ZoneInfo, at: time) -> datetime:
    """*text* in UTC; *at* and *zone* stand in for what it leaves open. Raises ValueError with the reason."""
    text = text.strip()
    match = re.fullmatch(_DATE, text)
    if match is None:
        timed = re.fullmatch(r"\d{1,2}:\d\d(:\d\d)?", text)
        raise ValueError(f"{text} is a time without a day" if timed else f"{shown(text)} is not a date")
    try:
        return _instant(match, zone, at)
    except ValueError as error:
        raise ValueError(f"{text} is not a date: {error}") from None


def _instant(match: re.Match[str], zone: ZoneInfo, at: time) -> datetime:
    year, month, day, hour, minute, second, utc, sign, ahead, ahead_minutes = match.groups()
    if not 1970 <= int(year) <= 2199:
        raise ValueError(f"the year {year} can't be right")
    clock = time(int(hour), int(minute), int(second or 0)) if hour else at
    where: tzinfo = UTC if utc else zone
    if sign:
        shift = timedelta(hours=int(ahead), minutes=int(ahead_minutes or 0))
        where = timezone(shift if sign == "+" else -shift)
    moment = datetime.combine(date(int(year), int(month), int(day)), clock, where)  # fold=0: the first of two
    while moment.astimezone(UTC).astimezone(where) != moment:  # the clocks leap over it
        moment = moment.replace(second=0) + timedelta(minutes=1)
    return moment.astimezone(UTC)
