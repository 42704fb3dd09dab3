"""The audit log: append-only."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.database.columns import Base, Id, UTCDateTime


class AuditEntry(Base):
    __tablename__ = "audit_entries"
    __table_args__ = (
        sa.Index("ix_audit_entries_workspace_id_at", "workspace_id", "at"),
        sa.Index("ix_audit_entries_actor_id_at", "actor_id", "at"),
        sa.Index("ix_audit_entries_kind_at", "kind", "at"),
    )

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    kind: Mapped[str] = mapped_column(sa.String(40))
    workspace_id: Mapped[UUID | None] = mapped_column(Id)
    """No foreign key, like `actor_id`: entries outlive what they refer to."""
    actor_id: Mapped[UUID | None] = mapped_column(Id)
    actor: Mapped[str] = mapped_column(sa.String(254))
    address: Mapped[str | None] = mapped_column(sa.String(45))
    subject: Mapped[str] = mapped_column(sa.String(254))
    """The name or e-mail of what it happened to."""
    details: Mapped[dict[str, object]] = mapped_column(sa.JSON)
