"""The moved clock itself: it must move real time and nothing else, or the other tests prove nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import clock

THEN = datetime(2026, 3, 2, 8, tzinfo=UTC)
SHOWS = "import datetime, time; print(datetime.datetime.now(datetime.UTC).isoformat()); print(time.monotonic())"
WAITS = """
import threading, time
began, shut = time.monotonic(), threading.Lock()
shut.acquire()
assert not shut.acquire(timeout=0.1)
assert not threading.Event().wait(0.1)
print(0.2 <= time.monotonic() - began)
"""
FOLLOWS = """
import datetime, sys
for _ in sys.stdin:
    print(datetime.datetime.now(datetime.UTC).isoformat(), flush=True)
"""


def python(program: str, environment: dict[str, str]) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | environment, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_a_process_begins_at_the_instant_given(shim: Path) -> None:
    shown, _ = python(SHOWS, clock.at(THEN, shim))
    assert timedelta(seconds=-1) <= datetime.fromisoformat(shown) - THEN < timedelta(hours=1)


def test_monotonic_time_is_left_alone(shim: Path) -> None:
    (_, before), (_, moved), (_, after) = (python(SHOWS, e) for e in ({}, clock.at(THEN, shim), {}))
    assert float(before) <= float(moved) <= float(after)


def test_timed_waits_end_when_they_should(shim: Path) -> None:
    assert python(WAITS, clock.at(THEN, shim)) == ["True"]


def test_a_process_that_lives_on_can_be_moved(shim: Path, tmp_path: Path) -> None:
    file = tmp_path / "shift"
    clock.turn(file, THEN)
    with subprocess.Popen(
        [sys.executable, "-c", FOLLOWS], env=os.environ | clock.by_file(file, shim), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin is not None and process.stdout is not None
        for weeks in range(3):
            clock.turn(file, THEN + timedelta(weeks=weeks))
            process.stdin.write("\n")
            process.stdin.flush()
            shown = datetime.fromisoformat(process.stdout.readline().strip())
            assert timedelta(seconds=-1) <= shown - THEN - timedelta(weeks=weeks) < timedelta(hours=1)
        process.stdin.close()
