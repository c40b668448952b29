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

RUNS = 20
READERS = 10_000
COMMAND = (sys.executable, "-m", "newsletter")


def times(arguments: tuple[str, ...], folder: str) -> tuple[float, float]:
    """Median wall and CPU time of a process in ms."""
    wall, cpu = [], []
    environment = os.environ | {"XDG_STATE_HOME": folder}
    for _ in range(RUNS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = perf_counter()
        subprocess.run(arguments, cwd=folder, env=environment, check=True, capture_output=True)
        wall.append(perf_counter() - start)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(wall) * 1000, statistics.median(cpu) * 1000


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([*COMMAND, "init", folder], check=True, capture_output=True)
        lines = (f"reader{n}@example.org,Reader {n}" for n in range(READERS))
        Path(folder, "subscribers.csv").write_text("\n".join(["email,name", *lines]) + "\n")
        subprocess.run(
            [*COMMAND, "send"], cwd=folder, env=os.environ | {"XDG_STATE_HOME": folder}, check=True, capture_output=True
        )
        print("                                wall ms   CPU ms")
        for name, arguments in (
            ("python -c pass", (sys.executable, "-c", "pass")),
            ("python -c 'import sqlalchemy'", (sys.executable, "-c", "import sqlalchemy")),
            ("newsletter --help", (*COMMAND, "--help")),
            (f"newsletter send, {READERS:,} readers", (*COMMAND, "send")),
        ):
            wall, cpu = times(arguments, folder)
            print(f"{name:<32}{wall:>7.0f} {cpu:>8.0f}")


if __name__ == "__main__":
    main()
