"""PostgreSQL: the ledger's references are held by its statements, and pages keep room for what will change."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"

# Each was looked up for each row, which took longer than the row: rows come only from a SELECT over what they refer to,
# and whoever deletes a reader deletes what refers to them.
_REFERENCES = (
    ("delivery", "post_id"),
    ("delivery", "subscriber_id"),
    ("delivery", "revision"),
    ("attempt", "delivery_id"),
    ("subscriber", "high_water"),
)


def upgrade() -> None:
    """Nothing changes on SQLite, where a lookup costs next to nothing."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, column in _REFERENCES:
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT fk_{table}_{column}")
    for table in ("subscriber", "delivery"):
        op.execute(f"ALTER TABLE {table} SET (fillfactor = 80)")
