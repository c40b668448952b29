"""Reading what came back: how long mail takes that was made to take long, and real reports.

    python bench/reports.py

100 kB in each of the ways that tests/hostile.py knows, the best of five, the slowest ten shown. Real reports are those
of ../shared/data/bounces, where they are.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from machine import machine

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "tests"))
SIZE, SHOWN = 100_000, 10
PLACES = [HERE.parent / up / "shared" / "data" / "bounces" for up in ("..", "../..")]


def taken(data: bytes) -> float:
    """Milliseconds of processor time, the best of five."""
    from newsletter.reports import read

    times = []
    for _ in range(5):
        begun = time.process_time()
        read(data)
        times.append(time.process_time() - begun)
    return min(times) * 1_000


def main() -> None:
    from hostile import mails

    taken(b"")
    print(machine(), end="\n\n| 100 kB of | ms |\n|---|---:|\n")
    slowest = sorted(((taken(made(SIZE)), name) for name, made in mails().items()), reverse=True)
    for milliseconds, name in slowest[:SHOWN]:
        print(f"| {name} | {milliseconds:.0f} |")
    print(f"| {len(slowest) - SHOWN} others, at most | {slowest[SHOWN][0]:.0f} |")
    real = [taken(path.read_bytes()) for place in PLACES for path in sorted(place.glob("*.eml"))]
    if real:
        print(f"| a real report, the mean of {len(real)} | {sum(real) / len(real):.1f} |")
        print(f"| the slowest of them | {max(real):.1f} |")


if __name__ == "__main__":
    main()
