"""What each way of failing over HTTP leaves in the ledger, and what comes of it: nobody left out, nobody twice.

Five readers, one post, due on 2 March at nine. What the vendor took is what its fake kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import fake as faults
import pytest
from fake import Fake, Said
from fakes import FAKES
from world import HOUR, World

from newsletter.providers import vendor
from newsletter.store import Store

READERS = 5
MINUTE = timedelta(minutes=1)


@dataclass
class Desk:
    """A newsletter that goes through one vendor."""

    world: World
    fake: Fake

    def states(self) -> Counter[str]:
        return Counter(state for name in self.readers for _, state, _ in self.world.states(name))

    def tick(self, at: str) -> None:
        self.world.tick(at)

    @property
    def readers(self) -> list[str]:
        return [str(reader.address) for reader in self.world.store.audience.readers()]

    @property
    def got(self) -> Counter[str]:
        return Counter(took.recipient for took in self.fake.took)

    @property
    def in_one(self) -> int:
        """Readers in the first request."""
        return min(self.fake.batch, READERS)

    @property
    def keyed(self) -> bool:
        return self.world.provider.together is not None  # type: ignore[attr-defined]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """SQLite alone: what differs between databases is tried elsewhere."""
    opened = Store.open(f"sqlite:///{tmp_path / 'letters.db'}")
    yield opened
    opened.close()


@pytest.fixture(params=FAKES)
def desk(request: pytest.FixtureRequest, world: World) -> Iterator[Desk]:
    with FAKES[request.param]().running() as fake, ExitStack() as _:
        settings = fake.settings_here(timeout=timedelta(seconds=1))
        world.provider = vendor(fake.name).open_(settings, now=lambda: world.now)
        world.config = replace(world.config, provider=fake.name)
        world.store.facts.go_live(fake.name, at=world.now)
        world.posts(1)
        world.crowd(READERS)
        yield Desk(world, fake)


def everybody_once(desk: Desk, *, copies: int = 0) -> bool:
    """But for *copies* that came of doubt which nobody could settle."""
    if copies:
        assert sorted(desk.got.values(), reverse=True)[:copies] == [2] * copies, "one copy, not more"
        return set(desk.got) == set(desk.readers) and sum(desk.got.values()) == len(desk.readers) + copies
    return desk.got == Counter(dict.fromkeys(desk.readers, 1)) and desk.states() == {"accepted": len(desk.readers)}


def test_when_all_goes_well(desk: Desk) -> None:
    desk.tick("2 09:00")
    assert everybody_once(desk)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(faults.reset, id="a reset before it was taken"),
        pytest.param(faults.taken_then_reset, id="a reset after it was taken"),
        pytest.param(faults.taken_then_500, id="500 after it was taken"),
        pytest.param(faults.truncated, id="an answer that ends in the middle"),
        pytest.param(faults.cut, id="200 and then a reset"),
        pytest.param(faults.slow, id="an answer that does not end"),
    ],
)
def test_without_an_answer_it_is_in_doubt_and_then_settled(desk: Desk, fault: faults.Fault) -> None:
    desk.fake.script = [fault]
    desk.tick("2 09:00")
    if desk.keyed:  # the same request again settles it at once
        assert everybody_once(desk)
        requests = [(asked.body, asked.headers.get("idempotency-key")) for asked in desk.fake.asked]
        assert requests.count(requests[0]) == 2 and len(set(requests)) == READERS // desk.in_one
        return
    expected = {"uncertain": desk.in_one, "accepted": READERS - desk.in_one}
    assert desk.states() == {state: count for state, count in expected.items() if count}
    desk.tick("2 09:05")
    assert desk.states()["uncertain"] == desk.in_one, "nothing is tried again before ten minutes are over"
    taken = len(desk.fake.took) == READERS
    desk.tick("2 09:11")
    # Who has neither keys nor look-ups can't be asked: it is sent once more, and said.
    asks_in_vain = taken and not hasattr(desk.world.provider, "lookup")
    assert everybody_once(desk, copies=desk.in_one if asks_in_vain else 0)


def test_a_batch_in_doubt_is_made_of_the_same_messages_later(desk: Desk) -> None:
    if not desk.keyed:
        pytest.skip("it has no idempotency keys")
    desk.fake.script = [faults.taken_then_reset] * 3
    desk.tick("2 09:00")
    assert desk.states()["uncertain"] == desk.in_one and len(desk.fake.took) == READERS
    desk.world.crowd(3, start=100)
    desk.tick("3 09:00")
    assert everybody_once(desk)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        pytest.param(Said(401, {"message": "no"}), "refuse", id="401"),
        pytest.param(Said(403, {"message": "no"}), "refuse", id="403"),
        pytest.param(faults.REDIRECT, "base_url", id="a redirect"),
        pytest.param(Said(404, b"<html>no such page</html>"), "base_url", id="404"),
        pytest.param(Said(402, {"message": "pay"}), "paid", id="402"),
    ],
)
def test_a_refusal_of_us_marks_nobody(desk: Desk, said: Said, words: str) -> None:
    desk.fake.script = [said]
    desk.tick("2 09:00")
    assert desk.states() == {"planned": READERS} and desk.fake.took == []
    assert words in desk.world.notes and "newsletter.toml" in desk.world.notes + "newsletter.toml" * (
        said.status == 402
    )
    assert all(name not in desk.world.notes for name in desk.readers)
    assert len(desk.fake.asked) == 1, "a wrong key costs one request"
    desk.tick("2 10:00")
    assert everybody_once(desk)


def test_a_key_that_is_refused_midway_marks_nobody_it_was_refused_for(desk: Desk) -> None:
    desk.world.crowd(10, start=50)
    desk.fake.script = [lambda own: own(), lambda own: own(), Said(401, {"message": "no"})]
    desk.tick("2 09:00")
    states = desk.states()
    assert states["planned"] >= desk.in_one and set(states) == {"planned", "accepted"}
    assert states["accepted"] == len(desk.fake.took)
    desk.tick("2 10:00")
    assert everybody_once(desk)


@pytest.mark.parametrize("said", [pytest.param(faults.TOO_FAST, id="429"), pytest.param(faults.BUSY, id="503")])
def test_a_short_pause_is_waited_out(desk: Desk, said: Said) -> None:
    desk.fake.script = [said]
    desk.tick("2 09:00")
    assert everybody_once(desk)


def test_a_long_pause_ends_the_run_and_is_kept_to(desk: Desk) -> None:
    desk.fake.script = [faults.QUOTA]
    desk.tick("2 09:00")
    assert desk.states() == {"planned": READERS}
    asked = len(desk.fake.asked)
    desk.tick("2 09:30")
    assert len(desk.fake.asked) == asked, "it said: an hour"
    desk.tick("2 10:05")
    assert everybody_once(desk)


def test_nothing_there_marks_nobody(desk: Desk) -> None:
    settings = replace(desk.world.provider._settings, base_url="http://127.0.0.1:9")  # type: ignore[attr-defined]
    there, desk.world.provider = desk.world.provider, vendor(desk.fake.name).open_(settings, now=lambda: desk.world.now)
    desk.tick("2 09:00")
    assert desk.states() == {"planned": READERS} and "refused the connection" in desk.world.notes
    desk.world.provider = there
    desk.tick("2 10:00")
    assert everybody_once(desk)


def test_what_is_wrong_with_one_message_is_told_of_that_one(desk: Desk) -> None:
    desk.world.join("spam@example.org", "inactive@example.org")
    desk.tick("2 09:00")
    assert desk.got == Counter({name: 1 for name in desk.readers if name.startswith("r0")})
    assert [state for _, state, _ in desk.world.states("spam@example.org")] == ["rejected"]
    assert [state for _, state, _ in desk.world.states("inactive@example.org")] == ["rejected"]
    assert desk.world.store.audience.counts()["suppressed"] == 0, "a vendor's word alone suppresses nobody"


def test_without_any_answers_it_stops_before_everybody_is_in_doubt(desk: Desk) -> None:
    desk.world.crowd(40, start=50)
    desk.fake.script = [Said(500, b"")] * 100
    desk.tick("2 09:00")
    states = desk.states()
    assert states["uncertain"] <= 3 * desk.fake.batch and states["planned"] >= 45 - 3 * desk.fake.batch
    desk.fake.script.clear()
    desk.world.run("2 10:00", "2 14:00", every=HOUR)
    assert everybody_once(desk)
