"""Whole commands are typed as the acceptance tests type them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sink import Sink

sys.path.append(str(Path(__file__).parents[1] / "acceptance"))

import clock
from practice import Practice


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What moves a process's clock."""
    return clock.compiled(tmp_path_factory.mktemp("clock"))


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A mail server."""
    with Sink() as server:
        yield server


@pytest.fixture
def practice(tmp_path: Path, shim: Path, sink: Sink) -> Practice:
    """Live through `sink`, with one post and 24 readers, five minutes after the first slot."""
    return begun(Practice(tmp_path / "practice", shim), sink)


def begun(practice: Practice, sink: Sink, *, readers: int = 24, posts: int = 1) -> Practice:
    """Make the project of *practice*, and go live."""
    practice.root.mkdir(exist_ok=True)
    practice.settings(provider='"smtp"', port=str(sink.port), timeout='"1 second"')
    practice.readers(*(f"r{n:03}@example.org,,UTC" for n in range(readers)))
    for number in range(1, posts + 1):
        practice.post(number, f"Letter {number}")
    assert practice.run("go-live", "--yes").status == 0
    practice.at = practice.at.replace(hour=9, minute=5)
    return practice
