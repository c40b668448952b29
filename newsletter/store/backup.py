"""Copies of a SQLite database: taken while it is in use, and put back.

A copy put back is older than what was sent since, so it starts held (`Store.restored` would notice anyway).
PostgreSQL has its own tools: pg_dump and pg_restore.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from itertools import count
from pathlib import Path

from newsletter.errors import ConfigError, NotFound, StoreError, StoreTooNew
from newsletter.store import HEAD, Store
from newsletter.store.engine import sqlite_path

_PAGES = 1_000  # a step; writers get their turn between two


def backup(store: Store, target: Path, *, progress: Callable[[int, int], None] = lambda done, total: None) -> None:
    """Copy *store* to the new file *target* with SQLite's backup interface; complete or not there at all."""
    source = _path(store)
    if target.exists():
        raise ConfigError(f"{target} exists already; name another file.")
    draft = target.with_name(target.name + ".part")
    try:
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        with closing(sqlite3.connect(source)) as here, closing(sqlite3.connect(draft)) as there:
            here.backup(there, pages=_PAGES, progress=lambda _status, left, total: progress(total - left, total))
            there.execute("PRAGMA journal_mode=DELETE")
        draft.rename(target)
    except (OSError, sqlite3.Error) as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise StoreError(f"the backup to {target} failed ({_why(error)}). Nothing was changed.") from None


def examine(copy: Path) -> int:
    """The number of deliveries in a backup. Raises `NotFound`, or `StoreError` for a file that is none."""
    if not copy.exists():
        raise NotFound(f"there is no file {copy}; check its name, or the folder you are in.")
    if not copy.is_file():
        raise NotFound(f"{copy} is no file; name the backup in it.")
    try:
        with closing(sqlite3.connect(f"file:{copy}?mode=ro", uri=True)) as c:
            version = c.execute("SELECT version_num FROM alembic_version").fetchone()[0]
            damage = c.execute("PRAGMA quick_check(1)").fetchone()[0]
            deliveries = int(c.execute("SELECT COUNT(*) FROM delivery").fetchone()[0])
    except (sqlite3.Error, TypeError) as error:
        raise StoreError(f"{copy} is not a backup of a newsletter ({error}).") from None
    if str(version) > HEAD:
        raise StoreTooNew(f"{copy} was written by a newer version of newsletter; upgrade first. Nothing was changed.")
    if damage != "ok":
        raise StoreError(f"{copy} is damaged: {damage}. Nothing was changed.")
    return deliveries


def put_back(copy: Path, database: Path) -> Path | None:
    """Put *copy* in the place of *database*; returns where the old one is kept, if there was one."""
    kept: Path | None = None
    draft = database.with_name(database.name + ".part")
    try:
        shutil.copyfile(copy, draft)
        draft.chmod(0o600)
        if database.exists():
            with closing(sqlite3.connect(database)) as old:
                old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            names = (database.with_name(f"{database.name}.before-restore-{n}") for n in count(1))
            kept = next(name for name in names if not name.exists())
            database.rename(kept)
        for suffix in ("-wal", "-shm"):
            database.with_name(database.name + suffix).unlink(missing_ok=True)
        draft.rename(database)
    except (OSError, sqlite3.Error) as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
            if kept is not None and kept.exists() and not database.exists():
                kept.rename(database)
        raise StoreError(f"{copy} could not be put back ({_why(error)}). Nothing was changed.") from None
    return kept


def _why(error: OSError | sqlite3.Error) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _path(store: Store) -> Path:
    path = sqlite_path(store.engine)
    if path is None:
        raise ConfigError("this newsletter lives in PostgreSQL: copy it with pg_dump and put it back with pg_restore.")
    return path
