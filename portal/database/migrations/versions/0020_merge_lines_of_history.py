"""Keep of which moment lines of history tell, and what gives a run its meaning elsewhere.

Revision: 0020, after 0019
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")
MOMENT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")
RUNS = (
    ("as_of", MOMENT),
    ("said", sa.BigInteger()),
    ("outcome", sa.String(length=30)),
    ("trigger", sa.String(length=10)),
    ("source_system", sa.String(length=200)),
    ("parent_id", ID),
    ("rerun_of_id", ID),
)
OTHERS = (
    ("run_details", "provenance", sa.JSON()),
    ("steps", "said", sa.BigInteger()),
    ("steps", "provenance", sa.JSON()),
    ("run_events", "ingest_key_id", ID),
    ("people", "kind", sa.String(length=10)),
    ("workflows", "expected", sa.JSON()),
)
LINKS = ("parent_id", "rerun_of_id")


def upgrade() -> None:
    for name, kind in RUNS:
        op.add_column("runs", sa.Column(name, kind, nullable=True))
    for table, name, kind in OTHERS:
        op.add_column(table, sa.Column(name, kind, nullable=True))
    for name in LINKS:
        known = sa.text(f"{name} IS NOT NULL")
        op.create_index(f"ix_runs_{name}", "runs", [name], sqlite_where=known, postgresql_where=known)
    # What once described a run is decided by its moment now.
    op.drop_column("run_details", "superseded_digests")
    op.execute("UPDATE schema_state SET oldest_writer = '0020'")


def downgrade() -> None:
    op.add_column("run_details", sa.Column("superseded_digests", sa.JSON(), nullable=True))
    for name in LINKS:
        op.drop_index(f"ix_runs_{name}", "runs")
    for table, name, _ in reversed(OTHERS):
        op.drop_column(table, name)
    for name, _ in reversed(RUNS):
        op.drop_column("runs", name)
    op.execute("UPDATE schema_state SET oldest_writer = '0019'")
