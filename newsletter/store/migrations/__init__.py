"""Bringing a database to the schema of this version, with Alembic.

A new table or column gets a new file in `versions/` and `newsletter.store.HEAD` its number; a test holds
that the migrated schema and `schema.metadata` are the same.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine


def upgrade(engine: Engine, *, to: str = "head") -> None:
    """Migrate to *to* in one transaction."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, to)
