"""A newsletter to try the rules on, over both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from world import World

from newsletter.store import Store


@pytest.fixture
def world(store: Store, tmp_path: Path) -> Iterator[World]:
    """A `World`; whatever happened in it, its accounts must balance in the end."""
    (tmp_path / "project").mkdir()
    made = World(tmp_path / "project", store)
    yield made
    made.check()
