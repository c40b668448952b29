"""The marker against restored copies: a file outside the database with the generation of its last commit.

What goes wrong
    No state folder, or one that can't be written: the protection is lost, never the run. A missing marker alarms
    nobody.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from sqlalchemy import URL


class Marker:
    """Of the ledger *ident* at *url*, in *folder*."""

    def __init__(self, folder: Path, ident: str, url: URL) -> None:
        place = f"{ident} {url.set(password=None)}"
        self._path = folder / f"{hashlib.sha256(place.encode()).hexdigest()[:20]}.generation"
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)

    def noted(self) -> int:
        """The last generation that was noted; 0 if none was."""
        try:
            return int(self._path.read_text())
        except (OSError, ValueError):
            return 0

    def note(self, generation: int) -> None:
        """Keep *generation*, after the commit it names. Not synced: an older marker alarms nobody."""
        with suppress(OSError):
            # In place, one write of a fixed length: a rename takes a third of a commit's time, and each comes by here.
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.pwrite(file, b"%020d" % generation, 0)
            finally:
                os.close(file)
