"""A clock for whole processes: `clock.c` compiled, and the environment that preloads it."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime
from math import ceil
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("clock.c")


def compiled(folder: Path) -> Path:
    """The shim, compiled into *folder*; without a compiler the test is skipped, by this name."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("a C compiler is not installed, so no process's clock can be moved")
    shim = folder / "clock.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", shim, SOURCE], check=True)
    return shim


def at(instant: datetime, shim: Path) -> dict[str, str]:
    """The environment of a process that begins at *instant*; from there on its clock goes as clocks do."""
    return {"LD_PRELOAD": str(shim), "CLOCK_SHIFT": _seconds_to(instant)}


def _seconds_to(instant: datetime) -> str:
    """Whole seconds, rounded up: a process started for nine o'clock must not find it a moment before nine."""
    return str(ceil((instant - datetime.now(UTC)).total_seconds()))


def by_file(file: Path, shim: Path) -> dict[str, str]:
    """The environment of a process whose clock `turn` moves while it runs."""
    return {"LD_PRELOAD": str(shim), "CLOCK_SHIFT_FILE": str(file)}


def turn(file: Path, instant: datetime) -> None:
    """Make it *instant* for every process that looks at *file*."""
    spare = file.with_suffix(".new")
    spare.write_text(_seconds_to(instant))
    spare.replace(file)
