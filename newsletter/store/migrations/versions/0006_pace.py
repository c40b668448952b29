"""A reader's own pace; and the letters of the last hour are counted without a look at all others."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column, the table of cut-offs, and two indexes."""
    op.add_column("subscriber", sa.Column("pace", sa.SmallInteger(), nullable=False, server_default="0"))
    op.create_table(
        "pace",
        sa.Column("zone_id", sa.Integer(), nullable=False),
        sa.Column("every", sa.SmallInteger(), nullable=False),
        sa.Column("cutoff", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["zone_id"], ["zone.id"], name=op.f("fk_pace_zone_id")),
        sa.PrimaryKeyConstraint("zone_id", "every", name=op.f("pk_pace")),
    )
    own = sa.text("pace > 0")
    op.create_index("ix_subscriber_pace", "subscriber", ["zone_id", "pace"], sqlite_where=own, postgresql_where=own)
    op.create_index(op.f("ix_notice_begun_at"), "notice", ["begun_at"])
