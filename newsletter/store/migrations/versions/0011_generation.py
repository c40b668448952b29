"""PostgreSQL: the generation is a sequence, which no commit waits for."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"

_AHEAD = 1_000_000  # workers of the version before commit for some seconds yet, and note what they raise the row to


def upgrade() -> None:
    """On SQLite it stays a row, as there is one writer."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE SEQUENCE generation")
        op.execute(f"SELECT setval('generation', CAST(value AS BIGINT) + {_AHEAD}) FROM meta WHERE key = 'generation'")
