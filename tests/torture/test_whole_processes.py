"""`newsletter send` as a whole process that dies, is stopped, has company or no room: judged by the server's record.

The clock of each process is moved (tests/acceptance/clock.c); everything else is as an owner has it, the run's lock,
fifteen seconds of waiting for a locked database and the real look of the posts included.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from judge import Entry, Verdict, judge
from outset import begun
from points import POINTS, When
from practice import DAY, HOUR, Practice
from sink import Play, Sink
from warm import Warm

from newsletter.store.schema import State

HUNG = 20  #: seconds, after which a run that waits for its fate is taken for hung, and killed like any
KILLS = 10  #: of each of four lives
MINUTE = timedelta(minutes=1)
WIRE = [point for point in POINTS if point.when is When.WIRE]

pytestmark = pytest.mark.slow


def told(row: dict[str, Any], said: str) -> bool:
    """Whether the owner hears that it may have arrived twice, or that nobody knows."""
    what = f"#{row['post']} to {row['email']} was"
    return f"{what} sent once more after doubt" in said or f"{what} handed over" in said


def verdict(practice: Practice, sink: Sink) -> Verdict:
    """What came of it, by what the owner is told."""
    said, posts = practice.ask("report").out, len(list((practice.root / "posts").iterdir()))
    rows = [row for number in range(1, posts + 1) for row in practice.ask("who-got", str(number), "--json").json()]
    entries = [Entry(r["email"], r["post"], r["message_id"] or "", State(r["state"]), told(r, said)) for r in rows]
    readers = [line.partition(",")[0] for line in (practice.root / "subscribers.csv").read_text().splitlines()[1:]]
    assert practice.ask("verify").status == 0
    return judge(entries, sink.record(), readers, range(1, posts + 1))


def counts(practice: Practice) -> dict[str, int]:
    """Deliveries by state."""
    return {state: n for state, n in practice.ask("status", "--json").json()["deliveries"].items() if n}


def finish(practice: Practice, sink: Sink, play: Play = Play()) -> None:  # noqa: B008 (a frozen value)
    """Let runs go undisturbed until nothing is under way."""
    sink.play(play)
    for _ in range(20):
        practice.run("send", at=practice.at + HOUR)
        if not counts(practice).keys() & {"planned", "claimed", "submitting", "deferred"}:
            return
    raise AssertionError(counts(practice))


def sound(found: Verdict) -> None:
    """Nothing lost, nothing doubled unsaid, nothing else wrong."""
    assert (found.lost, found.false) == ([], [])
    assert [double for double in found.doubled if not double[2]] == []


@pytest.mark.parametrize("life", range(4))
def test_killed_ten_times_over(tmp_path: Path, shim: Path, warm: Warm, sink: Sink, life: int) -> None:
    """Forty in all: half at a moment that the server sees, half at any."""
    practice = begun(Practice(tmp_path / "practice", shim, warm), sink, readers=120, posts=2)
    dice = random.Random(f"{os.environ.get('TORTURE_SEED') or random.randrange(10_000)} {life}")
    typical, slot = 1.0, practice.at
    for day in range(2):
        practice.at, killed = slot + day * DAY, 0
        while killed < KILLS // 2:
            point = dice.choice(WIRE) if dice.random() < 0.5 else None
            fate = (point.verb, dice.randint(1, 8)) if point else None
            sink.play(Play(seed=dice.randrange(9_999), trouble=0.02, fate=fate))
            began = time.monotonic()
            process = practice.start("send")
            sink.client(process.pid)
            # A server that is silent after the final dot has ten minutes (RFC 5321 4.5.3.2.6): that's too long here.
            with suppress(subprocess.TimeoutExpired):
                process.wait(HUNG if point else dice.uniform(0.3, 1) * typical)
            process.kill()
            status = practice.finish(process).status
            if status in (0, 1):
                typical = time.monotonic() - began
            killed += status == -signal.SIGKILL
            practice.at += dice.choice([MINUTE, 35 * MINUTE, 35 * MINUTE])
        finish(practice, sink)
    found = verdict(practice, sink)
    sound(found)
    assert found.messages >= 200  # whom the server refused for good has no second


# --- signals


@pytest.mark.parametrize(
    ("signals", "status"),
    [
        pytest.param([signal.SIGTERM], 130, id="SIGTERM alone"),
        pytest.param([signal.SIGINT], 130, id="Ctrl-C alone"),
        pytest.param([signal.SIGTERM, signal.SIGTERM], 130, id="SIGTERM twice"),
        pytest.param([signal.SIGTERM, signal.SIGINT], 130, id="SIGTERM, then Ctrl-C"),
        pytest.param([signal.SIGTERM, signal.SIGKILL], -signal.SIGKILL, id="SIGTERM, then SIGKILL"),
    ],
)
def test_signals(practice: Practice, sink: Sink, signals: list[int], status: int) -> None:
    """The first comes when the server has the fifth message and hasn't answered, the second at the sixth."""
    sink.play(Play(fate=("dot", 5), signals=signals))
    process = practice.start("send")
    sink.client(process.pid)
    assert practice.finish(process).status == status
    if len(signals) == 1:  # what had its final dot is finished, the rest is untouched
        states = counts(practice)
        assert states.keys() == {"accepted", "planned"} and states["accepted"] >= 5
        assert {r["attempts"] for r in practice.ask("who-got", "1", "--json").json() if r["state"] == "planned"} == {0}
    finish(practice, sink)
    sound(verdict(practice, sink))


# --- company


@pytest.mark.parametrize("runners", [2, 3])
def test_runners_at_once_without_a_common_lock(
    tmp_path: Path, shim: Path, warm: Warm, sink: Sink, runners: int
) -> None:
    """Each has its own folder, so its own lock, and they share the database; the first is killed."""
    first = begun(Practice(tmp_path / "1", shim, warm), sink)
    with (first.root / "newsletter.toml").open("a") as file:
        file.write(f'[store]\nurl = "sqlite:///{first.root}/newsletter.db"\n')
    others = []
    for n in range(2, runners + 1):
        shutil.copytree(
            first.root, tmp_path / str(n), ignore=shutil.ignore_patterns("newsletter.db*", ".newsletter.lock")
        )
        others.append(Practice(tmp_path / str(n), shim, warm, first.at))
    sink.play(Play(fate=("dot", 7)))
    processes = [practice.start("send") for practice in (first, *others)]
    sink.client(processes[0].pid)
    statuses = [practice.finish(p).status for practice, p in zip((first, *others), processes, strict=True)]
    assert set(statuses[1:]) == {0} and statuses[0] in (0, -signal.SIGKILL)
    finish(first, sink)
    sound(verdict(first, sink))


# --- no room


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB; root alone may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", place], capture_output=True).returncode:
        pytest.skip("a small file system can't be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def filled(disk: Path, room: int) -> Path:
    """A file that leaves *room* kB of it."""
    filler = disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    os.truncate(filler, filler.stat().st_size - room * 1024)
    return filler


def test_a_disk_that_is_full_lets_no_run_begin(small_disk: Path, shim: Path, warm: Warm, sink: Sink) -> None:
    practice = begun(Practice(small_disk / "practice", shim, warm), sink)
    practice.run("send", at=practice.at - HOUR)
    filler = filled(small_disk, 64)
    ran = practice.run("send", at=practice.at + HOUR)
    assert ran.status == 1 and "make room" in ran.err and "Nothing was sent" in ran.err
    assert sink.record().taken == []
    filler.unlink()
    finish(practice, sink)
    sound(verdict(practice, sink))


@pytest.mark.parametrize("dot", [1, 4, 12])
@pytest.mark.parametrize("room", [0, 8, 24], ids=lambda kb: f"{kb} kB are left")
def test_a_disk_that_fills_up_meanwhile(
    small_disk: Path, shim: Path, warm: Warm, sink: Sink, room: int, dot: int
) -> None:
    """Wherever that is, it's said, nothing is lost, and the next run with room goes on."""
    practice = begun(Practice(small_disk / "practice", shim, warm), sink)
    text = (practice.root / "newsletter.toml").read_text()
    practice.settings(text, timeout='"1 second"\nwindow = 5')
    practice.run("send", at=practice.at - HOUR)
    sink.play(Play(fate=("dot", dot), signals=[signal.SIGSTOP]))
    process = practice.start("send", at=practice.at + HOUR)
    sink.client(process.pid)
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    filler = filled(small_disk, room)
    process.send_signal(signal.SIGCONT)
    ran = practice.finish(process)
    assert ran.status == 0 or "the disk is full; make room" in ran.err, ran
    filler.unlink()
    finish(practice, sink)
    sound(verdict(practice, sink))


# --- a password that is changed meanwhile


def test_a_password_that_turns_wrong_midway_marks_nobody(
    practice: Practice, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    practice.settings((practice.root / "newsletter.toml").read_text(), username='"maya"')
    monkeypatch.setenv("NEWSLETTER_SMTP_PASSWORD", "right")
    sink.play(Play(login="maya right", logins=2, session_max=3))
    ran = practice.run("send")
    assert ran.status == 1 and 'refused the login for "maya"' in ran.err
    rows = practice.ask("who-got", "1", "--json").json()
    accepted = [r for r in rows if r["state"] == "accepted"]
    waiting = [r for r in rows if r["state"] == "planned"]
    assert 0 < len(accepted) == len(sink.record().taken) <= 6
    assert len(accepted) + len(waiting) == 24
    assert {r["attempts"] for r in waiting} == {0}
    finish(practice, sink, Play(login="maya right"))
    found = verdict(practice, sink)
    sound(found)
    assert found.doubled == []
