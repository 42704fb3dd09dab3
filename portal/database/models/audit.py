"""What happened to accounts, keys and settings: written once, never changed."""

from datetime import datetime
from typing import Any
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
    """No foreign key, nor has the actor: entries outlive what they tell of."""
    actor_id: Mapped[UUID | None] = mapped_column(Id)
    actor: Mapped[str] = mapped_column(sa.String(254))
    address: Mapped[str | None] = mapped_column(sa.String(45))
    subject: Mapped[str] = mapped_column(sa.String(254))
    """What it happened to, in words: a name, an e-mail."""
    details: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
