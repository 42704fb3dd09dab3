"""Add the engine: claims of steps, values between them, workers, leases, logs and credits.

Revision: 0018, after 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")
MOMENT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")
TABLES = (
    "credit_entries",
    "step_log_lines",
    "engine_step_totals",
    "engine_leases",
    "engine_workers",
    "engine_values",
    "engine_claims",
    "engine_runs",
)
OCCUPYING = "by_engine AND status IN ('pending', 'running')"


def upgrade() -> None:
    op.add_column("runs", sa.Column("by_engine", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_index(
        "ix_runs_engine_occupying",
        "runs",
        ["workflow_id", "person_id"],
        sqlite_where=sa.text(OCCUPYING),
        postgresql_where=sa.text(OCCUPYING),
    )
    op.add_column("workspaces", sa.Column("credit_balance", sa.BigInteger(), nullable=True))
    op.create_table(
        "engine_runs",
        sa.Column("run_id", ID, nullable=False),
        sa.Column("workspace_id", ID, nullable=False),
        sa.Column("auto_resumes", sa.Integer(), nullable=False),
        sa.Column("resume_at", MOMENT, nullable=True),
        sa.Column("settled_at", MOMENT, nullable=True),
        _of("runs", "engine_runs", "run_id"),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_engine_runs")),
    )
    op.create_index(
        "ix_engine_runs_resume_at",
        "engine_runs",
        ["resume_at"],
        sqlite_where=sa.text("resume_at IS NOT NULL"),
        postgresql_where=sa.text("resume_at IS NOT NULL"),
    )
    op.create_index(
        "ix_engine_runs_unsettled",
        "engine_runs",
        ["run_id"],
        sqlite_where=sa.text("settled_at IS NULL"),
        postgresql_where=sa.text("settled_at IS NULL"),
    )
    op.create_table(
        "engine_claims",
        sa.Column("run_id", ID, nullable=False),
        sa.Column("node_id", sa.Text(), nullable=False),
        sa.Column("iteration", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("fence", ID, nullable=False),
        sa.Column("worker", sa.String(length=200), nullable=False),
        sa.Column("claimed_at", MOMENT, nullable=False),
        sa.Column("claims", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("retry_at", MOMENT, nullable=True),
        sa.Column("waiting_for", sa.Text(), nullable=True),
        sa.Column("done", sa.Integer(), nullable=True),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("counts", sa.JSON(), nullable=True),
        sa.Column("refusals", sa.JSON(), nullable=True),
        sa.Column("cost", sa.Numeric(precision=20, scale=6), nullable=True),
        sa.Column("usage", sa.JSON(), nullable=True),
        _of("runs", "engine_claims", "run_id"),
        sa.PrimaryKeyConstraint("run_id", "node_id", "iteration", name=op.f("pk_engine_claims")),
    )
    op.create_index(
        "ix_engine_claims_worker",
        "engine_claims",
        ["worker"],
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "engine_values",
        sa.Column("run_id", ID, nullable=False),
        sa.Column("node_id", sa.Text(), nullable=False),
        sa.Column("iteration", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("port", sa.String(length=40), nullable=False),
        sa.Column("items", sa.JSON(), nullable=False),
        _of("runs", "engine_values", "run_id"),
        sa.PrimaryKeyConstraint("run_id", "node_id", "iteration", "port", name=op.f("pk_engine_values")),
    )
    op.create_table(
        "engine_workers",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("host", sa.String(length=100), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("threads", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(length=40), nullable=False),
        sa.Column("abilities", sa.JSON(), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("beat_at", MOMENT, nullable=False),
        sa.Column("draining", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_engine_workers")),
    )
    op.create_table(
        "engine_leases",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("holder", sa.String(length=200), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_engine_leases")),
    )
    op.create_table(
        "engine_step_totals",
        sa.Column("worker", sa.String(length=200), nullable=False),
        sa.Column("node_type", sa.Text(), nullable=False),
        sa.Column("outcome", sa.String(length=10), nullable=False),
        sa.Column("steps", sa.BigInteger(), nullable=False),
        sa.Column("milliseconds", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("worker", "node_type", "outcome", name=op.f("pk_engine_step_totals")),
    )
    op.create_table(
        "step_log_lines",
        sa.Column("run_id", ID, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        _of("runs", "step_log_lines", "run_id"),
        sa.PrimaryKeyConstraint("run_id", "position", "number", name=op.f("pk_step_log_lines")),
    )
    op.create_table(
        "credit_entries",
        sa.Column("id", ID, nullable=False),
        sa.Column("workspace_id", ID, nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("run_id", ID, nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("granted_by", sa.String(length=254), nullable=True),
        sa.CheckConstraint("kind IN ('grant', 'charge')", name=op.f("ck_credit_entries_kind")),
        _of("workspaces", "credit_entries", "workspace_id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_entries")),
        sa.UniqueConstraint("run_id", name=op.f("uq_credit_entries_run_id")),
    )
    op.create_index("ix_credit_entries_workspace_id_at", "credit_entries", ["workspace_id", "at"])


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
    op.drop_column("workspaces", "credit_balance")
    op.drop_index("ix_runs_engine_occupying", table_name="runs")
    op.drop_column("runs", "by_engine")


def _of(target: str, table: str, column: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{target}")
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=name, ondelete="CASCADE")
