"""A small cluster in a folder: one machine that plans, workers as processes of their own, a real PostgreSQL.

    cluster.readers(100)
    cluster.plan(batch=5)         plans what is due, with a ticket for every five
    worker = cluster.worker()     `newsletter worker`
    cluster.settled()             waits until nothing is under way

All of them have the same folder, as machines have copies of it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from sink import Sink

CHECKOUT = Path(__file__).parents[2]
_POST = "---\ntitle: {title}\n---\n\nThis is a letter about {title}, for everybody who reads.\n"
_SETTINGS = """\
[newsletter]
name = "Letters"
from = "Letters <letters@example.org>"
postal_address = "1 Example Street, Exampletown"
[subscribers]
file = "subscribers.csv"
[store]
url = "{store}"
[sequence]
at = "{slot:%H:%M}"
[delivery]
provider = "smtp"
workers = {workers}
{delivery}
[provider.smtp]
{mail}
{smtp}
"""
_LOOKS = 2_500  # a bound for loops; many times what anything takes
_ACCOUNTS = (
    "SELECT state, COUNT(*), MIN(fence), MAX(fence), to_timestamp(MIN(lease_until) / 1e6) FROM delivery GROUP BY state",
    "SELECT now(), w.* FROM worker w",
    "SELECT value FROM meta WHERE key = 'holds'",
    "SELECT status, COUNT(*), MIN(args::text) FROM newsletter_queue.procrastinate_jobs GROUP BY status",
    "SELECT a.pid, state, wait_event_type, wait_event, now() - xact_start, pg_blocking_pids(a.pid), LEFT(query, 150)"
    " FROM pg_stat_activity a WHERE datname = current_database() AND a.pid <> pg_backend_pid()",
)
_UNDER_WAY = "state IN ('planned', 'claimed', 'submitting', 'deferred', 'uncertain')"


@dataclass
class Host:
    """A worker, on a machine of its own as far as it knows."""

    process: subprocess.Popen[bytes]
    said: Path

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait()


@dataclass
class Cluster:
    """See the module's page. *socket* is the folder in which PostgreSQL listens."""

    root: Path
    database: str
    socket: Path
    sink: Sink
    shim: Path  #: moves the clock of a process, see tests/acceptance/clock.c
    slot: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(minutes=1))
    delivery: str = ""
    smtp: str = ""
    mail: str = ""  #: where the mail server is; empty: the sink, without encryption
    workers: str = "true"
    hosts: list[Host] = field(default_factory=list)

    def url(self, socket: Path | None = None) -> str:
        return f"postgresql://postgres@/{self.database}?host={socket or self.socket}"

    def settings(self, **changed: str) -> None:
        for name, value in changed.items():
            setattr(self, name, value)
        mail = self.mail or f'host = "127.0.0.1"\nport = {self.sink.port}\nsecurity = "none"'
        words = {"store": self.url(), "workers": self.workers, "delivery": self.delivery, "smtp": self.smtp}
        (self.root / "newsletter.toml").write_text(_SETTINGS.format(mail=mail, slot=self.slot, **words))

    def readers(self, count: int) -> None:
        """A new project with so many readers, live, with one post."""
        (self.root / "posts").mkdir(parents=True)
        (self.root / "posts" / "001-one.md").write_text(_POST.format(title="one"))
        rows = "".join(f"r{n:05}@example.org,R{n},\n" for n in range(count))
        (self.root / "subscribers.csv").write_text("email,name,timezone\n" + rows)
        self.settings()
        done = self.run("go-live", "--yes", **self.clock(-timedelta(days=1)))  # so their first slot is just over
        assert done.returncode == 0, done.stdout + done.stderr

    def clock(self, off: timedelta) -> dict[str, str]:
        """The environment of a process whose clock is *off*."""
        return {"LD_PRELOAD": str(self.shim), "CLOCK_SHIFT": str(off // timedelta(seconds=1))}

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words), env=self.environment(environment), capture_output=True, text=True, check=False
        )

    def plan(self, *, batch: int = 500, **environment: str) -> str:
        """Plan what is due, *batch* to a ticket; what was said."""
        script = f"import newsletter.queue as q; q.BATCH = {batch}; q.enqueue.__kwdefaults__['size'] = {batch}; from newsletter.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", script, "--root", str(self.root), "send"],
            env=self.environment(environment),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def worker(self, *words: str, socket: Path | None = None, within: Sequence[str] = (), **environment: str) -> Host:
        """Start a worker; with *socket* it reaches the database another way, *within* is what its command begins with,
        and what it needs is in *environment*."""
        if socket:
            environment["NEWSLETTER_STORE_URL"] = self.url(socket)
        said = self.root / f"worker-{len(self.hosts)}.log"
        with said.open("wb") as file:
            process = subprocess.Popen(
                [*within, *self.command("worker", *words)], env=self.environment(environment), stdout=file, stderr=file
            )
        self.hosts.append(Host(process, said))
        return self.hosts[-1]

    def end(self) -> None:
        for host in self.hosts:
            host.thaw()
            host.kill()

    def json(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--json").stdout)

    # What the database says

    def ask(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url(), autocommit=True) as c:
            cursor = c.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def states(self) -> dict[str, int]:
        return dict(self.ask("SELECT state, COUNT(*) FROM delivery GROUP BY state"))  # type: ignore[arg-type]

    def until(self, statement: str) -> float:
        """Wait until *statement* answers with something true; how many seconds it took."""
        began = time.monotonic()
        for _ in range(_LOOKS):
            if self.ask(statement)[0][0]:
                return time.monotonic() - began
            time.sleep(0.05)
        raise AssertionError("\n".join([f"not after {time.monotonic() - began:.0f} s: {statement}", *self.account()]))

    def account(self) -> Iterator[str]:
        """Everything that may say why nothing goes on."""
        for statement in _ACCOUNTS:
            yield statement
            yield from (f"    {row}" for row in self.ask(statement))
        for host in self.hosts:
            status = Path(f"/proc/{host.process.pid}/status").read_text() if host.process.poll() is None else "ended"
            yield f"{host.said.name}, pid {host.process.pid}, {status.partition('State:')[2].split(chr(10))[0] or status}"
            yield host.said.read_text()

    def settled(self) -> float:
        return self.until(f"SELECT COUNT(*) = 0 FROM delivery WHERE {_UNDER_WAY}")

    def handed_over(self, count: int) -> float:
        return self.until(f"SELECT COUNT(*) >= {count} FROM delivery WHERE state = 'accepted'")

    def doubt_is_over(self) -> None:
        """Ten minutes later, as far as doubt is concerned, and what could not be composed just then."""
        self.ask("UPDATE delivery SET not_before = 0 WHERE state IN ('planned', 'deferred', 'uncertain')")

    def balanced(self, count: int) -> Counter[int]:
        """Nobody was lost, doubles are those that are told of; how many got how many copies."""
        got = Counter(taken.recipient for taken in self.sink.record().taken)
        rows = self.ask(
            "SELECT s.address, d.state, d.resent, EXISTS (SELECT 1 FROM attempt a WHERE a.delivery_id = d.id"
            " AND a.outcome = 'uncertain') FROM delivery d JOIN subscriber s ON s.id = d.subscriber_id"
        )
        assert len(rows) == count
        lost = [address for address, state, *_ in rows if state == "accepted" and not got[address]]
        unsaid = [address for address, _, resent, doubted in rows if got[address] > 1 and not (resent or doubted)]
        assert (lost, unsaid) == ([], [])
        checked = self.run("verify")
        assert checked.returncode == 0, checked.stdout + checked.stderr
        return Counter(got.values())

    def command(self, *words: str, root: Path | None = None) -> list[str]:
        return [sys.executable, "-m", "newsletter", "--root", str(root or self.root), *words]

    def environment(self, more: dict[str, str]) -> dict[str, str]:
        state = str(self.root / "state")
        return os.environ | {"PYTHONPATH": str(CHECKOUT), "XDG_STATE_HOME": state, "NO_COLOR": "1"} | more
