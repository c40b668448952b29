"""Torture from the command line: ``python tests/torture --kills 10000``. Prints the table of docs/guarantees.md."""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from campaign import Row, Tally
from points import POINTS
from postgres import NotInstalled
from stories import CONTROLS, STORIES, tell

CONTROL_KILLS = 50
SHARES = sum(story.share for story in STORIES.values())


def main() -> int:
    parser = argparse.ArgumentParser(prog="torture")
    parser.add_argument("--kills", type=int, default=1_500, help="deaths in all stories together")
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    parser.add_argument("--only", choices=[*STORIES, *CONTROLS], help="one story, with its share of them")
    parser.add_argument("--json", action="store_true", help="facts in place of the table")
    given = parser.parse_args()
    tallies = {}
    print(f"seed {given.seed}", file=sys.stderr)
    for name in [given.only] if given.only else [*STORIES, *CONTROLS]:
        control, story = name in CONTROLS, (STORIES | CONTROLS)[name]
        kills = CONTROL_KILLS if control else -(-given.kills * story.share // SHARES)
        try:
            tally = tallies[name] = tell(story, kills, seed=given.seed, whole=control)
        except NotInstalled as error:
            print(f"{name}: left out, {error} is not installed", file=sys.stderr)
            continue
        print(_line(name, tally), file=sys.stderr, flush=True)
        if not control:
            for words in tally.problems + tally.beyond:
                print(f"  {words}", file=sys.stderr, flush=True)
    if given.json:
        print(json.dumps({name: _facts(tally) for name, tally in tallies.items()}))
    else:
        print(_table([tally for name, tally in tallies.items() if name not in CONTROLS]))
    good = all(not (t.problems or t.beyond) for name, t in tallies.items() if name not in CONTROLS)
    return 0 if good and all(t.lost or t.silent for name, t in tallies.items() if name in CONTROLS) else 1


def _line(name: str, t: Tally) -> str:
    return (
        f"{name}: {t.deaths} deaths in {t.runs} runs of {t.lives} lives, {t.messages} messages: {t.lost} lost, "
        f"{t.doubled} doubled, {t.silent} of them silently; {t.held} never arrived and are named; "
        f"{t.deaths / t.seconds:.0f} deaths a second"
    )


def _facts(tally: Tally) -> dict[str, object]:
    sums = {key: getattr(tally, key) for key in ("deaths", "doubled", "silent")}
    return vars(tally) | sums | {"rows": {words: asdict(row) for words, row in tally.rows.items()}}


def _table(tallies: list[Tally]) -> str:
    rows: dict[str, Row] = defaultdict(Row)
    for tally in tallies:
        for words, row in tally.rows.items():
            sums = rows[words]
            sums.deaths += row.deaths
            sums.in_doubt = max(sums.in_doubt, row.in_doubt)
            sums.lost += row.lost
            sums.doubled += row.doubled
            sums.silent += row.silent
    order = [point.words for point in POINTS]
    lines = ["| where it dies | deaths | in doubt at most | lost | doubled | silently |", "|---|---|---|---|---|---|"]
    for words in [w for w in order if w in rows] + sorted(rows.keys() - set(order)):
        row = rows[words]
        lines.append(f"| {words} | {row.deaths:,} | {row.in_doubt} | {row.lost} | {row.doubled:,} | {row.silent} |")
    total = [sum(getattr(t, key) for t in tallies) for key in ("deaths", "lost", "doubled", "silent", "messages")]
    lines.append(f"| **together**, {total[4]:,} messages | {total[0]:,} | | {total[1]} | {total[2]:,} | {total[3]} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
