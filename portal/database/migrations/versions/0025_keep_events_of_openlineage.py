"""Keep events of OpenLineage until their runs have ended, and the names of these runs.

Revision: 0025, after 0024
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")
MOMENT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")
WAITING, HEARD = sa.text("root_id IS NULL"), sa.text("heard_at IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "lineage_events",
        sa.Column("workspace_id", ID, nullable=False),
        sa.Column("key", sa.LargeBinary(length=16), nullable=False),
        sa.Column("run_id", ID, nullable=False),
        sa.Column("root_id", ID, nullable=True),
        sa.Column("happened_at", MOMENT, nullable=False),
        sa.Column("arrived_at", MOMENT, nullable=False),
        sa.Column("source", sa.String(length=200), nullable=True),
        sa.Column("body", sa.JSON(), nullable=False),
        _of_workspace("lineage_events"),
        sa.PrimaryKeyConstraint("workspace_id", "key", name=op.f("pk_lineage_events")),
    )
    op.create_index(
        "ix_lineage_events_workspace_id_root_id", "lineage_events", ["workspace_id", "root_id", "run_id"]
    )
    op.create_index(
        "ix_lineage_events_waiting",
        "lineage_events",
        ["arrived_at"],
        sqlite_where=WAITING,
        postgresql_where=WAITING,
    )
    op.create_table(
        "lineage_runs",
        sa.Column("workspace_id", ID, nullable=False),
        sa.Column("run_id", ID, nullable=False),
        sa.Column("root_id", ID, nullable=False),
        sa.Column("parent_id", ID, nullable=True),
        sa.Column("is_heard", sa.Boolean(), nullable=False),
        sa.Column("node_id", sa.Text(), nullable=True),
        sa.Column("map_index", sa.BigInteger(), nullable=True),
        sa.Column("history_run_id", ID, nullable=True),
        sa.Column("identity", sa.JSON(), nullable=True),
        sa.Column("is_fixed", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("is_settled", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("has_ended", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("heard_at", MOMENT, nullable=True),
        _of_workspace("lineage_runs"),
        sa.ForeignKeyConstraint(
            ["history_run_id"],
            ["runs.id"],
            name=op.f("fk_lineage_runs_history_run_id_runs"),
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("workspace_id", "run_id", name=op.f("pk_lineage_runs")),
    )
    op.create_index(
        "ix_lineage_runs_workspace_id_root_id", "lineage_runs", ["workspace_id", "root_id", "node_id"]
    )
    op.create_index("ix_lineage_runs_history_run_id", "lineage_runs", ["history_run_id"])
    op.create_index(
        "ix_lineage_runs_heard_at", "lineage_runs", ["heard_at"], sqlite_where=HEARD, postgresql_where=HEARD
    )


def downgrade() -> None:
    op.drop_table("lineage_runs")
    op.drop_table("lineage_events")


def _of_workspace(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["workspace_id"],
        ["workspaces.id"],
        name=op.f(f"fk_{table}_workspace_id_workspaces"),
        ondelete="CASCADE",
    )
