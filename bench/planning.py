"""Planning by one set-based statement: time and memory from ten thousand to a million readers.

    python bench/planning.py [sqlite | postgresql://…] [readers …]

Each size runs in a process of its own, so that its peak memory is its own. The peer is the planner anyone
writes first: read every reader, decide in Python, insert row by row in one transaction.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from zoneinfo import ZoneInfo

SIZES = (10_000, 100_000, 1_000_000)
JOINED = datetime(2026, 3, 1, 12, tzinfo=UTC)
ZONES = ("", "Asia/Tokyo", "Europe/Berlin", "America/New_York")


def measure(url: str, readers: int) -> dict[str, float]:
    """Times in seconds, peak memory in MB."""
    from newsletter.catalogue import survey
    from newsletter.config import Identity, Rules
    from newsletter.mail import Address, Mailbox
    from newsletter.posts import Folder, Post, PostStatus
    from newsletter.store import Store
    from newsletter.subscribers import Row

    rules = Rules(days=frozenset({1}))
    sender = Mailbox("Maya Thorne", Address("maya", "letters.example.org"))
    identity = Identity("Letters", sender, "12 Birch Lane", timezone=ZoneInfo("America/Los_Angeles"))
    posts = tuple(
        Post(f"p{n}", True, n, Path(f"posts/{n:03}-p{n}.md"), f"Post {n}", f"Post {n}", "", None, PostStatus.LIVE,
             frozenset(), "", "", "", False, "", "text", 1, f"{n}")
        for n in range(1, 7)
    )  # fmt: skip

    def rows() -> Iterator[Row]:
        for n in range(readers):
            yield Row(n + 2, Address(f"reader{n}", "example.org"), f"Reader {n}", ZONES[n % len(ZONES)])

    store = Store.open(url)
    found = survey((), Folder(posts, (), (), ()), at=JOINED, previous=None, rules=rules, identity=identity)
    store.catalogue.apply(found, at=JOINED, first=True)
    result: dict[str, float] = {"readers": readers}

    def clock(name: str, start: float) -> None:
        result[name] = perf_counter() - start

    start = perf_counter()
    store.audience.take_file(rows(), floor=-1, fingerprint=lambda key: key, at=JOINED)
    clock("join", start)
    start = perf_counter()
    store.planner.plan(identity, rules, at=JOINED + timedelta(hours=1))
    clock("nothing due", start)
    start = perf_counter()
    planned = store.planner.plan(identity, rules, at=JOINED + timedelta(days=3))
    clock("plan", start)
    assert planned.count == readers, planned
    result["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = perf_counter()
    one_by_one(store)
    clock("one by one", start)
    return result


def one_by_one(store) -> None:  # type: ignore[no-untyped-def]
    """The peer: the same rows, decided and inserted reader by reader."""
    from sqlalchemy import text

    with store.write() as c:
        c.execute(text("DELETE FROM delivery"))
        insert = text(
            "INSERT INTO delivery (post_id, subscriber_id, epoch, copy, number, state, open, reason, slot, not_before,"
            " planned_at) VALUES (1, :id, 0, 0, 1, 'planned', 1, '', :at, :at, :at)"
        )
        for row in c.execute(
            text("SELECT id, status, pauses, high_water, active_since, anchor_at FROM subscriber")
        ).all():
            if row.status == "active" and not row.pauses and row.high_water is None and row.anchor_at is None:
                c.execute(insert, {"id": row.id, "at": 0})


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--one"]:
        print(json.dumps(measure(arguments[1], int(arguments[2]))))
        return
    sizes = [int(a) for a in arguments if a.isdigit()] or list(SIZES)
    server = next((a for a in arguments if a.startswith("postgresql")), None)
    print("readers     join s   nothing due s   plan s   µs a reader   peak MB   one by one s   ratio")
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            url = server or f"sqlite:///{folder}/bench.db"
            done = subprocess.run(
                [sys.executable, __file__, "--one", url, str(size)], check=True, capture_output=True, text=True
            )
        r = json.loads(done.stdout)
        print(f"{size:>9,} {r['join']:>8.1f} {r['nothing due']:>15.3f} {r['plan']:>8.2f}"
              f" {r['plan'] / size * 1e6:>13.1f}"
              f" {r['memory']:>9.0f} {r['one by one']:>14.1f} {r['one by one'] / r['plan']:>7.1f}")  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1:])
