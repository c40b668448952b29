"""What starting costs: `newsletter --help`, and a `newsletter send` that finds nothing due with 10,000 readers.

    python bench/startup.py

Medians of twenty runs as whole processes; beside them an empty Python and `import sqlalchemy`, which no
program on this store can go below.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from machine import machine

RUNS = 20
READERS = 10_000
ZONES = ("", "Asia/Kolkata", "Europe/Berlin", "Pacific/Auckland")
COMMAND = (sys.executable, "-m", "newsletter")


def run(arguments: tuple[str, ...], folder: str) -> str:
    """Standard output of a process in *folder* that must end well."""
    environment = os.environ | {"XDG_STATE_HOME": folder}
    return subprocess.run(arguments, cwd=folder, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


def times(arguments: tuple[str, ...], folder: str) -> tuple[float, float]:
    """Median wall and CPU time of a process in ms."""
    wall, cpu = [], []
    for _ in range(RUNS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = perf_counter()
        run(arguments, folder)
        wall.append(perf_counter() - start)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(wall) * 1000, statistics.median(cpu) * 1000


def main() -> None:
    print(machine(), end="\n\n")
    with tempfile.TemporaryDirectory() as folder:
        run((*COMMAND, "init", folder), folder)
        lines = (f"reader{n}@example.org,Reader {n},{ZONES[n % len(ZONES)]}" for n in range(READERS))
        Path(folder, "subscribers.csv").write_text("\n".join(["email,name,timezone", *lines]) + "\n")
        send = (*COMMAND, "send")
        assert f"{READERS:,} new" in run(send, folder)  # makes the database, and the readers join
        assert run(send, folder).startswith("Nothing is due now")
        print("| | wall ms | CPU ms |\n|---|---:|---:|")
        for name, arguments in (
            ("`python -c pass`", (sys.executable, "-c", "pass")),
            ("`python -c 'import sqlalchemy'`", (sys.executable, "-c", "import sqlalchemy")),
            ("`newsletter --help`", (*COMMAND, "--help")),
            (f"`newsletter send`, {READERS:,} readers, nothing due", send),
        ):
            wall, cpu = times(arguments, folder)
            print(f"| {name} | {wall:.0f} | {cpu:.0f} |", flush=True)


if __name__ == "__main__":
    main()
