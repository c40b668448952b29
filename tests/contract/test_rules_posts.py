"""What a change in the folder does to the readers: the edge cases of docs/sequence.md about posts.

Days are days of March 2026; a post goes out every day at nine, UTC.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from world import ANA, BO, CY, GREYLISTED, HOUR, LOST, SPAM, World, when

from newsletter.config import Missing, Mode
from newsletter.errors import ProviderError


@pytest.fixture
def veteran(world: World) -> World:
    """Ana has had #1 to #7 by the 8th, ten in the morning, Bo the first two; #8 is not written yet."""
    world.posts(1, 2, 4, 5, 6, 7)
    world.join(ANA)
    world.run("2 09:00", "7")
    world.now = when("6 12:00")
    world.join(BO)
    world.run("7 09:00", "9")
    world.tick("8 10:00")
    assert (world.numbers(ANA), world.numbers(BO)) == ([1, 2, 4, 5, 6, 7], [1, 2])
    return world


# --- append


def test_an_appended_post_reaches_those_who_waited_at_their_next_slot(world: World) -> None:
    world.posts(1)
    world.join(ANA, BO)
    world.run("2 09:00", "12 09:01")
    world.post(2)
    world.run("12 10:00", "14", every=HOUR)
    assert world.diary(ANA) == world.diary(BO) == ["#1 2 09:00", "#2 13 09:00"]


def test_an_appended_post_is_no_blast_either_when_readers_waited_at_different_hours(world: World) -> None:
    world.posts(1)
    world.join(ANA)
    world.join(BO, zone="Asia/Tokyo")
    world.run("2 00:00", "4", every=3 * HOUR)
    world.tick("4 10:00")
    world.post(2)
    world.run("4 11:00", "6", every=HOUR)
    assert (world.diary(ANA)[-1], world.diary(BO, "Asia/Tokyo")[-1]) == ("#2 5 09:00", "#2 5 09:00")


# --- insert


def test_an_insert_reaches_those_below_it_in_order_and_is_recorded_as_past_for_the_others(veteran: World) -> None:
    veteran.post(3)
    veteran.run("9 09:00", "15")
    assert veteran.numbers(BO) == [1, 2, 3, 4, 5, 6, 7]
    assert veteran.numbers(ANA) == [1, 2, 4, 5, 6, 7]
    assert (3, "skipped", "past") in veteran.states(ANA)


def test_both_counts_of_an_insert_are_on_record(veteran: World) -> None:
    veteran.post(3)
    veteran.tick("8 11:00")
    (post,) = [p for p in veteran.store.accounts.by_post() if p["number"] == 3]
    assert post["deliveries"] == {"skipped": 1}
    assert [(e.post, e.count) for e in veteran.forecast(1)] == [(3, 1)]


def test_an_insert_with_catch_up_late_is_the_next_post_of_those_who_are_past_it(veteran: World) -> None:
    veteran.post(3, catch_up="late")
    veteran.post(8)
    veteran.run("9 09:00", "16")
    assert veteran.diary(ANA)[6:] == ["#3 9 09:00", "#8 10 09:00"]
    assert veteran.numbers(BO) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_late_comes_first_and_a_mark_on_a_post_above_means_nothing(veteran: World) -> None:
    veteran.post(9)
    veteran.post(3, catch_up="late")
    veteran.tick("8 11:00")
    veteran.post(8, catch_up="late")  # above Ana's position: not late for her
    veteran.run("9 09:00", "13")
    assert veteran.diary(ANA)[6:] == ["#3 9 09:00", "#8 10 09:00", "#9 11 09:00"]


def test_two_late_inserts_come_in_order_whenever_they_were_written(world: World) -> None:
    world.posts(5, 6)
    world.join(ANA)
    world.run("2 09:00", "4")
    world.post(3, catch_up="late")
    world.tick("4 08:00")
    world.post(2, catch_up="late")
    world.post(7)
    world.run("4 09:00", "9")
    assert world.numbers(ANA) == [5, 6, 2, 3, 7]


def test_a_late_post_never_raises_the_position(veteran: World) -> None:
    veteran.post(3, catch_up="late")
    before = veteran.reader(ANA).position
    veteran.tick("9 09:00")
    assert veteran.numbers(ANA)[-1] == 3
    assert veteran.reader(ANA).position == before == 7


def test_a_late_post_that_is_renumbered_ahead_of_its_readers_comes_in_its_turn(veteran: World) -> None:
    path = veteran.post(3, "aside", ident="aside", catch_up="late")
    veteran.tick("8 11:00")
    path.rename(path.with_name("012-aside.md"))
    veteran.posts(9)
    veteran.run("9 09:00", "13")
    assert veteran.numbers(ANA)[6:] == [9, 12]
    assert veteran.reader(ANA).position == 12


def test_an_insert_can_be_made_late_afterwards(veteran: World) -> None:
    veteran.post(3)
    veteran.run("8 11:00", "10")
    veteran.tick("10 10:00")
    veteran.post(3, catch_up="late")
    veteran.run("10 11:00", "13", every=HOUR)
    assert veteran.diary(ANA)[6:] == ["#3 11 09:00"]
    assert len([r for r in veteran.history(ANA) if r.post == 3]) == 1  # the same row


def test_one_who_joined_beyond_an_insert_counts_as_past_it_too(world: World) -> None:
    world.posts(1, 2, 4, 5)
    world.tick("2 08:00")
    world.join(ANA, had=4)
    world.tick("2 09:00")
    world.post(3, catch_up="late")
    world.run("3 09:00", "5")
    assert world.numbers(ANA) == [5, 3]


def test_a_number_a_reader_counts_as_having_had_is_past_when_it_is_filled(world: World) -> None:
    world.posts(1, 2, 5)
    world.tick("2 08:00")
    world.join(ANA, had=3)
    world.tick("2 08:30")
    world.post(3)
    world.run("2 09:00", "4")
    assert world.numbers(ANA) == [5]
    assert (3, "skipped", "past") in world.states(ANA)


# --- rename, renumber


def test_a_renamed_file_with_an_id_is_the_same_post(world: World) -> None:
    path = world.post(1, "losses", ident="losses")
    world.posts(2)
    world.join(ANA)
    world.tick("2 09:00")
    path.rename(path.with_name("001-on-losing-things.md"))
    world.join(BO)
    world.run("3 09:00", "6")
    assert (world.numbers(ANA), world.numbers(BO)) == ([1, 2], [1, 2])
    assert "rename" not in world.notes


def test_a_renumbered_post_is_got_by_nobody_twice_and_still_by_the_others(world: World) -> None:
    path = world.post(1, "losses", ident="losses")
    world.posts(2, 3)
    world.join(ANA)
    world.run("2 09:00", "4")  # Ana has 1 and 2
    world.join(BO)
    path.rename(path.with_name("005-losses.md"))
    world.run("4 09:00", "9")
    assert [m.subject for m in world.letters(ANA)] == ["No. 1: losses", "No. 2: post-2", "No. 3: post-3"]
    assert world.numbers(BO) == [2, 3, 5]


def test_a_post_that_is_renumbered_takes_its_readers_past_what_was_planned_for_them(world: World) -> None:
    path = world.post(1, "losses", ident="losses")
    world.posts(2, 6)
    world.join(ANA)
    world.tick("2 09:00")
    world.provider.always[ANA] = GREYLISTED
    world.tick("3 09:00")
    assert world.states(ANA)[-1] == (2, "deferred", "")
    del world.provider.always[ANA]
    path.rename(path.with_name("005-losses.md"))
    world.run("3 12:00", "6", every=HOUR)
    assert world.numbers(ANA) == [1, 6], "forward only"


def test_a_post_that_is_renumbered_with_the_same_slug_needs_no_id(world: World) -> None:
    path = world.post(4, "losses")
    world.join(ANA)
    world.tick("2 09:00")
    path.rename(path.with_name("002-losses.md"))
    world.run("3 09:00", "5")
    assert world.numbers(ANA) == [4]


@pytest.fixture
def renamed(world: World) -> World:
    """Ana has had #1; its file, which has no id, was renamed. Bo has just joined."""
    world.posts(1, 2)
    world.join(ANA)
    world.tick("2 09:00")
    world.join(BO)
    world.file(1).rename(world.root / "posts" / "001-another-name.md")
    world.run("2 10:00", "5", every=HOUR)
    return world


def test_an_identity_that_changed_after_delivery_holds_both_posts(renamed: World) -> None:
    assert renamed.numbers(BO) == []
    assert renamed.numbers(ANA) == [1, 2]  # nobody gets it twice; who is past it goes on
    assert "001-another-name.md looks like a rename of posts/001-post-1.md; both are held" in renamed.notes
    assert "write `id: post-1`" in renamed.notes and "write `id: another-name`" in renamed.notes


def test_an_id_that_changed_within_its_file_holds_both_posts(world: World) -> None:
    world.post(1, ident="losses")
    world.posts(2)
    world.join(ANA)
    world.tick("2 09:00")
    world.join(BO)
    world.post(1, ident="loses")
    world.run("3 09:00", "5")
    assert (world.numbers(ANA), world.numbers(BO)) == ([1, 2], [])
    assert "posts/001-post-1.md had the id losses when readers got it, and has loses now" in world.notes
    world.post(1, ident="losses")
    world.run("5 09:00", "7")
    assert (world.numbers(ANA), world.numbers(BO)) == ([1, 2], [1, 2])


def test_the_owner_says_it_is_the_same_post(renamed: World) -> None:
    renamed.file(1).write_text("---\ntitle: Another name\nid: post-1\n---\n\nWords.\n")
    renamed.run("5 09:00", "8")
    assert (renamed.numbers(ANA), renamed.numbers(BO)) == ([1, 2], [1, 2])
    assert "rename" not in renamed.notes


def test_the_owner_says_it_is_another_post_and_takes_the_old_one_out(renamed: World) -> None:
    renamed.rules(on_missing=Missing.SKIP)
    renamed.file(1).write_text("---\ntitle: Another name\nid: another-name\n---\n\nWords.\n")
    renamed.run("5 09:00", "8")
    assert (renamed.numbers(ANA), renamed.numbers(BO)) == ([1, 2], [1, 2])
    assert [m.subject for m in renamed.letters(BO)] == ["No. 1: Another name", "No. 2: post-2"]


def test_a_file_renamed_before_anyone_got_it_is_nothing_special(world: World) -> None:
    world.posts(1, 2)
    world.join(ANA)
    world.tick("2 08:00")
    world.file(1).rename(world.root / "posts" / "001-another-name.md")
    world.run("2 09:00", "4")
    assert world.numbers(ANA) == [1, 2]
    assert "rename" not in world.notes


# --- duplicates


def test_two_files_with_one_number_are_both_held_and_named_and_the_others_go_on(world: World) -> None:
    world.posts(1, 2, 3)
    world.post(4)
    world.join(ANA)
    world.run("2 09:00", "4")
    world.join(BO)
    world.post(3, "a-second-three")
    world.run("4 09:00", "8")
    assert world.numbers(ANA) == [1, 2]  # waits at the pair
    assert world.numbers(BO) == [1, 2]
    assert "003-a-second-three.md" in world.notes and "003-post-3.md" in world.notes
    (world.root / "posts" / "003-a-second-three.md").unlink()
    world.run("8 09:00", "10")
    assert world.numbers(ANA) == world.numbers(BO) == [1, 2, 3, 4]


def test_readers_beyond_a_pair_in_conflict_are_not_held(world: World) -> None:
    world.posts(1, 2)
    world.join(ANA)
    world.run("2 09:00", "4")
    world.post(1, "a-second-one")
    world.post(3)
    world.run("4 09:00", "6")
    assert world.numbers(ANA) == [1, 2, 3]


def test_two_files_with_one_id_are_both_held_and_named(world: World) -> None:
    world.posts(1, 2, 3)
    world.post(4, "fourth", ident="four")
    world.post(9, "copy-of-the-fourth", ident="four")
    world.post(5)
    world.join(ANA)
    world.run("2 09:00", "9")
    assert world.numbers(ANA) == [1, 2, 3]
    assert "004-fourth.md" in world.notes and "009-copy-of-the-fourth.md" in world.notes


def test_a_copied_id_moves_nobody(world: World) -> None:
    """The owner copies an old file for a new post and forgets to change the id."""
    world.post(1, "first", ident="first")
    world.posts(2, 3)
    world.join(ANA)
    world.tick("2 09:00")
    copy = world.post(9, "ninth", ident="first")
    world.run("3 09:00", "6")
    assert world.numbers(ANA) == [1, 2, 3]  # those who are beyond it go on as if nothing had happened
    world.join(BO)
    world.run("6 09:00", "8")
    assert world.numbers(BO) == []  # those who come to it wait
    copy.write_text("---\ntitle: ninth\nid: ninth\n---\n\nWords.\n")
    world.run("8 09:00", "13")
    assert (world.numbers(ANA), world.numbers(BO)) == ([1, 2, 3, 9], [1, 2, 3, 9])


def test_a_post_renumbered_onto_another_moves_nobody(world: World) -> None:
    first = world.post(1, "first", ident="first")
    world.post(2, "second", ident="second")
    world.posts(3)
    world.join(ANA)
    world.tick("2 09:00")
    first.rename(first.with_name("002-first.md"))
    world.run("3 09:00", "5")
    assert world.numbers(ANA) == [1]
    (world.root / "posts" / "002-first.md").rename(first)
    world.run("5 09:00", "8")
    assert world.numbers(ANA) == [1, 2, 3]


# --- missing, broken, draft


def test_readers_wait_at_a_live_post_that_is_gone_and_the_owner_is_told_each_time(world: World) -> None:
    world.posts(1, 2, 3)
    world.join(ANA)
    world.tick("2 09:00")
    world.file(2).unlink()
    world.run("3 09:00", "6")
    assert world.numbers(ANA) == [1]
    assert all(
        "002-post-2.md was live and is gone: readers who come to #2 wait" in "\n".join(t.notes) for t in world.ticks[1:]
    )
    world.post(2)
    world.run("6 09:00", "8")
    assert world.numbers(ANA) == [1, 2, 3]


def test_on_missing_skip_passes_it_over(world: World) -> None:
    world.rules(on_missing=Missing.SKIP)
    world.posts(1, 2, 3)
    world.join(ANA)
    world.tick("2 09:00")
    world.file(2).unlink()
    world.tick("3 09:00")
    assert world.numbers(ANA) == [1, 3]


def test_readers_wait_at_a_live_post_that_broke(world: World) -> None:
    world.posts(1, 2, 3)
    world.join(ANA)
    world.tick("2 09:00")
    world.file(2).write_text("---\ntitle: never closed\n")
    world.run("3 09:00", "5")
    assert world.numbers(ANA) == [1]
    assert "002-post-2.md was live and can't be used" in world.notes


@pytest.mark.parametrize("how", ["broken", "draft", "absent"])
def test_a_post_that_was_never_live_is_a_gap(world: World, how: str) -> None:
    world.posts(1, 3)
    if how == "broken":
        world.post(2).write_text("---\ntitle: never closed\n")
    elif how == "draft":
        world.post(2, status="draft")
    world.join(ANA)
    world.run("2 09:00", "4")
    assert world.numbers(ANA) == [1, 3]


def test_all_posts_gone_at_once_sends_nothing_and_says_so(world: World) -> None:
    world.posts(1, 2)
    world.join(ANA)
    world.tick("2 09:00")
    for path in (world.root / "posts").iterdir():
        path.unlink()
    world.run("3 09:00", "6")
    assert world.numbers(ANA) == [1]
    assert "posts/ holds no usable post any more" in world.notes


def test_readers_wait_a_week_at_a_post_that_went_back_to_draft_and_then_pass_it_over(world: World) -> None:
    world.posts(1, 2, 3)
    world.join(ANA)
    world.tick("2 09:00")
    world.post(2, status="draft")
    world.tick("2 10:00")
    world.run("3 09:00", "9 12:00")
    assert world.numbers(ANA) == [1]
    assert "002-post-2.md was live and is a draft now: readers who come to #2 wait until 9 March" in world.notes
    world.tick("10 09:00")
    assert world.numbers(ANA) == [1, 3]


def test_hold_for_says_how_long(world: World) -> None:
    world.rules(hold_for=timedelta(days=2))
    world.posts(1, 2, 3)
    world.join(ANA)
    world.tick("2 09:00")
    world.post(2, status="draft")
    world.tick("2 10:00")
    world.run("3 09:00", "6")
    assert world.diary(ANA) == ["#1 2 09:00", "#3 5 09:00"]


def test_a_draft_that_comes_back_in_time_is_read_in_order(world: World) -> None:
    world.posts(1, 2, 3)
    world.join(ANA)
    world.tick("2 09:00")
    world.post(2, status="draft")
    world.run("3 09:00", "6")
    world.post(2)
    world.run("6 09:00", "8")
    assert world.diary(ANA) == ["#1 2 09:00", "#2 6 09:00", "#3 7 09:00"]


@pytest.mark.parametrize("how", ["draft", "missing"])
def test_a_post_that_is_passed_over_does_not_hold_those_to_whom_it_was_under_way(world: World, how: str) -> None:
    world.posts(1, 2, 3)
    world.join(ANA)
    world.tick("2 09:00")
    world.provider.answers[ANA] = [GREYLISTED]
    world.tick("3 09:00")  # #2 is under way
    if how == "draft":
        world.post(2, status="draft")
        world.rules(hold_for=timedelta(days=1))
    else:
        world.file(2).unlink()
        world.rules(on_missing=Missing.SKIP)
    world.run("3 10:00", "8", every=HOUR)
    assert world.numbers(ANA) == [1, 3]


# --- edits


def test_an_edit_before_anyone_got_it_is_silent(world: World) -> None:
    world.post(1, body="First words.")
    world.join(ANA)
    world.tick("2 08:00")
    world.post(1, body="Better words.")
    world.tick("2 09:00")
    assert "Better words." in world.letters(ANA)[0].text
    assert world.notes == ""


def test_an_edit_midway_reaches_later_readers_only(world: World) -> None:
    world.post(1, body="First words.")
    world.join(ANA)
    world.tick("2 09:00")
    world.join(BO)
    world.post(1, body="Better words.")
    world.run("3 09:00", "6")
    assert ["First words." in m.text for m in world.letters(ANA)] == [True]
    assert ["Better words." in m.text for m in world.letters(BO)] == [True]


def test_an_edit_after_all_got_it_sends_nothing(world: World) -> None:
    world.posts(1)
    world.join(ANA, BO)
    world.tick("2 09:00")
    world.post(1, body="Better words.")
    world.run("3 09:00", "9")
    assert (world.numbers(ANA), world.numbers(BO)) == ([1], [1])


def test_a_row_keeps_its_text_its_date_and_its_id_from_the_first_attempt_on(world: World) -> None:
    world.post(1, body="First words.")
    world.join(ANA)
    world.provider.answers[ANA] = [GREYLISTED]
    world.tick("2 09:00")
    world.post(1, body="Better words.")
    world.tick("2 10:00")
    (letter,) = world.letters(ANA)
    assert "First words." in letter.text
    assert b"Date: Mon, 02 Mar 2026 09:00:00 +0000" in letter.data


def test_what_is_sent_again_after_doubt_has_the_same_bytes(world: World) -> None:
    world.post(1, body="First words.")
    world.join(ANA)
    world.provider.answers[ANA] = [LOST]
    world.provider.arrives.add(ANA)
    world.tick("2 09:00")
    world.post(1, body="Better words.")
    world.tick("2 10:00")
    first, second = world.letters(ANA)
    assert first.data == second.data


def test_a_broadcast_in_flight_keeps_the_text_it_began_with(world: World) -> None:
    world.rules(mode=Mode.BROADCAST)
    world.join(ANA, BO, CY)
    world.post(1, body="First words.", publish_at="2026-03-03 09:00")
    world.tick("2 09:00")
    world.provider.window = 1
    world.provider.answers[BO] = [ProviderError("the mail server does not answer")]
    world.tick("3 09:00")  # the provider goes away after Ana; Cy's message was not even composed
    world.post(1, body="Better words.", publish_at="2026-03-03 09:00")
    world.tick("3 10:00")
    assert ["First words." in m.text for m in world.provider.box] == [True, True, True]


def test_a_copy_of_a_broadcast_has_the_new_text(world: World) -> None:
    world.rules(mode=Mode.BROADCAST)
    world.join(ANA)
    world.post(1, body="First words.", publish_at="2026-03-03 09:00")
    world.tick("2 09:00")
    world.tick("3 09:00")
    world.post(1, body="Better words.", publish_at="2026-03-03 09:00")
    assert world.resend(1, "revised") == 1
    world.tick("4 09:00")
    assert ["Better words." in m.text for m in world.letters(ANA)] == [False, True]


def test_a_broadcast_edited_before_its_hour_has_the_new_text(world: World) -> None:
    world.rules(mode=Mode.BROADCAST)
    world.join(ANA)
    world.post(1, body="First words.", publish_at="2026-03-03 09:00")
    world.tick("2 09:00")
    world.post(1, body="Better words.", publish_at="2026-03-03 09:00")
    world.tick("3 09:00")
    assert "Better words." in world.letters(ANA)[0].text


# --- retract


def test_a_retracted_post_is_passed_over_for_ever_and_unsent_rows_are_withdrawn(world: World) -> None:
    world.posts(1, 2, 3)
    world.join(ANA, BO)
    world.tick("2 09:00")
    world.provider.answers[ANA] = [GREYLISTED]
    world.tick("3 09:00")
    world.post(2, status="retracted")
    world.tick("3 10:00")
    assert (2, "withdrawn", "retracted") in world.states(ANA)
    world.run("4 09:00", "6")
    assert world.numbers(ANA) == [1, 3]
    assert world.numbers(BO) == [1, 2, 3]


def test_a_retraction_is_final(world: World) -> None:
    world.posts(1, 2)
    world.join(ANA)
    world.tick("2 08:00")
    world.post(1, status="retracted")
    world.run("2 09:00", "4")
    world.post(1)
    world.join(BO)
    world.run("4 09:00", "7")
    assert (world.numbers(ANA), world.numbers(BO)) == ([2], [2])
    assert "001-post-1.md was retracted, and that is final" in world.notes


def test_a_retracted_post_does_not_block_readers_when_its_file_is_gone(world: World) -> None:
    world.posts(1, 2)
    world.join(ANA)
    world.tick("2 08:00")
    world.post(1, status="retracted")
    world.tick("2 08:30")
    world.file(1).unlink()
    world.run("2 09:00", "4")
    assert world.numbers(ANA) == [2]


def test_a_late_post_that_is_retracted_comes_no_more(world: World) -> None:
    world.posts(2, 3)
    world.join(ANA)
    world.tick("2 09:00")
    world.post(1, catch_up="late")
    world.tick("2 10:00")
    world.post(1, status="retracted", catch_up="late")
    world.run("3 09:00", "6")
    assert world.numbers(ANA) == [2, 3]


def test_a_doubt_about_a_post_that_is_retracted_meanwhile_is_not_sent_again_and_holds_nobody(world: World) -> None:
    world.posts(1, 2)
    world.join(ANA)
    world.provider.answers[ANA] = [LOST]
    world.tick("2 09:00")
    world.post(1, status="retracted")
    world.run("2 10:00", "6", every=6 * HOUR)
    assert world.numbers(ANA) == [2]


def test_a_post_retracted_while_the_run_is_under_way_is_not_tried_again(world: World) -> None:
    world.posts(1, 2)
    world.join(ANA)
    world.provider.answers[ANA] = [GREYLISTED]
    world.provider.before[ANA] = lambda: (world.post(1, status="retracted"), world.resend(1, "failed"))
    world.tick("2 09:00")  # another command takes the folder in while the message is on its way
    world.run("2 10:00", "6", every=6 * HOUR)
    assert world.numbers(ANA) == [2]


# --- tags


def test_a_post_for_some_readers_only_is_skipped_by_the_others_in_the_same_slot(world: World) -> None:
    world.posts(1, 3)
    world.post(2, tags="[clients]")
    world.join(ANA, tags="clients")
    world.join(BO, tags="friends|family")
    world.join(CY)
    world.run("2 09:00", "5")
    assert world.diary(ANA) == ["#1 2 09:00", "#2 3 09:00", "#3 4 09:00"]
    assert world.diary(BO) == world.diary(CY) == ["#1 2 09:00", "#3 3 09:00"]
    assert (2, "skipped", "audience") in world.states(BO)


def test_several_posts_for_others_are_stepped_over_in_one_slot(world: World) -> None:
    world.posts(1, 5)
    for number in (2, 3, 4):
        world.post(number, tags="[clients, friends]")
    world.join(ANA)
    world.join(BO, tags="Friends")
    world.run("2 09:00", "7")
    assert world.diary(ANA) == ["#1 2 09:00", "#5 3 09:00"]
    assert world.numbers(BO) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("tag", ["100%", "a_b"])
def test_a_tag_is_no_pattern(world: World, tag: str) -> None:
    world.post(1, tags=f'["{tag}"]')
    world.posts(2)
    world.join(ANA, tags=tag)
    world.join(BO, tags={"100%": "1000", "a_b": "aXb"}[tag])
    world.run("2 09:00", "4")
    assert (world.numbers(ANA), world.numbers(BO)) == ([1, 2], [2])


# --- refused for what it says


def test_a_post_refused_for_what_it_says_is_settled_and_shown(world: World) -> None:
    world.posts(1, 2)
    world.join(ANA)
    world.provider.answers[ANA] = [SPAM]
    world.run("2 09:00", "4")
    assert world.states(ANA)[0] == (1, "rejected", "")
    assert world.numbers(ANA) == [2]
    assert [r.post for r in world.store.accounts.doubtful()] == [1]
