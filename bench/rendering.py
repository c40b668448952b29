"""What a message costs: a post of 900 words, from Markdown to bytes.

    python bench/rendering.py

Each time the post says something else, so nothing that depends on its text can come from a cache. "The first in a
process" has compiling the templates and reading the styles in it; imports are not counted.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import time
from functools import partial
from pathlib import Path
from time import perf_counter
from zoneinfo import ZoneInfo

from newsletter.compose import compile_template
from newsletter.config import Design, Identity
from newsletter.mail import Mailbox
from newsletter.posts import Post, read_post
from newsletter.render import render

WORDS = 900
SAMPLES = sorted((Path(__file__).parents[1] / "posts").glob("0*.md"))
IDENTITY = Identity(
    name="Letters from the Practice",
    sender=Mailbox.parse("Maya Thorne <maya@letters.example.org>"),
    postal_address="12 Birch Lane, Portland, OR 97201",
    url="https://letters.example.org",
)


def post() -> Post:
    """A sample post, and as much of the next ones as it takes."""
    first, *others = (read_post(path, zone=ZoneInfo("UTC"), at=time(9)) for path in SAMPLES)
    body = first.body
    for block in (block for other in others for block in other.body.split("\n\n")):
        if len(body.split()) >= WORDS:
            break
        body += f"\n{block}\n"
    return replace(first, body=body)


def one(made: Post) -> None:
    """A revision: rendered, inlined, composed."""
    compile_template(render(made, IDENTITY, Design()), IDENTITY, post_id=made.id)


def again() -> list[float]:
    """Seconds for each of twenty revisions in one process."""
    base = post()
    one(base)
    return [_timed(partial(one, made)) for made in _changed(base, 20)]


def first() -> list[float]:
    """Seconds for the first revision in each of five processes."""
    command = (sys.executable, __file__, "--first")
    return [float(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(5)]


def _changed(base: Post, times: int) -> Iterator[Post]:
    for number in range(times):
        yield replace(base, body=f"{base.body}\nAnd word {number}, in *one* paragraph more.\n")


def _timed(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


#: What is measured: a name, what gives its times in seconds, the unit, and how many of it are in a second.
TABLE: tuple[tuple[str, Callable[[], list[float]], str, float], ...] = (
    ("render, inline, compose: the first in a process", first, "ms", 1e3),
    ("render, inline, compose: each further one", again, "ms", 1e3),
)


def main() -> None:
    if "--first" in sys.argv:
        made = post()
        print(_timed(partial(one, made)))
        return
    print(f"{len(post().body.split())} words{'median':>50} {'worst':>8}")
    for name, times, unit, scale in TABLE:
        found = times()
        print(f"{name:<52}{statistics.median(found) * scale:>8.1f} {max(found) * scale:>8.1f} {unit}")


if __name__ == "__main__":
    main()
