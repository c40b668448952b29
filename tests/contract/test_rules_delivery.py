"""What happens when handing over goes wrong, and what the owner does about it: docs/sequence.md, last part.

Days are days of March 2026; a post goes out every day at nine, UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from world import (
    ANA,
    BLOCKED,
    BO,
    DEAD,
    GREYLISTED,
    HOUR,
    LOST,
    NO_SUCH_USER,
    SPAM,
    TUESDAY,
    FakeProvider,
    PlainPress,
    SearchableProvider,
    World,
    when,
)

from newsletter.config import Mode, OnUncertain
from newsletter.errors import ProviderError, StoreError
from newsletter.mail import Deferred, Message, Outcome, Reply
from newsletter.store import Store
from newsletter.store.attempts import Begun, Claim
from newsletter.store.facts import HoldKind
from newsletter.store.ledger import Ledger

MINUTE = timedelta(minutes=1)


# --- doubt


def test_a_message_without_an_answer_is_sent_once_more_after_ten_minutes(world: World) -> None:
    world.posts(1, 2)
    world.join(ANA)
    world.provider.answers[ANA] = [LOST]
    world.run("2 09:00", "2 09:30", every=MINUTE)
    assert world.diary(ANA) == ["#1 2 09:10"]
    world.tick("3 09:00")
    assert world.numbers(ANA) == [1, 2]
    assert [r.post for r in world.store.accounts.sent_twice()] == [1]


def test_sent_again_it_has_the_same_message_id(world: World) -> None:
    world.posts(1)
    world.join(ANA)
    world.provider.answers[ANA] = [LOST]
    world.provider.arrives.add(ANA)
    world.run("2 09:00", "2 12:00", every=HOUR)
    first, second = world.letters(ANA)
    assert first.message_id == second.message_id


def test_what_may_have_arrived_comes_again_with_the_same_bytes_also_after_it_was_given_up(world: World) -> None:
    world.posts(1)
    world.join(ANA)
    world.provider.answers[ANA] = [LOST]
    world.provider.arrives.add(ANA)
    world.tick("2 09:00")
    world.provider.always[ANA] = GREYLISTED
    world.run("2 09:10", "4 09:00", every=HOUR / 2)
    assert world.states(ANA) == [(1, "deferred", "given up for now")]
    world.post(1, body="Other words, after the first copy had left.")
    world.provider.always.clear()
    world.run("4 09:00", "6", every=HOUR)
    assert len({(m.message_id, m.data) for m in world.letters(ANA)}) == 1
    assert (len(world.letters(ANA)), world.states(ANA)) == (2, [(1, "accepted", "")])


def test_what_may_have_arrived_comes_again_with_the_same_bytes_also_after_a_refusal_was_taken_back(
    world: World,
) -> None:
    world.posts(1)
    names = world.crowd(2)
    world.join(ANA)
    world.provider.answers[ANA] = [LOST, SPAM]
    world.provider.arrives.add(ANA)
    for name in names:
        world.provider.answers[name] = [Deferred(Reply(451, "4.7.1", "later"), 10 * MINUTE), SPAM]
    world.tick("2 09:00")
    world.tick("2 09:10")
    assert world.holds() == {HoldKind.REFUSED}
    world.post(1, body="Other words, after the first copy had left.")
    world.resume()
    world.tick("2 10:00")
    assert len({(m.message_id, m.data) for m in world.letters(ANA)}) == 1
    assert (len(world.letters(ANA)), world.states(ANA)) == (2, [(1, "accepted", "")])
    assert all("Other words" in m.text for name in names for m in world.letters(name))


def test_doubt_after_the_second_time_is_held_and_the_sequence_goes_on_after_one_interval(world: World) -> None:
    world.rules(every=3)
    world.posts(1, 2)
    world.join(ANA)
    world.provider.answers[ANA] = [LOST, LOST]
    world.run("2 09:00", "7", every=HOUR)
    assert len(world.provider.attempts) == 3
    assert world.states(ANA) == [(1, "uncertain", "held"), (2, "accepted", "")]
    assert world.diary(ANA) == ["#2 5 09:00"]


def test_on_uncertain_hold_never_sends_twice(world: World) -> None:
    world.on_uncertain(OnUncertain.HOLD)
    world.posts(1, 2)
    world.join(ANA)
    world.provider.answers[ANA] = [LOST]
    world.run("2 09:00", "4", every=HOUR)
    assert world.states(ANA) == [(1, "uncertain", "held"), (2, "accepted", "")]
    assert world.diary(ANA) == ["#2 3 09:00"]


@pytest.mark.parametrize("arrives", [True, False], ids=["it arrived", "it did not"])
def test_a_provider_that_can_be_asked_settles_doubt(world: World, arrives: bool) -> None:
    world.provider = SearchableProvider(world)
    world.posts(1, 2)
    world.join(ANA)
    world.provider.answers[ANA] = [LOST]
    if arrives:
        world.provider.arrives.add(ANA)
    world.run("2 09:00", "4", every=HOUR)
    assert world.numbers(ANA) == [1, 2]
    assert world.store.accounts.sent_twice() == []


@pytest.mark.parametrize("rule", OnUncertain)
def test_when_nobody_can_say_the_rule_decides(world: World, rule: OnUncertain) -> None:
    world.provider = provider = SearchableProvider(world)
    provider.blind = True
    world.on_uncertain(rule)
    world.posts(1)
    world.join(ANA)
    world.provider.answers[ANA] = [LOST]
    world.run("2 09:00", "2 12:00", every=HOUR)
    assert world.numbers(ANA) == ([1] if rule is OnUncertain.RESEND else [])
    assert [r.post for r in world.store.accounts.sent_twice()] == world.numbers(ANA)


def test_only_a_different_provider_leaves_a_doubt_to_the_rule(world: World) -> None:
    world.posts(1)
    world.join(ANA)
    world.provider.answers[ANA] = [LOST]
    world.tick("2 09:00")
    world.provider = SearchableProvider(world)
    world.provider.name = "another"
    world.store.facts.go_live("another", at=world.now)
    world.tick("2 10:00")
    assert world.numbers(ANA) == [1]
    assert [r.post for r in world.store.accounts.sent_twice()] == [1]


@pytest.fixture
def doubt(world: World) -> World:
    """Whether #1 came to Ana nobody knows; #2 went out on the 3rd. It is ten on that day."""
    world.on_uncertain(OnUncertain.HOLD)
    world.posts(1, 2, 3)
    world.join(ANA)
    world.provider.answers[ANA] = [LOST]
    world.run("2 09:00", "3 10:01", every=HOUR)
    return world


def test_settled_as_accepted_it_changes_nothing_about_what_comes(doubt: World) -> None:
    doubt.settle(ANA, 1, "accepted")
    assert doubt.states(ANA)[0][:2] == (1, "accepted")
    doubt.run("3 11:00", "5", every=HOUR)
    assert doubt.diary(ANA) == ["#2 3 09:00", "#3 4 09:00"]


def test_settled_as_resend_it_leaves_again_and_the_next_post_keeps_the_gap(doubt: World) -> None:
    doubt.settle(ANA, 1, "resend")
    doubt.run("3 11:00", "5 12:00", every=HOUR)
    assert [n for n, _ in doubt.got(ANA)] == [2, 1, 3]
    instants = [at for _, at in doubt.got(ANA)]
    assert all(b - a >= 20 * HOUR for a, b in pairwise(instants))


# --- refusals


def test_three_refused_in_a_row_pause_the_run_and_come_back_when_it_goes_on(world: World) -> None:
    world.posts(1, 2)
    names = world.crowd(10)
    world.provider.always["*"] = SPAM
    world.provider.window = 1
    world.tick("2 09:00")
    assert world.holds() == {HoldKind.REFUSED}
    assert f"refused three messages in a row for what they contain ({SPAM.reply})" in world.notes
    assert {s for n in names for _, s, _ in world.states(n)} == {"planned"}
    world.tick("2 10:00")
    assert len(world.provider.attempts) < 10
    world.provider.always.clear()
    world.resume()
    world.tick("2 11:00")
    world.tick("3 09:00")
    assert all(world.numbers(n) == [1, 2] for n in names)


def test_after_the_owner_mended_the_post_the_mended_one_leaves(world: World) -> None:
    world.post(1, body="Win money.")
    names = world.crowd(5)
    world.provider.always["*"] = SPAM
    world.tick("2 09:00")
    world.post(1, body="A quiet hour.")
    world.provider.always.clear()
    world.resume()
    world.tick("2 10:00")
    assert ["A quiet hour." in m.text for m in world.provider.box] == [True] * len(names)


def test_three_in_a_row_are_noticed_also_when_more_answers_come_with_them(world: World) -> None:
    world.posts(1)
    names = world.crowd(10)
    for name in names[3:6]:
        world.provider.answers[name] = [SPAM]
    world.tick("2 09:00")  # all ten answers lie within one window
    assert world.holds() == {HoldKind.REFUSED}
    assert [world.states(n)[0][1] for n in names[3:6]] == ["planned"] * 3
    assert [world.numbers(n) for n in names[:3] + names[6:]] == [[1]] * 7


def test_refusals_that_are_not_in_a_row_settle_each_for_itself(world: World) -> None:
    world.posts(1)
    names = world.crowd(9)
    for name in names[::2]:
        world.provider.answers[name] = [SPAM]
    world.tick("2 09:00")
    assert world.holds() == set()
    assert world.ticks[-1].report.rejected == 5


def test_a_refusal_of_us_stops_the_run_and_marks_nobody(world: World) -> None:
    world.posts(1)
    names = world.crowd(6)
    world.provider.window = 2
    world.provider.answers[names[2]] = [BLOCKED]
    world.tick("2 09:00")
    assert "refuses us" in world.notes and "your server is on a list" in world.notes
    assert [world.store.accounts.counts()[s] for s in ("planned", "rejected")] == [
        6 - world.ticks[-1].report.accepted,
        0,
    ]
    world.tick("2 10:00")
    assert all(world.numbers(n) == [1] for n in names)


class WatchingProvider(FakeProvider):
    """Looks into the ledger whenever it has said or asked something."""

    most = 0  #: deliveries begun and without an outcome, at once

    def submit(self, messages: Iterable[Message]) -> Iterator[tuple[Message, Outcome]]:
        for answer in super().submit(messages):
            yield answer
            self._look()
        self._look()

    def _look(self) -> None:
        self.most = max(self.most, self._world.store.accounts.counts()["submitting"])


def test_a_refusal_of_us_begins_nothing_more(world: World) -> None:
    world.posts(1)
    names = world.crowd(6)
    world.provider = watching = WatchingProvider(world, window=2)
    world.provider.answers[names[0]] = [BLOCKED]
    world.tick("2 09:00")
    assert watching.most == 2  # a window, with what was refused


@pytest.mark.parametrize("after", [0, 3], ids=["before the first message", "midway"])
def test_a_provider_that_goes_away_marks_nobody_and_loses_nothing(world: World, after: int) -> None:
    world.posts(1)
    names = world.crowd(6)
    world.provider.window = 1
    if after:
        world.provider.answers[names[after]] = [ProviderError("the mail server does not answer")]
    else:
        world.provider.away = ProviderError("the mail server does not answer")
    world.tick("2 09:00")
    counts = world.store.accounts.counts()
    assert (counts["accepted"], counts["planned"], sum(counts.values())) == (after, 6 - after, 6)
    assert "does not answer" in world.notes and not world.ticks[-1].clean
    world.provider.away = None
    world.tick("2 10:00")
    assert all(world.numbers(n) == [1] for n in names)


def test_a_provider_away_for_days_does_not_make_two_posts_due(world: World) -> None:
    world.posts(1, 2, 3)
    world.join(ANA)
    world.provider.away = ProviderError("the mail server does not answer")
    world.run("2 09:00", "5 09:30", every=6 * HOUR)
    world.provider.away = None
    world.run("5 10:00", "6 12:00", every=HOUR)
    assert world.diary(ANA) == ["#1 5 10:00", "#2 6 09:00"]


def test_a_provider_says_when_to_come_again(world: World) -> None:
    world.posts(1)
    world.join(ANA)
    world.provider.answers[ANA] = [Deferred(Reply(451, "4.7.1", "later"), timedelta(hours=3))]
    world.run("2 09:00", "2 15:00", every=HOUR / 2)
    assert world.diary(ANA) == ["#1 2 12:00"]


def test_nothing_leaves_before_go_live(world: World) -> None:
    world.provider.name = "new"
    world.posts(1)
    world.join(ANA)
    world.run("2 09:00", "4")
    assert world.provider.attempts == [] and "newsletter go-live" in world.notes
    world.store.facts.go_live("new", at=world.now)
    world.tick("4 09:00")
    assert world.diary(ANA) == ["#1 4 09:00"]


def test_a_rehearsal_needs_no_go_live(world: World) -> None:
    world.provider.name = "folder"
    world.posts(1)
    world.join(ANA)
    world.tick("2 09:00")
    assert world.numbers(ANA) == [1]


@pytest.mark.parametrize("window", [1, 7, 50])
def test_never_more_is_begun_and_not_recorded_than_the_window(world: World, window: int) -> None:
    world.posts(1)
    names = world.crowd(120)
    world.provider.window = window
    seen: list[int] = []
    for name in names:
        world.provider.before[name] = lambda: seen.append(world.store.accounts.counts()["submitting"])
    world.tick("2 09:00")
    assert len(seen) == 120 and 0 < max(seen) <= window
    assert all(world.numbers(n) == [1] for n in names)


# --- composing


def _spoil(world: World, *addresses: str) -> None:
    """Make messages to these people impossible to compose."""
    for address in addresses:
        world.unprintable.add(address)


def test_one_message_that_cannot_be_composed_is_quarantined_after_five_tries_and_the_rest_is_sent(world: World) -> None:
    world.posts(1, 2)
    world.join(ANA, BO)
    _spoil(world, ANA)
    for hour in range(9, 13):
        world.tick(f"2 {hour}:00")
        assert world.states(ANA) == [(1, "planned", "")]
    world.tick("2 13:00")
    assert world.states(ANA) == [(1, "quarantined", "")]
    assert world.numbers(BO) == [1]
    assert [(r.address, r.post) for r in world.store.accounts.doubtful()] == [(ANA, 1)]


def test_after_a_quarantine_the_sequence_goes_on_after_one_interval(world: World) -> None:
    world.posts(1, 2)
    world.join(ANA)
    _spoil(world, ANA)
    world.run("2 09:00", "2 14:00", every=HOUR)
    world.unprintable.clear()
    world.run("2 14:00", "4", every=HOUR)
    assert world.diary(ANA) == ["#2 3 09:00"]


def test_a_quarantine_settled_as_resend_is_composed_anew(world: World) -> None:
    world.posts(1, 2)
    world.join(ANA)
    _spoil(world, ANA)
    world.run("2 09:00", "2 14:00", every=HOUR)
    world.unprintable.clear()
    world.settle(ANA, 1, "resend")
    world.run("2 14:00", "4", every=HOUR)
    assert world.diary(ANA) == ["#1 2 14:00", "#2 3 10:00"]


def test_a_database_that_fails_while_a_message_is_composed_is_no_fault_of_the_message(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.posts(1)
    world.join(ANA)

    def fail(*_args: object, **_kwargs: object) -> None:
        raise StoreError("the connection is gone")

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "keep_template", fail)
        for hour in range(9, 15):
            with pytest.raises(StoreError):
                world.tick(f"2 {hour}:00")
    world.tick("2 16:00")
    assert world.diary(ANA) == ["#1 2 16:00"]


def test_who_leaves_after_the_message_was_made_and_before_it_begins_gets_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.posts(1)
    world.join(ANA, BO)
    made = PlainPress.print

    def meanwhile(press: PlainPress, claim: Claim, *, at: datetime) -> tuple[Begun, Message]:
        if str(claim.recipient.address) == ANA:
            world.leave(ANA)
        return made(press, claim, at=at)

    monkeypatch.setattr(PlainPress, "print", meanwhile)
    world.tick("2 09:00")
    assert world.numbers(ANA) == [] and world.numbers(BO) == [1]
    assert [state for _, state, _ in world.states(ANA)] == ["withdrawn"]


def test_a_message_at_which_the_server_breaks_off_is_set_aside_after_five_tries_and_the_sequence_goes_on(
    world: World,
) -> None:
    world.posts(1, 2)
    world.join(ANA, BO)
    world.provider.always[ANA] = Deferred(Reply(0, "4.4.2", "breaks off"), poison=True)
    world.run("2 09:00", "2 13:00", every=HOUR)
    assert world.states(ANA) == [(1, "deferred", "")] and world.numbers(BO) == [1]
    world.tick("2 13:00")
    assert world.states(ANA) == [(1, "quarantined", "")]
    assert "breaks off" in world.history(ANA)[0].reply
    world.provider.always.clear()
    world.run("2 14:00", "4", every=HOUR)
    assert world.diary(ANA) == ["#2 3 09:00"]


def test_what_the_server_never_took_is_no_possible_double_when_it_is_sent_after_all(world: World) -> None:
    world.posts(1)
    world.join(ANA)
    world.provider.answers[ANA] = [Deferred(Reply(0, "4.4.2", "breaks off"), poison=True)] * 5
    world.run("2 09:00", "2 14:00", every=HOUR)
    world.settle(ANA, 1, "resend")
    world.run("2 14:00", "4", every=HOUR)
    assert world.numbers(ANA) == [1] and world.store.accounts.sent_twice() == []


@pytest.mark.parametrize(
    ("bad", "of", "pauses"),
    [
        pytest.param(2, 20, False, id="two of a small list are no reason to stop"),
        pytest.param(20, 20, True, id="a whole list is"),
        pytest.param(4, 450, False, id="four of 450 are below one in a hundred, wherever they stand"),
        pytest.param(6, 450, True, id="six of 450 are above"),
    ],
)
def test_more_than_one_in_a_hundred_pauses_the_run(world: World, bad: int, of: int, pauses: bool) -> None:
    world.posts(1)
    names = world.crowd(of)
    _spoil(world, *names[:bad])
    world.tick("2 09:00")
    assert (world.holds() == {HoldKind.COMPOSE}) is pauses
    assert (f"The last one, to {names[bad - 1]}" in world.notes) is pauses
    assert pauses or world.ticks[-1].report.accepted == of - bad


def test_a_post_that_cannot_be_rendered_makes_its_readers_wait_and_nobody_else(world: World) -> None:
    world.post(1, body="unprintable")
    world.posts(2)
    world.tick("2 08:00")
    world.join(ANA)
    world.join(BO, had=1)
    world.run("2 09:00", "4")
    assert (world.numbers(ANA), world.numbers(BO)) == ([], [2])
    assert "001-post-1.md: the template has no such variable" in world.notes
    world.post(1)
    world.tick("4 09:00")
    assert world.numbers(ANA) == [1]


# --- copies


def test_resend_missing_goes_to_those_whose_sequence_went_by_without_it(world: World) -> None:
    world.posts(1, 2, 4)
    world.join(ANA)
    world.run("2 09:00", "5")
    world.now = when("5 08:00")
    world.join(BO)
    world.post(3)
    world.tick("5 08:00")
    assert world.resend(3, "missing") == 1
    before = world.reader(ANA).position
    world.run("5 09:00", "9")
    assert world.numbers(ANA) == [1, 2, 4, 3]
    assert world.reader(ANA).position == before
    assert world.numbers(BO) == [1, 2, 3, 4]


def test_resend_missing_leaves_those_alone_who_have_not_come_to_it_also_when_it_has_a_date(world: World) -> None:
    for number in (1, 2, 3):
        world.post(number, publish_at="2026-01-01")
    world.join(ANA)
    world.tick("2 09:00")
    assert world.resend(3, "missing") == 0
    world.run("3 09:00", "6")
    assert world.numbers(ANA) == [1, 2, 3]


def test_resend_missing_gives_news_to_those_who_came_later(world: World) -> None:
    world.rules(mode=Mode.BROADCAST)
    world.tick("2 00:00")
    world.join(ANA)
    world.post(1, publish_at="2026-03-03 09:00")
    world.tick("3 09:00")
    world.now = when("3 12:00")
    world.join(BO)
    assert world.resend(1, "missing") == 1
    world.tick("3 13:00")
    assert (world.diary(ANA), world.diary(BO)) == (["#1 3 09:00"], ["#1 3 13:00"])


def test_news_that_was_held_for_being_late_leaves_when_the_owner_sends_it(world: World) -> None:
    world.rules(mode=Mode.BROADCAST)
    world.tick("2 00:00")
    world.join(ANA, BO)
    world.post(1, publish_at="2026-02-01 09:00")
    world.tick("3 09:00")
    assert "too long ago" in world.notes
    assert world.resend(1, "missing") == 2
    world.tick("3 13:00")
    assert (world.diary(ANA), world.diary(BO)) == (["#1 3 13:00"], ["#1 3 13:00"])
    assert "too long ago" not in world.notes


def test_resend_missing_keeps_to_the_audience_of_the_post(world: World) -> None:
    world.posts(1, 3)
    world.post(2, tags="couples")
    world.csv(ANA, f"{BO},,,couples")
    world.tick("2 08:00")
    world.run("2 09:00", "5")
    assert (world.numbers(ANA), world.numbers(BO)) == ([1, 3], [1, 2, 3])
    assert world.resend(2, "missing") == 0
    world.csv(f"{ANA},,,couples", BO)
    assert world.resend(2, "missing") == 1
    world.run("5 09:00", "7")
    assert (world.numbers(ANA), world.numbers(BO)) == ([1, 3, 2], [1, 2, 3])


def test_a_draft_is_not_sent_again(world: World) -> None:
    world.post(1, body="First words.")
    world.join(ANA)
    world.tick("2 09:00")
    world.rules(hold_for=timedelta(0))
    world.post(1, body="Better words.", status="draft")
    world.tick("3 09:00")
    assert world.resend(1, "revised") == 0


def test_resend_failed_repairs_a_refusal(world: World) -> None:
    world.posts(1, 2)
    world.join(ANA, BO)
    world.provider.answers[ANA] = [SPAM]
    world.run("2 09:00", "4")
    world.now = when("4 10:00")
    assert world.resend(1, "failed") == 1
    world.run("4 11:00", "6", every=HOUR)
    assert sorted(world.numbers(ANA)) == [1, 2]
    assert world.numbers(BO) == [1, 2]
    assert world.resend(1, "failed") == 0


def test_resend_failed_leaves_a_corrected_address_to_the_sequence(world: World) -> None:
    world.posts(1)
    world.join(ANA)
    world.provider.answers[ANA] = [NO_SUCH_USER]
    world.tick("2 09:00")
    world.now = when("2 10:00")
    world.correct(ANA, BO)
    world.resend(1, "failed")
    world.run("2 11:00", "5", every=HOUR)
    assert world.numbers(BO) == [1]


def test_resend_revised_goes_to_those_who_had_another_text(world: World) -> None:
    world.post(1, body="First words.")
    world.join(ANA)
    world.tick("2 09:00")
    world.join(BO)
    world.post(1, body="Better words.")
    world.tick("3 09:00")
    assert world.resend(1, "revised") == 1
    world.run("4 09:00", "6")
    assert [("Better" in m.text) for m in world.letters(ANA)] == [False, True]
    assert world.numbers(BO) == [1]
    first, second = world.letters(ANA)
    assert first.message_id != second.message_id
    assert world.resend(1, "revised") == 0


def test_copies_keep_the_gap_to_the_sequence(world: World) -> None:
    world.posts(1, 2, 3)
    world.join(ANA)
    world.run("2 09:00", "3 12:00", every=HOUR)
    world.post(1, body="Better words.")
    world.resend(1, "revised")
    world.run("3 12:00", "6", every=HOUR)
    instants = [at for _, at in world.got(ANA)]
    assert sorted(world.numbers(ANA)) == [1, 1, 2, 3]
    assert all(b - a >= 20 * HOUR for a, b in pairwise(instants))


# --- backlog


def _backlog(world: World, readers: int = 60, waiting: int = 60) -> list[str]:
    """*waiting* of *readers* had #1 on Monday the 2nd; it is Thursday, and the cadence is made daily."""
    world.rules(every=7)
    world.posts(1, 2, 3)
    names = world.crowd(waiting)
    world.tick("2 09:00")
    world.now = when("5 09:30")
    world.crowd(readers - waiting, start=waiting)
    world.tick("5 10:00")
    world.rules(every=1)
    world.tick("5 11:00")
    return names


def test_a_backlog_after_a_change_of_the_rules_is_held_for_the_owner(world: World) -> None:
    names = _backlog(world)
    assert world.holds() == {HoldKind.BACKLOG}
    assert "60 readers would get a post at once that was due before the last run" in world.notes
    assert not world.ticks[-1].clean
    assert {len(world.numbers(n)) for n in names} == {1}


def test_a_confirmed_backlog_leaves(world: World) -> None:
    names = _backlog(world)
    world.now = when("5 12:00")
    world.resume()
    world.tick("5 12:00")
    assert world.holds() == set()
    assert {tuple(world.numbers(n)) for n in names} == {(1, 2)}


def test_a_backlog_that_nobody_confirms_goes_on_with_the_next_slot(world: World) -> None:
    names = _backlog(world)
    world.run("5 12:00", "6 10:00", every=HOUR)
    assert {tuple(world.diary(n)) for n in names} == {("#1 2 09:00", "#2 6 09:00")}


@pytest.mark.parametrize(
    ("readers", "waiting", "trips"),
    [
        pytest.param(60, 51, True, id="51 of 60 are too many"),
        pytest.param(60, 50, False, id="50 are not"),
        pytest.param(400, 80, False, id="80 of 400 are a fifth, not more"),
        pytest.param(400, 81, True, id="81 of 400 are more"),
    ],
)
def test_how_much_a_backlog_is(world: World, readers: int, waiting: int, trips: bool) -> None:
    _backlog(world, readers, waiting)
    assert (HoldKind.BACKLOG in world.holds()) is trips


def test_an_appended_post_is_no_backlog(world: World) -> None:
    world.posts(1)
    names = world.crowd(60)
    world.run("2 09:00", "5 10:00", every=6 * HOUR)
    world.post(2)
    world.run("5 10:00", "7", every=HOUR)
    assert world.holds() == set()
    assert {tuple(world.diary(n)) for n in names} == {("#1 2 09:00", "#2 6 09:00")}


def test_an_outage_of_nine_days_is_no_backlog(world: World) -> None:
    world.posts(1, 2)
    names = world.crowd(60)
    world.tick("2 09:00")
    world.tick("11 15:00")
    assert world.holds() == set()
    assert {tuple(world.numbers(n)) for n in names} == {(1, 2)}


def test_waiting_for_the_gap_is_no_backlog(world: World) -> None:
    world.posts(1, 2)
    names = world.crowd(60)
    world.tick("2 17:00")
    world.run("3 09:00", "3 15:00", every=HOUR)
    assert world.holds() == set()
    assert {tuple(world.diary(n)) for n in names} == {("#1 2 17:00", "#2 3 13:00")}


def test_retries_are_no_backlog(world: World) -> None:
    world.posts(1)
    names = world.crowd(60)
    world.provider.always["*"] = GREYLISTED
    world.run("2 09:00", "2 12:00", every=HOUR)
    world.provider.always.clear()
    world.run("2 12:00", "2 16:00", every=HOUR)
    assert world.holds() == set()
    assert {tuple(world.numbers(n)) for n in names} == {(1,)}


def test_a_provider_away_all_day_is_no_backlog(world: World) -> None:
    world.posts(1)
    names = world.crowd(60)
    world.provider.away = ProviderError("away")
    world.run("2 09:00", "2 15:00", every=HOUR)
    world.provider.away = None
    world.tick("2 15:00")
    assert world.holds() == set()
    assert {tuple(world.numbers(n)) for n in names} == {(1,)}


def test_the_first_tick_of_all_has_no_backlog(world: World) -> None:
    world.posts(1)
    names = world.crowd(60)
    world.tick("2 15:00")
    assert {tuple(world.numbers(n)) for n in names} == {(1,)}


# --- clocks, restored copies, several ticks


def test_small_steps_back_of_the_clock_do_not_matter(world: World) -> None:
    world.posts(1)
    world.join(ANA)
    world.tick("2 08:58")
    world.tick("2 08:55")
    assert world.ticks[-1].clean
    world.tick("2 09:00")
    assert world.numbers(ANA) == [1]


def test_a_clock_that_went_back_plans_nothing_and_says_so(world: World) -> None:
    world.posts(1, 2)
    world.join(ANA)
    world.tick("9 09:00")
    world.tick("8 09:00")
    assert not world.ticks[-1].clean
    assert "the clock went back" in world.notes
    world.tick("9 08:54")
    assert "the clock went back" in world.notes
    world.tick("10 09:00")
    assert world.diary(ANA) == ["#1 9 09:00", "#2 10 09:00"]


def test_ticking_many_times_in_a_minute_is_ticking_once(world: World) -> None:
    world.posts(1, 2)
    world.join(ANA, BO)
    world.run("2 09:00", "2 09:01", every=timedelta(seconds=5))
    assert len(world.provider.attempts) == 2


def test_a_database_restored_from_an_older_copy_starts_paused(tmp_path: Path) -> None:
    state, file = tmp_path / "state", tmp_path / "newsletter.db"
    store = Store.open(f"sqlite:///{file}", state_folder=state)
    (tmp_path / "project").mkdir()
    world = World(tmp_path / "project", store)
    world.posts(1, 2, 3)
    world.join(ANA)
    world.tick("2 09:00")
    store.scrub()
    copy = file.read_bytes()
    world.tick("3 09:00")
    store.close()
    for leftover in tmp_path.glob("newsletter.db-*"):
        leftover.unlink()
    file.write_bytes(copy)
    world.store = Store.open(f"sqlite:///{file}", state_folder=state)
    world.tick("4 09:00")
    assert world.numbers(ANA) == [1, 2]
    assert "this database is older than what was last written here" in world.notes
    world.now = when("4 10:00")
    world.resume()
    world.tick("4 10:00")
    assert world.ticks[-1].stopped == []
    assert world.numbers(ANA) == [1, 2, 2]  # what nobody can know; the owner was told before
    world.store.close()


def test_a_missing_marker_is_no_alarm(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'newsletter.db'}", state_folder=tmp_path / "state")
    (tmp_path / "project").mkdir()
    world = World(tmp_path / "project", store)
    world.posts(1)
    world.join(ANA)
    for marker in (tmp_path / "state").iterdir():
        marker.unlink()
    store.close()
    world.store = Store.open(f"sqlite:///{tmp_path / 'newsletter.db'}", state_folder=tmp_path / "state")
    world.tick("2 09:00")
    assert world.numbers(ANA) == [1]
    world.store.close()


def test_a_dead_address_is_suppressed_in_the_same_tick_and_counted(world: World) -> None:
    world.posts(1)
    world.join(ANA, BO)
    world.provider.answers[ANA] = [DEAD]
    world.tick("2 09:00")
    assert world.ticks[-1].suppressed == 1
    assert world.store.audience.counts()["suppressed"] == 1


def test_a_weekly_reader_whose_scheduler_runs_every_minute_gets_one_post_a_week(world: World) -> None:
    world.rules(every=7, days=frozenset({TUESDAY}))
    world.posts(1, 2)
    world.join(ANA)
    world.run("3 08:50", "3 09:10", every=MINUTE)
    world.run("10 08:50", "10 09:10", every=MINUTE)
    assert world.diary(ANA) == ["#1 3 09:00", "#2 10 09:00"]
