"""The race: `newsletter send` as a whole process beside what its users could pick instead.

    python bench/race.py [--count N] [--only plain,dkim,distance,postfix,sizes] [--sizes N,N,...] [--install]

One machine, one run, the same null server (Postfix's smtp-sink), the same 25 kB personalised multipart message. Each
runner is a process of its own, from start to exit; its CPU time and its peak memory are its own. `newsletter send`
writes its ledger into SQLite with synchronous=FULL; the others keep no record. smtp-source (in C) sends the same bytes
to everybody, without PIPELINING. Slow runners get fewer messages: what counts is the rate.

--install puts aiosmtplib and nodemailer into a folder that is removed afterwards. A runner that isn't there is named
as skipped.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import race_servers as servers

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "tests" / "wire"))
import postfix as real_postfix  # noqa: E402

NEWSLETTER = (sys.executable, "-m", "newsletter")
SENTENCE = "Grief does not keep to a calendar, and *neither* does the relief that comes after it. "
SHARE = {"smtplib": 0.04, "aiosmtplib": 0.04, "nodemailer": 0.12}  # of the count, by what they do a second
ROUND_TRIP = 0.040  # seconds


@dataclass(frozen=True)
class Lap:
    """What one runner did."""

    name: str
    messages: int
    seconds: float
    cpu: float  # seconds
    memory: float  # MB

    @property
    def rate(self) -> float:
        return self.messages / self.seconds


@dataclass
class Table:
    """Laps of one run, beside the first or the named one."""

    title: str
    laps: list[Lap] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def show(self, against: str = "smtp-source") -> None:
        base = next((lap for lap in self.laps if lap.name == against), None)
        print(f"\n{self.title}\n")
        print(f"| runner | messages | a second | CPU µs a message | peak MB | : {against} |")
        print("|---|---|---|---|---|---|")
        for lap in self.laps:
            ratio = f"{lap.rate / base.rate:.2f}" if base else "–"
            print(
                f"| {lap.name} | {lap.messages:,} | {lap.rate:,.0f} | {lap.cpu / lap.messages * 1e6:,.0f}"
                f" | {lap.memory:.0f} | {ratio} |"
            )
        for name in self.skipped:
            print(f"\nskipped: {name}")
        sys.stdout.flush()


def timed(name: str, messages: int, command: list[str], **options: object) -> Lap:
    """Run *command*, and measure this process alone: with its children, as `processes` has them."""
    start = perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)  # type: ignore[call-overload]
    output = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    seconds = perf_counter() - start
    if status:
        raise SystemExit(f"{name} failed:\n{output.decode(errors='replace')}")
    return Lap(name, messages, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


# --- newsletter


@contextmanager
def project(readers: int, port: int, *, delivery: str = "", smtp: str = "", dkim: str = "") -> Iterator[Path]:
    """A newsletter whose readers are known and whose first letter is due."""
    with tempfile.TemporaryDirectory(prefix="race") as name:
        folder = Path(name)
        (folder / "posts").mkdir()
        (folder / "newsletter.toml").write_text(
            textwrap.dedent(
                f"""
                [newsletter]
                name = "Letters from the Practice"
                from = "Maya Thorne <maya@letters.example.org>"
                postal_address = "12 Birch Lane, Portland, OR 97201"
                url = "https://letters.example.org"
                timezone = "{noon()}"
                [sequence]
                every = "1 day"
                [subscribers]
                file = "subscribers.csv"
                [delivery]
                provider = "smtp"
                {delivery}
                [provider.smtp]
                host = "127.0.0.1"
                port = {port}
                security = "none"
                {smtp}
                """
            )
        )
        if dkim:
            (folder / "dkim.pem").write_bytes(signing_key(dkim))
            (folder / "dkim.pem").chmod(0o600)
            with (folder / "newsletter.toml").open("a") as file:
                file.write('[dkim]\nselector = "race"\nkey_file = "dkim.pem"\n')
        body = f"{SENTENCE * 6}\n\n" * 17
        (folder / "posts" / "001-first.md").write_text(f"---\ntitle: The first letter\n---\n\n{body}")
        with (folder / "subscribers.csv").open("w") as file:
            file.write("email,name\n")
            file.writelines(f"reader{n}@example.org,Reader {n}\n" for n in range(readers))
        for command in (["subscribers", "sync", "--yes"], ["go-live", "--yes"]):
            done = subprocess.run(
                [*NEWSLETTER, *command], cwd=folder, env=environment(folder), capture_output=True, text=True
            )
            if done.returncode:
                raise SystemExit(f"{command}: {done.stdout}{done.stderr}")
        # They joined the day before yesterday, so that this morning's slot is theirs.
        with closing(sqlite3.connect(folder / "newsletter.db")) as connection, connection:
            connection.execute(
                "UPDATE subscriber SET active_since = active_since - :by, not_before = not_before - :by",
                {"by": 2 * 86_400_000_000},
            )
        yield folder


def environment(folder: Path) -> dict[str, str]:
    return os.environ | {"XDG_STATE_HOME": str(folder / "state")}


def noon() -> str:
    """A zone in which it is about noon: late at night nothing leaves."""
    ahead = 12 - datetime.now(UTC).hour
    return f"Etc/GMT{-ahead:+d}" if ahead else "UTC"  # the signs are POSIX's: GMT-3 is east of Greenwich


def signing_key(algorithm: str) -> bytes:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

    key = ed25519.Ed25519PrivateKey.generate() if algorithm == "Ed25519" else rsa.generate_private_key(65537, 2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def newsletter(name: str, count: int, port: int, **settings: str) -> Lap:
    """`newsletter send`, and that everybody's letter was accepted."""
    with project(count, port, **settings) as folder:
        lap = timed(name, count, [*NEWSLETTER, "send"], cwd=folder, env=environment(folder))
        with closing(sqlite3.connect(folder / "newsletter.db")) as connection:
            (accepted,) = connection.execute("SELECT COUNT(*) FROM delivery WHERE state = 'accepted'").fetchone()
        if accepted != count:
            raise SystemExit(f"{name}: {accepted} of {count} were accepted")
        return lap


# --- the others


def smtp_source(count: int, port: int) -> Lap:
    command = [str(servers.program("smtp-source")), "-s", "4", "-m", str(count), "-l", "25000"]
    command += ["-f", "maya@letters.example.org", "-t", "reader@example.org", f"127.0.0.1:{port}"]
    return timed("smtp-source", count, command)


@dataclass
class Rivals:
    """What can be had of the libraries that others would take."""

    python: str = sys.executable  # one that has aiosmtplib
    node_modules: Path = Path("node_modules")

    @classmethod
    def installed(cls, folder: Path) -> Rivals:
        """aiosmtplib and nodemailer, into *folder*."""
        subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
        python = str(folder / "venv" / "bin" / "python")
        subprocess.run([python, "-m", "pip", "install", "--quiet", "aiosmtplib"], check=False)
        if npm := shutil.which("npm"):
            subprocess.run([npm, "install", "--silent", "--prefix", folder, "nodemailer"], check=False)
        return cls(python, folder / "node_modules")

    def laps(self, count: int, port: int) -> Iterator[Lap | str]:
        """Each one's lap, or why there is none."""
        yield self._lap("smtplib", count, port)
        if subprocess.run([self.python, "-c", "import aiosmtplib"], capture_output=True).returncode:
            yield "aiosmtplib is not installed (--install)"
        else:
            yield self._lap("aiosmtplib", count, port)
        node = shutil.which("node")
        if node is None or not (self.node_modules / "nodemailer").is_dir():
            yield "node or nodemailer is not installed (--install)"
        else:
            few = max(int(count * SHARE["nodemailer"]), 100)
            command = [node, str(HERE / "race_nodemailer.js"), str(port), str(few), str(self.node_modules.resolve())]
            yield timed("nodemailer, pool of 10", few, command)

    def _lap(self, name: str, count: int, port: int) -> Lap:
        few = max(int(count * SHARE[name]), 100)
        label = {"smtplib": "smtplib loop", "aiosmtplib": "aiosmtplib, 10 connections"}[name]
        return timed(label, few, [self.python, str(HERE / "race_peers.py"), name, str(port), str(few)])


# --- the runs


def plain(count: int, rivals: Rivals) -> None:
    """Everybody, on loopback."""
    table = Table(f"Plain, {count:,} recipients, smtp-sink")
    with servers.sink() as port:
        table.laps += [newsletter("newsletter send", count, port), smtp_source(count, port)]
        table.laps.append(newsletter("newsletter send, processes = 2", count, port, delivery="processes = 2"))
        for lap in rivals.laps(count, port):
            table.laps.append(lap) if isinstance(lap, Lap) else table.skipped.append(lap)
    table.show()
    ours = table.laps[0].rate
    print("\nnewsletter send : " + ", ".join(f"{lap.name} {ours / lap.rate:.2f}" for lap in table.laps[1:]))


def dkim(count: int) -> None:
    """With signatures, beside smtp-source without."""
    table = Table(f"With DKIM, {count:,} recipients, smtp-sink")
    with servers.sink() as port:
        table.laps.append(smtp_source(count, port))
        table.laps.append(newsletter("Ed25519", count, port, dkim="Ed25519"))
        table.laps.append(newsletter("RSA-2048", count, port, dkim="RSA"))
        table.laps.append(newsletter("RSA-2048, processes = 2", count, port, dkim="RSA", delivery="processes = 2"))
    table.show()


def distance(count: int) -> None:
    """40 ms away."""
    table = Table(f"{ROUND_TRIP * 1000:.0f} ms of round-trip time, 10 connections")
    ten = "connections = 10"
    with servers.sink() as sink, servers.delayed(sink, ROUND_TRIP) as port:
        few = max(count // 20, 1_000)
        table.laps.append(newsletter("PIPELINING (smtp-sink)", few, port, smtp=ten))
        table.laps.append(smtp_source(max(few // 10, 200), port))
    with servers.chunk_sink() as sink, servers.delayed(sink, ROUND_TRIP) as port:
        table.laps.append(newsletter("CHUNKING (a null server of our own)", max(count // 5, 1_000), port, smtp=ten))
    table.show()


def postfix(count: int, rivals: Rivals) -> None:
    """A real server, which keeps each message in a file of its own."""
    table = Table("A real Postfix")
    if why := real_postfix.missing():
        print(f"\nskipped: {why}")
        return
    few = max(count // 20, 500)
    with real_postfix.postfix() as server:
        table.laps += [newsletter("newsletter send", few, server.port), smtp_source(few, server.port)]
        table.laps += [lap for lap in rivals.laps(few * 5, server.port) if isinstance(lap, Lap)]
    table.show()


def sizes(readers: list[int]) -> None:
    """Rate and memory by the length of the list."""
    table = Table("Length of the list, smtp-sink")
    with servers.sink() as port:
        table.laps += [newsletter(f"{count:,} subscribers", count, port) for count in readers]
    table.show(against=table.laps[0].name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000, help="recipients of the fast runners")
    parser.add_argument("--only", default="plain,dkim,distance,postfix,sizes")
    parser.add_argument("--sizes", default="10000,100000,1000000")
    parser.add_argument("--install", action="store_true", help="fetch aiosmtplib and nodemailer for this run")
    options = parser.parse_args()
    missing = [name for name in ("smtp-sink", "smtp-source") if servers.program(name) is None]
    if missing:
        raise SystemExit(f"{' and '.join(missing)} not found: install Postfix's package")
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores,"
        f" Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"
    )
    with tempfile.TemporaryDirectory(prefix="rivals") as folder:
        rivals = Rivals.installed(Path(folder)) if options.install else Rivals()
        runs = {
            "plain": lambda: plain(options.count, rivals),
            "dkim": lambda: dkim(options.count),
            "distance": lambda: distance(options.count),
            "postfix": lambda: postfix(options.count, rivals),
            "sizes": lambda: sizes([int(n) for n in options.sizes.split(",")]),
        }
        for name in options.only.split(","):
            runs[name]()


if __name__ == "__main__":
    main()
