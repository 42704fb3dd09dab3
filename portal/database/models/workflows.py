"""Workflows and their definitions."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.database.columns import Base, FoldedText, Id, JsonObject, UTCDateTime


class Workflow(Base):
    __tablename__ = "workflows"
    __table_args__ = (
        sa.CheckConstraint("next_run_number >= 1", name="next_run_number"),
        sa.Index("ix_workflows_workspace_id_updated_at", "workspace_id", "updated_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(sa.ForeignKey("workspaces.id", ondelete="CASCADE"))
    user_id: Mapped[UUID] = mapped_column(Id)
    """The creator; for an imported workflow a placeholder id."""
    name: Mapped[str] = mapped_column(sa.String(200))
    name_source: Mapped[str] = mapped_column(sa.String(20), default="user")
    description: Mapped[str | None] = mapped_column(sa.String(5000))
    name_folded: Mapped[str] = mapped_column(FoldedText)
    description_folded: Mapped[str] = mapped_column(FoldedText)
    definition: Mapped[JsonObject] = mapped_column(sa.JSON)
    source: Mapped[JsonObject | None] = mapped_column(sa.JSON(none_as_null=True))
    """Further values of imported history; null for a workflow created here."""
    next_run_number: Mapped[int] = mapped_column(sa.BigInteger, default=1)
    version: Mapped[int] = mapped_column(sa.BigInteger, default=0, server_default="0")
    """Changes with each transaction that writes to the workflow or its runs (`sql.versions`)."""
    change_stamp: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    """Counts the same transactions, for servers of the previous release, which write no version."""
    current_version: Mapped[int | None] = mapped_column(sa.BigInteger)
    """The number of the WorkflowVersion that the definition is; None if none holds it: it was imported."""
    expected: Mapped[JsonObject | None] = mapped_column(sa.JSON(none_as_null=True))
    """When its runs are expected: `cron` with `zone`, or `period`, and `grace` in seconds."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)
    """Grows with every write to the workflow itself, not with its runs: its ETag is made of it."""
    deleted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    deleted_by: Mapped[UUID | None] = mapped_column(Id)
    """The user who deleted it; no foreign key."""


class WorkflowVersion(Base):
    """A definition that a workflow has had, and who saved it. Rows are only added."""

    __tablename__ = "workflow_versions"

    workflow_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("workflows.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    """From 1 within the workflow, without gaps."""
    definition: Mapped[JsonObject] = mapped_column(sa.JSON)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    user_id: Mapped[UUID | None] = mapped_column(Id)
    """Who saved it, without a foreign key; None for an imported definition."""
    user_name: Mapped[str | None] = mapped_column(sa.String(254))
    api_key_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("api_keys.id", ondelete="SET NULL"))
    """The key with which they saved it."""
