"""The provider is changed in newsletter.toml in mid-sequence: from any to any, between posts and in the middle of one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from email import message_from_bytes, policy
from itertools import pairwise

import pytest
from fake import Fake, taken_then_reset
from fakes import FAKES
from mailserver import MailServer
from practice import ANA, BO, CY, DAY, HOUR, MONDAY, Practice, each
from through import through

EVERYBODY = (ANA, BO, CY)
NAMES = ("folder", "smtp", *FAKES)


def tour(names: Sequence[str]) -> list[str]:
    """A way that takes each step from one name to another exactly once."""
    found = []
    for n, name in enumerate(names):
        for other in names[n + 1 :]:
            found += [name, other]
    return [*found, names[0]]


class Desk:
    """The practice, every provider there is, and what each of them took: (address, subject)."""

    def __init__(self, practice: Practice, mail: MailServer, fakes: dict[str, Fake]) -> None:
        self.practice, self.mail, self.fakes = practice, mail, fakes

    def take(self, name: str) -> None:
        if name in self.fakes:
            through(self.practice, self.fakes[name])
            return
        text = (self.practice.root / "newsletter.toml").read_text()  # what it says of the provider before stays
        self.practice.settings(text, provider=f'"{name}"', port=str(self.mail.port))

    def go_live(self) -> None:
        for name in NAMES:
            self.take(name)
            assert self.practice.run("go-live", "--yes").status == 0

    def send(self) -> None:
        self.mail.now = self.practice.at
        ran = self.practice.run("send")
        assert ran.status == 0, ran

    def took(self) -> Counter[tuple[str, str]]:
        found = Counter((took.recipient, took.subject) for fake in self.fakes.values() for took in fake.took)
        found.update((letter.address, subject(letter.data)) for letter in self.mail.taken)
        outbox = (self.practice.root / "outbox/new").glob("*.eml")
        for data in (path.read_bytes() for path in outbox):
            parsed = message_from_bytes(data, policy=policy.default)
            found[parsed["To"].addresses[0].addr_spec, str(parsed["Subject"])] += 1
        return found


def subject(data: bytes) -> str:
    return str(message_from_bytes(data, policy=policy.default)["Subject"])


@pytest.fixture
def desk(practice: Practice, mail: MailServer) -> Iterator[Desk]:
    with ExitStack() as stack:
        yield Desk(practice, mail, {name: stack.enter_context(kind().running()) for name, kind in FAKES.items()})


@pytest.mark.slow
def test_each_change_there_is_in_one_long_sequence(desk: Desk) -> None:
    way = tour(NAMES)
    assert len({*pairwise(way)}) == len(way) - 1 == len(NAMES) * (len(NAMES) - 1)
    for number in range(4, len(way) + 1):
        desk.practice.post(number, f"Letter {number}")
    desk.go_live()
    for day, name in enumerate(way):
        desk.take(name)
        desk.practice.at = MONDAY.replace(hour=9, minute=5) + day * DAY
        desk.send()
    took = desk.took()
    assert set(took.values()) == {1} and sum(took.values()) == len(EVERYBODY) * len(way)
    assert Counter(address for address, _ in took) == dict.fromkeys(EVERYBODY, len(way))
    assert desk.practice.accepted() == each(EVERYBODY, range(1, len(way) + 1))
    assert desk.practice.run("verify").status == 0


@pytest.mark.parametrize("name", FAKES)
def test_a_doubt_is_put_to_whoever_had_the_letter_not_to_the_new_provider(desk: Desk, name: str) -> None:
    desk.go_live()
    desk.take(name)
    fake = desk.fakes[name]
    fake.script = [taken_then_reset] * 3  # as often as it is asked under a key
    desk.practice.at = MONDAY.replace(hour=9, minute=5)
    desk.practice.run("send")
    desk.take("smtp")
    for hours in (1, 2, 3):
        desk.practice.at = MONDAY + hours * HOUR + HOUR
        desk.send()
    desk.practice.at += DAY
    desk.send()
    took = desk.took()
    assert {took[address, "The first hour"] for address in EVERYBODY} <= {1, 2}
    twice = {address for address in EVERYBODY if took[address, "The first hour"] == 2}
    report = desk.practice.run("report").out
    assert all(f"to {address} was sent once more after doubt" in report for address in twice)
    if name not in ("ses", "resend"):  # which nobody can ask
        assert twice == set()
    assert {took[address, "Worries"] for address in EVERYBODY} == {1}
    assert desk.practice.run("verify").status == 0
