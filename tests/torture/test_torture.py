"""No kill loses a message or doubles one unsaid, and the same harness catches the loops that do.

Each story is a process of its own, which forks its runs while it has no threads. TORTURE_KILLS sets how many die in all
(1,500), TORTURE_SEED repeats a run whose seed was printed; `make torture` prints the table of docs/guarantees.md.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from postgres import NotInstalled, require
from stories import STORIES

KILLS = int(os.environ.get("TORTURE_KILLS", "1500"))


def tortured(name: str) -> dict[str, Any]:
    """What came of a story."""
    seed = os.environ.get("TORTURE_SEED") or str(random.randrange(10_000))
    words = [
        sys.executable,
        str(Path(__file__).parent),
        "--only",
        name,
        "--kills",
        str(KILLS),
        "--seed",
        seed,
        "--json",
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    print(done.stderr)  # shown when something is wrong, with the seed
    return json.loads(done.stdout)[name]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [pytest.param(n, id=s.words, marks=[pytest.mark.postgres] if s.needs else []) for n, s in STORIES.items()],
)
def test_nothing_is_lost_and_nothing_is_doubled_unsaid(name: str) -> None:
    if STORIES[name].needs:
        try:
            require()
        except NotInstalled:
            pytest.skip("PostgreSQL is not installed")
    found = tortured(name)
    assert found["deaths"] >= KILLS * STORIES[name].share // sum(story.share for story in STORIES.values())
    assert found["problems"] == []
    assert (found["lost"], found["silent"]) == (0, 0)
    assert found["beyond"] == []  # what one death leaves in doubt is within the window
    if name in ("lookup", "folder"):
        assert found["doubled"] == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "fault"),
    [("send, then mark", "silent"), ("a checkpoint for each ten", "silent"), ("mark, then send", "lost")],
)
def test_a_careless_loop_is_caught(name: str, fault: str) -> None:
    found = tortured(name)
    assert found[fault] > 0, found
