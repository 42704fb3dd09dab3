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
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)
    deleted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
