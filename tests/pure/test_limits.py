"""How much may leave, and who is left alone for how long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from newsletter.destinations import FAMILIES, domains_of, group_of, pushes_back
from newsletter.limits import allowance, pause
from newsletter.mail import Reply

LIVE = datetime(2026, 3, 2, 23, tzinfo=UTC)


@pytest.mark.parametrize(("step", "minutes"), [(1, 1), (2, 5), (3, 15), (4, 60), (5, 60), (99, 60)])
def test_each_pause_is_longer(step: int, minutes: int) -> None:
    assert pause(step, jitter=0.5) == timedelta(minutes=minutes)
    assert pause(step, jitter=0) == timedelta(minutes=minutes) * 0.8


@pytest.mark.parametrize(
    ("at", "zone", "most"),
    [
        pytest.param(LIVE, "UTC", 50, id="the first day"),
        pytest.param(LIVE + timedelta(hours=2), "UTC", 100, id="a day begins at midnight"),
        pytest.param(LIVE + timedelta(hours=2), "America/Los_Angeles", 50, id="of the newsletter's own zone"),
        pytest.param(LIVE + timedelta(days=4), "UTC", 800, id="each day twice as many"),
        pytest.param(LIVE - timedelta(days=4), "UTC", 50, id="never less than on the first day"),
        pytest.param(LIVE + timedelta(days=9_000), "UTC", 50 * 2**30, id="and in the end no limit"),
    ],
)
def test_warming_up(at: datetime, zone: str, most: int) -> None:
    assert allowance(50, live_since=LIVE, at=at, zone=ZoneInfo(zone)) == most


def test_a_domain_is_in_one_group() -> None:
    every = [domain for group in FAMILIES for domain in domains_of(group)]
    assert len(every) == len(set(every))
    assert [group_of(d) for d in ("googlemail.com", "msn.com", "aol.com", "example.org")] == [
        "gmail.com", "outlook.com", "yahoo.com", "example.org",
    ]  # fmt: skip
    assert domains_of("example.org") == ("example.org",)


@pytest.mark.parametrize(
    ("status", "text", "expected"),
    [
        pytest.param("4.7.28", "unusual rate of mail from your network", True, id="a policy"),
        pytest.param("4.7.0", "temporarily deferred due to user complaints", True, id="a reputation"),
        pytest.param("4.7.500", "Server busy. Please try again later", True, id="too busy for us"),
        pytest.param("4.7.1", "Greylisting in action, please come back later", False, id="greylisting"),
        pytest.param("4.7.1", "try again later", False, id="greylisting that does not say so"),
        pytest.param("4.7.1", "graylisted, too many connections", True, id="greylisting because it is too much"),
        pytest.param("4.2.2", "mailbox full, rate", False, id="another status"),
        pytest.param("", "slow down", False, id="no status"),
    ],
)
def test_what_pushing_back_looks_like(status: str, text: str, expected: bool) -> None:
    assert pushes_back(Reply(451, status, text)) is expected
