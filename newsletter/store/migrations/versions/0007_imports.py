"""Imports that can be taken back, and records of one person that became one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create the tables of imports, of what each did to whom, and of merged records."""
    big, small, words = sa.BigInteger(), sa.SmallInteger(), sa.Text()
    key = big.with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "import_file",
        sa.Column("id", key, nullable=False),
        sa.Column("at", big, nullable=False),
        sa.Column("file", words, nullable=False),
        sa.Column("source", words, nullable=False, server_default=""),
        sa.Column("confirmed", small, nullable=False, server_default="0"),
        sa.Column("added", big, nullable=False, server_default="0"),
        sa.Column("undone_at", big, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_file")),
    )
    op.create_table(
        "imported",
        sa.Column("import_id", key, nullable=False),
        sa.Column("subscriber_id", key, nullable=False),
        sa.Column("joined", small, nullable=False, server_default="0"),
        sa.Column("confirmed", small, nullable=False, server_default="0"),
        sa.Column("vouched", small, nullable=False, server_default="0"),
        sa.Column("name_before", words, nullable=True),
        sa.Column("name_after", words, nullable=True),
        sa.Column("zone_before", sa.Integer(), nullable=True),
        sa.Column("zone_after", sa.Integer(), nullable=True),
        sa.Column("tags_before", words, nullable=True),
        sa.Column("tags_after", words, nullable=True),
        sa.ForeignKeyConstraint(["import_id"], ["import_file.id"], name=op.f("fk_imported_import_id")),
        sa.ForeignKeyConstraint(["subscriber_id"], ["subscriber.id"], name=op.f("fk_imported_subscriber_id")),
        sa.PrimaryKeyConstraint("import_id", "subscriber_id", name=op.f("pk_imported")),
    )
    op.create_index(op.f("ix_imported_subscriber_id"), "imported", ["subscriber_id"])
    op.create_table(
        "left_elsewhere",
        sa.Column("import_id", key, nullable=False),
        sa.Column("hash", words, nullable=False),
        sa.ForeignKeyConstraint(["import_id"], ["import_file.id"], name=op.f("fk_left_elsewhere_import_id")),
        sa.PrimaryKeyConstraint("import_id", "hash", name=op.f("pk_left_elsewhere")),
    )
    op.create_table(
        "merged",
        sa.Column("subscriber_id", key, nullable=False),
        sa.Column("into_id", key, nullable=False),
        sa.Column("at", big, nullable=False),
        sa.ForeignKeyConstraint(["subscriber_id"], ["subscriber.id"], name=op.f("fk_merged_subscriber_id")),
        sa.ForeignKeyConstraint(["into_id"], ["subscriber.id"], name=op.f("fk_merged_into_id")),
        sa.PrimaryKeyConstraint("subscriber_id", name=op.f("pk_merged")),
    )
    op.create_index(op.f("ix_merged_into_id"), "merged", ["into_id"])
