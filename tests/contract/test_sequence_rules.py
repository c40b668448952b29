"""Which post, when, in which mode: the rules of docs/sequence.md, sentence by sentence.

Days are days of March 2026; the 2nd is a Monday. Unless a test says otherwise a post goes out every day
at nine, UTC, and the provider accepts everything.
"""

from __future__ import annotations

from datetime import date, time, timedelta

import pytest
from world import ANA, BO, CY, DAY, GREYLISTED, HOUR, TUESDAY, World, when

from newsletter.config import First, Mode
from newsletter.press import Press

WEEKLY = {"every": 7, "days": frozenset({TUESDAY})}


# --- which


def test_a_reader_gets_one_post_after_the_other_and_then_waits(world: World) -> None:
    world.posts(1, 2, 3)
    world.join(ANA)
    world.run("2 09:00", "9")
    assert world.diary(ANA) == ["#1 2 09:00", "#2 3 09:00", "#3 4 09:00"]


def test_the_real_press_prints_what_the_plain_one_does(world: World) -> None:
    world.press = Press.of  # everywhere else a post is set in plain type
    world.post(1, body="A *quiet* hour.", title='"No. 1: A beginning"')
    world.join(ANA)
    world.tick("2 09:00")
    (letter,) = world.letters(ANA)
    assert (letter.number, letter.subject) == (1, "No. 1: A beginning")
    assert b"<em" in letter.data and b"List-Unsubscribe" in letter.data


def test_a_weekly_newsletter_reaches_readers_each_at_their_own_place(world: World) -> None:
    world.rules(**WEEKLY)
    world.posts(1, 2, 3)
    world.join(ANA)
    world.run("2 09:00", "9")
    world.join(BO)
    world.run("9 09:00", "25")
    assert world.diary(ANA) == ["#1 3 09:00", "#2 10 09:00", "#3 17 09:00"]
    assert world.diary(BO) == ["#1 10 09:00", "#2 17 09:00", "#3 24 09:00"]


def test_numbers_are_decimal_and_gaps_are_stepped_over_at_once(world: World) -> None:
    world.posts(1, 8, 9, 10, 30)
    world.join(ANA)
    world.run("2 09:00", "9")
    assert world.numbers(ANA) == [1, 8, 9, 10, 30]


def test_nothing_is_planned_ahead(world: World) -> None:
    world.posts(1)
    world.join(ANA)
    world.tick("2 08:59")
    assert world.history(ANA) == []
    world.tick("2 09:00")
    assert world.states(ANA) == [(1, "accepted", "")]


def test_the_next_post_is_never_planned_while_one_is_under_way(world: World) -> None:
    world.posts(1, 2)
    world.join(ANA)
    world.provider.always[ANA] = GREYLISTED
    world.run("2 09:00", "4 08:00", every=6 * HOUR)
    assert world.states(ANA) == [(1, "deferred", "")]
    del world.provider.always[ANA]
    world.run("4 08:00", "5 12:00", every=HOUR)
    assert world.diary(ANA) == ["#1 4 08:00", "#2 5 09:00"]


def test_consent_is_read_again_right_before_the_hand_over(world: World) -> None:
    world.posts(1)
    world.join(ANA, BO, CY)
    world.provider.window = 1
    world.provider.before[ANA] = lambda: (world.leave(BO), world.pause(CY))
    world.tick("2 09:00")
    assert (world.numbers(ANA), world.numbers(BO), world.numbers(CY)) == ([1], [], [])
    assert world.states(BO) == [(1, "withdrawn", "left or paused")]
    assert world.ticks[-1].report.withdrawn == 2


def test_what_was_withdrawn_for_a_pause_is_planned_again_in_the_same_row(world: World) -> None:
    world.posts(1, 2)
    world.join(ANA, BO)
    world.provider.window = 1
    world.provider.before[ANA] = lambda: world.pause(BO)
    world.tick("2 09:00")
    (row,) = world.history(BO)
    world.now = when("4 12:00")
    world.resume(BO)
    world.run("4 13:00", "7", every=4 * HOUR)
    assert world.numbers(BO) == [1, 2]
    assert world.history(BO)[0].id == row.id


# --- when: slots


def test_a_slot_is_an_allowed_weekday_that_is_no_holiday(world: World) -> None:
    world.rules(days=frozenset({0, 2, 4}), holidays=frozenset({date(2026, 3, 4)}))
    world.posts(1, 2, 3)
    world.join(ANA)
    world.run("2 09:00", "12")
    assert world.diary(ANA) == ["#1 2 09:00", "#2 6 09:00", "#3 9 09:00"]


def test_a_slot_is_in_the_readers_zone_if_it_is_known_else_in_the_newsletters(world: World) -> None:
    world.zone("America/Los_Angeles")
    world.posts(1)
    world.now = when("2 06:00")
    world.join(ANA)
    world.join(BO, zone="Asia/Tokyo")
    world.run("2 06:00", "4", every=HOUR)
    assert world.diary(ANA, "America/Los_Angeles") == ["#1 2 09:00"]
    assert world.diary(BO, "Asia/Tokyo") == ["#1 3 09:00"]


def test_a_slot_in_the_instant_of_joining_counts(world: World) -> None:
    world.now = when("2 09:00")
    world.posts(1)
    world.join(ANA)
    world.tick("2 09:00")
    assert world.numbers(ANA) == [1]


@pytest.mark.parametrize(
    ("zone", "days", "local"),
    [
        pytest.param(
            "Europe/Berlin", "28 00:00 30 12:00", ["#1 28 02:30", "#2 29 03:00", "#3 30 02:30"],
            id="a local time that the clock change skips gives the first valid instant after it",
        ),
        pytest.param(
            "Europe/Berlin", "10-24 00:00 10-26 12:00", ["#1 10-24 02:30", "#2 10-25 02:30", "#3 10-26 02:30"],
            id="of a local time that comes twice only the first counts",
        ),
    ],
)  # fmt: skip
def test_clock_changes(world: World, zone: str, days: str, local: list[str]) -> None:
    world.zone(zone)
    world.rules(at=time(2, 30))
    first, clock, last, end = days.split()
    world.now = when(f"{first} {clock}", zone) - HOUR
    world.posts(1, 2, 3)
    world.join(ANA)
    world.run(when(f"{first} {clock}", zone), when(f"{last} {end}", zone), every=HOUR / 2)
    assert world.diary(ANA, zone) == local
    # The second 02:30 of the day on which the clocks go back would be 01:30 UTC.
    assert world.got(ANA)[1][1] in (when("29 01:00"), when("10-25 00:30"))


# --- when: cadence


@pytest.mark.parametrize(
    ("every", "days", "hours", "expected"),
    [
        pytest.param(7, {TUESDAY}, [17], ["#1 3 17:00", "#2 10 17:00", "#3 17 17:00"],
                     id="a cron that comes eight hours late does not push readers a week on"),
        pytest.param(7, {TUESDAY}, [17, 9], ["#1 3 09:00", "#2 10 17:00", "#3 17 09:00"],
                     id="nor one that is late every other time"),
        pytest.param(7, set(range(7)), [9], ["#1 2 09:00", "#2 9 09:00", "#3 16 09:00"],
                     id="with every day allowed a week is seven civil days"),
        pytest.param(3, {0, 2, 4}, [9], ["#1 2 09:00", "#2 6 09:00", "#3 9 09:00"],
                     id="every three days on Monday, Wednesday, Friday waits for the first allowed one"),
        pytest.param(14, {TUESDAY}, [11], ["#1 3 11:00", "#2 17 11:00", "#3 31 11:00"],
                     id="two weeks are two weeks"),
        pytest.param(1, set(range(7)), [19], ["#1 2 19:00", "#2 3 19:00", "#3 4 19:00"],
                     id="a daily newsletter with an evening cron goes out every evening"),
    ],
)  # fmt: skip
def test_cadence(world: World, every: int, days: set[int], hours: list[int], expected: list[str]) -> None:
    world.rules(every=every, days=frozenset(days))
    world.posts(1, 2, 3)
    world.join(ANA)
    for number in range(2, 32):
        # [17, 9]: at 17:00 in even weeks of the month, at 09:00 in odd ones
        world.tick(f"{number} {hours[(number // 7) % len(hours) - 1] if len(hours) > 1 else hours[0]:02d}:00")
    assert world.diary(ANA) == expected


def test_a_hand_over_after_midnight_belongs_to_the_slot_before_it(world: World) -> None:
    world.rules(at=time(20), **WEEKLY)
    world.posts(1, 2)
    world.join(ANA)
    world.tick("4 01:00")  # the slot was on the 3rd, 20:00
    world.run("4 20:00", "11")
    assert world.diary(ANA) == ["#1 4 01:00", "#2 10 20:00"]


def test_a_due_post_waits_on_the_same_day_until_the_gap_is_over(world: World) -> None:
    world.posts(1, 2, 3)
    world.join(ANA)
    world.tick("2 17:00")
    world.run("3 09:00", "4 09:01", every=HOUR)
    assert world.diary(ANA) == ["#1 2 17:00", "#2 3 13:00", "#3 4 09:00"]


def test_a_gap_that_ends_on_another_day_waits_for_the_next_slot(world: World) -> None:
    world.rules(min_gap=timedelta(hours=30))
    world.posts(1, 2)
    world.join(ANA)
    world.tick("2 19:00")  # the gap ends on the 4th at 01:00
    world.run("3 09:00", "5", every=HOUR)
    assert world.diary(ANA) == ["#1 2 19:00", "#2 4 09:00"]


def test_the_gap_is_measured_in_the_readers_own_day(world: World) -> None:
    world.join(ANA, zone="Asia/Tokyo")
    world.posts(1, 2)
    world.tick(when("2 19:00", "Asia/Tokyo"))  # the gap ends at 15:00 in Tokyo, 06:00 UTC
    world.run(when("3 09:00", "Asia/Tokyo"), when("3 23:00", "Asia/Tokyo"), every=HOUR)
    assert world.diary(ANA, "Asia/Tokyo") == ["#1 2 19:00", "#2 3 15:00"]


def test_a_scheduler_that_slept_nine_days_sends_one_post(world: World) -> None:
    world.posts(*range(1, 15))
    world.join(ANA, BO)
    world.run("2 09:00", "4")
    world.run("13 09:00", "13 20:00", every=HOUR)
    assert world.diary(ANA) == ["#1 2 09:00", "#2 3 09:00", "#3 13 09:00"]
    world.tick("14 09:00")
    assert world.diary(BO)[-1] == "#4 14 09:00"


# --- when: hours


@pytest.mark.parametrize(
    ("slot", "ticks", "expected"),
    [
        pytest.param(9, ["3 08:59", "3 09:00"], ["#1 3 09:00"], id="nothing leaves before its slot"),
        pytest.param(9, ["3 20:59"], ["#1 3 20:59"], id="within twelve hours any hour will do"),
        pytest.param(9, ["3 21:30", "4 03:00", "4 07:59", "4 08:00"], ["#1 4 08:00"],
                     id="later than twelve hours it waits for eight in the morning"),
        pytest.param(9, ["5 19:59"], ["#1 5 19:59"], id="two days late is fine in the daytime"),
        pytest.param(9, ["5 20:00"], [], id="daytime ends at eight in the evening"),
        pytest.param(18, ["4 05:59"], ["#1 4 05:59"], id="an evening slot may be served late at night"),
        pytest.param(18, ["4 06:01", "4 07:30"], [], id="but not in the small hours after the twelve"),
        pytest.param(2, ["3 02:00"], ["#1 3 02:00"], id="a slot at night is the owner's wish"),
    ],
)  # fmt: skip
def test_hours(world: World, slot: int, ticks: list[str], expected: list[str]) -> None:
    world.rules(at=time(slot), **WEEKLY)
    world.posts(1)
    world.now = when("2 12:00")
    world.join(ANA)
    for moment in ticks:
        world.tick(moment)
    assert world.diary(ANA) == expected


def test_late_hours_are_the_readers_own(world: World) -> None:
    world.rules(**WEEKLY)
    world.posts(1)
    world.join(ANA)
    world.join(BO, zone="America/Los_Angeles")
    world.run("4 02:00", "5", every=HOUR)  # the scheduler slept through the 3rd
    assert world.diary(ANA) == ["#1 4 08:00"]
    assert world.diary(BO, "America/Los_Angeles") == ["#1 3 18:00"]  # nine hours late


@pytest.mark.parametrize(
    ("quiet", "slot", "expected"),
    [
        pytest.param((time(21), time(8)), 22, "#1 3 08:00", id="nothing leaves in quiet hours that run over midnight"),
        pytest.param((time(8), time(12)), 9, "#1 2 12:00", id="nor in those of a morning"),
        pytest.param((time(12), time(13)), 9, "#1 2 09:00", id="quiet hours elsewhere in the day change nothing"),
    ],
)
def test_quiet_hours(world: World, quiet: tuple[time, time], slot: int, expected: str) -> None:
    world.rules(at=time(slot), quiet_hours=quiet)
    world.posts(1)
    world.join(ANA)
    world.run("2 00:00", "3 15:00", every=HOUR)
    assert world.diary(ANA) == [expected]


def test_a_retry_keeps_to_the_hours_too(world: World) -> None:
    world.rules(**WEEKLY)
    world.posts(1)
    world.join(ANA)
    world.provider.answers[ANA] = [GREYLISTED] * 5  # the sixth attempt would be at ten in the evening
    world.run("3 18:00", "4 10:00", every=HOUR / 4)
    assert world.diary(ANA) == ["#1 4 08:00"]
    assert not [at for _, at in world.provider.attempts if when("3 21:00") < at < when("4 08:00")]


# --- when: presence


def test_a_post_saved_between_two_ticks_makes_the_slot_of_the_second(world: World) -> None:
    world.posts(1)
    world.join(ANA)
    world.tick("2 09:00")
    world.tick("3 08:00:02")
    world.post(2)  # saved at 08:30
    world.tick("3 09:00:02")
    assert world.diary(ANA) == ["#1 2 09:00", "#2 3 09:00"]


def test_a_post_saved_after_the_slots_tick_waits_for_the_next_slot(world: World) -> None:
    world.posts(1)
    world.join(ANA)
    world.tick("2 09:00:02")
    world.run("3 08:00:02", "3 09:30", every=HOUR)
    world.post(2)  # saved at 09:30
    world.run("3 10:00:02", "4 09:30", every=HOUR)
    assert world.diary(ANA) == ["#1 2 09:00", "#2 4 09:00"]


# --- when: the first post


def test_a_new_reader_waits_for_the_next_slot(world: World) -> None:
    world.posts(1)
    world.tick("2 08:00")
    world.now = when("2 14:00")
    world.join(ANA, at_once=True)  # it is `first` that decides
    world.run("2 15:00", "3 12:00", every=HOUR)
    assert world.diary(ANA) == ["#1 3 09:00"]


def test_at_once_sends_the_first_post_with_the_tick_after_confirmation(world: World) -> None:
    world.rules(first=First.AT_ONCE, **WEEKLY)
    world.posts(1, 2)
    world.tick("2 08:00")
    world.now = when("4 14:30")
    world.join(ANA, at_once=True)
    world.run("4 15:00", "5", every=HOUR)
    world.run("5 09:00", "12")
    assert world.diary(ANA) == ["#1 4 15:00", "#2 10 09:00"]


# --- publish_at in a sequence


@pytest.mark.parametrize(
    ("publish_at", "expected"),
    [
        pytest.param(
            "2026-03-06",
            ["#1 2 09:00", "#2 6 09:00", "#3 7 09:00"],
            id="a date means that day's slot, and readers wait for it",
        ),
        pytest.param(
            "2026-03-06 12:00",
            ["#1 2 09:00", "#2 7 09:00", "#3 8 09:00"],
            id="an hour after the slot means the next slot",
        ),
        pytest.param("2020-01-01", ["#1 2 09:00", "#2 3 09:00", "#3 4 09:00"], id="a date long past changes nothing"),
    ],
)
def test_publish_at_in_a_sequence(world: World, publish_at: str, expected: list[str]) -> None:
    world.posts(1, 3)
    world.post(2, publish_at=publish_at)
    world.join(ANA)
    world.run("2 09:00", "10")
    assert world.diary(ANA) == expected


# --- broadcast


@pytest.fixture
def news(world: World) -> World:
    world.rules(mode=Mode.BROADCAST)
    world.tick("2 00:00")
    return world


def test_a_broadcast_reaches_everyone_confirmed_at_its_instant_and_nobody_later(news: World) -> None:
    news.post(1, publish_at="2026-03-03 15:30")
    news.join(ANA)
    news.run("2 01:00", "3 15:01", every=3 * HOUR)
    news.now = when("3 15:30")
    news.join(BO)  # in the very instant
    news.now = when("3 15:31")
    news.join(CY)
    news.run("3 16:00", "6", every=3 * HOUR)
    assert (news.diary(ANA), news.diary(BO), news.diary(CY)) == (["#1 3 16:00"], ["#1 3 16:00"], [])


def test_the_audience_of_a_broadcast_stays_frozen_whatever_happens_to_its_file(news: World) -> None:
    news.post(1, publish_at="2026-03-03 15:00")
    news.join(ANA)
    news.tick("3 15:00")
    news.now = when("3 15:30")
    news.join(BO)
    news.post(1, body="Corrected.", publish_at="2026-03-03 20:00")
    news.run("3 16:00", "5", every=HOUR)
    assert (news.diary(ANA), news.diary(BO)) == (["#1 3 15:00"], [])


def test_a_broadcast_without_a_date_is_held_and_named(news: World) -> None:
    news.post(1)
    news.join(ANA)
    news.run("2 09:00", "6")
    assert news.numbers(ANA) == []
    assert "001-post-1.md has no publish_at" in news.notes


def test_two_broadcasts_within_the_gap_come_one_after_the_other(news: World) -> None:
    news.post(1, publish_at="2026-03-03 09:00")
    news.post(2, publish_at="2026-03-03 12:00")
    news.join(ANA)
    news.run("3 09:00", "4 20:00", every=HOUR)
    # The gap ends at 05:00; that is seventeen hours after its instant, so it waits for the morning.
    assert news.diary(ANA) == ["#1 3 09:00", "#2 4 08:00"]


def test_a_broadcast_that_is_two_days_late_is_held_for_the_owner(news: World) -> None:
    news.post(1, publish_at="2026-03-04 09:00")
    news.join(ANA)
    news.tick("2 12:00")
    news.tick("6 10:00")  # the scheduler slept
    assert news.numbers(ANA) == []
    assert "001-post-1.md was to go out on 4 March 2026, which is too long ago, so it is held" in news.notes


def test_a_broadcast_that_waited_for_the_gap_is_not_sent_when_it_is_old(news: World) -> None:
    news.post(1, publish_at="2026-03-03 09:00")
    news.post(2, publish_at="2026-03-03 09:00")
    news.join(ANA)
    news.tick("3 09:00")
    news.tick("7 10:00")  # the scheduler slept
    assert news.numbers(ANA) == [1]


def test_a_broadcast_that_is_a_day_late_still_goes_out(news: World) -> None:
    news.post(1, publish_at="2026-03-04 09:00")
    news.join(ANA)
    news.tick("2 12:00")
    news.tick("5 10:00")
    assert news.diary(ANA) == ["#1 5 10:00"]


@pytest.mark.parametrize(
    ("moved_to", "expected"),
    [
        pytest.param("2026-03-05 06:00", ["#1 6 09:00"], id="a date moved into the past waits for the next slot"),
        pytest.param("2026-03-01 06:00", [], id="moved further back than two days it is held"),
        pytest.param("2026-03-05 18:00", ["#1 5 18:00"], id="a date moved into the near future is kept"),
    ],
)
def test_a_broadcast_whose_date_is_moved_never_goes_out_at_once(
    news: World, moved_to: str, expected: list[str]
) -> None:
    news.post(1, publish_at="2026-03-20 09:00")
    news.join(ANA)
    news.run("2 09:00", "5 12:01", every=3 * HOUR)
    news.post(1, publish_at=moved_to)
    news.run("5 13:00", "8", every=HOUR)
    assert news.diary(ANA) == expected
    assert bool(expected) or "too long ago" in news.notes


def test_news_from_before_the_list_began_goes_to_nobody(world: World) -> None:
    world.rules(mode=Mode.BROADCAST)
    world.post(1, publish_at="2026-03-02 06:00")
    world.now = when("2 08:00")
    world.join(ANA)
    world.run("2 09:00", "5", every=6 * HOUR)
    assert world.numbers(ANA) == []


def test_old_news_that_is_given_a_new_date_goes_out_then(world: World) -> None:
    world.rules(mode=Mode.BROADCAST)
    world.post(1, publish_at="2026-01-02 06:00")
    world.join(ANA)
    world.tick("2 09:00")
    world.post(1, publish_at="2026-03-04 06:00")
    world.run("2 10:00", "5", every=2 * HOUR)
    assert world.diary(ANA) == ["#1 4 06:00"]


def test_a_sequence_never_repeats_what_was_broadcast(news: World) -> None:
    news.post(1, publish_at="2026-03-03 10:00")
    news.join(ANA)
    news.tick("3 10:00")
    news.join(BO)
    news.rules(mode=Mode.SEQUENCE)
    news.post(2)
    news.run("4 09:00", "7")
    assert news.numbers(ANA) == [1, 2]
    assert news.numbers(BO) == [1, 2]


# --- hybrid


def test_new_readers_catch_up_and_then_get_each_post_at_its_instant(world: World) -> None:
    world.rules(mode=Mode.HYBRID, every=7, catch_up_every=2)
    for number, day in ((1, "2026-01-06"), (2, "2026-01-13"), (3, "2026-01-20")):
        world.post(number, publish_at=day)
    world.post(4, publish_at="2026-03-10 15:00")
    world.post(5, publish_at="2026-03-12 15:00")
    world.join(ANA)
    world.run("2 09:00", "14", every=3 * HOUR)
    assert world.diary(ANA) == ["#1 2 09:00", "#2 4 09:00", "#3 6 09:00", "#4 10 15:00", "#5 12 15:00"]


def test_a_reader_who_is_still_catching_up_gets_a_new_post_in_their_turn(world: World) -> None:
    world.rules(mode=Mode.HYBRID, catch_up_every=3)
    world.post(1, publish_at="2026-01-06")
    world.post(2, publish_at="2026-01-13")
    world.post(3, publish_at="2026-03-04 15:00")
    world.join(ANA)
    world.run("2 09:00", "12", every=3 * HOUR)
    assert world.diary(ANA) == ["#1 2 09:00", "#2 5 09:00", "#3 8 09:00"]


def test_level_readers_keep_the_gap_first(world: World) -> None:
    world.rules(mode=Mode.HYBRID, catch_up_every=1)
    world.post(1, publish_at="2026-01-06")
    world.post(2, publish_at="2026-03-02 15:00")
    world.join(ANA)
    world.run("2 09:00", "4", every=HOUR)
    assert world.diary(ANA) == ["#1 2 09:00", "#2 3 08:00"]  # the gap is over at 05:00: too late for that hour


def test_a_level_reader_gets_a_new_post_on_a_day_that_is_no_catch_up_day(world: World) -> None:
    world.rules(mode=Mode.HYBRID, days=frozenset({TUESDAY}))
    world.post(1, publish_at="2026-01-06")
    world.join(ANA)
    world.run("3 09:00", "4")
    world.post(2, publish_at="2026-03-06 11:00")
    world.run("4 09:00", "8", every=HOUR)
    assert world.diary(ANA) == ["#1 3 09:00", "#2 6 11:00"]


def test_the_catch_up_begins_at_start(world: World) -> None:
    world.rules(mode=Mode.HYBRID, start=2)
    for number in (1, 2, 3):
        world.post(number, publish_at=f"2026-01-0{number}")
    world.tick("2 00:00")
    world.join(ANA)
    world.run("2 09:00", "6", every=DAY)
    assert world.diary(ANA) == ["#2 2 09:00", "#3 3 09:00"]
