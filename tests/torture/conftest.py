"""Whole commands are typed as the acceptance tests type them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import clock
import pytest
from outset import begun
from practice import Practice
from sink import Sink
from typist import CHECKOUT
from warm import Warm


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What moves a process's clock."""
    return clock.compiled(tmp_path_factory.mktemp("clock"))


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory, shim: Path) -> Iterator[Warm]:
    """What types the commands quickly that nobody is to kill."""
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT), "LD_PRELOAD": str(shim)}
    with Warm(tmp_path_factory.mktemp("warm"), environment) as running:
        yield running


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A mail server."""
    with Sink() as server:
        yield server


@pytest.fixture
def practice(tmp_path: Path, shim: Path, warm: Warm, sink: Sink) -> Practice:
    """Live through `sink`, with one post and 24 readers, five minutes after the first slot."""
    return begun(Practice(tmp_path / "practice", shim, warm), sink)
