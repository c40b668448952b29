"""What a look into the folder makes of what was known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from newsletter.catalogue import Entry, Standing, Survey, position_before, survey
from newsletter.config import Identity, Missing, Mode, Rules
from newsletter.mail import Mailbox
from newsletter.posts import Fault, Folder, Post, PostStatus

AT = datetime(2026, 3, 10, 9, 0, 2, tzinfo=UTC)
BEFORE = AT - timedelta(hours=1)
DAY = timedelta(days=1)
DEFAULT = Rules()
IDENTITY = Identity("Letters", Mailbox.parse("maya@example.org"), "12 Birch Lane")


def post(number: int, ident: str = "", **more: Any) -> Post:
    ident = ident or f"post-{number}"
    fields = {
        "id": ident, "explicit_id": False, "number": number, "path": Path(f"posts/{number:03d}-{ident}.md"),
        "title": ident, "subject": ident, "preheader": "", "publish_at": None, "status": PostStatus.LIVE,
        "tags": frozenset(), "language": "", "image": "", "image_alt": "", "late": False, "text": "", "body": "Words.",
        "body_line": 1, "digest": f"digest of {ident}",
    }  # fmt: skip
    return Post(**(fields | more))


def folder(*posts: Post, held: tuple[Post, ...] = (), faults: tuple[Fault, ...] = ()) -> Folder:
    return Folder(posts, faults, held, ())


def look(
    known: Survey | tuple[Entry, ...], *posts: Post, rules: Rules = DEFAULT, at: datetime = AT, **more: Any
) -> Survey:
    entries = known.entries if isinstance(known, Survey) else known
    found = folder(*posts, **{k: more.pop(k) for k in ("held", "faults") if k in more})
    return survey(entries, found, at=at, previous=more.pop("previous", BEFORE), rules=rules, identity=IDENTITY)


def standings(found: Survey) -> dict[str, str]:
    return {e.ident: e.standing.value for e in found.entries}


def delivered(found: Survey, *idents: str) -> tuple[Entry, ...]:
    return tuple(replace(e, delivered=e.ident in idents) for e in found.entries)


def test_a_new_post_is_present_from_just_after_the_tick_before() -> None:
    (entry,) = look((), post(1)).entries
    assert (entry.standing, entry.live_since) == (Standing.LIVE, AT)
    assert entry.present_from is not None and BEFORE < entry.present_from < BEFORE + timedelta(seconds=1)


def test_at_the_first_look_every_slot_counts() -> None:
    assert look((), post(1), previous=None).entries[0].present_from is None


def test_a_post_that_stays_keeps_its_presence() -> None:
    first = look((), post(1))
    second = look(first, post(1), at=AT + DAY, previous=AT)
    assert second.entries == first.entries
    assert (second.past, second.notes) == (frozenset(), ())


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"late": True}, id="made late"),
        pytest.param({"publish_at": AT - 5 * DAY}, id="its date moved into the past"),
    ],
)
def test_what_makes_readers_due_counts_from_now_on(changed: dict[str, Any]) -> None:
    first = look((), post(1, publish_at=AT + 5 * DAY), previous=None)
    (entry,) = look(first, post(1, **({"publish_at": AT + 5 * DAY} | changed)), at=AT + DAY, previous=AT).entries
    assert entry.present_from is not None and entry.present_from > AT


@pytest.mark.parametrize(
    ("status", "standing"), [(PostStatus.DRAFT, "absent"), (PostStatus.RETRACTED, "absent"), (PostStatus.LIVE, "live")]
)
def test_a_post_never_live_before_blocks_nobody(status: PostStatus, standing: str) -> None:
    assert standings(look((), post(1, status=status))) == {"post-1": standing}


def test_a_newly_placed_post_is_named_for_those_beyond_it() -> None:
    first = look((), post(1), post(5))
    assert first.past == {"post-1", "post-5"}
    assert look(first, post(1), post(3), post(5)).past == {"post-3"}
    assert look(first, post(1), post(7, "post-5")).past == {"post-5"}  # renumbered
    waiting = look(first, post(1), post(5), post(3, status=PostStatus.DRAFT))
    assert waiting.past == frozenset()
    assert look(waiting, post(1), post(5), post(3)).past == {"post-3"}


def test_a_missing_post_blocks_with_a_sentence_and_comes_back() -> None:
    first = delivered(look((), post(1), post(2)), "post-1")
    gone = look(first, post(1), at=AT + DAY)
    assert standings(gone) == {"post-1": "live", "post-2": "blocks"}
    assert "posts/002-post-2.md was live and is gone: readers who come to #2 wait" in "\n".join(gone.notes)
    assert gone.entries[1].off_since == AT + DAY
    back = look(gone, post(1), post(2), at=AT + 2 * DAY, previous=AT + DAY)
    assert (standings(back)["post-2"], back.past, back.notes) == ("live", frozenset(), ())


def test_a_sample_that_nobody_got_may_be_deleted() -> None:
    gone = look(look((), post(1), post(2)), post(2), at=AT + DAY)
    assert (standings(gone), gone.notes) == ({"post-1": "absent", "post-2": "live"}, ())


def test_on_missing_skip_passes_over_and_one_that_returns_is_newly_placed() -> None:
    rules = Rules(on_missing=Missing.SKIP)
    gone = look(look((), post(1), post(2)), post(1), rules=rules)
    assert standings(gone)["post-2"] == "absent"
    assert look(gone, post(1), post(2), rules=rules).past == {"post-2"}


def test_a_broken_file_is_called_broken_not_gone() -> None:
    fault = Fault(Path("posts/001-post-1.md"), "its front matter is not closed", 1, 1, "post-1")
    found = look(look((), post(1)), faults=(fault,))
    assert standings(found) == {"post-1": "blocks"}
    assert any("was live and can't be used" in note for note in found.notes)


@pytest.mark.parametrize(("days", "standing"), [(0, "blocks"), (6.9, "blocks"), (7, "absent"), (20, "absent")])
def test_a_once_live_draft_blocks_for_hold_for(days: float, standing: str) -> None:
    draft = post(1, status=PostStatus.DRAFT)
    first = look(look((), post(1)), draft)
    assert standings(look(first, draft, at=AT + days * DAY)) == {"post-1": standing}


def test_a_retraction_is_final_and_named_once() -> None:
    first = look((), post(1))
    gone = look(first, post(1, status=PostStatus.RETRACTED))
    assert (standings(gone), gone.retracted) == ({"post-1": "absent"}, {"post-1"})
    again = look(gone, post(1))
    assert (standings(again), again.retracted) == ({"post-1": "absent"}, frozenset())
    assert "was retracted, and that is final" in again.notes[0]
    assert standings(look(gone)) == {"post-1": "absent"}


def test_two_files_with_one_number_block_both() -> None:
    first = look((), post(1), post(2))
    found = look(first, post(1), held=(post(2), post(2, "second")))
    assert standings(found) == {"post-1": "live", "post-2": "blocks", "second": "blocks"}
    assert standings(look(found, post(1), post(2))) == {"post-1": "live", "post-2": "live", "second": "absent"}


@pytest.mark.parametrize("order", [1, -1], ids=["old file first", "new file first"])
def test_a_known_post_keeps_its_number_while_its_id_is_taken_twice(order: int) -> None:
    first = look((), post(4, "losses"))
    pair = (post(4, "losses"), post(9, "losses"))[::order]
    (entry,) = look(first, held=pair).entries
    assert (entry.number, entry.file, entry.standing) == (4, "004-losses.md", Standing.BLOCKS)


def test_an_unknown_pair_with_one_id_blocks_at_the_lower_number() -> None:
    (entry,) = look((), held=(post(4, "losses"), post(9, "losses"))).entries
    assert (entry.number, entry.standing) == (4, Standing.BLOCKS)


@pytest.mark.parametrize(
    "newcomer",
    [
        pytest.param(post(1, "other"), id="the same number"),
        pytest.param(post(8, "other", digest="digest of post-1"), id="the same text"),
    ],
)
def test_a_delivered_post_that_changed_its_identity_holds_both(newcomer: Post) -> None:
    known = delivered(look((), post(1)), "post-1")
    found = look(known, newcomer)
    assert standings(found) == {"post-1": "blocks", "other": "blocks"}
    assert "looks like a rename of posts/001-post-1.md" in "\n".join(found.notes)
    again = look(delivered(found, "post-1"), newcomer)  # it stays so at the next look
    assert standings(again) == {"post-1": "blocks", "other": "blocks"}


@pytest.mark.parametrize(
    ("newcomer", "expected"),
    [
        pytest.param(post(1, "post-1"), {"post-1": "live", "other": "absent"}, id="it is the same"),
        pytest.param(post(1, "other", explicit_id=True), {"post-1": "blocks", "other": "live"}, id="it is another"),
    ],
)
def test_the_owner_confirms_a_rename(newcomer: Post, expected: dict[str, str]) -> None:
    known = delivered(look((), post(1)), "post-1")
    held = look(known, post(1, "other"))
    assert standings(look(delivered(held, "post-1"), newcomer)) == expected


def test_one_that_nobody_had_yet_is_simply_renamed() -> None:
    found = look(look((), post(1)), post(1, "other"))
    assert standings(found) == {"post-1": "absent", "other": "live"}
    assert found.notes == ()
    assert standings(look(found, post(1, "other"))) == {"post-1": "absent", "other": "live"}


def test_a_different_post_at_another_number_is_no_rename() -> None:
    known = delivered(look((), post(1)), "post-1")
    assert standings(look(known, post(2))) == {"post-1": "blocks", "post-2": "live"}


def test_an_empty_folder_that_was_not_empty_is_an_alarm() -> None:
    assert any("posts/ holds no usable post any more" in note for note in look(look((), post(1))).notes)
    assert look(()).notes == ()


# --- dates that count


NEWS = Rules(mode=Mode.BROADCAST)


@pytest.mark.parametrize(
    ("declared", "standing", "release"),
    [
        pytest.param(None, "absent", None, id="without a date it is held"),
        pytest.param(timedelta(days=3), "live", timedelta(days=3), id="a date to come is kept"),
        pytest.param(timedelta(minutes=-30), "live", timedelta(minutes=-30), id="one since the tick before is on time"),
        pytest.param(
            timedelta(hours=-5), "live", timedelta(days=1, seconds=-2), id="one before that waits for the next slot"
        ),
        pytest.param(timedelta(hours=-47), "live", timedelta(days=1, seconds=-2), id="also two days before, nearly"),
        pytest.param(timedelta(hours=-49), "absent", timedelta(hours=-49), id="more than two days is too late"),
    ],
)
def test_when_news_counts_as_published(declared: timedelta | None, standing: str, release: timedelta | None) -> None:
    (entry,) = look((), post(1, publish_at=AT + declared if declared is not None else None), rules=NEWS).entries
    assert entry.standing == standing
    assert entry.release_at == (AT + release if release is not None else None)
    assert bool(entry.reason) is (standing == "absent")


def test_a_release_that_waits_for_a_slot_is_not_put_off_at_each_look() -> None:
    news = post(1, publish_at=AT - timedelta(hours=5))
    first = look((), news, rules=NEWS)
    second = look(first, news, rules=NEWS, at=AT + timedelta(hours=1), previous=AT)
    assert second.entries[0].release_at == first.entries[0].release_at


def test_news_that_went_out_keeps_its_instant_whatever_its_date_becomes() -> None:
    first = look((), post(1, publish_at=AT), rules=NEWS)
    sent = tuple(replace(e, frozen_at=AT, delivered=True) for e in first.entries)
    (entry,) = look(sent, post(1, publish_at=AT + 3 * DAY), rules=NEWS, at=AT + DAY).entries
    assert (entry.release_at, entry.frozen_at, entry.standing) == (AT, AT, Standing.LIVE)


# --- start


ENTRIES = tuple(
    Entry(f"post-{n}", n, "", "", standing=Standing.LIVE, publish_at=datetime(2026, 1, n, 23, tzinfo=UTC))
    for n in (1, 2, 3, 5)
)


@pytest.mark.parametrize(
    ("start", "zone", "position"),
    [
        pytest.param("first", "UTC", -1, id="first"),
        pytest.param("latest", "UTC", 4, id="latest: counts as having had all but the last"),
        pytest.param(3, "UTC", 2, id="a number"),
        pytest.param(date(2026, 1, 3), "UTC", 2, id="a date"),
        pytest.param(
            date(2026, 1, 3), "Asia/Tokyo", 1, id="a date of the newsletter's zone, where it is tomorrow already"
        ),
        pytest.param(date(2025, 1, 1), "UTC", -1, id="a date before all"),
        pytest.param(date(2026, 2, 1), "UTC", 5, id="a date after all"),
    ],
)
def test_where_a_new_reader_begins(start: str | int | date, zone: str, position: int) -> None:
    assert position_before(start, ENTRIES, ZoneInfo(zone)) == position


def test_in_an_empty_sequence_everybody_begins_at_the_beginning() -> None:
    assert [position_before(start, (), ZoneInfo("UTC")) for start in ("first", "latest", date(2026, 1, 1))] == [
        -1,
        -1,
        -1,
    ]


def test_what_is_passed_over_is_not_the_latest() -> None:
    entries = (*ENTRIES, Entry("x", 9, "", "", standing=Standing.ABSENT))
    assert position_before("latest", entries, ZoneInfo("UTC")) == 4
