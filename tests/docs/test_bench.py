"""The programs that take the figures still run: each step once, nothing measured."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"


def test_every_step_whose_price_is_told_still_works(capsys: pytest.CaptureFixture[str]) -> None:
    program = runpy.run_path(str(BENCH / "message.py"))

    def once(work: Callable[[int], object], times: int, rounds: int = 1) -> float:
        work(0)
        return 1

    program["main"].__globals__.update(micros=once, READERS=1)
    program["main"]([])
    told = capsys.readouterr().out
    assert "EmailMessage built for each reader" in told and "by dkimpy" in told
