"""Readers to whom something has happened that may make a post due."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from newsletter.store import stirring

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Create the table and the triggers that fill it."""
    op.create_table(
        "stirred",
        sa.Column("subscriber_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    stirring.install(op.get_bind())
