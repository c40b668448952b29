"""`newsletter send` dies in the middle of requests, or is refused there, each run a process: the vendor's record judges."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.utils import format_datetime

import pytest
from fake import Fake, HangUp, Said
from fakes import FAKES
from practice import HOUR, MONDAY, Practice
from through import through

READERS = tuple(f"r{n:02d}@example.org" for n in range(24))
MINUTE = timedelta(minutes=1)
SPLIT = 3  #: readers in a request, of vendors that take several


@pytest.fixture(params=FAKES)
def fake(request: pytest.FixtureRequest) -> Iterator[Fake]:
    with FAKES[request.param]().running() as running:
        yield running


def set_up(practice: Practice, fake: Fake) -> None:
    practice.readers(*(f"{address},,UTC" for address in READERS))
    through(practice, fake)
    for post in sorted((practice.root / "posts").iterdir())[1:]:
        post.unlink()
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
            return Said(said.status, said.octets[:5], {"Content-Length": str(len(said.octets) + 6), "X-Then-Kill": "1"})
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


def counts(practice: Practice) -> Counter[str]:
    return Counter(row["state"] for row in practice.json("who-got", "1"))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        pytest.param(Said(401, {"message": "no"}), "refuse", id="a key that is revoked midway"),
        pytest.param(Said(302, b"", {"Location": "http://127.0.0.1:9/"}), "base_url", id="a redirect midway"),
    ],
)
def test_a_refusal_of_us_midway_marks_nobody(practice: Practice, fake: Fake, said: Said, words: str) -> None:
    set_up(practice, fake)
    fake.script = [lambda own: own(), *[said] * 9]
    ran = practice.run("send", at=MONDAY.replace(hour=9, minute=5))
    assert ran.status == 1 and words in ran.err and "newsletter.toml" in ran.err
    assert counts(practice) == {"accepted": len(fake.took), "planned": len(READERS) - len(fake.took)}
    assert practice.json("suppressions", "list") == []
    fake.script.clear()
    assert practice.run("send", at=practice.at + HOUR).status == 0
    assert Counter(took.recipient for took in fake.took) == dict.fromkeys(READERS, 1)


@pytest.mark.parametrize("dated", [False, True], ids=["in seconds", "as a date"])
def test_a_pause_that_is_asked_for_is_kept_by_the_runs_that_follow(practice: Practice, fake: Fake, dated: bool) -> None:
    set_up(practice, fake)
    practice.at = MONDAY.replace(hour=9, minute=5)
    until = format_datetime(practice.at + 2 * HOUR, usegmt=True) if dated else "7200"
    now = {"Date": format_datetime(practice.at, usegmt=True)}
    fake.script = [lambda own: own(), *[Said(429, {"message": "slow down"}, {"Retry-After": until, **now})] * 9]
    assert practice.run("send").status == 1
    before, asked = len(fake.took), len(fake.asked)
    fake.script.clear()
    practice.run("send", at=practice.at + HOUR)
    assert len(fake.asked) == asked, "it said: two hours"
    assert counts(practice) == {"accepted": before, "planned": len(READERS) - before}
    assert practice.run("send", at=practice.at + 2 * HOUR).status == 0
    assert Counter(took.recipient for took in fake.took) == dict.fromkeys(READERS, 1)


@pytest.mark.slow
@pytest.mark.parametrize("after", [pytest.param(25 * MINUTE, id="soon"), pytest.param(3 * HOUR, id="later")])
def test_killed_in_the_middle_of_requests(practice: Practice, fake: Fake, after: timedelta) -> None:
    set_up(practice, fake)
    practice.at = MONDAY.replace(hour=9, minute=5)
    for when in random.sample(["before", "after", "answering"], 3):
        fake.now = practice.at
        dies(practice, fake, random.randint(1, 2), when)
        practice.at += after
    for _ in range(8):
        fake.now = practice.at
        practice.run("send")
        practice.at += after
    rows, report = practice.json("who-got", "1"), practice.run("report").out
    named = {row["email"] for row in rows if f"to {row['email']} was" in report}
    open_ = {row["email"] for row in rows if row["state"] != "accepted"}
    assert {row["state"] for row in rows} <= {"accepted", "uncertain"}, "handed over twice without an answer"
    got = Counter(took.recipient for took in fake.took)
    doubled = {address for address, count in got.items() if count > 1}
    assert open_ <= named and set(READERS) - set(got) <= open_, "nobody is left out unsaid"
    assert doubled <= named and max(got.values()) <= 2, "nobody has it twice unsaid"
    if fake.name != "ses":  # can be asked, or counts a request that is sent twice once
        assert doubled == set()
    assert practice.run("verify").status == 0


@pytest.mark.parametrize("name", ["resend", "brevo"])
def test_what_is_sent_again_under_a_key_is_the_same_to_the_octet(practice: Practice, name: str) -> None:
    with FAKES[name]().running() as fake:
        set_up(practice, fake)
        practice.at = MONDAY.replace(hour=9, minute=5)
        dies(practice, fake, 1, "before")
        (lost,) = fake.asked
        practice.readers(*(f"{address},,UTC" for address in (*READERS, "new@example.org")))
        for _ in range(4):
            practice.run("send", at=practice.at + HOUR)
        again = [asked for asked in fake.asked[1:] if asked.method == "POST" and asked.body == lost.body]
        assert [asked.headers.get("idempotency-key") for asked in again] == [lost.headers.get("idempotency-key")]
        assert Counter(took.recipient for took in fake.took) == dict.fromkeys(READERS, 1)
