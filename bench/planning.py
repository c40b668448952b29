"""Planning by one set-based statement: time and memory from ten thousand to a million readers.

    python bench/planning.py [readers …]
    python bench/planning.py --store postgresql://… readers      # an empty database

Each size runs in a process of its own, so that its peak memory is its own. Four time zones, six posts: everybody joins,
gets #1 (which is entered as accepted), and falls due for #2 a week later. The peer is the planner anyone writes first:
read every reader, decide in Python, insert row by row in one transaction.

In brackets: seconds of processor time, which other work on the machine lengthens less.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter, process_time
from typing import Any
from zoneinfo import ZoneInfo

from machine import machine

SIZES = (10_000, 100_000, 1_000_000)
JOINED = datetime(2026, 3, 1, 12, tzinfo=UTC)  # a Sunday
WEDNESDAY = JOINED + timedelta(days=3)  # everybody's Tuesday, 09:00, is over
WEEK = timedelta(days=7)
ZONES = ("", "Asia/Tokyo", "Europe/Berlin", "America/New_York")
COLUMNS = {
    "join": "everybody joins",
    "nothing": "nothing due",
    "first": "#1 due",
    "second": "#2 due",
    "peer": "#2, row by row",
}


def measure(url: str, readers: int) -> dict[str, Any]:
    """(Seconds, of them on the processor) by column, and the peak memory in MB."""
    from newsletter.config import Identity, Rules
    from newsletter.mail import Address, Mailbox
    from newsletter.store import Store
    from newsletter.subscribers import Row

    rules = Rules(days=frozenset({1}))
    sender = Mailbox("Maya Thorne", Address("maya", "letters.example.org"))
    identity = Identity("Letters", sender, "12 Birch Lane", timezone=ZoneInfo("America/Los_Angeles"))

    def rows() -> Iterator[Row]:
        for n in range(readers):
            yield Row(n + 2, Address(f"reader{n}", "example.org"), f"Reader {n}", ZONES[n % len(ZONES)])

    store = Store.open(url)
    place_posts(store, rules, identity)
    plan = store.planner.plan
    result: dict[str, Any] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        start, busy = perf_counter(), process_time()
        found = work()
        result[name] = perf_counter() - start, process_time() - busy
        return found

    timed("join", lambda: store.audience.take_file(rows(), floor=-1, fingerprint=lambda key: key, at=JOINED))
    assert timed("nothing", lambda: plan(identity, rules, at=JOINED + timedelta(hours=1))).count == 0
    assert timed("first", lambda: plan(identity, rules, at=WEDNESDAY)).planned == {1: readers}
    accept_all(store, WEDNESDAY)
    assert timed("second", lambda: plan(identity, rules, at=WEDNESDAY + WEEK)).planned == {2: readers}
    result["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    forget_second(store)
    assert timed("peer", lambda: row_by_row(store, WEDNESDAY + WEEK)) == readers
    return result


def place_posts(store: Any, rules: Any, identity: Any) -> None:
    """Six live posts."""
    from newsletter.catalogue import survey
    from newsletter.posts import Folder, Post, PostStatus

    posts = tuple(
        Post(f"p{n}", True, n, Path(f"posts/{n:03}-p{n}.md"), f"Post {n}", f"Post {n}", "", None, PostStatus.LIVE,
             frozenset(), "", "", "", False, "", "text", 1, f"{n}")
        for n in range(1, 7)
    )  # fmt: skip
    found = survey((), Folder(posts, (), (), ()), at=JOINED, previous=None, rules=rules, identity=identity)
    store.catalogue.apply(found, at=JOINED, first=True)


def accept_all(store: Any, at: datetime) -> None:
    """What handing all of it over comes to, without a million messages."""
    from sqlalchemy import text

    from newsletter.store.schema import micros

    with store.write() as c:
        c.execute(text("UPDATE delivery SET state = 'accepted', open = NULL, accepted_at = :at"), {"at": micros(at)})
        c.execute(
            text("UPDATE subscriber SET high_water = 1, anchor_at = :at, handed_over_at = :at"), {"at": micros(at)}
        )


def forget_second(store: Any) -> None:
    """Make room for the peer."""
    from sqlalchemy import text

    with store.write() as c:
        c.execute(text("DELETE FROM delivery WHERE number = 2"))


def row_by_row(store: Any, at: datetime) -> int:
    """The peer: the rows of #2 again, decided and inserted reader by reader."""
    from sqlalchemy import text

    from newsletter.store.schema import micros

    insert = text(
        "INSERT INTO delivery (post_id, subscriber_id, epoch, copy, number, state, open, reason, slot, not_before,"
        " planned_at) VALUES (:post, :id, 0, 0, :post, 'planned', 1, '', :at, :at, :at)"
    )
    due = 0
    with store.write() as c:
        for row in c.execute(text("SELECT id, status, pauses, high_water, anchor_at FROM subscriber")).all():
            if row.status == "active" and not row.pauses and row.anchor_at < micros(at - timedelta(days=6)):
                c.execute(insert, {"id": row.id, "post": row.high_water + 1, "at": micros(at)})
                due += 1
    return due


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--one"]:
        print(json.dumps(measure(arguments[1], int(arguments[2]))))
        return
    sizes = [int(a) for a in arguments if a.isdigit()] or list(SIZES)
    server = next((a for a in arguments if a.startswith("postgresql")), None)  # --store before it is no word of ours
    print(machine(), end="\n\n")
    print("| readers |", " | ".join(COLUMNS.values()), "| peak memory |")
    print("|---:" * (len(COLUMNS) + 2) + "|")
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            url = server or f"sqlite:///{folder}/bench.db"
            words = [sys.executable, __file__, "--one", url, str(size)]
            found = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout)
        shown = " | ".join(f"{found[key][0]:.2f} s ({found[key][1]:.2f})" for key in COLUMNS)
        print(f"| {size:,} | {shown} | {found['memory']:.0f} MB |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
