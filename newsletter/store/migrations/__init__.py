"""Bringing a database to the schema of this version, with Alembic.

A new table or column gets a new file in `versions/` and `newsletter.store.HEAD` its number; a test holds
that the migrated schema and `schema.metadata` are the same.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text


def upgrade(connection: Connection, *, to: str = "head") -> None:
    """Migrate to *to* within the transaction of *connection*: as a whole, or not at all."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(7300)"))  # one at a time; SQLite has one writer
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    command.upgrade(config, to)
