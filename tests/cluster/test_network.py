"""Workers on machines of their own: a network that loses packets, and lines that go dead without a word.

Everything goes over TCP between network namespaces; see `network` for the line between them.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from certificates import Authority
from front import encrypted
from hosts import Cluster, Host
from network import Network, NoNamespaces
from postgres import NotInstalled, running
from sink import Sink

pytestmark = [pytest.mark.postgres, pytest.mark.slow]
_MAIL = 'host = "{host}"\nport = {port}\nsecurity = "tls"\nca_file = "{ca}"'
_IN_HAND = "SELECT array_agg(id) FROM delivery WHERE state IN ('claimed', 'submitting')"
_PLANS = "SELECT COUNT(*) {} 0 FROM pg_locks WHERE locktype = 'advisory' AND objid = 7310"


@pytest.fixture
def network() -> Iterator[Network]:
    try:
        with Network() as made:
            made.machine("planner")
            yield made
    except NoNamespaces as why:
        pytest.skip(f"no networks of one's own can be made here: {why}")


class Far:
    """A cluster whose machines have networks of their own."""

    def __init__(self, cluster: Cluster, network: Network, hang_up: Callable[[], None]) -> None:
        self.cluster, self.network, self.hang_up = cluster, network, hang_up
        url = f"postgresql://postgres@{network.address['database']}/{cluster.database}"
        self.environment = {"NEWSLETTER_STORE_URL": url}

    def worker(self, machine: str, *, cut_from: str = "") -> Host:
        """A worker; with *cut_from* its line there is dead from now on, when it has letters in hand."""
        self.network.machine(machine)
        host = self.cluster.worker(within=self.network.within(machine), **self.environment)
        if cut_from:
            accepted = self.cluster.states().get("accepted", 0)
            self.cluster.handed_over(accepted + 5)
            self.network.cut(machine, cut_from)
        return host

    def planner(self) -> subprocess.Popen[str]:
        """A run that is cut off in its transaction: it waits for a lock until that has happened."""
        with psycopg.connect(self.cluster.url()) as blocking:
            blocking.execute("LOCK TABLE subscriber IN EXCLUSIVE MODE")
            with (self.cluster.root / "subscribers.csv").open("a") as file:
                file.write("late@example.org,Late,\n")
            command = [*self.network.within("planner"), *self.cluster.command("send")]
            process = subprocess.Popen(
                command, env=self.cluster.environment(self.environment), stderr=subprocess.PIPE, text=True
            )
            self.cluster.until(_PLANS.format(">"))
            self.network.cut("planner", "database")
        return process


@pytest.fixture
def far(network: Network, shim: Path, tmp_path: Path) -> Iterator[Far]:
    here, authority = network.address, Authority.make(tmp_path)
    try:
        with (
            running(durable=True, address=here["database"]) as server,
            server.database() as name,
            Sink() as sink,
        ):
            cluster = Cluster(tmp_path / "letters", name, server.folder, sink, shim)
            with ExitStack() as lines:
                port = lines.enter_context(encrypted(here["mail"], authority.server(here["mail"]), sink.port))
                cluster.mail = _MAIL.format(host=here["mail"], port=port, ca=authority.file)
                try:
                    yield Far(cluster, network, lines.close)
                finally:
                    cluster.end()
    except NotInstalled:
        pytest.skip("PostgreSQL is not installed")


def test_lines_that_go_dead_without_a_word_hold_nothing_up_and_double_nothing_unsaid(far: Far) -> None:
    cluster, network = far.cluster, far.network
    cluster.smtp = 'connections = 2\nwindow = 10\ntimeout = "6 seconds"'
    cluster.readers(400)
    cluster.plan(batch=100)
    cluster.ask("UPDATE delivery SET not_before = not_before + 3600000000 * (mod(id, 4) > 0)::int")
    one = far.worker("one", cut_from="database")
    cut_at, [(ids,)] = time.monotonic(), cluster.ask(_IN_HAND)
    planner = far.planner()
    two = far.worker("two")
    # What the worker had that can't reach the database goes on elsewhere.
    cluster.until(
        f"SELECT COUNT(*) = 0 FROM delivery WHERE id = ANY(ARRAY{ids}) AND state NOT IN ('accepted', 'uncertain')"
    )
    assert time.monotonic() - cut_at < 15
    assert two.stop() == 0
    network.weather(loss=0.05, delay=0.005)
    # So does what the one has that can't reach the mail server: it knows in its timeout, not in ten minutes.
    cluster.ask("UPDATE delivery SET not_before = 0 WHERE mod(id, 8) = 1")
    three = far.worker("three", cut_from="mail")
    four = far.worker("four")
    cluster.until(
        "SELECT COUNT(*) = 0 FROM delivery WHERE state IN ('planned', 'claimed', 'submitting')"
        " AND not_before < extract(epoch FROM now()) * 1000000"
    )
    assert four.stop() == three.stop() == 0
    # The server lets go of what a planner held that is gone, and the next one plans.
    cluster.until(_PLANS.format("="))
    _, said = planner.communicate()
    assert planner.returncode == 1 and "PostgreSQL went away in the middle" in said
    cluster.plan()
    network.mend()
    network.weather(loss=0, delay=0)
    cluster.doubt_is_over()
    cluster.settled()  # by the one that had been cut off
    assert "Traceback" not in one.said.read_text()
    assert one.stop() == 0
    far.hang_up()  # those that went dead are still open at the mail server's end
    assert set(cluster.balanced(400)) <= {1, 2}
