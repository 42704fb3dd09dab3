"""Keep templates, favourites and pronunciations.

Revision: 0017, after 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")
MOMENT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")
FOLDED = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
CATEGORIES = "('media', 'creative', 'business', 'education', 'wellness')"
TABLES = ("dictionary_entries", "voice_favorites", "template_favorites", "template_uses", "templates")


def upgrade() -> None:
    op.create_table(
        "templates",
        sa.Column("id", sa.String(length=8), nullable=False),
        sa.Column("workspace_id", ID, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("description", sa.String(length=2000), nullable=True),
        sa.Column("category", sa.String(length=10), nullable=True),
        sa.Column("definition", sa.JSON(), nullable=False),
        sa.Column("name_folded", FOLDED, nullable=False),
        sa.Column("description_folded", FOLDED, nullable=False),
        sa.Column("created_by", ID, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("deleted_at", MOMENT, nullable=True),
        sa.CheckConstraint(f"category IN {CATEGORIES}", name=op.f("ck_templates_category")),
        _of("workspaces", "templates", "workspace_id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_templates")),
    )
    op.create_index("ix_templates_workspace_id_updated_at", "templates", ["workspace_id", "updated_at", "id"])
    op.create_table(
        "template_uses",
        sa.Column("workspace_id", ID, nullable=False),
        sa.Column("template_id", sa.String(length=8), nullable=False),
        sa.Column("uses_count", sa.BigInteger(), nullable=False),
        _of("workspaces", "template_uses", "workspace_id"),
        sa.PrimaryKeyConstraint("workspace_id", "template_id", name=op.f("pk_template_uses")),
    )
    op.create_table(
        "template_favorites",
        sa.Column("user_id", ID, nullable=False),
        sa.Column("template_id", sa.String(length=8), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        _of("users", "template_favorites", "user_id"),
        sa.PrimaryKeyConstraint("user_id", "template_id", name=op.f("pk_template_favorites")),
    )
    op.create_table(
        "voice_favorites",
        sa.Column("workspace_id", ID, nullable=False),
        sa.Column("voice_id", ID, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        _of("workspaces", "voice_favorites", "workspace_id"),
        sa.PrimaryKeyConstraint("workspace_id", "voice_id", name=op.f("pk_voice_favorites")),
    )
    op.create_table(
        "dictionary_entries",
        sa.Column("id", ID, nullable=False),
        sa.Column("workspace_id", ID, nullable=False),
        sa.Column("word", sa.String(length=200), nullable=False),
        sa.Column("word_folded", FOLDED, nullable=False),
        sa.Column("language", sa.String(length=10), nullable=False),
        sa.Column("method", sa.String(length=10), nullable=False),
        sa.Column("description", sa.String(length=1000), nullable=True),
        sa.Column("pronunciation", sa.String(length=500), nullable=True),
        sa.Column("ipa", sa.String(length=500), nullable=True),
        sa.Column("upload_id", ID, nullable=True),
        sa.Column("uses_count", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_by", ID, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.CheckConstraint("method IN ('spelled', 'recorded')", name=op.f("ck_dictionary_entries_method")),
        _of("workspaces", "dictionary_entries", "workspace_id"),
        _of("uploads", "dictionary_entries", "upload_id", "SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dictionary_entries")),
        sa.UniqueConstraint("upload_id", name=op.f("uq_dictionary_entries_upload_id")),
        sa.UniqueConstraint(
            "workspace_id", "language", "word", name=op.f("uq_dictionary_entries_workspace_id_language_word")
        ),
    )


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)


def _of(target: str, table: str, column: str, ondelete: str = "CASCADE") -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{target}")
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=name, ondelete=ondelete)
