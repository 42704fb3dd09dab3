"""Keep saved views: names for lists of runs.

Revision: 0031, after 0030
"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")
MOMENT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")
FOLDED = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "saved_views",
        sa.Column("id", ID, nullable=False),
        sa.Column("workspace_id", ID, nullable=False),
        sa.Column("workflow_id", ID, nullable=True),
        sa.Column("user_id", ID, nullable=True),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("name_folded", FOLDED, nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "NOT (is_default AND workflow_id IS NULL)", name=op.f("ck_saved_views_default_of_a_workflow")
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_saved_views_workspace_id_workspaces"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workflow_id"],
            ["workflows.id"],
            name=op.f("fk_saved_views_workflow_id_workflows"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "user_id"],
            ["members.workspace_id", "members.user_id"],
            name=op.f("fk_saved_views_workspace_id_user_id_members"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_views")),
    )
    op.create_index("ix_saved_views_workflow_id", "saved_views", ["workflow_id"])
    op.create_index("ix_saved_views_workspace_id_user_id", "saved_views", ["workspace_id", "user_id"])
    _unique("own_name", ["user_id", "workflow_id", "name_folded"])
    _unique("team_name", ["workflow_id", "name_folded"], "user_id IS NULL")
    _unique("own_name_in_workspace", ["workspace_id", "user_id", "name_folded"], "workflow_id IS NULL")
    _unique(
        "team_name_in_workspace", ["workspace_id", "name_folded"], "user_id IS NULL AND workflow_id IS NULL"
    )
    _unique("own_default", ["workflow_id", "user_id"], "is_default")
    _unique("team_default", ["workflow_id"], "is_default AND user_id IS NULL")


def downgrade() -> None:
    op.drop_table("saved_views")


def _unique(name: str, columns: list[str], where: str | None = None) -> None:
    only = None if where is None else sa.text(where)
    op.create_index(
        f"uq_saved_views_{name}",
        "saved_views",
        columns,
        unique=True,
        sqlite_where=only,
        postgresql_where=only,
    )
