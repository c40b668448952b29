"""When a post last changed, for those who follow it on the web."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the instant; of posts that are known it is that of their first day."""
    op.add_column("post", sa.Column("changed_at", sa.BigInteger(), nullable=True))
    op.execute("UPDATE post SET changed_at = live_since")
