"""The race: `newsletter send` as a whole process beside what its users could pick instead."""

from __future__ import annotations

import argparse
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

from race_servers import sink

NEWSLETTER = (sys.executable, "-m", "newsletter")


@dataclass(frozen=True)
class Lap:
    """One runner's result."""

    name: str
    messages: int
    seconds: float
    cpu: float
    memory: float  # MB

    @property
    def rate(self) -> float:
        return self.messages / self.seconds


def timed(name: str, messages: int, command: list[str], **options: object) -> Lap:
    """Run *command* as a process of its own and measure that process alone."""
    start = perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    output = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    seconds = perf_counter() - start
    if status:
        raise SystemExit(f"{name} failed:\n{output.decode(errors='replace')}")
    print(output.decode()[:300])
    return Lap(name, messages, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def noon() -> str:
    """A zone in which it is about noon: at night a first letter waits."""
    ahead = 12 - datetime.now(UTC).hour
    return f"Etc/GMT{-ahead:+d}" if ahead else "UTC"  # POSIX signs: GMT-3 is east of Greenwich


def project(folder: Path, readers: int, port: int, *, extra: str = "", delivery: str = "") -> dict[str, str]:
    """A newsletter whose readers are known and whose first letter is due at once; its environment."""
    env = os.environ | {"XDG_STATE_HOME": str(folder / "state")}
    (folder / "posts").mkdir(parents=True)
    (folder / "newsletter.toml").write_text(f"""
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
{extra}
""")
    paragraph = "Grief does not keep to a calendar, and *neither* does the relief that comes after it. " * 6
    (folder / "posts" / "001-first.md").write_text("---\ntitle: The first letter\n---\n\n" + f"{paragraph}\n\n" * 17)
    with (folder / "subscribers.csv").open("w") as file:
        file.write("email,name\n")
        file.writelines(f"reader{n}@example.org,Reader {n}\n" for n in range(readers))
    for command in (["subscribers", "sync", "--yes"], ["go-live", "--yes"]):
        done = subprocess.run([*NEWSLETTER, *command], cwd=folder, env=env, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{command}: {done.stdout}{done.stderr}")
    # They joined the day before yesterday, so that this morning's slot is theirs.
    with closing(sqlite3.connect(folder / "newsletter.db")) as connection, connection:
        connection.execute(
            "UPDATE subscriber SET active_since = active_since - :days, not_before = not_before - :days",
            {"days": 2 * 86_400_000_000},
        )
    return env


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--profile")
    parser.add_argument("--delivery", default="")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, sink() as port:
        folder = Path(scratch, "p")
        env = project(
            folder, options.count, port, extra=f"connections = {options.connections}", delivery=options.delivery
        )
        command = [*NEWSLETTER, "send"]
        if options.profile:
            command = [sys.executable, "-m", "cProfile", "-o", options.profile, "-m", "newsletter", "send"]
        laps = [timed("newsletter send", options.count, command, cwd=folder, env=env)]
        source = shutil.which("smtp-source", path=os.environ["PATH"] + ":/usr/sbin")
        laps.append(
            timed(
                "smtp-source",
                options.count,
                [
                    source,
                    "-s",
                    "4",
                    "-m",
                    str(options.count),
                    "-l",
                    "25000",
                    "-c",
                    "-f",
                    "maya@letters.example.org",
                    "-t",
                    "reader@example.org",
                    f"127.0.0.1:{port}",
                ],
            )
        )
        for lap in laps:
            each = lap.cpu / lap.messages * 1e6
            print(f"{lap.name:20}{lap.rate:>9,.0f}/s {each:>7.0f} µs {lap.memory:>6.0f} MB {lap.seconds:.1f}s")


if __name__ == "__main__":
    main()
