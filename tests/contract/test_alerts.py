"""How the owner learns that something needs her: what she is told, when, and how often."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from world import ANA, BO, CY, DAY, HOUR, SPAM, TUESDAY, World

from newsletter.errors import ProviderError
from newsletter.store.facts import HoldKind

WEEKLY = {"every": 7, "days": frozenset({TUESDAY})}
MISSED = "Post 1 was due Tuesday 3 March 09:00; the scheduler has not run since Monday 2 March 10:00."


@pytest.fixture
def watched(world: World) -> World:
    """A weekly letter to one reader, and an owner who is told by mail."""
    world.rules(**WEEKLY)
    world.alert_owner()
    world.posts(1, 2, 3)
    world.join(ANA)
    return world


def words(world: World) -> str:
    """What was mailed to the owner, unfolded."""
    return " ".join(" ".join(world.provider.alerts).split())


def test_a_run_that_comes_days_late_says_what_was_due_and_since_when_nothing_ran(watched: World) -> None:
    watched.tick("2 10:00")
    watched.tick("5 10:00")
    assert MISSED in watched.notes
    assert MISSED in words(watched)
    assert watched.numbers(ANA) == [1]


def test_a_cron_that_comes_once_a_day_is_never_late(watched: World) -> None:
    watched.run("2 07:00", "20 07:00", every=DAY)
    assert watched.provider.alerts == []


def test_a_long_sleep_in_which_nothing_was_due_is_no_alarm(watched: World) -> None:
    watched.run("2 10:00", "3 12:00", every=HOUR)
    watched.tick("9 10:00")
    assert watched.provider.alerts == []
    assert "has not run" not in watched.notes


def test_the_owners_own_pause_explains_the_silence(watched: World) -> None:
    watched.tick("2 10:00")
    watched.pause()
    watched.tick("5 10:00")
    watched.tick("5 11:00")
    assert watched.provider.alerts == []


def test_a_hold_is_told_once_a_day(watched: World) -> None:
    watched.join(BO, CY)
    watched.provider.always |= dict.fromkeys((ANA, BO, CY), SPAM)
    watched.tick("3 09:00")
    assert HoldKind.REFUSED in watched.holds()
    assert len(watched.provider.alerts) == 1
    watched.run("3 10:00", "4 05:00", every=HOUR)
    assert len(watched.provider.alerts) == 1
    watched.tick("4 07:00")
    assert len(watched.provider.alerts) == 2
    assert "refused three messages" in words(watched)


def test_an_alert_waits_for_a_provider_that_is_away(watched: World) -> None:
    watched.tick("2 10:00")
    watched.provider.away = ProviderError("the mail server is away", retry_after=timedelta(minutes=1))
    watched.tick("5 10:00")
    assert watched.provider.alerts == []
    watched.provider.away = None
    watched.tick("5 10:15")
    assert MISSED in words(watched)


def test_readers_wait_at_a_post_that_is_gone_and_the_owner_is_told(watched: World) -> None:
    watched.tick("3 09:00")
    watched.file(2).unlink()
    watched.tick("3 10:00")
    assert "002-post-2.md" in words(watched)


def test_without_an_address_nobody_is_written_to(world: World) -> None:
    world.rules(**WEEKLY)
    world.posts(1)
    world.join(ANA)
    world.tick("2 10:00")
    world.tick("5 10:00")
    assert MISSED in world.notes
    assert world.provider.alerts == []
    assert world.store.notices.counts() == {}


def test_a_provider_that_is_not_live_carries_no_alerts(watched: World) -> None:
    watched.store.facts.put("live", None)
    watched.tick("2 10:00")
    watched.tick("5 10:00")
    assert watched.store.notices.counts() == {}


def test_the_health_file_says_whether_all_is_well(watched: World) -> None:
    path = watched.root / "health.json"
    watched.alert_owner(health_file=path)
    watched.tick("2 10:00")
    assert json.loads(path.read_text()) == {"last_run": "2026-03-02T10:00:00Z", "ok": True, "attention": []}
    watched.tick("5 10:00")
    assert json.loads(path.read_text()) == {"last_run": "2026-03-05T10:00:00Z", "ok": False, "attention": [MISSED]}


def test_a_health_file_that_can_not_be_written_stops_nothing(watched: World) -> None:
    watched.alert_owner(health_file=watched.root / "nowhere" / "health.json")
    watched.tick("3 09:00")
    assert watched.numbers(ANA) == [1]
    assert "health_file in [alerts]" in watched.notes


def test_alerts_are_no_deliveries(watched: World) -> None:
    watched.tick("2 10:00")
    watched.tick("5 10:00")
    assert [r.post for r in watched.history(ANA)] == [1]
    assert watched.store.accounts.verify() == []
