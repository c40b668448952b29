"""What comes back: events, and what signed them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the tables of events and nonces."""
    big, small = sa.BigInteger(), sa.SmallInteger()
    key = big.with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "event",
        sa.Column("id", key, nullable=False),
        sa.Column("ident", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", big, nullable=False),
        sa.Column("heard_at", big, nullable=False),
        sa.Column("effect", sa.Text(), nullable=False),
        sa.Column("subscriber_id", key, nullable=True),
        sa.Column("delivery_id", key, nullable=True),
        sa.Column("hard", small, server_default="0", nullable=False),
        sa.Column("dead", small, server_default="0", nullable=False),
        sa.Column("code", small, nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("diagnostic", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["subscriber_id"], ["subscriber.id"], name=op.f("fk_event_subscriber_id")),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name=op.f("fk_event_delivery_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
        sa.UniqueConstraint("ident", name=op.f("uq_event_ident")),
    )
    for column in ("subscriber_id", "delivery_id", "heard_at"):
        op.create_index(op.f(f"ix_event_{column}"), "event", [column], unique=False)
    waiting = sa.text("effect = 'quarantined'")
    op.create_index("ix_event_waiting", "event", ["id"], sqlite_where=waiting, postgresql_where=waiting)
    op.create_table(
        "nonce",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("at", big, nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_nonce")),
    )
    op.create_index(op.f("ix_nonce_at"), "nonce", ["at"], unique=False)
