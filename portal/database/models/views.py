"""Saved views: names for lists of runs."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.database.columns import Base, FoldedText, Id, JsonObject, UTCDateTime

_OF_TEAM = sa.text("user_id IS NULL")
_OF_WORKSPACE = sa.text("workflow_id IS NULL")
_OF_TEAM_AND_WORKSPACE = sa.text("user_id IS NULL AND workflow_id IS NULL")
_DEFAULT = sa.text("is_default")
_DEFAULT_OF_TEAM = sa.text("is_default AND user_id IS NULL")


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
