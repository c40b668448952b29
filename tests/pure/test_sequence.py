"""Slots, cut-offs and hours."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from newsletter.config import Rules
from newsletter.sequence import NEVER, latest_slot, next_slot, slot_on, window

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BERLIN, TOKYO, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Tokyo"), ZoneInfo("America/New_York")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def local(text: str, zone: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(
    ("day", "clock", "zone", "expected"),
    [
        pytest.param("2026-03-03", "09:00", "UTC", "2026-03-03 09:00", id="utc"),
        pytest.param("2026-03-03", "09:00", "Europe/Berlin", "2026-03-03 08:00", id="winter"),
        pytest.param("2026-07-03", "09:00", "Europe/Berlin", "2026-07-03 07:00", id="summer"),
        pytest.param("2026-03-29", "02:30", "Europe/Berlin", "2026-03-29 01:00",
                     id="a skipped time gives the first valid instant after the gap"),
        pytest.param("2026-03-29", "02:00", "Europe/Berlin", "2026-03-29 01:00", id="also at the gap's beginning"),
        pytest.param("2026-03-29", "03:00", "Europe/Berlin", "2026-03-29 01:00", id="and at its end"),
        pytest.param("2026-03-29", "01:59", "Europe/Berlin", "2026-03-29 00:59", id="the minute before is untouched"),
        pytest.param("2026-10-25", "02:30", "Europe/Berlin", "2026-10-25 00:30", id="of two, the first"),
        pytest.param("2026-10-25", "03:00", "Europe/Berlin", "2026-10-25 02:00", id="after the overlap"),
        pytest.param("2026-10-04", "02:15", "Australia/Lord_Howe", "2026-10-03 15:30", id="a gap of half an hour"),
        pytest.param("2026-04-05", "01:45", "Australia/Lord_Howe", "2026-04-04 14:45", id="an overlap of half an hour"),
        pytest.param("2026-09-06", "00:30", "America/Santiago", "2026-09-06 04:00", id="a gap at midnight"),
        pytest.param("2026-03-03", "09:15", "Asia/Kathmandu", "2026-03-03 03:30", id="a zone of 5:45"),
        pytest.param("2011-12-29", "09:00", "Pacific/Apia", "2011-12-29 19:00", id="a day before Samoa's skipped one"),
        pytest.param("2011-12-30", "09:00", "Pacific/Apia", None, id="the day Samoa skipped has no slot"),
        pytest.param("2011-12-31", "09:00", "Pacific/Apia", "2011-12-30 19:00", id="the day after it"),
        pytest.param("1994-12-31", "09:00", "Pacific/Kiritimati", None, id="the day the Line Islands skipped"),
    ],
)  # fmt: skip
def test_the_slot_on_a_day(day: str, clock: str, zone: str, expected: str | None) -> None:
    found = slot_on(date.fromisoformat(day), ZoneInfo(zone), time.fromisoformat(clock))
    assert found == (utc(expected) if expected else None)


@pytest.mark.parametrize(
    ("at", "latest", "following"),
    [
        pytest.param("2026-03-03 08:59", "2026-02-24 09:00", "2026-03-03 09:00", id="just before a slot"),
        pytest.param("2026-03-03 09:00", "2026-03-03 09:00", "2026-03-03 09:00", id="the instant itself is both"),
        pytest.param("2026-03-03 09:00:01", "2026-03-03 09:00", "2026-03-17 09:00", id="after it, over a holiday"),
        pytest.param("2026-03-12 09:00", "2026-03-03 09:00", "2026-03-17 09:00", id="between"),
    ],
)
def test_the_latest_and_the_next_slot(at: str, latest: str, following: str) -> None:
    rules = Rules(days=frozenset({1}), holidays=frozenset({date(2026, 3, 10)}))
    found = latest_slot(utc(at), ZoneInfo("UTC"), rules)
    assert found is not None
    assert found == (utc(latest).date(), utc(latest))
    assert next_slot(utc(at), ZoneInfo("UTC"), rules) == utc(following)


def test_the_latest_slot_belongs_to_its_local_day() -> None:
    found = latest_slot(utc("2026-03-03 00:30"), TOKYO, Rules(at=time(9)))
    assert found == (date(2026, 3, 3), utc("2026-03-03 00:00"))


def test_rules_that_allow_no_day_have_no_slot() -> None:
    rules = Rules(days=frozenset())
    assert latest_slot(utc("2026-03-03 09:00"), BERLIN, rules) is None
    assert next_slot(utc("2026-03-03 09:00"), BERLIN, rules) is None
    assert window(utc("2026-03-03 09:00"), BERLIN, rules, every=7).slot == NEVER


@pytest.mark.parametrize(
    ("every", "days", "previous", "due"),
    [
        pytest.param(7, {1}, "2026-03-03 09:00", True, id="a week ago at nine"),
        pytest.param(7, {1}, "2026-03-03 23:00", True, id="a week ago late in the evening"),
        pytest.param(7, {1}, "2026-03-09 22:00", True, id="six days late counts as the slot it was late for"),
        pytest.param(7, {1}, "2026-03-10 08:59", True, id="a minute before this slot"),
        pytest.param(7, {1}, "2026-03-10 09:00", False, id="in this slot"),
        pytest.param(7, range(7), "2026-03-03 09:00", True, id="every day allowed, seven days ago"),
        pytest.param(7, range(7), "2026-03-04 08:59", True, id="still in the slot of seven days ago"),
        pytest.param(7, range(7), "2026-03-04 09:00", False, id="six days ago"),
        pytest.param(14, {1}, "2026-03-03 12:00", False, id="two weeks: the last one was a week ago"),
        pytest.param(14, {1}, "2026-02-24 12:00", True, id="two weeks: the last one was two weeks ago"),
        pytest.param(3, {0, 1, 4}, "2026-03-06 10:00", True, id="three days, Friday to Tuesday"),
        pytest.param(3, {0, 1, 4}, "2026-03-09 10:00", False, id="three days, Monday to Tuesday"),
        pytest.param(1, range(7), "2026-03-09 23:59", True, id="daily, yesterday late"),
    ],
)
def test_the_cutoff_says_whether_the_interval_has_passed(every: int, days: set[int], previous: str, due: bool) -> None:
    found = window(utc("2026-03-10 09:30"), ZoneInfo("UTC"), Rules(days=frozenset(days)), every=every)
    assert found.slot == utc("2026-03-10 09:00")
    assert (utc(previous) < found.cutoff) is due


@pytest.mark.parametrize(
    ("at", "zone", "expected"),
    [
        pytest.param("2026-03-10 12:00", "UTC", "2026-03-11 00:00", id="midnight after the slot"),
        pytest.param("2026-03-12 12:00", "UTC", "2026-03-11 00:00", id="of the slot's day, not of today"),
        pytest.param("2026-03-10 12:00", "Asia/Tokyo", "2026-03-10 15:00", id="local midnight"),
        pytest.param("2026-03-31 12:00", "Europe/Berlin", "2026-03-31 22:00", id="in summer time"),
    ],
)
def test_the_slots_day_ends(at: str, zone: str, expected: str) -> None:
    assert window(utc(at), ZoneInfo(zone), Rules(days=frozenset({1})), every=7).day_end == utc(expected)


@pytest.mark.parametrize(
    ("at", "daytime", "opens"),
    [
        pytest.param("2026-03-10 07:59", False, "2026-03-10 08:00", id="before eight"),
        pytest.param("2026-03-10 08:00", True, "2026-03-10 08:00", id="at eight"),
        pytest.param("2026-03-10 19:59", True, "2026-03-10 08:00", id="before twenty"),
        pytest.param("2026-03-10 20:00", False, "2026-03-11 08:00", id="at twenty"),
        pytest.param("2026-03-28 23:00", False, "2026-03-29 08:00", id="over the night in which the clocks change"),
    ],
)
def test_daytime_is_from_eight_to_twenty_local_time(at: str, daytime: bool, opens: str) -> None:
    found = window(local(at, "Europe/Berlin"), BERLIN, Rules(), every=7)
    assert (found.daytime, found.opens) == (daytime, local(opens, "Europe/Berlin"))


@pytest.mark.parametrize(
    ("hours", "quiet"),
    [
        pytest.param(("21:00", "07:00"), [22, 23, 0, 6], id="over midnight"),
        pytest.param(("12:00", "14:00"), [12, 13], id="within a day"),
        pytest.param(None, [], id="off"),
    ],
)
def test_quiet_hours(hours: tuple[str, str] | None, quiet: list[int]) -> None:
    rules = Rules(quiet_hours=(time.fromisoformat(hours[0]), time.fromisoformat(hours[1])) if hours else None)
    for hour in (0, 6, 7, 11, 12, 13, 14, 20, 22, 23):
        at = datetime(2026, 3, 10, hour, tzinfo=NEW_YORK)
        assert window(at, NEW_YORK, rules, every=1).quiet is (hour in quiet), hour


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "Africa/Cairo", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia"]
)
@pytest.mark.parametrize("clock", ["00:00", "00:30", "02:30", "09:00", "23:59"])
def test_one_slot_a_day_over_a_year(zone: str, clock: str) -> None:
    rules, place = Rules(at=time.fromisoformat(clock)), ZoneInfo(zone)
    at, seen = utc("2026-01-01 12:00"), []
    while at < utc("2027-01-01 12:00"):
        slot = next_slot(at, place, rules)
        assert slot is not None
        found = latest_slot(slot, place, rules)
        assert found is not None and found[1] == slot
        seen.append(found[0])
        at = slot + timedelta(seconds=1)
    assert seen == [seen[0] + n * DAY for n in range(len(seen))]
    assert len(seen) in (365, 366)
