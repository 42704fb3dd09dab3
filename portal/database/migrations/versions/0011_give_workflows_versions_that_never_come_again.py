"""Give workflows versions that never come again, keep sums beyond 64 bits, say which releases may write.

Revision: 0011, after 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

VERSIONED = ("workspaces", "workflows")
SUMS = ("active_ms_high", "delivered_audio_ms_high")
ARRIVALS = "ix_runs_workflow_id_arrived_in"
MOMENTS = ("created_at", "started_at", "completed_at", "updated_at", "pause_requested_at", "paused_at")
YEAR_TWO = {"sqlite": "-62104060800000000", "postgresql": "'0002-01-01T00:00:00Z'"}


def upgrade() -> None:
    for table in VERSIONED:
        op.add_column(table, _number("version"))
    op.add_column("runs", _number("arrived_in"))
    op.create_index(ARRIVALS, "runs", ["workflow_id", "arrived_in"])
    for column in SUMS:
        op.add_column("day_runs", _number(column))
    state = op.create_table(
        "schema_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("oldest_writer", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schema_state")),
    )
    op.bulk_insert(state, [{"id": 1, "oldest_writer": "0010"}])
    _forget_digests_of_zero_times()


def downgrade() -> None:
    op.drop_table("schema_state")
    op.drop_index(ARRIVALS, "runs")
    for table, columns in (("day_runs", SUMS), ("runs", ("arrived_in",))):
        for column in columns:
            op.drop_column(table, column)
    for table in VERSIONED:
        op.drop_column(table, "version")


def _number(name: str) -> sa.Column:
    return sa.Column(name, sa.BigInteger(), nullable=False, server_default="0")


def _forget_digests_of_zero_times() -> None:
    """Let the next import of the same lines read zero times, such as 0001-01-01, as none."""
    before = YEAR_TWO[op.get_bind().dialect.name]
    zero = " OR ".join(f"{column} < {before}" for column in MOMENTS)
    steps = f"SELECT run_id FROM steps WHERE started_at < {before} OR completed_at < {before}"  # noqa: S608
    op.execute(
        f"UPDATE runs SET import_digest = NULL WHERE imported AND ({zero} OR id IN ({steps}))"  # noqa: S608
    )
