"""Keys that bring history in from elsewhere, what each of them brought, and events of OpenLineage."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.database.columns import Base, Id, JsonObject, UTCDateTime
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


class LineageEvent(Base):
    """An event of OpenLineage, kept until its run has ended: what comes later may change what it means."""

    __tablename__ = "lineage_events"
    __table_args__ = (
        sa.Index("ix_lineage_events_workspace_id_root_id", "workspace_id", "root_id", "run_id"),
        sa.Index(
            "ix_lineage_events_waiting",
            "arrived_at",
            sqlite_where=sa.text("root_id IS NULL"),
            postgresql_where=sa.text("root_id IS NULL"),
        ),
    )

    workspace_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[bytes] = mapped_column(sa.LargeBinary(16), primary_key=True)
    """Of run, type, time and job: the same event again has the same."""
    run_id: Mapped[UUID] = mapped_column(Id)
    """Of the sender; that of a task is none of ours."""
    root_id: Mapped[UUID | None] = mapped_column(Id)
    """The run at the root of its tree; null while the event waits to be folded."""
    happened_at: Mapped[datetime] = mapped_column(UTCDateTime)
    arrived_at: Mapped[datetime] = mapped_column(UTCDateTime)
    source: Mapped[str | None] = mapped_column(sa.String(200))
    """What the key of its sender is bound to."""
    body: Mapped[JsonObject] = mapped_column(sa.JSON)
    """The event, without what no fold reads."""


class LineageRun(Base):
    """A run that events of OpenLineage name: which tree it is in, and what it is in history.

    The row of a root outlives its events, so that a later one finds the run of history.
    """

    __tablename__ = "lineage_runs"
    __table_args__ = (
        sa.Index("ix_lineage_runs_workspace_id_root_id", "workspace_id", "root_id", "node_id"),
        sa.Index("ix_lineage_runs_history_run_id", "history_run_id"),
        sa.Index(
            "ix_lineage_runs_heard_at",
            "heard_at",
            sqlite_where=sa.text("heard_at IS NOT NULL"),
            postgresql_where=sa.text("heard_at IS NOT NULL"),
        ),
    )

    workspace_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    run_id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    root_id: Mapped[UUID] = mapped_column(Id)
    parent_id: Mapped[UUID | None] = mapped_column(Id)
    is_heard: Mapped[bool]
    """Whether an event was about it; others only name it."""
    node_id: Mapped[str | None] = mapped_column(sa.Text)
    """Of a step: its node, and its index if it is one of many."""
    map_index: Mapped[int | None] = mapped_column(sa.BigInteger)
    history_run_id: Mapped[UUID | None] = mapped_column(
        sa.ForeignKey("runs.id", ondelete="CASCADE", deferrable=True, initially="DEFERRED")
    )
    """Of a root: the run that it is in history."""
    identity: Mapped[JsonObject | None] = mapped_column(sa.JSON(none_as_null=True))
    """Of a root: by what names history knows the run."""
    is_fixed: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    """Of a root: whether the events that told its identity are gone, so that it stays."""
    is_settled: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    """Of a root: whether its own last word about its steps came, so that each event needs all the others."""
    has_ended: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    heard_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Of a root that has events: when the last one of its tree arrived."""
