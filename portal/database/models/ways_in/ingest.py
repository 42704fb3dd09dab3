"""Keys that bring history in from elsewhere, and what each of them brought."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.database.columns import Base
from portal.database.models.states import check_one_of


class IngestKeyKind(StrEnum):
    """What an ingest key opens."""

    HISTORY = "history"
    """`POST /api/v1/history` and other addresses that take history under a bearer token."""
    PING = "ping"
    """Ping addresses, which contain the key."""


class IngestKey(Base):
    """A key that only adds history, to one workspace. It reads nothing."""

    __tablename__ = "ingest_keys"
    __table_args__ = (check_one_of("kind", IngestKeyKind),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(sa.ForeignKey("workspaces.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(sa.String(10))
    name: Mapped[str] = mapped_column(sa.String(120))
    key_hash: Mapped[bytes] = mapped_column(sa.LargeBinary(32), unique=True)
    """SHA-256 of the key, which itself is never stored."""
    key_suffix: Mapped[str] = mapped_column(sa.String(4))
    source: Mapped[str | None] = mapped_column(sa.String(200))
    """What the sources of its runs must begin with; of a ping key, the source itself."""
    slug: Mapped[str | None] = mapped_column(sa.String(200))
    """The one workflow that a ping key is for; None: its addresses name the workflow."""
    rate_limit_per_min: Mapped[int | None]
    """None: the portal's own limit."""
    created_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("users.id", ondelete="SET NULL"))
    """None if an operator created it."""
    created_at: Mapped[datetime]
    last_heard_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class IngestHour(Base):
    """What a key brought in one hour, for the last day."""

    __tablename__ = "ingest_hours"

    key_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("ingest_keys.id", ondelete="CASCADE"), primary_key=True
    )
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    accepted: Mapped[int] = mapped_column(sa.BigInteger)
    unchanged: Mapped[int] = mapped_column(sa.BigInteger)
    refused: Mapped[int] = mapped_column(sa.BigInteger)


class IngestRefusal(Base):
    """A line that was refused: the last ones of each key."""

    __tablename__ = "ingest_refusals"
    __table_args__ = (sa.Index("ix_ingest_refusals_key_id_at", "key_id", "at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    key_id: Mapped[UUID] = mapped_column(sa.ForeignKey("ingest_keys.id", ondelete="CASCADE"))
    at: Mapped[datetime]
    line: Mapped[int]
    """Its number in the request, from 1."""
    field: Mapped[str] = mapped_column(sa.String(200))
    reason: Mapped[str] = mapped_column(sa.String(500))
