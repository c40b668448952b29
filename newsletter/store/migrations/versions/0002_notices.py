"""Mail outside the sequence; posts are sought by number."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table of notices, and an index."""
    op.create_index(op.f("ix_post_number"), "post", ["number"], unique=False)
    big, small = sa.BigInteger(), sa.SmallInteger()
    op.create_table(
        "notice",
        sa.Column("id", big.with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("not_before", big, nullable=False),
        sa.Column("planned_at", big, nullable=False),
        sa.Column("expires_at", big, nullable=False),
        sa.Column("fence", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lease_until", big, nullable=True),
        sa.Column("attempts", small, server_default="0", nullable=False),
        sa.Column("faults", small, server_default="0", nullable=False),
        sa.Column("resent", small, server_default="0", nullable=False),
        sa.Column("begun_at", big, nullable=True),
        sa.Column("date", big, nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.Text(), nullable=True),
        sa.Column("provider", sa.Text(), nullable=True),
        sa.Column("provider_id", sa.Text(), nullable=True),
        sa.Column("code", small, nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("diagnostic", sa.Text(), nullable=True),
        sa.Column("accepted_at", big, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
        sa.UniqueConstraint("key", name=op.f("uq_notice_key")),
    )
    unsettled = sa.text("state IN ('planned', 'claimed', 'submitting', 'deferred', 'uncertain')")
    op.create_index("ix_notice_unsettled", "notice", ["not_before"], sqlite_where=unsettled, postgresql_where=unsettled)
