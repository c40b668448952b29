"""A long list on PostgreSQL: import, planning, and what one message costs the ledger, as it grows.

    python bench/scale.py postgresql://… [readers]     # an empty database; 10,000,000 readers take about 6 GB

First a hundred thousand readers join, get #1 planned, and 20,000 of them are claimed, begun and recorded in batches of
500; then the rest joins, and the same again. Seconds by the clock; in brackets seconds of processor time, of this
program and of the server's own processes, where it runs on this machine.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from time import perf_counter, process_time
from typing import Any
from zoneinfo import ZoneInfo

from machine import machine
from planning import JOINED, WEDNESDAY, ZONES, place_posts

SMALL, MESSAGES, BATCH = 100_000, 20_000, 500
DAY = timedelta(days=1)
_TICK = os.sysconf("SC_CLK_TCK")


class Bench:
    """One database, and the clocks."""

    def __init__(self, url: str) -> None:
        from newsletter.config import Identity, Rules
        from newsletter.mail import Address, Mailbox
        from newsletter.store import Store

        sender = Mailbox("Maya Thorne", Address("maya", "letters.example.org"))
        self.identity = Identity("Letters", sender, "12 Birch Lane", timezone=ZoneInfo("America/Los_Angeles"))
        self.rules = Rules(days=frozenset({1}))
        self.store = Store.open(url)
        place_posts(self.store, self.rules, self.identity)
        self.store.ledger.keep_template("r1", 1, b"", at=JOINED)

    def timed(self, work: Callable[[], Any]) -> tuple[float, float, float]:
        """Seconds: by the clock, of this process, of the server's."""
        before, start, busy = self._server(), perf_counter(), process_time()
        work()
        took, own = perf_counter() - start, process_time() - busy
        after = self._server()
        return took, own, sum(after[pid] - before.get(pid, 0.0) for pid in after)

    def _server(self) -> dict[int, float]:
        from sqlalchemy import text

        found = {}
        with self.store.read() as c:
            pids = [row[0] for row in c.execute(text("SELECT pid FROM pg_stat_activity"))]
        for pid in pids:
            with suppress(OSError):
                words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                found[pid] = (int(words[11]) + int(words[12])) / _TICK
        return found

    def join(self, first: int, last: int) -> None:
        from newsletter.store.joining import join, stage
        from newsletter.subscribers import Cause, Status

        with self.store.write() as c:
            count = stage(c, _readers(first, last), -1, lambda key: key)
            join(c, count, status=Status.ACTIVE, in_file=False, cause=Cause.IMPORTED, at=JOINED)

    def stage_only(self, count: int) -> None:
        from newsletter.store.joining import stage

        with self.store.write() as c:
            stage(c, _readers(0, count), -1, lambda key: key)
            c.rollback()

    def plan(self, expected: int) -> None:
        """Everybody who has not had #1 is due for it."""
        from newsletter.store.schema import micros

        self.store.facts.put("last_tick", micros(JOINED))
        found = self.store.planner.plan(self.identity, self.rules, at=WEDNESDAY)
        assert found.count == expected, (found, expected)

    def nothing(self) -> None:
        """A tick's part of the ledger, with nothing due."""
        self.store.ledger.sweep(at=WEDNESDAY, doubt_for=DAY)
        assert self.store.planner.plan(self.identity, self.rules, at=WEDNESDAY + timedelta(hours=1)).count == 0

    def deliver(self) -> None:
        """Claim, begin, record; what is sent in between costs nothing here."""
        from newsletter.mail import Accepted
        from newsletter.store.attempts import Begun, Result

        ledger, at, sent = self.store.ledger, WEDNESDAY + DAY, 0
        how: dict[str, Any] = {"provider": "smtp", "at": at}
        for batch in ledger.claims(at=at, lease=DAY, prompt=DAY * 30, size=BATCH):
            begun = [Begun(c, "r1", at, f"{c.id}@letters.example.org", "0" * 32) for c in batch]
            assert len(ledger.begin(begun, lease=DAY, **how)) == len(batch)
            ledger.record([Result(c, Accepted(f"id-{c.id}")) for c in batch], doubt_for=DAY, **how)
            if (sent := sent + len(batch)) >= MESSAGES:
                return

    def settle(self) -> None:
        """What autovacuum does on a server that isn't new."""
        from sqlalchemy import text

        with self.store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as c:
            c.execute(text("VACUUM (ANALYZE)"))


def _readers(first: int, last: int) -> Iterator[Any]:
    from newsletter.mail import Address
    from newsletter.subscribers import Row

    for n in range(first, last):
        yield Row(n + 2, Address(f"reader{n}", "example.org"), f"Reader {n}", ZONES[n % len(ZONES)])


def line(what: str, took: tuple[float, float, float], count: int = 0) -> float:
    """One row of the table; microseconds for each of *count*."""
    seconds, own, server = took
    each = f"{seconds / count * 1e6:.1f} µs ({(own + server) / count * 1e6:.1f})" if count else ""
    rate = f"{count / seconds:,.0f}" if count else ""
    print(f"| {what} | {seconds:.2f} s ({own:.2f} + {server:.2f}) | {each} | {rate} |", flush=True)
    return seconds


def main(arguments: list[str]) -> None:
    url = next(a for a in arguments if a.startswith("postgresql"))
    readers = next((int(a.replace("_", "")) for a in arguments if a.replace("_", "").isdigit()), 10_000_000)
    bench = Bench(url)
    print(machine(), end="\n\n")
    print("| | by the clock (program + server) | each | a second |\n|---|---:|---:|---:|")
    line(
        f"{SMALL:,} rows by COPY, before they join",
        bench.timed(lambda: bench.stage_only(SMALL)),
        SMALL,
    )
    line(f"{SMALL:,} readers join", bench.timed(lambda: bench.join(0, SMALL)), SMALL)
    line(f"#1 planned for {SMALL:,}", bench.timed(lambda: bench.plan(SMALL)), SMALL)
    bench.settle()
    small = line(f"a message, {SMALL:,} in the ledger", bench.timed(bench.deliver), MESSAGES)
    if readers > SMALL:
        rest = readers - SMALL
        line(f"{rest:,} readers join", bench.timed(lambda: bench.join(SMALL, readers)), rest)
        line(f"#1 planned for {rest:,}", bench.timed(lambda: bench.plan(rest)), rest)
        bench.settle()
        large = line(f"a message, {readers:,} in the ledger", bench.timed(bench.deliver), MESSAGES)
        print(f"| of that with {SMALL:,} | | {large / small:.2f} × | |")
    line(f"a tick with nothing due, {readers:,} readers", bench.timed(bench.nothing))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"| most memory of the program | | {memory:.0f} MB | |")


if __name__ == "__main__":
    main(sys.argv[1:])
