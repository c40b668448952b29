"""What a figure was taken on: the line above each table."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
from datetime import UTC, datetime
from pathlib import Path


def machine() -> str:
    """Date, processor, versions, and how busy the machine was with other work."""
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores of {_processor()}, Python {platform.python_version()},"
        f" SQLite {sqlite3.sqlite_version}, load {os.getloadavg()[0]:.1f} when this began"
    )


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.machine()
