"""Add mirrors of workspaces elsewhere, and what is known of their workflows and runs.

Revision: 0023, after 0022
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")
MOMENT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")
UNFETCHED, REFUSED = "detail_rank IS NOT NULL", "refused IS NOT NULL"


def upgrade() -> None:
    op.create_table(
        "mirrors",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("workspace_id", ID, nullable=False),
        sa.Column("base_url", sa.String(length=500), nullable=False),
        sa.Column("source_workspace_id", ID, nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("key_file", sa.Text(), nullable=False),
        sa.Column("details_per_hour", sa.Integer(), nullable=False),
        sa.Column("detail_hour", MOMENT, nullable=True),
        sa.Column("details_fetched", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("next_pass_at", MOMENT, nullable=False),
        sa.Column("passed_at", MOMENT, nullable=True),
        sa.Column("last_summary", sa.JSON(), nullable=True),
        sa.Column("last_error", sa.String(length=500), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("holder", sa.String(length=200), nullable=True),
        sa.Column("held_until", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_mirrors_workspace_id_workspaces"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mirrors")),
        sa.UniqueConstraint("name", name=op.f("uq_mirrors_name")),
        sa.UniqueConstraint("workspace_id", "source", name=op.f("uq_mirrors_workspace_id_source")),
    )
    op.create_index("ix_mirrors_next_pass_at", "mirrors", ["next_pass_at"])
    op.create_table(
        "mirrored_workflows",
        sa.Column("mirror_id", ID, nullable=False),
        sa.Column("workflow_id", ID, nullable=False),
        sa.Column("described_at", MOMENT, nullable=True),
        sa.Column("checksum", sa.JSON(), nullable=True),
        sa.Column("scan", sa.Integer(), nullable=False),
        sa.Column("scanning", sa.Boolean(), nullable=False),
        sa.Column("scan_offset", sa.BigInteger(), nullable=False),
        sa.Column("covered_at", MOMENT, nullable=True),
        sa.Column("covered_id", ID, nullable=True),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("gone_at", MOMENT, nullable=True),
        sa.Column("refused", sa.String(length=200), nullable=True),
        _belongs_to_mirror("mirrored_workflows"),
        sa.PrimaryKeyConstraint("mirror_id", "workflow_id", name=op.f("pk_mirrored_workflows")),
    )
    op.create_table(
        "mirrored_runs",
        sa.Column("run_id", ID, nullable=False),
        sa.Column("mirror_id", ID, nullable=False),
        sa.Column("workflow_id", ID, nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("scan", sa.Integer(), nullable=False),
        sa.Column("unsettled", sa.Boolean(), nullable=False),
        sa.Column("detail_rank", sa.SmallInteger(), nullable=True),
        sa.Column("gone_at", MOMENT, nullable=True),
        sa.Column("refused", sa.String(length=200), nullable=True),
        _belongs_to_mirror("mirrored_runs"),
        sa.PrimaryKeyConstraint("run_id", "mirror_id", name=op.f("pk_mirrored_runs")),
    )
    op.create_index(
        "ix_mirrored_runs_mirror_id_workflow_id",
        "mirrored_runs",
        ["mirror_id", "workflow_id", "status", "gone_at"],
    )
    op.create_index(
        "ix_mirrored_runs_unsettled",
        "mirrored_runs",
        ["mirror_id", "workflow_id"],
        sqlite_where=sa.text("unsettled"),
        postgresql_where=sa.text("unsettled"),
    )
    op.create_index(
        "ix_mirrored_runs_refused",
        "mirrored_runs",
        ["mirror_id"],
        sqlite_where=sa.text(REFUSED),
        postgresql_where=sa.text(REFUSED),
    )
    op.create_index(
        "ix_mirrored_runs_detail_rank",
        "mirrored_runs",
        ["mirror_id", "detail_rank", "created_at", "run_id"],
        sqlite_where=sa.text(UNFETCHED),
        postgresql_where=sa.text(UNFETCHED),
    )


def _belongs_to_mirror(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["mirror_id"], ["mirrors.id"], name=op.f(f"fk_{table}_mirror_id_mirrors"), ondelete="CASCADE"
    )


def downgrade() -> None:
    op.drop_table("mirrored_runs")
    op.drop_table("mirrored_workflows")
    op.drop_table("mirrors")
