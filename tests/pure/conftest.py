"""A project's folders, empty."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "posts" / "images").mkdir(parents=True)
    (tmp_path / "templates" / "email" / "parts").mkdir(parents=True)
    return tmp_path
