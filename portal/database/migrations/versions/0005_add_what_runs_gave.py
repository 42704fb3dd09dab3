"""Add what runs gave.

Revision: 0005, after 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")
MOMENT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")
FOLDED = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "artifacts",
        sa.Column("id", ID, nullable=False),
        sa.Column("workspace_id", ID, nullable=False),
        sa.Column("run_id", ID, nullable=True),
        sa.Column("node_id", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("content_type", sa.String(length=100), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name=op.f("fk_artifacts_run_id_runs"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_artifacts_workspace_id_workspaces"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_artifacts")),
    )
    op.create_index("ix_artifacts_run_id", "artifacts", ["run_id"], unique=False)

    op.create_table(
        "output_lines",
        sa.Column("run_id", ID, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("line_id", sa.Text(), nullable=True),
        sa.Column("source_line_id", sa.Text(), nullable=True),
        sa.Column("script", sa.Text(), nullable=True),
        sa.Column("script_folded", FOLDED, nullable=False),
        sa.Column("auto_corrected", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name=op.f("fk_output_lines_run_id_runs"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "position", name=op.f("pk_output_lines")),
    )
    op.create_table(
        "run_results",
        sa.Column("run_id", ID, nullable=False),
        sa.Column("token_cost", sa.BigInteger(), nullable=True),
        sa.Column("credits_absorbed", sa.Float(), nullable=True),
        sa.Column("held_nodes", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name=op.f("fk_run_results_run_id_runs"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_run_results")),
    )
    op.create_table(
        "step_results",
        sa.Column("run_id", ID, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("active_ports", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("locales", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("pause_reason", sa.String(length=30), nullable=True),
        sa.Column("pause_error", sa.Text(), nullable=True),
        sa.Column("result", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["run_id", "position"],
            ["steps.run_id", "steps.position"],
            name=op.f("fk_step_results_run_id_position_steps"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("run_id", "position", name=op.f("pk_step_results")),
    )
    op.create_table(
        "takes",
        sa.Column("run_id", ID, nullable=False),
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("audio_id", sa.String(length=16), nullable=False),
        sa.Column("locale_code", sa.String(length=35), nullable=True),
        sa.Column("output_node_id", sa.Text(), nullable=True),
        sa.Column("script", sa.Text(), nullable=True),
        sa.Column("status", sa.String(length=13), nullable=False),
        sa.Column("retry_count", sa.BigInteger(), nullable=False),
        sa.Column("normalized", sa.Boolean(), nullable=True),
        sa.Column("voice", sa.Text(), nullable=True),
        sa.Column("provider", sa.Text(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("duration_ms", sa.BigInteger(), nullable=True),
        sa.Column("artifact_id", ID, nullable=True),
        sa.CheckConstraint(
            "status IN ('delivered', 'generated', 'not_delivered', 'dropped')", name=op.f("ck_takes_status")
        ),
        sa.ForeignKeyConstraint(
            ["artifact_id"],
            ["artifacts.id"],
            name=op.f("fk_takes_artifact_id_artifacts"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["run_id", "line"],
            ["output_lines.run_id", "output_lines.position"],
            name=op.f("fk_takes_run_id_line_output_lines"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("run_id", "line", "position", name=op.f("pk_takes")),
        sa.UniqueConstraint("run_id", "audio_id", name=op.f("uq_takes_run_id_audio_id")),
    )
    op.create_index("ix_takes_artifact_id", "takes", ["artifact_id"], unique=False)

    op.create_table(
        "uploads",
        sa.Column("id", ID, nullable=False),
        sa.Column("workflow_id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("filename", sa.String(length=255), nullable=False),
        sa.Column("category", sa.String(length=10), nullable=False),
        sa.Column("content_type", sa.String(length=100), nullable=False),
        sa.Column("format", sa.String(length=20), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("char_count", sa.BigInteger(), nullable=True),
        sa.Column("line_count", sa.BigInteger(), nullable=True),
        sa.Column("detected_language", sa.String(length=35), nullable=True),
        sa.Column("artifact_id", ID, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.CheckConstraint("category IN ('script', 'dictionary')", name=op.f("ck_uploads_category")),
        sa.ForeignKeyConstraint(
            ["artifact_id"],
            ["artifacts.id"],
            name=op.f("fk_uploads_artifact_id_artifacts"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["workflow_id"],
            ["workflows.id"],
            name=op.f("fk_uploads_workflow_id_workflows"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
    )
    op.create_index("ix_uploads_artifact_id", "uploads", ["artifact_id"], unique=False)
    op.create_index(
        "ix_uploads_workflow_id_created_at", "uploads", ["workflow_id", "created_at", "id"], unique=False
    )

    op.create_table(
        "validations",
        sa.Column("run_id", ID, nullable=False),
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("take", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("node_id", sa.Text(), nullable=True),
        sa.Column("kind", sa.String(length=100), nullable=False),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("threshold", sa.Float(), nullable=True),
        sa.Column("passed", sa.Boolean(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("wer", sa.Float(), nullable=True),
        sa.Column("cer", sa.Float(), nullable=True),
        sa.Column("transcript", sa.Text(), nullable=True),
        sa.Column("scored_on", sa.String(length=100), nullable=True),
        sa.Column("inherited_from_take", sa.BigInteger(), nullable=True),
        sa.Column("segments", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("error_counts", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["run_id", "line", "take"],
            ["takes.run_id", "takes.line", "takes.position"],
            name=op.f("fk_validations_run_id_line_take_takes"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("run_id", "line", "take", "position", name=op.f("pk_validations")),
    )


def downgrade() -> None:
    op.drop_table("validations")

    op.drop_table("uploads")

    op.drop_table("takes")
    op.drop_table("step_results")
    op.drop_table("run_results")
    op.drop_table("output_lines")

    op.drop_table("artifacts")
