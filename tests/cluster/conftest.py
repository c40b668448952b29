"""A PostgreSQL and a mail server for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import clock
import pytest
from hosts import Cluster
from postgres import Server
from sink import Sink


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What moves a process's clock."""
    return clock.compiled(tmp_path_factory.mktemp("clock"))


@pytest.fixture
def cluster(tmp_path: Path, postgres: Server, shim: Path) -> Iterator[Cluster]:
    with postgres.database() as name, Sink() as sink:
        found = Cluster(tmp_path / "letters", name, postgres.folder, sink, shim)
        try:
            yield found
        finally:
            found.end()
