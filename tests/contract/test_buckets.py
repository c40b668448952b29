"""Limits, backing off and warming up, over both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from world import HOUR, World, when

from newsletter.config import Rate
from newsletter.errors import ProviderError
from newsletter.mail import About, Deferred, Rejected, Reply
from newsletter.scheduler import waiting
from newsletter.store import Store
from newsletter.store.facts import HoldKind

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
POLICY = Deferred(Reply(451, "4.7.28", "unusual rate of mail"))
GOODBYE = Deferred(Reply(421, "4.7.0", "closing"))
NINE = when("2 09:00")


# --- buckets


def test_a_bucket_grants_no_more_than_its_rate_in_any_period(store: Store) -> None:
    rate, at, taken = Rate(600, MINUTE), NINE, []
    while at < NINE + 5 * MINUTE:
        got, again = store.buckets.take("x", 500, rate, at=at)
        taken += [at] * got
        at = again
    for start in taken:
        assert sum(start <= t < start + MINUTE for t in taken) <= 600
    assert len(taken) == 300 * 10  # all that the rate allows


def test_two_at_one_bucket_share_it(store: Store) -> None:
    first, _ = store.buckets.take("x", 200, Rate(600, MINUTE), at=NINE)
    second, again = Store(store.engine).buckets.take("x", 200, Rate(600, MINUTE), at=NINE)
    assert (first, second) == (200, 0) and again == NINE + 10 * SECOND
    assert store.buckets.take("x", 200, Rate(600, MINUTE), at=again)[0] == 200


@pytest.mark.parametrize(
    ("rate", "first", "seconds"),
    [
        (Rate(1, timedelta(days=1)), 1, 86_400),
        (Rate(50, HOUR), 1, 72),
        (Rate(7, SECOND), 3, 0.428572),
        (Rate(1_000_000, SECOND), 500, 0.0005),
    ],
)
def test_slow_and_fast_rates(store: Store, rate: Rate, first: int, seconds: float) -> None:
    got, again = store.buckets.take("x", 500, rate, at=NINE)
    assert got == first
    left = again - NINE
    assert left <= timedelta(seconds=seconds) + timedelta(microseconds=2)
    assert store.buckets.take("x", 500, rate, at=again)[0] == first


def test_what_was_not_used_is_given_back(store: Store) -> None:
    rate = Rate(600, MINUTE)
    store.buckets.take("x", 300, rate, at=NINE)
    store.buckets.give_back("x", 100, rate)
    assert store.buckets.take("x", 100, rate, at=NINE)[0] == 100


def test_a_clock_that_goes_back_grants_nothing_twice(store: Store) -> None:
    rate = Rate(600, MINUTE)
    store.buckets.take("x", 300, rate, at=NINE)
    assert store.buckets.take("x", 300, rate, at=NINE - HOUR)[0] == 0
    assert store.buckets.take("x", 300, rate, at=NINE)[0] == 0


# --- rates


def test_a_rate_spreads_a_run_over_time(world: World) -> None:
    world.limits(rate=Rate(60, MINUTE))
    world.posts(1)
    world.crowd(100)
    world.tick("2 09:00")
    times = sorted(m.at for m in world.provider.box)
    assert len(times) == 100 and all(sum(t <= u < t + MINUTE for u in times) <= 60 for t in times)
    assert times[-1] - times[0] < 2 * MINUTE


def test_a_rate_to_one_mail_system_holds_nobody_else_up(world: World) -> None:
    world.limits(rate_per_destination=Rate(60, MINUTE))
    world.posts(1)
    world.join(*(f"r{n}@{('gmail.com', 'googlemail.com')[n % 2]}" for n in range(50)))
    world.join(*(f"r{n}@d{n}.example.org" for n in range(40)))
    world.tick("2 09:00")
    first = [m.address for m in world.provider.box if m.at == NINE]
    assert sum("example.org" in a for a in first) == 40 and sum("mail.com" in a for a in first) == 30
    assert len({m.address for m in world.provider.box}) == len(world.provider.box) == 90


def test_without_a_limit_there_is_no_bucket(world: World) -> None:
    world.posts(1)
    world.crowd(20)
    world.tick("2 09:00")
    with world.store.read() as c:
        assert c.exec_driver_sql("SELECT COUNT(*) FROM bucket").scalar() == 0


# --- who pushes back


def test_a_mail_system_that_pushes_back_is_left_alone_and_the_rest_goes_on(world: World) -> None:
    world.provider.window = 1
    world.posts(1)
    google = [f"a{n}@gmail.com" for n in range(9)]
    world.join(*google, "b@example.org")
    for who in google:
        world.provider.answers[who] = [POLICY]
    world.tick("2 09:00")
    tried = [who for who, _ in world.provider.attempts]
    assert tried == [*google[:4], "b@example.org"]  # the fourth had begun when the third was recorded
    assert [world.states(who)[0][1] for who in google] == ["deferred"] * 4 + ["planned"] * 5
    assert "gmail.com" in waiting(world.config, world.store, at=world.now)[0]
    world.tick("2 09:00")  # still left alone: not even looked at
    assert len(world.provider.attempts) == 5
    world.provider.answers.clear()
    world.tick("2 09:10")
    assert all(world.numbers(who) == [1] for who in google)
    assert world.store.buckets.resting() == {}


def test_each_time_longer_until_a_success(world: World) -> None:
    world.posts(1)
    world.join("a@gmail.com")
    world.provider.always["a@gmail.com"] = GOODBYE
    rests = []
    for minute in range(60):
        world.tick(NINE + minute * MINUTE)
        rest = world.store.buckets.resting()["to gmail.com"]
        if rest.step > len(rests):
            rests.append(rest.until - world.now)
    assert rests[:3] == [MINUTE, 5 * MINUTE, 15 * MINUTE]
    world.provider.always.clear()
    world.run("2 10:00", "2 13:00", every=HOUR)
    assert world.numbers("a@gmail.com") == [1] and world.store.buckets.resting() == {}


def test_greylisting_is_no_pushing_back(world: World) -> None:
    world.posts(1)
    names = world.crowd(30)
    for who in names:
        world.provider.answers[who] = [Deferred(Reply(451, "4.7.1", "greylisted, come back later"))]
    world.run("2 09:00", "2 11:00", every=HOUR)
    assert world.store.buckets.resting() == {} and len(world.provider.box) == 30


def test_a_provider_that_is_busy_is_left_alone_for_a_minute_then_five(world: World) -> None:
    world.posts(1)
    world.join("a@example.org")
    world.provider.away = ProviderError("the mail server is busy", retry_after=MINUTE, busy=True)
    world.tick("2 09:00")
    world.provider.away = None
    world.tick(NINE + 30 * SECOND)
    assert world.numbers("a@example.org") == [] and world.ticks[-1].clean
    assert "fake asked to be left alone" in world.notes
    world.provider.away = ProviderError("the mail server is busy", retry_after=MINUTE, busy=True)
    world.tick(NINE + MINUTE)
    assert world.store.buckets.resting()["provider fake"].until == NINE + 6 * MINUTE
    world.provider.away = None
    world.tick(NINE + 6 * MINUTE)
    assert world.numbers("a@example.org") == [1] and world.store.buckets.resting() == {}


def test_a_server_that_is_away_is_asked_again_at_once(world: World) -> None:
    world.posts(1)
    world.join("a@example.org")
    world.provider.away = ProviderError("nobody there", retry_after=MINUTE)
    world.tick("2 09:00")
    world.provider.away = None
    world.tick(NINE + SECOND)
    assert world.numbers("a@example.org") == [1]


def test_a_storm_of_deferrals_stops_the_run_and_nothing_is_lost(world: World) -> None:
    world.provider.window = 1
    world.posts(1)
    names = [f"r{n}@d{n}.example.org" for n in range(40)]
    world.join(*names)
    world.provider.always["*"] = POLICY
    world.tick("2 09:00")
    assert len(world.provider.attempts) == 11 and "of the last 11 messages were refused" in world.notes
    assert [world.states(who)[0][1] for who in names] == ["deferred"] * 11 + ["planned"] * 29
    world.provider.always.clear()
    world.run("2 10:00", "2 12:00", every=HOUR)
    assert len(world.provider.box) == 40


@pytest.mark.parametrize("about", [About.MESSAGE, About.ADDRESS])
def test_a_storm_of_rejections_marks_nobody_and_waits_for_the_owner(world: World, about: About) -> None:
    world.provider.window = 1
    world.posts(1)
    names = [f"r{n}@d{n}.example.org" for n in range(60)]
    world.join(*names)
    spam = Rejected(Reply(554, "5.7.1", "not by our policy"), about)
    for n, who in enumerate(names):
        if n % 3:
            world.provider.answers[who] = [spam]  # two of three: never three in a row
    world.tick("2 09:00")
    assert world.holds() == {HoldKind.REFUSED} and len(world.provider.attempts) < 20
    assert {world.states(who)[0][1] for who in names} == {"accepted", "planned"}
    assert world.ticks[-1].report.rejected == 0 and not any(world.reader(who).pauses for who in names)
    world.provider.answers.clear()
    world.resume()
    world.tick("2 10:00")
    assert len(world.provider.box) == 60


# --- warming up


def test_warming_up_lets_twice_as_many_leave_each_day(world: World) -> None:
    world.limits(warm_up=10)
    world.config = replace(world.config, rules=replace(world.config.rules, every=30))
    world.posts(1)
    world.crowd(65)
    world.run("2 09:00", "6", every=HOUR)
    days = [m.at.day for m in world.provider.box]
    assert [days.count(day) for day in (2, 3, 4, 5)] == [10, 20, 35, 0]


def test_warming_up_is_said_as_long_as_it_binds(world: World) -> None:
    world.limits(warm_up=10)
    world.posts(1)
    world.crowd(25)
    world.tick("2 09:00")
    (sentence,) = waiting(world.config, world.store, at=world.now)
    assert "10 messages may leave today, 0 of them still can" in sentence
    assert waiting(world.config, world.store, at=when("4 09:00")) == []
