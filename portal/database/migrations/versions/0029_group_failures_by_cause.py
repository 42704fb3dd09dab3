"""Say in the row of a failed run which of its steps failed, and group failed runs by cause.

Runs that failed before have neither until `flask failures regroup`.

Revision: 0029, after 0028
"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")
MOMENT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")
KNOWN, MERGED = sa.text("cause_id IS NOT NULL"), sa.text("merged_into IS NOT NULL")
RUNS = {
    "ix_runs_workflow_id_cause_id": (
        "workflow_id", "cause_id", "created_at", "id", "status", "person_id",
    ),
    "ix_runs_workspace_id_cause_id": (
        "workspace_id", "cause_id", "created_at", "id", "workflow_id", "status", "person_id",
    ),
}  # fmt: skip
PEOPLE = ("noted_by", "resolved_by", "muted_by")


def upgrade() -> None:
    op.add_column("runs", sa.Column("why", sa.String(length=200), nullable=True))
    op.add_column("runs", sa.Column("cause_id", ID, nullable=True))
    for name, columns in RUNS.items():
        op.create_index(name, "runs", list(columns), sqlite_where=KNOWN, postgresql_where=KNOWN)
    _create_causes()
    op.create_table(
        "cause_days",
        sa.Column("cause_id", ID, nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        _of("cause_days", "cause_id", "causes"),
        sa.PrimaryKeyConstraint("cause_id", "day", name=op.f("pk_cause_days")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "cause_workflows",
        sa.Column("cause_id", ID, nullable=False),
        sa.Column("workflow_id", ID, nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.Column("first_at", MOMENT, nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        _of("cause_workflows", "cause_id", "causes"),
        _of("cause_workflows", "workflow_id", "workflows"),
        sa.PrimaryKeyConstraint("cause_id", "workflow_id", name=op.f("pk_cause_workflows")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_cause_workflows_workflow_id", "cause_workflows", ["workflow_id"])
    op.execute("UPDATE schema_state SET oldest_writer = '0029'")


def _create_causes() -> None:
    op.create_table(
        "causes",
        sa.Column("id", ID, nullable=False),
        sa.Column("workspace_id", ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("failed", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("first_at", MOMENT, nullable=True),
        sa.Column("last_at", MOMENT, nullable=True),
        sa.Column("merged_into", ID, nullable=True),
        sa.Column("note", sa.String(length=500), nullable=True),
        sa.Column("noted_at", MOMENT, nullable=True),
        sa.Column("noted_by", ID, nullable=True),
        sa.Column("resolved_at", MOMENT, nullable=True),
        sa.Column("resolved_by", ID, nullable=True),
        sa.Column("muted_at", MOMENT, nullable=True),
        sa.Column("muted_until", MOMENT, nullable=True),
        sa.Column("muted_by", ID, nullable=True),
        _of("causes", "workspace_id", "workspaces"),
        *(_of("causes", name, "users", "SET NULL") for name in PEOPLE),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_causes")),
    )
    op.create_index("ix_causes_workspace_id_last_at", "causes", ["workspace_id", "last_at"])
    op.create_index(
        "ix_causes_merged_into", "causes", ["merged_into"], sqlite_where=MERGED, postgresql_where=MERGED
    )


def downgrade() -> None:
    for table in ("cause_workflows", "cause_days", "causes"):
        op.drop_table(table)
    for name in RUNS:
        op.drop_index(name, "runs")
    for name in ("cause_id", "why"):
        op.drop_column("runs", name)
    op.execute("UPDATE schema_state SET oldest_writer = '0028'")


def _of(table: str, column: str, other: str, ondelete: str = "CASCADE") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}_{other}"), ondelete=ondelete
    )
