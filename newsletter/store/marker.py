"""The marker against restored copies: a file outside the database with the generation of its last commit.

The generation stands in `meta`; on PostgreSQL it is a sequence, since a row that every commit changes lets no two
workers commit at once. There it may skip numbers; it never goes back.

What goes wrong
    No state folder, or one that can't be written: the protection is lost, never the run. A missing marker alarms
    nobody.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from sqlalchemy import URL, Connection, text

from newsletter.store.engine import changes, straight


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


def raise_generation(c: Connection, before: int) -> int | None:
    """The generation of what *c* is about to commit; None when it has changed nothing since `changes` said *before*."""
    if c.dialect.name == "sqlite" and changes(c) == before:
        return None
    rows = straight(c, _RAISE if c.dialect.name == "sqlite" else _NEXT)
    return int(rows[0][0]) if rows and rows[0][0] else None  # what lives in memory has none


def generation(c: Connection) -> int:
    """Of the last commit."""
    return int(c.scalar(text(_LAST if c.dialect.name == "postgresql" else _KEPT)) or 0)


def set_generation(c: Connection, value: int) -> None:
    """Go on from *value*."""
    c.execute(text("UPDATE meta SET value = :value WHERE key = 'generation'"), {"value": str(value)})
    if c.dialect.name == "postgresql":
        c.execute(text("SELECT setval('generation', :value)"), {"value": max(value, 1)})


_RAISE = "UPDATE meta SET value = CAST(CAST(value AS BIGINT) + 1 AS TEXT) WHERE key = 'generation' RETURNING value"
_KEPT = "SELECT value FROM meta WHERE key = 'generation'"
# Whoever has changed something has a number among the transactions.
_NEXT = "SELECT CASE WHEN pg_current_xact_id_if_assigned() IS NOT NULL THEN nextval('generation') END"
_LAST = "SELECT last_value FROM generation"
