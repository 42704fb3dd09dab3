"""What a workspace keeps for its members: templates, pronunciations, favourites, and saved views of runs."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.database.columns import Base, FoldedText, Id, JsonObject, UTCDateTime
from portal.database.models.states import check_one_of

_OF_TEAM = sa.text("user_id IS NULL")
_OF_WORKSPACE = sa.text("workflow_id IS NULL")
_OF_TEAM_AND_WORKSPACE = sa.text("user_id IS NULL AND workflow_id IS NULL")
_DEFAULT = sa.text("is_default")
_DEFAULT_OF_TEAM = sa.text("is_default AND user_id IS NULL")


class TemplateCategory(StrEnum):
    """What a template is for."""

    MEDIA = "media"
    CREATIVE = "creative"
    BUSINESS = "business"
    EDUCATION = "education"
    WELLNESS = "wellness"


class DictionaryMethod(StrEnum):
    """How an entry says what a word sounds like."""

    SPELLED = "spelled"
    RECORDED = "recorded"


class Template(Base):
    """A definition kept for new workflows. Starters are not here: they are part of the portal."""

    __tablename__ = "templates"
    __table_args__ = (
        check_one_of("category", TemplateCategory),
        sa.Index("ix_templates_workspace_id_updated_at", "workspace_id", "updated_at", "id"),
    )

    id: Mapped[str] = mapped_column(sa.String(8), primary_key=True)
    """Base62, case-sensitive."""
    workspace_id: Mapped[UUID] = mapped_column(sa.ForeignKey("workspaces.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(sa.String(200))
    description: Mapped[str | None] = mapped_column(sa.String(2000))
    category: Mapped[str | None] = mapped_column(sa.String(10))
    definition: Mapped[JsonObject] = mapped_column(sa.JSON)
    name_folded: Mapped[str] = mapped_column(FoldedText)
    description_folded: Mapped[str] = mapped_column(FoldedText)
    created_by: Mapped[UUID] = mapped_column(Id)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)
    deleted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class TemplateUse(Base):
    """How often a workspace made a workflow from a template, a starter or its own."""

    __tablename__ = "template_uses"

    workspace_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    template_id: Mapped[str] = mapped_column(sa.String(8), primary_key=True)
    uses_count: Mapped[int] = mapped_column(sa.BigInteger)


class TemplateFavorite(Base):
    """A template that a user likes, a starter or one of a workspace."""

    __tablename__ = "template_favorites"

    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    template_id: Mapped[str] = mapped_column(sa.String(8), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class VoiceFavorite(Base):
    """A voice that a workspace likes. Voices come from the configuration: they have no table."""

    __tablename__ = "voice_favorites"

    workspace_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    voice_id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class DictionaryEntry(Base):
    """What a word sounds like in one language."""

    __tablename__ = "dictionary_entries"
    __table_args__ = (
        check_one_of("method", DictionaryMethod),
        sa.UniqueConstraint("workspace_id", "language", "word"),
        sa.UniqueConstraint("upload_id"),
    )

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(sa.ForeignKey("workspaces.id", ondelete="CASCADE"))
    word: Mapped[str] = mapped_column(sa.String(200))
    word_folded: Mapped[str] = mapped_column(FoldedText)
    language: Mapped[str] = mapped_column(sa.String(10))
    method: Mapped[str] = mapped_column(sa.String(10))
    description: Mapped[str | None] = mapped_column(sa.String(1000))
    pronunciation: Mapped[str | None] = mapped_column(sa.String(500))
    ipa: Mapped[str | None] = mapped_column(sa.String(500))
    upload_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("uploads.id", ondelete="SET NULL"))
    """The recording, which is that of no other entry."""
    uses_count: Mapped[int] = mapped_column(sa.BigInteger, default=0, server_default="0")
    """How often a run applied it."""
    created_by: Mapped[UUID] = mapped_column(Id)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)


class SavedView(Base):
    """A name for a list of runs: somebody's own or the team's, of one workflow or of the whole workspace.

    A unique index with a null in it refuses nothing, so what is unique takes one index for each case.
    """

    __tablename__ = "saved_views"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["workspace_id", "user_id"], ["members.workspace_id", "members.user_id"], ondelete="CASCADE"
        ),
        sa.CheckConstraint("NOT (is_default AND workflow_id IS NULL)", name="default_of_a_workflow"),
        sa.Index("uq_saved_views_own_name", "user_id", "workflow_id", "name_folded", unique=True),
        sa.Index(
            "uq_saved_views_team_name",
            "workflow_id",
            "name_folded",
            unique=True,
            sqlite_where=_OF_TEAM,
            postgresql_where=_OF_TEAM,
        ),
        sa.Index(
            "uq_saved_views_own_name_in_workspace",
            "workspace_id",
            "user_id",
            "name_folded",
            unique=True,
            sqlite_where=_OF_WORKSPACE,
            postgresql_where=_OF_WORKSPACE,
        ),
        sa.Index(
            "uq_saved_views_team_name_in_workspace",
            "workspace_id",
            "name_folded",
            unique=True,
            sqlite_where=_OF_TEAM_AND_WORKSPACE,
            postgresql_where=_OF_TEAM_AND_WORKSPACE,
        ),
        sa.Index(
            "uq_saved_views_own_default",
            "workflow_id",
            "user_id",
            unique=True,
            sqlite_where=_DEFAULT,
            postgresql_where=_DEFAULT,
        ),
        sa.Index(
            "uq_saved_views_team_default",
            "workflow_id",
            unique=True,
            sqlite_where=_DEFAULT_OF_TEAM,
            postgresql_where=_DEFAULT_OF_TEAM,
        ),
        sa.Index("ix_saved_views_workflow_id", "workflow_id"),
        sa.Index("ix_saved_views_workspace_id_user_id", "workspace_id", "user_id"),
    )

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(sa.ForeignKey("workspaces.id", ondelete="CASCADE"))
    workflow_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("workflows.id", ondelete="CASCADE"))
    """Whose runs it lists; null for those of the whole workspace."""
    user_id: Mapped[UUID | None] = mapped_column(Id)
    """The member whose own it is; null for a view of the team."""
    name: Mapped[str] = mapped_column(sa.String(60))
    name_folded: Mapped[str] = mapped_column(FoldedText)
    parameters: Mapped[JsonObject] = mapped_column(sa.JSON)
    """Those of the list's address, as they were written, also where this release does not know them."""
    is_default: Mapped[bool] = mapped_column(default=False)
    """Whether links to the workflow lead here."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)
