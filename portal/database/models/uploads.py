"""Uploads: scripts and dictionaries that people give to workflows."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.database.columns import Base, Id, UTCDateTime
from portal.database.models.states import UploadCategory, UploadStatus, check_one_of

_PENDING = sa.text("status = 'pending'")


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
