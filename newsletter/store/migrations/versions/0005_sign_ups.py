"""Sign-ups: what was typed into a form, who may confirm, and the evidence of what they were shown."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create three tables, and the columns for evidence and a reader's language."""
    op.create_table(
        "sign_up",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("form", sa.Text(), nullable=False),
        sa.Column("wording", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_up")),
    )
    op.create_table(
        "request",
        sa.Column("subscriber_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("remind_at", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["subscriber_id"], ["subscriber.id"], name=op.f("fk_request_subscriber_id")),
        sa.PrimaryKeyConstraint("subscriber_id", name=op.f("pk_request")),
    )
    op.create_index(op.f("ix_request_expires_at"), "request", ["expires_at"])
    op.create_table(
        "asked",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_asked")),
    )
    for table, name in (
        ("consent", "form"),
        ("consent", "wording"),
        ("consent", "origin"),
        ("subscriber", "language"),
    ):
        op.add_column(table, sa.Column(name, sa.Text(), nullable=False, server_default=""))
