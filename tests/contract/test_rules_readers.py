"""Who joins, leaves and stands where: the edge cases of docs/sequence.md about readers.

Days are days of March 2026; a post goes out every day at nine, UTC.
"""

from __future__ import annotations

from datetime import date, time
from itertools import pairwise

import pytest
from world import ANA, BO, CY, DEAD, GREYLISTED, HOUR, NO_SUCH_USER, TUESDAY, World, when

from newsletter.config import First
from newsletter.subscribers import Pause, Status

WEEKLY = {"every": 7, "days": frozenset({TUESDAY})}


# --- late joiners


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        pytest.param("first", [1, 2, 3, 5, 6], id="first"),
        pytest.param("latest", [5, 6], id="latest"),
        pytest.param(3, [3, 5, 6], id="a number"),
        pytest.param(4, [5, 6], id="a number that is a gap"),
        pytest.param(date(2026, 1, 3), [3, 5, 6], id="a date is that of publish_at"),
        pytest.param(date(2026, 1, 4), [5, 6], id="a date between two posts"),
        pytest.param(date(2027, 1, 1), [6], id="a date to come"),
    ],
)
def test_a_late_joiner_begins_at(world: World, start: str | int | date, expected: list[int]) -> None:
    for number in (1, 2, 3, 5):
        world.post(number, publish_at=f"2026-01-{number:02d}")
    world.tick("2 08:00")
    world.rules(start=start)
    world.join(ANA)
    world.run("2 09:00", "8")
    world.post(6)
    world.run("8 09:00", "11")
    assert world.numbers(ANA) == expected


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/Los_Angeles"])
def test_a_start_date_is_a_day_of_the_newsletters_zone(world: World, zone: str) -> None:
    world.zone(zone)
    for number in (1, 2, 3):
        world.post(number, publish_at=f"2026-01-{number:02d}")
    world.rules(start=date(2026, 1, 2))
    world.tick("2 08:00")
    world.join(ANA)
    world.run("3 00:00", "6", every=3 * HOUR)
    assert world.numbers(ANA) == [2, 3]


# --- import and file


def test_people_from_a_file_never_get_a_post_at_once(world: World) -> None:
    world.rules(first=First.AT_ONCE)
    world.posts(1)
    world.tick("2 08:00")
    world.csv(ANA, f"{BO},Bo,Asia/Tokyo")
    world.run("2 10:00", "3 12:00", every=HOUR)
    assert world.diary(ANA) == ["#1 3 09:00"]
    assert world.diary(BO, "Asia/Tokyo") == ["#1 3 09:00"]


def test_imported_people_never_get_a_post_at_once(world: World) -> None:
    world.rules(first=First.AT_ONCE)
    world.posts(1)
    world.tick("2 08:00")
    world.now = when("2 10:00")
    (ada,) = world.crowd(1)
    world.run("2 11:00", "3 12:00", every=HOUR)
    assert world.diary(ada) == ["#1 3 09:00"]


def test_had_through_sets_the_position_and_is_read_at_first_sight_only(world: World) -> None:
    world.posts(1, 2, 3, 4, 5, 6)
    world.csv(f"{ANA},,,,3", BO)
    world.tick("2 09:00")
    world.csv(f"{ANA},Ana,,,5", f"{BO},,,,5")
    world.run("3 09:00", "6")
    assert (world.numbers(ANA), world.numbers(BO)) == ([4, 5, 6], [1, 2, 3, 4])
    assert world.reader(ANA).name == "Ana"


def test_the_file_updates_name_zone_and_tags(world: World) -> None:
    world.post(1)
    world.post(2, tags="[clients]")
    world.csv(f"{ANA},,,")
    world.tick("2 09:00")
    world.csv(f"{ANA},Ana Lind,Asia/Tokyo,clients|friends")
    world.run("2 10:00", "4", every=HOUR)
    assert (world.reader(ANA).name, world.reader(ANA).timezone) == ("Ana Lind", "Asia/Tokyo")
    assert world.diary(ANA, "Asia/Tokyo")[1:] == ["#2 3 14:00"]  # the gap since 18:00 in Tokyo
    assert world.letters(ANA)[1].text.startswith("Hello Ana Lind,")


def test_bad_rows_are_listed_and_the_good_ones_taken(world: World) -> None:
    world.posts(1)
    world.csv(ANA, "not an address", f"{BO},,Nowhere/Land", f"{CY}")
    world.run("2 09:00", "4")
    assert (world.numbers(ANA), world.numbers(CY)) == ([1], [1])
    assert "row 3" in world.notes and "row 4" in world.notes and "Nowhere/Land" in world.notes


def test_a_row_that_left_is_paused_and_a_returning_row_lifts_only_that_pause(world: World) -> None:
    world.posts(*range(1, 10))
    world.csv(ANA, BO, CY)
    world.tick("2 09:00")
    world.csv(CY)
    world.tick("2 10:00")
    assert world.ticks[-1].taken.departed == 2
    world.pause(ANA)
    world.run("3 09:00", "5")
    assert world.reader(ANA).pauses == Pause.FILE | Pause.OWNER
    world.csv(ANA, BO, CY)
    world.run("5 09:00", "7")
    assert world.ticks[-2].taken.returned == 2
    assert world.reader(ANA).pauses == Pause.OWNER
    assert (world.numbers(ANA), world.numbers(BO), len(world.numbers(CY))) == ([1], [1, 2, 3], 5)


def test_one_who_returns_gets_the_next_slot_not_a_past_one(world: World) -> None:
    world.rules(**WEEKLY)
    world.posts(1, 2)
    world.csv(ANA, BO)
    world.tick("3 09:00")
    world.csv(BO)
    world.tick("4 09:00")
    world.csv(ANA, BO)
    world.run("11 12:00", "18", every=6 * HOUR)
    assert world.diary(ANA) == ["#1 3 09:00", "#2 17 12:00"]


@pytest.mark.parametrize(
    ("listed", "left", "taken"),
    [
        pytest.param(20, 15, True, id="five of twenty may go"),
        pytest.param(20, 14, False, id="six of twenty look like an accident"),
        pytest.param(80, 72, True, id="eight of eighty may go"),
        pytest.param(80, 71, False, id="nine of eighty look like an accident"),
        pytest.param(3, 0, False, id="an empty file changes nothing"),
    ],
)
def test_a_large_departure(world: World, listed: int, left: int, taken: bool) -> None:
    names = [f"r{n}@example.org" for n in range(listed)]
    world.csv(*names)
    world.tick("2 08:00")
    world.csv(*names[:left], *(["newcomer@example.org"] if left else []))
    world.tick("2 08:30")
    paused = world.store.audience.counts()["paused"]
    assert paused == (listed - left if taken else 0)
    assert world.store.audience.counts()["active"] == listed + (1 if taken else 0)
    assert taken or "subscribers.csv" in world.notes


def test_a_file_that_lost_nearly_everybody_is_reported_at_every_tick(world: World) -> None:
    world.posts(1, 2)
    names = [f"r{n}@example.org" for n in range(10)]
    world.csv(*names)
    world.tick("2 09:00")
    world.csv(names[0])
    for hour in (10, 11):
        world.tick(f"2 {hour}:00")
        assert "was not taken: 9 of the 10 people who stood in it are missing" in world.notes
    world.tick("3 09:00")
    assert world.numbers(names[9]) == [1, 2]


def test_whatever_the_file_says_one_who_left_stays_away(world: World) -> None:
    world.posts(1, 2, 3)
    world.csv(ANA, BO)
    world.tick("2 09:00")
    world.leave(ANA)
    world.csv(BO)
    world.tick("2 10:00")
    world.csv(f"{ANA.upper()},Ana,,,0", BO)
    world.run("3 09:00", "5")
    assert world.numbers(ANA) == [1]
    assert world.reader(ANA).status is Status.UNSUBSCRIBED


# --- leaving and coming back


def test_one_who_unsubscribes_gets_nothing_more(world: World) -> None:
    world.posts(1, 2)
    world.join(ANA)
    world.tick("2 09:00")
    world.leave(ANA)
    world.run("3 09:00", "6")
    assert world.numbers(ANA) == [1]


def test_one_who_comes_back_resumes_where_they_were(world: World) -> None:
    world.posts(1, 2, 3)
    world.join(ANA)
    world.run("2 09:00", "4")
    world.leave(ANA)
    world.run("4 09:00", "7")
    world.now = when("7 12:00")
    world.confirm(ANA)
    world.run("7 13:00", "9", every=HOUR)
    assert world.diary(ANA) == ["#1 2 09:00", "#2 3 09:00", "#3 8 09:00"]


def test_a_post_under_way_to_one_who_leaves_is_the_first_after_the_return(world: World) -> None:
    world.posts(1, 2)
    world.join(ANA)
    world.provider.answers[ANA] = [GREYLISTED]
    world.tick("2 09:00")
    world.now = when("2 09:02")
    world.leave(ANA)
    world.tick("2 10:00")
    assert world.states(ANA) == [(1, "withdrawn", "left or paused")]
    world.confirm(ANA)
    world.run("2 11:00", "5", every=HOUR)
    assert world.diary(ANA) == ["#1 3 09:00", "#2 4 09:00"]


def test_starting_over_is_a_new_epoch(world: World) -> None:
    world.posts(1, 2)
    world.join(ANA)
    world.run("2 09:00", "4")
    world.store.audience.start_over(at=world.now)
    world.run("4 09:00", "7")
    assert world.numbers(ANA) == [1, 2, 1, 2]


# --- addresses that fail


@pytest.mark.parametrize(
    "refusal", [pytest.param(NO_SUCH_USER, id="not there"), pytest.param(DEAD, id="dead for good")]
)
def test_after_a_hard_bounce_a_corrected_address_gets_the_same_post(world: World, refusal: object) -> None:
    world.posts(1, 2, 3)
    world.join(ANA)
    world.tick("2 09:00")
    world.provider.answers[ANA] = [refusal]
    world.run("3 09:00", "6")
    assert world.numbers(ANA) == [1]
    (_, refused) = world.history(ANA)
    assert (refused.post, refused.state) == (2, "rejected")
    reader = world.reader(ANA)
    assert reader.pauses is Pause.ADDRESS or reader.status is Status.SUPPRESSED
    world.now = when("6 12:00")
    world.correct(ANA, BO)
    world.run("6 13:00", "9", every=HOUR)
    assert world.diary(BO) == ["#2 7 09:00", "#3 8 09:00"]
    assert world.history(BO)[1].id == refused.id  # the same row


def test_a_corrected_reader_who_is_paused_before_the_next_slot_is_not_dead(world: World) -> None:
    world.posts(1)
    world.join(ANA)
    world.provider.answers[ANA] = [DEAD]
    world.tick("2 09:00")
    world.now = when("2 12:00")
    world.correct(ANA, BO)
    world.pause(BO)
    world.tick("2 13:00")
    assert world.reader(BO).status is Status.ACTIVE


def test_soft_bounces_are_retried_for_two_days_and_then_the_same_post_in_the_next_slot(world: World) -> None:
    world.rules(**WEEKLY)
    world.posts(1, 2)
    world.join(ANA)
    world.provider.always[ANA] = GREYLISTED
    world.run("3 09:00", "5 12:00", every=HOUR)
    world.run("5 15:00", "9", every=6 * HOUR)
    tried = [at for _, at in world.provider.attempts]
    assert when("5 00:00") < max(tried) <= when("5 09:00")
    assert world.states(ANA) == [(1, "deferred", "given up for now")]
    del world.provider.always[ANA]
    world.run("9 09:00", "18", every=6 * HOUR)
    assert world.diary(ANA) == ["#1 10 09:00", "#2 17 09:00"]


def test_three_strikes_over_ten_days_suppress(world: World) -> None:
    world.rules(**WEEKLY)
    world.posts(1, 2)
    world.join(ANA)
    world.provider.always[ANA] = GREYLISTED
    world.run("3 09:00", "18 20:00", every=2 * HOUR)
    assert world.reader(ANA).status is Status.ACTIVE
    world.run("18 20:00", "20", every=2 * HOUR)
    assert world.reader(ANA).status is Status.SUPPRESSED


def test_three_strikes_within_ten_days_do_not_suppress_yet(world: World) -> None:
    world.posts(1)
    world.join(ANA)
    world.provider.always[ANA] = GREYLISTED
    struck: list[int] = []
    for hour in range(24 * 13):
        world.tick(when("2 09:00") + hour * HOUR)
        if world.reader(ANA).status is Status.SUPPRESSED:
            struck.append(hour)
            break
    assert struck and struck[0] >= 24 * 11  # the first strike falls on the second day, ten more must pass


def test_any_success_resets_the_strikes(world: World) -> None:
    world.rules(**WEEKLY)
    world.posts(1, 2, 3, 4)
    world.join(ANA)
    world.provider.always[ANA] = GREYLISTED
    world.run("3 09:00", "16", every=3 * HOUR)  # two strikes
    del world.provider.always[ANA]
    world.tick("17 09:00")
    world.provider.always[ANA] = GREYLISTED
    world.run("18", "27", every=3 * HOUR)  # one more
    assert world.reader(ANA).status is Status.ACTIVE
    assert world.numbers(ANA) == [1]


# --- pauses


def test_one_readers_pause_holds_their_post_until_the_slot_after_it(world: World) -> None:
    world.posts(1, 2, 3)
    world.join(ANA, BO)
    world.tick("2 09:00")
    world.pause(ANA)
    world.run("3 09:00", "6")
    world.now = when("6 11:00")
    world.resume(ANA)
    world.run("6 12:00", "8", every=HOUR)
    assert world.diary(ANA) == ["#1 2 09:00", "#2 7 09:00"]
    assert world.numbers(BO) == [1, 2, 3]


def test_the_owners_pause_shifts_the_clock(world: World) -> None:
    world.rules(**WEEKLY)
    world.posts(1, 2, 3)
    world.join(ANA)
    world.tick("3 09:00")
    world.now = when("5 12:00")
    world.pause()
    world.run("6 09:00", "19")
    world.now = when("19 12:00")
    world.resume()
    world.run("20 09:00", "4-8")
    assert world.diary(ANA) == ["#1 3 09:00", "#2 24 09:00", "#3 31 09:00"]


def test_a_pause_of_five_days_moves_a_fortnightly_reader_on_by_five_days(world: World) -> None:
    world.rules(every=14)
    world.posts(1, 2)
    world.join(ANA)
    world.tick("2 09:00")
    world.now = when("4 10:00")
    world.pause()
    world.now = when("9 10:00")
    world.resume()
    world.run("9 15:00", "25", every=6 * HOUR)
    assert world.diary(ANA) == ["#1 2 09:00", "#2 21 09:00"]


def test_on_resume_there_is_at_most_one_post_each_and_no_past_slot(world: World) -> None:
    world.posts(*range(1, 20))
    world.join(ANA, BO)
    world.tick("2 09:00")
    world.pause()
    world.tick("3 09:00")
    assert "paused by you" in world.notes
    world.now = when("12 12:00")
    world.resume()
    world.run("12 13:00", "14", every=HOUR)
    assert world.diary(ANA) == world.diary(BO) == ["#1 2 09:00", "#2 13 09:00"]


def test_one_who_joins_during_the_owners_pause_waits_like_everybody(world: World) -> None:
    world.posts(1)
    world.tick("2 08:00")
    world.pause()
    world.now = when("4 12:00")
    world.join(ANA)
    world.tick("5 10:00")
    world.now = when("6 12:00")
    world.resume()
    world.run("6 13:00", "8", every=HOUR)
    assert world.diary(ANA) == ["#1 7 09:00"]


# --- zones


def test_a_reader_who_moves_east_is_protected_by_the_gap(world: World) -> None:
    world.posts(*range(1, 9))
    world.csv(f"{ANA},,America/Los_Angeles")
    world.run("2 00:00", "4", every=HOUR)
    world.csv(f"{ANA},,Asia/Tokyo")
    world.run("4 00:00", "7", every=HOUR)
    instants = [at for _, at in world.got(ANA)]
    assert all(b - a >= 20 * HOUR for a, b in pairwise(instants))
    assert world.diary(ANA, "Asia/Tokyo")[-1] == f"#{len(instants)} 6 09:00"


def test_a_slot_that_is_past_in_the_new_zone_does_not_count(world: World) -> None:
    """Tuesday nine o'clock is over in Tokyo when the day begins in Los Angeles."""
    world.rules(**WEEKLY)
    world.posts(1)
    world.csv(f"{ANA},,America/Los_Angeles")
    world.tick("2 12:00")
    world.now = when("3 06:00", "America/Los_Angeles")
    world.csv(f"{ANA},,Asia/Tokyo")
    world.run(when("3 06:30", "America/Los_Angeles"), "11", every=6 * HOUR)
    assert [at.date() for _, at in world.got(ANA)] == [date(2026, 3, 10)]


def test_a_reader_of_a_zone_with_odd_minutes(world: World) -> None:
    world.rules(at=time(9, 15))
    world.posts(1)
    world.join(ANA, zone="Asia/Kathmandu")
    world.run("2 00:00", "3", every=HOUR / 4)
    assert world.diary(ANA, "Asia/Kathmandu") == ["#1 2 09:15"]


def test_a_letter_put_off_for_a_wrong_address_goes_to_the_corrected_one(world: World) -> None:
    world.posts(1)
    world.join(ANA)
    world.provider.answers[ANA] = [GREYLISTED]
    world.tick("2 09:00")
    world.correct(ANA, "anna@example.org")
    world.run("2 10:00", "2 18:00", every=HOUR)
    assert world.numbers("anna@example.org") == [1]
    assert not world.numbers(ANA)
