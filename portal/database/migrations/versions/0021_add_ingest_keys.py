"""Add keys that bring history in, and what each of them brought.

Revision: 0021, after 0020
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")
MOMENT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "ingest_keys",
        sa.Column("id", ID, nullable=False),
        sa.Column("workspace_id", ID, nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("key_suffix", sa.String(length=4), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=True),
        sa.Column("slug", sa.String(length=200), nullable=True),
        sa.Column("rate_limit_per_min", sa.Integer(), nullable=True),
        sa.Column("created_by", ID, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("last_heard_at", MOMENT, nullable=True),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.CheckConstraint("kind IN ('history', 'ping')", name=op.f("ck_ingest_keys_kind")),
        sa.ForeignKeyConstraint(
            ["created_by"], ["users.id"], name=op.f("fk_ingest_keys_created_by_users"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_ingest_keys_workspace_id_workspaces"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ingest_keys")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_ingest_keys_key_hash")),
    )
    op.create_index(op.f("ix_ingest_keys_workspace_id"), "ingest_keys", ["workspace_id"])
    op.create_table(
        "ingest_hours",
        sa.Column("key_id", ID, nullable=False),
        sa.Column("hour", MOMENT, nullable=False),
        sa.Column("accepted", sa.BigInteger(), nullable=False),
        sa.Column("unchanged", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        _of_key("ingest_hours"),
        sa.PrimaryKeyConstraint("key_id", "hour", name=op.f("pk_ingest_hours")),
    )
    op.create_table(
        "ingest_refusals",
        sa.Column("id", ID, nullable=False),
        sa.Column("key_id", ID, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("field", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        _of_key("ingest_refusals"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ingest_refusals")),
    )
    op.create_index("ix_ingest_refusals_key_id_at", "ingest_refusals", ["key_id", "at"])


def downgrade() -> None:
    op.drop_table("ingest_refusals")
    op.drop_table("ingest_hours")
    op.drop_table("ingest_keys")


def _of_key(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["key_id"], ["ingest_keys.id"], name=op.f(f"fk_{table}_key_id_ingest_keys"), ondelete="CASCADE"
    )
