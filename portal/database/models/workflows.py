"""Workflows, their definitions, and the files that people give to them."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.database.columns import Base, FoldedText, Id, JsonObject, UTCDateTime
from portal.database.models.states import UploadCategory, UploadStatus, check_one_of

_DELETED, _LIVE = sa.text("deleted_at IS NOT NULL"), sa.text("deleted_at IS NULL")
_PENDING = sa.text("status = 'pending'")


class Workflow(Base):
    __tablename__ = "workflows"
    __table_args__ = (
        sa.CheckConstraint("next_run_number >= 1", name="next_run_number"),
        sa.Index("ix_workflows_workspace_id_updated_at", "workspace_id", "updated_at", "id"),
        sa.Index("ix_workflows_workspace_id_version", "workspace_id", "version", "change_stamp"),
        sa.Index("ix_workflows_live", "workspace_id", "id", sqlite_where=_LIVE, postgresql_where=_LIVE),
        sa.Index(
            "ix_workflows_deleted", "workspace_id", "id", sqlite_where=_DELETED, postgresql_where=_DELETED
        ),
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


class Upload(Base):
    """A script or dictionary, pending until it is confirmed (contract 3.13).

    Its content is either a file of its own in the store, named by `content_id`, or, if it was imported, an
    artifact.
    """

    __tablename__ = "uploads"
    __table_args__ = (
        sa.Index("ix_uploads_workflow_id_created_at", "workflow_id", "created_at", "id"),
        sa.Index("ix_uploads_artifact_id", "artifact_id"),
        sa.Index("ix_uploads_workspace_id", "workspace_id"),
        sa.Index("ix_uploads_pending", "created_at", "id", sqlite_where=_PENDING, postgresql_where=_PENDING),
        check_one_of("category", UploadCategory),
        check_one_of("status", UploadStatus),
    )

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(sa.ForeignKey("workspaces.id", ondelete="CASCADE"))
    workflow_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("workflows.id", ondelete="CASCADE"))
    """The workflow that it was confirmed for; null while pending."""
    user_id: Mapped[UUID] = mapped_column(Id)
    status: Mapped[str] = mapped_column(sa.String(10))
    filename: Mapped[str] = mapped_column(sa.String(255))
    category: Mapped[str] = mapped_column(sa.String(10))
    content_type: Mapped[str] = mapped_column(sa.String(100))
    format: Mapped[str | None] = mapped_column(sa.String(20))
    size_bytes: Mapped[int | None] = mapped_column(sa.BigInteger)
    """Of a pending upload: the size of what has been sent so far."""
    char_count: Mapped[int | None] = mapped_column(sa.BigInteger)
    line_count: Mapped[int | None] = mapped_column(sa.BigInteger)
    detected_language: Mapped[str | None] = mapped_column(sa.String(35))
    artifact_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("artifacts.id", ondelete="SET NULL"))
    content_id: Mapped[UUID | None] = mapped_column(Id)
    """Names the stored file; each time that content is sent, it gets another one."""
    content_sha256: Mapped[bytes | None] = mapped_column(sa.LargeBinary(32))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)
