"""Count each person's runs by period, and let the indexes of orders say whose a run is.

Revision: 0008, after 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")
STATUSES = ("pending", "running", "paused", "completed", "failed", "cancelled")
INDEXES = {
    "ix_runs_workflow_id_created_at": (["workflow_id", "created_at", "id", "status"], ["person_id"]),
    "ix_runs_workflow_id_started_at": (
        ["workflow_id", "started_at", "id", "status", "created_at"],
        ["person_id"],
    ),
    "ix_runs_workflow_id_completed_at": (
        ["workflow_id", "completed_at", "id", "status", "created_at"],
        ["person_id"],
    ),
    "ix_runs_workflow_id_status_id": (["workflow_id", "status", "id"], ["created_at", "person_id"]),
    "ix_runs_workflow_id_person_id_created_at": (
        ["workflow_id", "person_id", "created_at", "id"],
        ["status"],
    ),
}


def upgrade() -> None:
    for name, (columns, added) in INDEXES.items():
        op.drop_index(name, "runs")
        op.create_index(name, "runs", columns + added, unique=False)
    op.create_table(
        "person_period_runs",
        sa.Column("workflow_id", ID, nullable=False),
        sa.Column("ordered_by", sa.String(length=12), nullable=False),
        sa.Column("person_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("period", sa.Integer(), autoincrement=False, nullable=False),
        *(sa.Column(status, sa.BigInteger(), nullable=False) for status in STATUSES),
        sa.ForeignKeyConstraint(
            ["workflow_id"],
            ["workflows.id"],
            name=op.f("fk_person_period_runs_workflow_id_workflows"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "workflow_id", "ordered_by", "person_id", "period", name=op.f("pk_person_period_runs")
        ),
        sqlite_with_rowid=False,
    )
    for order in ("created_at", "started_at", "completed_at"):
        op.execute(_counting(order))


def _counting(order):
    """Periods of 32 days since 1970; 2**31 - 1 for runs without a key."""
    width = 32 * 86_400
    period = f"CAST(floor(extract(epoch FROM {order}) / {width}) AS INTEGER)"
    if op.get_bind().dialect.name == "sqlite":
        width *= 1_000_000
        period = f"({order} - ({order} % {width} + {width}) % {width}) / {width}"
    counts = ", ".join(f"count(*) FILTER (WHERE status = '{status}')" for status in STATUSES)
    return (
        f"INSERT INTO person_period_runs"  # noqa: S608  # names of ours
        f" (workflow_id, ordered_by, person_id, period, {', '.join(STATUSES)})"
        f" SELECT workflow_id, '{order}', person_id, coalesce({period}, 2147483647), {counts}"
        f" FROM runs WHERE person_id IS NOT NULL GROUP BY 1, 3, 4"
    )


def downgrade() -> None:
    op.drop_table("person_period_runs")
    for name, (columns, _) in INDEXES.items():
        op.drop_index(name, "runs")
        op.create_index(name, "runs", columns, unique=False)
