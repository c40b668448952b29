"""PostgreSQL: the generation is a sequence, which no commit waits for."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """On SQLite it stays a row, as there is one writer."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE SEQUENCE generation")
        op.execute("SELECT setval('generation', GREATEST(CAST(value AS BIGINT), 1)) FROM meta WHERE key = 'generation'")
