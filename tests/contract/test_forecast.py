"""`newsletter plan` tells what ticks then do: every situation is forecast and then lived through."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, time, timedelta

import pytest
from world import ANA, BO, CY, HOUR, LOST, NO_SUCH_USER, SPAM, TUESDAY, World, when

from newsletter.config import First, Mode, OnUncertain
from newsletter.mail import Deferred, Reply
from newsletter.store.facts import HoldKind

LATER = Deferred(Reply(451, "4.7.1", "later"), timedelta(hours=2))
Told = dict[tuple[datetime, int], int]


def told(world: World, days: int, reader: str | None = None) -> Told:
    return {(e.at, e.post): e.count for e in world.forecast(days, reader=reader)}


def lived(world: World, days: int, forecast: Told) -> Told:
    """What leaves, with ticks at the hours that were *forecast*, an hour before each, and every three hours: whatever
    else falls due leaves at one of them, and not when it was forecast."""
    begun, before = world.now, len(world.provider.box)
    ticks = {begun + n * 3 * HOUR for n in range(8 * days + 1)}
    ticks |= {at - early for at, _ in forecast for early in (timedelta(0), HOUR)}
    for at in sorted(at for at in ticks if at >= begun):
        world.tick(at)
    return dict(Counter((m.at, m.number) for m in world.provider.box[before:]))


def weekly_readers_at_different_places(world: World) -> None:
    world.rules(every=7, days=frozenset({TUESDAY}))
    world.posts(1, 2, 3, 4)
    world.join(ANA, BO)
    world.tick("3 09:00")
    world.join(CY, had=2)


def readers_in_three_zones(world: World) -> None:
    world.zone("Europe/Berlin")
    world.posts(1, 2, 3)
    world.join(ANA)
    world.join(BO, zone="Asia/Tokyo")
    world.join(CY, zone="America/Los_Angeles")


def the_week_in_which_the_clocks_change(world: World) -> None:
    world.zone("Europe/Berlin")
    world.rules(at=time(2))
    world.posts(*range(1, 9))
    world.now = when("27 00:00")
    world.join(ANA)
    world.tick("27 12:00")


def a_late_hand_over_that_shifts_the_next(world: World) -> None:
    world.posts(1, 2, 3)
    world.join(ANA)
    world.tick("2 17:00")


def a_gap_longer_than_a_day(world: World) -> None:
    world.rules(min_gap=timedelta(hours=30))
    world.posts(1, 2, 3)
    world.join(ANA)
    world.tick("2 19:00")


def holidays(world: World) -> None:
    world.rules(holidays=frozenset({date(2026, 3, 3), date(2026, 3, 4)}))
    world.posts(1, 2, 3)
    world.join(ANA)
    world.tick("2 09:00")


def a_slot_missed_late_in_the_evening(world: World) -> None:
    world.rules(every=7, days=frozenset({TUESDAY}))
    world.posts(1, 2)
    world.join(ANA)
    world.now = when("3 22:00")


def quiet_hours_over_the_slot(world: World) -> None:
    world.rules(at=time(22), quiet_hours=(time(21), time(8)))
    world.posts(1, 2)
    world.join(ANA)


def publish_dates_in_a_sequence(world: World) -> None:
    world.posts(1, 3)
    world.post(2, publish_at="2026-03-05 12:00")
    world.join(ANA)


def a_back_catalogue_with_dates_to_come(world: World) -> None:
    world.rules(mode=Mode.HYBRID, catch_up_every=2)
    world.post(1, publish_at="2026-01-01")
    world.post(2, publish_at="2026-01-02")
    world.post(3, publish_at="2026-03-06 15:00")
    world.post(4, publish_at="2026-03-06 20:00")
    world.join(ANA)
    world.tick("2 09:00")
    world.join(BO, had=2)


def news_to_come(world: World) -> None:
    world.rules(mode=Mode.BROADCAST)
    world.tick("2 00:00")
    world.join(ANA, BO)
    world.post(1, publish_at="2026-03-03 15:00")
    world.post(2, publish_at="2026-03-04 06:00")
    world.tick("2 10:00")


def posts_for_some_readers(world: World) -> None:
    world.posts(1, 4)
    world.post(2, tags="[clients]")
    world.post(3, tags="[friends]")
    world.join(ANA, tags="clients")
    world.join(BO)


def a_reader_tagged_after_the_post_was_skipped(world: World) -> None:
    world.posts(1)
    world.post(2, tags="[clients]")
    world.csv(ANA)
    world.run("2 09:00", "4")
    world.csv(f"{ANA},,,clients")
    world.tick("4 10:00")


def a_late_insert(world: World) -> None:
    world.posts(2, 3)
    world.join(ANA)
    world.tick("2 09:00")
    world.post(1, catch_up="late")
    world.join(BO)


def a_renumbered_post(world: World) -> None:
    first = world.post(5, "five", ident="five")
    second = world.post(7, "seven", ident="seven")
    world.join(ANA)
    world.run("2 09:00", "4")
    second.rename(second.with_name("002-seven.md"))
    world.join(BO)
    world.tick("4 08:00")
    assert first.exists()


def a_post_on_its_way(world: World) -> None:
    world.posts(1, 2)
    world.join(ANA, BO)
    world.provider.answers[ANA] = [LATER]
    world.tick("2 09:00")


def readers_paused_gone_and_back(world: World) -> None:
    world.posts(1, 2, 3)
    world.join(ANA, BO, CY)
    world.tick("2 09:00")
    world.pause(ANA)
    world.leave(BO)
    world.leave(CY)
    world.tick("3 09:00")
    world.confirm(CY)
    world.now = when("3 12:00")


def the_owners_pause_is_over(world: World) -> None:
    world.rules(every=3)
    world.posts(1, 2, 3)
    world.join(ANA)
    world.tick("2 09:00")
    world.pause()
    world.now = when("5 12:00")
    world.resume()


def a_corrected_address(world: World) -> None:
    world.posts(1, 2)
    world.join(ANA)
    world.provider.answers[ANA] = [NO_SUCH_USER]
    world.tick("2 09:00")
    world.now = when("2 12:00")
    world.correct(ANA, BO)


def a_refused_post_and_a_doubt(world: World) -> None:
    world.on_uncertain(OnUncertain.HOLD)
    world.rules(every=2)
    world.posts(1, 2, 3)
    world.join(ANA, BO)
    world.provider.answers[ANA] = [LOST]
    world.provider.answers[BO] = [SPAM]
    world.run("2 09:00", "2 11:30", every=HOUR)


def newcomers_who_get_the_first_at_once(world: World) -> None:
    world.rules(first=First.AT_ONCE)
    world.posts(1, 2)
    world.tick("2 10:00")
    world.join(ANA, at_once=True)
    world.join(BO)
    world.now = when("2 11:00")


def a_draft_and_a_missing_post(world: World) -> None:
    world.posts(1, 2, 3, 4)
    world.join(ANA)
    world.tick("2 09:00")
    world.join(BO, had=2)
    world.file(3).unlink()
    world.tick("2 10:00")


def a_draft_that_is_waited_for(world: World) -> None:
    world.rules(hold_for=timedelta(days=2))
    world.posts(1, 2, 3)
    world.join(ANA)
    world.tick("2 09:00")
    world.post(2, status="draft")
    world.tick("2 10:00")


def a_backlog_that_is_held(world: World) -> None:
    world.rules(every=7)
    world.posts(1, 2)
    world.crowd(60)
    world.tick("2 09:00")
    world.tick("5 10:00")
    world.rules(every=1)
    world.tick("5 11:00")
    assert world.holds() == {HoldKind.BACKLOG}


SITUATIONS: list[Callable[[World], None]] = [
    weekly_readers_at_different_places,
    readers_in_three_zones,
    the_week_in_which_the_clocks_change,
    a_late_hand_over_that_shifts_the_next,
    a_gap_longer_than_a_day,
    holidays,
    a_slot_missed_late_in_the_evening,
    quiet_hours_over_the_slot,
    publish_dates_in_a_sequence,
    a_back_catalogue_with_dates_to_come,
    news_to_come,
    posts_for_some_readers,
    a_reader_tagged_after_the_post_was_skipped,
    a_late_insert,
    a_renumbered_post,
    a_post_on_its_way,
    readers_paused_gone_and_back,
    the_owners_pause_is_over,
    a_corrected_address,
    a_refused_post_and_a_doubt,
    newcomers_who_get_the_first_at_once,
    a_draft_and_a_missing_post,
    a_draft_that_is_waited_for,
    a_backlog_that_is_held,
]


@pytest.mark.parametrize("situation", [pytest.param(s, id=s.__name__.replace("_", " ")) for s in SITUATIONS])
def test_what_is_forecast_is_what_happens(world: World, situation: Callable[[World], None]) -> None:
    situation(world)
    days = 15 if situation is weekly_readers_at_different_places else 6
    forecast = told(world, days)
    assert forecast == lived(world, days, forecast)
    assert (
        forecast or situation is a_reader_tagged_after_the_post_was_skipped or situation is a_draft_and_a_missing_post
    )


def test_what_the_next_tick_does_is_in_the_forecast_as_now(world: World) -> None:
    world.posts(1)
    world.join(ANA)
    world.now = when("2 13:00")
    assert told(world, 1) == {(when("2 13:00"), 1): 1}


def test_a_change_in_the_folder_is_forecast_before_any_tick_saw_it(world: World) -> None:
    world.posts(1, 3)
    world.join(ANA)
    world.run("2 09:00", "3 10:00")
    world.post(2, catch_up="late")
    world.post(4)
    world.now = when("3 10:30")
    forecast = told(world, 3)
    assert [post for _, post in sorted(forecast)] == [2, 4]
    assert forecast == lived(world, 3, forecast)


def test_a_forecast_changes_nothing(world: World) -> None:
    world.posts(1, 2)
    world.join(ANA)
    world.tick("2 09:00")
    before = (world.store.accounts.counts(), world.store.facts.last_tick(), world.reader(ANA))
    world.post(3)
    world.forecast(30)
    assert before == (world.store.accounts.counts(), world.store.facts.last_tick(), world.reader(ANA))
    assert [e.number for e in world.store.catalogue.entries()] == [1, 2]


def test_one_readers_forecast_is_theirs_alone(world: World) -> None:
    world.posts(1, 2, 3)
    world.join(ANA, BO)
    world.tick("2 09:00")
    world.now = when("2 10:00")
    world.join(CY, had=2)
    everybody = told(world, 5)
    alone = [told(world, 5, reader=address) for address in (ANA, BO, CY)]
    assert alone[0] == {(when("3 09:00"), 2): 1, (when("4 09:00"), 3): 1}
    assert alone[2] == {(when("3 09:00"), 3): 1}
    assert Counter(everybody) == sum((Counter(one) for one in alone), Counter())


def test_a_large_list_is_folded_and_its_forecast_still_holds(world: World) -> None:
    world.posts(1, 2)
    world.post(3, tags="[clients]")
    names = world.crowd(100)
    world.crowd(4_901, start=100, confirmed=False)  # they make the list a large one, and get nothing
    world.join(ANA, tags="clients")
    world.join(BO, zone="Asia/Tokyo")
    world.provider.window = 500
    world.provider.answers[names[0]] = [SPAM]  # who stands first would speak for all those who are like them
    world.provider.answers[names[17]] = [SPAM]
    world.provider.answers[names[30]] = [LATER]
    world.tick("2 09:00")
    world.pause(names[5])
    world.leave(names[6])
    forecast = told(world, 2)
    assert forecast[when("3 09:00"), 2] == 97  # and Ana; not the two who had it on the 2nd, nor the two who are away
    assert forecast == lived(world, 2, forecast)
