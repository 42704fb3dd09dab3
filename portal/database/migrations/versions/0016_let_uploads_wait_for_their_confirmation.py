"""Let uploads wait for their confirmation, without a workflow and with content of their own.

Revision: 0016, after 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("uploads") as table:
        table.add_column(sa.Column("workspace_id", ID, nullable=True))
        table.add_column(sa.Column("status", sa.String(length=10), nullable=False, server_default="uploaded"))
        table.add_column(sa.Column("content_id", ID, nullable=True))
        table.add_column(sa.Column("content_sha256", sa.LargeBinary(length=32), nullable=True))
        table.alter_column("workflow_id", existing_type=ID, nullable=True)
    op.execute(
        "UPDATE uploads SET workspace_id ="
        " (SELECT workspace_id FROM workflows WHERE workflows.id = uploads.workflow_id)"
    )
    with op.batch_alter_table("uploads") as table:
        table.alter_column("workspace_id", existing_type=ID, nullable=False)
        table.alter_column("status", existing_type=sa.String(length=10), server_default=None)
        table.create_check_constraint(op.f("ck_uploads_status"), "status IN ('pending', 'uploaded')")
        table.create_foreign_key(
            op.f("fk_uploads_workspace_id_workspaces"),
            "workspaces",
            ["workspace_id"],
            ["id"],
            ondelete="CASCADE",
        )
    op.create_index("ix_uploads_workspace_id", "uploads", ["workspace_id"])
    pending = sa.text("status = 'pending'")
    op.create_index(
        "ix_uploads_pending",
        "uploads",
        ["created_at", "id"],
        sqlite_where=pending,
        postgresql_where=pending,
    )


def downgrade() -> None:
    """What is pending goes; what was sent to this portal stays known of, without its content."""
    op.execute("DELETE FROM uploads WHERE workflow_id IS NULL")
    op.drop_index("ix_uploads_pending", "uploads")
    op.drop_index("ix_uploads_workspace_id", "uploads")
    with op.batch_alter_table("uploads") as table:
        table.drop_constraint("fk_uploads_workspace_id_workspaces", type_="foreignkey")
        table.drop_constraint(op.f("ck_uploads_status"), type_="check")
        for name in ("workspace_id", "status", "content_id", "content_sha256"):
            table.drop_column(name)
        table.alter_column("workflow_id", existing_type=ID, nullable=False)
