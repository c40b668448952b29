"""Whoever writes to the mailbox decides what is read there: it must not decide how long that takes."""

from __future__ import annotations

from collections.abc import Callable
from time import process_time

import pytest
from hostile import mails

from newsletter.reports import read

SMALL, LARGE = 12_500, 100_000
AT_MOST = 24.0  # times the time for eight times the size; what is quadratic takes 64
LEAST = 0.002  # seconds: what is less is noise


def taken(data: bytes) -> float:
    """The least of three."""
    read(b"")
    times = []
    for _ in range(3):
        begun = process_time()
        read(data)
        times.append(process_time() - begun)
    return min(times)


@pytest.mark.parametrize("made", [pytest.param(made, id=name) for name, made in mails().items()])
def test_time_grows_with_the_length_alone(made: Callable[[int], bytes]) -> None:
    assert taken(made(LARGE)) < AT_MOST * max(taken(made(SMALL)), LEAST)


@pytest.mark.parametrize("made", [pytest.param(made, id=name) for name, made in mails().items()])
def test_cut_anywhere_it_is_read(made: Callable[[int], bytes]) -> None:
    whole = made(6_000)
    for size in range(0, len(whole), 500):
        assert read(whole[:size])
