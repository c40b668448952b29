"""`newsletter send` dies in the middle of requests, each run a whole process: the vendor's own record is the judge."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from fake import Asked, Fake, HangUp, Said
from fakes import FAKES
from practice import HOUR, MONDAY, Practice
from through import through

READERS = tuple(f"r{n:02d}@example.org" for n in range(24))
MINUTE = timedelta(minutes=1)
SPLIT = 3  #: readers in a request, of vendors that take several
KILLS = 4
KEYED = ("resend", "brevo")


@pytest.fixture(params=FAKES)
def fake(request: pytest.FixtureRequest) -> Iterator[Fake]:
    with FAKES[request.param]().running() as running:
        yield running


def set_up(practice: Practice, fake: Fake) -> None:
    practice.readers(*(f"{address},,UTC" for address in READERS))
    through(practice, fake)
    path = practice.root / "newsletter.toml"
    extra = f"batch = {SPLIT}\nthreads = 2\n" if fake.batch > 1 else "threads = 2\n"
    section = f"[provider.{fake.name}]\n"
    path.write_text(path.read_text().replace(section, section + extra))
    assert practice.run("go-live", "--yes").status == 0


def dies(practice: Practice, fake: Fake, nth: int, when: str) -> None:
    """A run that is killed at its *nth* request: before the vendor takes it, after, or once it has half the answer."""
    process: list[subprocess.Popen[bytes]] = []

    def kill(own: Callable[[], Said]) -> Said:
        said = own() if when != "before" else Said(500)
        if when == "answering":
            return Said(said.status, said.octets[:5], {"Content-Length": str(len(said.octets)), "X-Then-Kill": "1"})
        os.kill(process[0].pid, signal.SIGKILL)
        raise HangUp

    fake.script = [lambda own: own() for _ in range(nth - 1)]
    fake.script.append(kill)
    fake.killed = lambda: os.kill(process[0].pid, signal.SIGKILL)
    with fake.lock:  # nothing is answered before the process is known
        process.append(practice.start("send"))
    practice.finish(process[0])
    assert process[0].returncode == -signal.SIGKILL
    fake.script.clear()


@pytest.mark.slow
@pytest.mark.parametrize("after", [pytest.param(11 * MINUTE, id="soon"), pytest.param(HOUR, id="an hour later")])
def test_killed_in_the_middle_of_requests(practice: Practice, fake: Fake, after: timedelta) -> None:
    set_up(practice, fake)
    dice = random.Random(f"{fake.name} {after}")
    practice.at = MONDAY.replace(hour=9, minute=5)
    for when in dice.sample(["before", "after", "answering", "after"], KILLS):
        fake.now = practice.at
        dies(practice, fake, dice.randint(1, 2), when)
        practice.at += after
    for _ in range(12):
        fake.now = practice.at
        practice.run("send")
        practice.at += after
    rows = practice.json("who-got", "1")
    assert Counter(row["state"] for row in rows) == {"accepted": len(READERS)}
    got = Counter(took.recipient for took in fake.took)
    assert set(got) == set(READERS), "nobody is left out"
    report = practice.run("report").out
    doubled = [address for address, count in got.items() if count > 1]
    assert [address for address in doubled if f"to {address} was" not in report] == [], "none of it is unsaid"
    assert max(got.values()) <= 2
    if fake.name != "ses":  # can be asked, or counts a request that is sent twice once
        assert doubled == []
    assert practice.run("verify").status == 0


def bodies(asked: list[Asked]) -> Counter[tuple[str, bytes]]:
    """How often each request was made, by its key."""
    found: Counter[tuple[str, bytes]] = Counter()
    for one in asked:
        key = one.headers.get("idempotency-key") or json.loads(one.body)["headers"]["idempotencyKey"]
        found[key, one.body] += 1
    return found
