"""Keep every saved definition of a workflow, which of them a run has run, and who deleted a workflow.

Revision: 0014, after 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")
MOMENT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "workflow_versions",
        sa.Column("workflow_id", ID, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("definition", sa.JSON(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("user_id", ID, nullable=True),
        sa.Column("user_name", sa.String(length=254), nullable=True),
        sa.Column("api_key_id", ID, nullable=True),
        sa.ForeignKeyConstraint(
            ["workflow_id"],
            ["workflows.id"],
            name=op.f("fk_workflow_versions_workflow_id_workflows"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["api_key_id"],
            ["api_keys.id"],
            name=op.f("fk_workflow_versions_api_key_id_api_keys"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("workflow_id", "number", name=op.f("pk_workflow_versions")),
    )
    op.add_column("workflows", sa.Column("current_version", sa.BigInteger(), nullable=True))
    op.add_column("workflows", sa.Column("deleted_by", ID, nullable=True))
    op.add_column("runs", sa.Column("workflow_version", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("runs", "workflow_version")
    op.drop_column("workflows", "deleted_by")
    op.drop_column("workflows", "current_version")
    op.drop_table("workflow_versions")
