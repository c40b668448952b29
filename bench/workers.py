"""What workers add: one `newsletter worker` into one server against two into two, on one PostgreSQL.

    python bench/workers.py [READERS]

Workers wait before the run plans; the rate is what the ledger says, from the first acceptance to the last. With a
server of no latency the cores of the machine are the limit (PostgreSQL and the servers want some as well); with 40 ms
of round trip, the waiting is. A batch is 500: with an odd number of them one worker has the last one alone.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), *(str(HERE.parent / "tests" / name) for name in (".", "acceptance", "cluster"))]

import clock  # noqa: E402
import race_servers as servers  # noqa: E402
from hosts import Cluster  # noqa: E402
from postgres import running  # noqa: E402

ROUND_TRIP = 0.04  # seconds


@contextmanager
def far() -> Iterator[int]:
    """A sink behind 40 ms of round trip."""
    with servers.sink() as port, servers.delayed(port, ROUND_TRIP) as front:
        yield front


def rate(count: int, workers: int, server: object, smtp: str) -> float:
    """Messages a second of so many *workers*, each with a server of its own."""
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        base = stack.enter_context(running(durable=True))
        ports = [stack.enter_context(server()) for _ in range(workers)]  # type: ignore[operator]
        shim = clock.compiled(Path(folder))
        base.create("bench")
        root = Path(folder) / "plans"
        cluster = Cluster(root, "bench", base.folder, SimpleNamespace(port=ports[0]), shim, smtp=smtp)  # type: ignore[arg-type]
        cluster.readers(count)
        try:
            for number, port in enumerate(ports):
                shutil.copytree(root, own := Path(folder) / f"host{number}")
                text = (own / "newsletter.toml").read_text().replace(f"port = {ports[0]}", f"port = {port}")
                (own / "newsletter.toml").write_text(text)
                cluster.root = own
                cluster.worker()
            cluster.root = root
            cluster.until(f"SELECT COUNT(*) = {workers} FROM worker")
            cluster.plan()
            cluster.settled()
            first, last = cluster.ask("SELECT MIN(accepted_at), MAX(accepted_at) FROM delivery")[0]
            assert cluster.states() == {"accepted": count}
            return float(count / ((last - first) / 1e6))
        finally:
            cluster.end()


def main(words: list[str]) -> None:
    """Print the table."""
    count = int(words[0]) if words else 20_000
    for name, server, smtp, messages in (
        ("no latency", servers.sink, "", count),
        ("40 ms round trip", far, "connections = 4", count // 2),
    ):
        one, two = rate(messages, 1, server, smtp), rate(messages, 2, server, smtp)
        print(f"{name}: one worker {one:,.0f} a second, two {two:,.0f} ({two / one:.2f} times)", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
