"""Torture from the command line: ``python tests/torture --kills 10000``."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from campaign import Campaign  # noqa: E402
from sink import Sink  # noqa: E402
from stage import Stage, scratch  # noqa: E402
from stories import STORIES  # noqa: E402

name, kills = sys.argv[1], int(sys.argv[2])
with scratch() as folder, Sink() as sink:
    stage = Stage(folder / "stage")
    tally = Campaign(STORIES[name], stage, sink, seed=int(sys.argv[3])).run(kills)
    print(tally.deaths, tally.seconds, tally.deaths / tally.seconds, tally.lives, tally.runs, tally.messages, "lost", tally.lost, tally.held)
    for w, r in tally.rows.items():
        print(w, r)
    print("\n".join(tally.problems))
