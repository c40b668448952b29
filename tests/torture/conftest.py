"""Whole commands are typed as the acceptance tests type them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import clock
import pytest
from outset import begun
from practice import Practice
from sink import Sink


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
