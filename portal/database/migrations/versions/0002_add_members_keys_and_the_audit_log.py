"""Let workspaces be deleted, keys be switched off, people be invited, and keep an audit log.

Revision: 0002, after 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")
MOMENT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("workspaces") as table:
        table.add_column(sa.Column("color_idx", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("created_by", ID, nullable=True))
        table.add_column(sa.Column("organization_id", ID, nullable=True))
        table.add_column(
            sa.Column("routing_price_sensitivity", sa.Float(), nullable=False, server_default="0.5")
        )
        table.add_column(
            sa.Column("routing_llm_fit", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        table.add_column(sa.Column("updated_at", MOMENT, nullable=True))
        table.add_column(sa.Column("deleted_at", MOMENT, nullable=True))
        table.create_foreign_key("fk_workspaces_created_by_users", "users", ["created_by"], ["id"])
        table.drop_constraint("uq_workspaces_slug", type_="unique")
    op.execute("UPDATE workspaces SET updated_at = created_at")
    with op.batch_alter_table("workspaces") as table:
        table.alter_column("updated_at", existing_type=MOMENT, nullable=False)
        for name in ("color_idx", "routing_price_sensitivity", "routing_llm_fit"):
            table.alter_column(name, server_default=None)
    live = sa.text("deleted_at IS NULL")
    op.create_index(
        "ix_workspaces_slug", "workspaces", ["slug"], unique=True, sqlite_where=live, postgresql_where=live
    )

    with op.batch_alter_table("api_keys") as table:
        table.add_column(sa.Column("active", sa.Boolean(), nullable=False, server_default=sa.true()))
        table.add_column(sa.Column("rate_limit_per_min", sa.Integer(), nullable=True))
        table.add_column(sa.Column("expires_at", MOMENT, nullable=True))
        table.add_column(sa.Column("updated_at", MOMENT, nullable=True))
    op.execute("UPDATE api_keys SET updated_at = coalesce(revoked_at, created_at)")
    op.execute(
        sa.text("UPDATE api_keys SET active = :off WHERE revoked_at IS NOT NULL").bindparams(off=False)
    )
    with op.batch_alter_table("api_keys") as table:
        table.alter_column("updated_at", existing_type=MOMENT, nullable=False)
        table.alter_column("active", server_default=None)

    with op.batch_alter_table("sessions") as table:
        table.add_column(sa.Column("workspace_id", ID, nullable=True))
        table.add_column(sa.Column("address", sa.String(length=45), nullable=True))
        table.add_column(sa.Column("browser", sa.String(length=200), nullable=True))
        table.create_foreign_key(
            "fk_sessions_workspace_id_workspaces", "workspaces", ["workspace_id"], ["id"], ondelete="SET NULL"
        )

    op.create_table(
        "invitations",
        sa.Column("id", ID, nullable=False),
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("workspace_id", ID, nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("created_by", ID, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("closed_at", MOMENT, nullable=True),
        sa.CheckConstraint("role IN ('admin', 'editor', 'viewer')", name=op.f("ck_invitations_role")),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_invitations_created_by_users")),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_invitations_workspace_id_workspaces"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_invitations_token_hash")),
    )
    op.create_index("ix_invitations_workspace_id", "invitations", ["workspace_id"])

    op.create_table(
        "audit_entries",
        sa.Column("id", ID, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("workspace_id", ID, nullable=True),
        sa.Column("actor_id", ID, nullable=True),
        sa.Column("actor", sa.String(length=254), nullable=False),
        sa.Column("address", sa.String(length=45), nullable=True),
        sa.Column("subject", sa.String(length=254), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entries")),
    )
    for column in ("workspace_id", "actor_id", "kind"):
        op.create_index(f"ix_audit_entries_{column}_at", "audit_entries", [column, "at"])


def downgrade() -> None:
    op.drop_table("audit_entries")
    op.drop_table("invitations")
    with op.batch_alter_table("sessions") as table:
        table.drop_constraint("fk_sessions_workspace_id_workspaces", type_="foreignkey")
        for name in ("browser", "address", "workspace_id"):
            table.drop_column(name)
    with op.batch_alter_table("api_keys") as table:
        for name in ("updated_at", "expires_at", "rate_limit_per_min", "active"):
            table.drop_column(name)
    op.drop_index("ix_workspaces_slug", "workspaces")
    # A deleted workspace would come back and may share its slug: its id keeps it apart.
    slug = "lower(hex(id))" if op.get_bind().dialect.name == "sqlite" else "replace(id::text, '-', '')"
    op.execute(f"UPDATE workspaces SET slug = {slug} WHERE deleted_at IS NOT NULL")  # noqa: S608
    with op.batch_alter_table("workspaces") as table:
        table.drop_constraint("fk_workspaces_created_by_users", type_="foreignkey")
        for name in (
            "deleted_at", "updated_at", "routing_llm_fit", "routing_price_sensitivity",
            "organization_id", "created_by", "color_idx",
        ):  # fmt: skip
            table.drop_column(name)
        table.create_unique_constraint("uq_workspaces_slug", ["slug"])
