"""Keep counts beside the runs.

Revision: 0004, after 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")
STATUSES = ("pending", "running", "paused", "completed", "failed", "cancelled")
SUMS = ("timed_runs", "active_ms", "delivered_audio_ms")

DAY = {
    "sqlite": "(created_at - ((created_at % 86400000000) + 86400000000) % 86400000000) / 86400000000",
    "postgresql": "CAST(floor(extract(epoch FROM created_at) / 86400) AS integer)",
}
ACTIVE_MS = {
    "sqlite": "(completed_at - started_at) / 1000 - coalesce(paused_ms, 0)",
    "postgresql": "CAST(floor(extract(epoch FROM completed_at - started_at) * 1000) AS bigint)"
    " - coalesce(paused_ms, 0)",
}


def upgrade() -> None:
    _create("run_totals")
    _create("person_runs", sa.Column("person_id", sa.Integer(), autoincrement=False, nullable=False))
    sums = [sa.Column(name, sa.BigInteger(), nullable=False) for name in SUMS]
    _create("day_runs", sa.Column("day", sa.Integer(), autoincrement=False, nullable=False), sums)
    _fill()


def _create(name, key=None, sums=()) -> None:
    keys = ["workflow_id"] + ([key.name] if key is not None else [])
    op.create_table(
        name,
        sa.Column("workflow_id", ID, nullable=False),
        *([key] if key is not None else []),
        *(sa.Column(status, sa.BigInteger(), nullable=False) for status in STATUSES),
        *sums,
        sa.ForeignKeyConstraint(
            ["workflow_id"],
            ["workflows.id"],
            name=op.f(f"fk_{name}_workflow_id_workflows"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(*keys, name=op.f(f"pk_{name}")),
    )


def _fill() -> None:
    """Count the runs that are there already."""
    dialect = op.get_bind().dialect.name
    counts = ", ".join(f"count(*) FILTER (WHERE status = '{status}')" for status in STATUSES)
    timed = f"status = 'completed' AND started_at <= completed_at AND {ACTIVE_MS[dialect]} >= 0"
    sums = (
        f"count(*) FILTER (WHERE {timed}), coalesce(sum({ACTIVE_MS[dialect]}) FILTER (WHERE {timed}), 0), "
        "coalesce(sum(delivered_audio_ms), 0)"
    )
    for table, key, where, values in (
        ("run_totals", "", "", counts),
        ("person_runs", ", person_id", " WHERE person_id IS NOT NULL", counts),
        ("day_runs", f", {DAY[dialect]}", "", f"{counts}, {sums}"),
    ):
        grouped = f"workflow_id{key}, {values} FROM runs{where} GROUP BY workflow_id{key}"
        op.execute(f"INSERT INTO {table} SELECT {grouped}")


def downgrade() -> None:
    op.drop_table("day_runs")
    op.drop_table("person_runs")
    op.drop_table("run_totals")
