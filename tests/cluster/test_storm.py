"""A storm over a small cluster: workers are killed and frozen, the database falls, lines are cut at a commit, tickets
vanish, clocks are an hour off. Nobody is lost, nobody gets a letter twice unsaid, and the accounts balance.

`STORM_BATCHES=2000 pytest tests/cluster/test_storm.py` is the whole of it; every run of the tests has a gust.
The dice are printed; `STORM_SEED` repeats them.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from cutter import Cutter
from hosts import Cluster, Host
from postgres import Server, running
from sink import Sink

pytestmark = [pytest.mark.postgres, pytest.mark.slow]
BATCHES = int(os.environ.get("STORM_BATCHES", "80"))
SIZE = 5  # letters to a batch
_LEASE_IS_OVER = 12.0  # seconds
_GOING = (
    "(state IN ('claimed', 'submitting') OR (state IN ('planned', 'deferred') AND"
    " not_before <= extract(epoch FROM now()) * 1000000))"
)


class Storm:
    def __init__(self, cluster: Cluster, server: Server, cutter: Cutter, dice: random.Random) -> None:
        self.cluster, self.server, self.cutter, self.dice = cluster, server, cutter, dice
        self.alive: list[Host] = []
        self.frozen: list[tuple[float, Host]] = []
        self.done: dict[str, int] = {}

    def start(self) -> None:
        """One more worker: on a good line, on one that is cut, or with a clock an hour off."""
        how = len(self.cluster.hosts) % 3
        clock = self.cluster.clock(self.dice.choice([1, -1]) * timedelta(hours=1)) if how == 2 else {}
        self.alive.append(self.cluster.worker(socket=self.cutter.folder if how == 1 else None, **clock))

    def kill(self) -> None:
        host = self.alive.pop(self.dice.randrange(len(self.alive)))
        host.kill()
        self.start()

    def freeze(self) -> None:
        host = self.alive.pop(self.dice.randrange(len(self.alive)))
        host.freeze()
        self.frozen.append((time.monotonic() + _LEASE_IS_OVER, host))
        self.start()

    def thaw(self) -> None:
        for until, host in [*self.frozen]:
            if time.monotonic() > until:
                host.thaw()
                self.frozen.remove((until, host))
                self.alive.append(host)
        self.alive = [host for host in self.alive if host.process.poll() is None]  # its database was away at its start
        while len(self.alive) < 3:
            self.start()
        while len(self.alive) > 3:
            self.alive.pop(0).stop()

    def cut(self) -> None:
        self.cutter.cut(self.dice.randint(1, 8), done=self.dice.random() < 0.5)

    def fall(self) -> None:
        self.server.halt()
        time.sleep(self.dice.random())
        self.server.start()

    def lose_tickets(self) -> None:
        self.cluster.ask("SET search_path TO newsletter_queue, public; DELETE FROM procrastinate_jobs")

    def plan_again(self) -> None:
        self.cluster.plan(batch=SIZE)

    def rage(self) -> None:
        """Until nothing is under way."""
        acts: list[Callable[[], None]] = [self.kill, self.freeze, self.cut, self.cut, self.fall, self.lose_tickets]
        acts.append(self.plan_again)
        order = list(acts)
        while self._going():
            if not order:
                order = list(acts)
            self.dice.shuffle(order)
            act = order.pop()
            self.done[act.__name__] = self.done.get(act.__name__, 0) + 1
            act()
            time.sleep(self.dice.uniform(0.2, 1.2))
            self.thaw()

    def _going(self) -> bool:
        with suppress(psycopg.Error):
            return bool(self.cluster.ask(f"SELECT EXISTS (SELECT 1 FROM delivery WHERE {_GOING})")[0][0])
        return True

    def calm(self) -> None:
        self.cutter.cut(0, done=False)
        for _, host in self.frozen:
            host.thaw()
        while self.cluster.ask("SELECT EXISTS (SELECT 1 FROM delivery WHERE state NOT IN ('accepted', 'rejected'))")[0][
            0
        ]:
            self.cluster.doubt_is_over()
            time.sleep(0.5)


@pytest.fixture
def durable() -> Iterator[Server]:
    with running(durable=True) as server:
        yield server


def test_a_storm_loses_nobody_and_doubles_nobody_unsaid(tmp_path: Path, durable: Server, shim: Path) -> None:
    seed = os.environ.get("STORM_SEED") or str(random.randrange(10_000))
    print(f"STORM_SEED={seed}")
    folder = Path(tempfile.mkdtemp(prefix="cut"))  # short: a socket's path has at most 107 characters
    try:
        with durable.database() as name, Sink() as sink, Cutter(folder, durable.folder) as cutter:
            cluster = Cluster(tmp_path / "letters", name, durable.folder, sink, shim)
            try:
                rate = 60 if BATCHES < 500 else 150
                cluster.delivery = f'rate = "{rate}/second"'  # so that it lasts a while
                cluster.readers(BATCHES * SIZE)
                cluster.plan(batch=SIZE)
                storm = Storm(cluster, durable, cutter, random.Random(seed))
                for _ in range(3):
                    storm.start()
                storm.rage()
                storm.calm()
                got = cluster.balanced(BATCHES * SIZE)
                print(f"{BATCHES} batches, {storm.done}: {dict(got)} copies")
                assert sum(got.values()) == BATCHES * SIZE
            finally:
                cluster.end()
    finally:
        shutil.rmtree(folder)
