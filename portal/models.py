"""The tables: columns, states, constraints and indexes. No queries."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.db import Base, FoldedText, Id, UTCDateTime


class RunStatus(StrEnum):
    """The six stored states of a run (contract section 4)."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


ACTIVE = frozenset({RunStatus.PENDING, RunStatus.RUNNING, RunStatus.PAUSED})
TERMINAL = frozenset(RunStatus) - ACTIVE
OCCUPYING = frozenset({RunStatus.PENDING, RunStatus.RUNNING})


class Role(StrEnum):
    """What a member may do in a workspace (contract 2.4)."""

    ADMIN = "admin"
    EDITOR = "editor"
    VIEWER = "viewer"


class PauseReason(StrEnum):
    """Why a run is paused (contract 3.1)."""

    USER = "user"
    PROVIDER_OUTAGE = "provider_outage"
    PROVIDER_RATE_LIMITED = "provider_rate_limited"
    PROVIDER_BILLING = "provider_billing"
    NODE_TIMEOUT = "node_timeout"


def _one_of(column: str, words: type[StrEnum]) -> sa.CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=column)


class Workspace(Base):
    __tablename__ = "workspaces"

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(200))
    slug: Mapped[str] = mapped_column(sa.String(50), unique=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class User(Base):
    """Somebody who can sign in."""

    __tablename__ = "users"

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    email: Mapped[str] = mapped_column(sa.String(254), unique=True)
    """Always lower-case."""
    first_name: Mapped[str] = mapped_column(sa.String(100), default="")
    last_name: Mapped[str] = mapped_column(sa.String(100), default="")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)

    @property
    def display_name(self) -> str:
        """First and last name, or the e-mail where there is neither (contract 3.1)."""
        return f"{self.first_name} {self.last_name}".strip() or self.email


class Member(Base):
    __tablename__ = "members"
    __table_args__ = (_one_of("role", Role),)

    workspace_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    role: Mapped[str] = mapped_column(sa.String(10))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class Person(Base):
    """Somebody who triggered runs, as one workspace knows them: a member, or named by imported history.

    `user_id` is what the API serves. The same one may stand in several workspaces.
    """

    __tablename__ = "people"
    __table_args__ = (sa.UniqueConstraint("workspace_id", "user_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(sa.ForeignKey("workspaces.id", ondelete="CASCADE"))
    user_id: Mapped[UUID] = mapped_column(Id)
    source_id: Mapped[str | None] = mapped_column(sa.String(200))
    """The id that the source of imported history gave, as it came."""
    name: Mapped[str | None] = mapped_column(sa.String(200))
    email: Mapped[str | None] = mapped_column(sa.String(254))
    display_name: Mapped[str] = mapped_column(sa.String(254))
    """Name, else e-mail, else the source's id: never empty."""
    display_name_folded: Mapped[str] = mapped_column(FoldedText)
    email_folded: Mapped[str] = mapped_column(FoldedText)


class ApiKey(Base):
    __tablename__ = "api_keys"

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(sa.ForeignKey("workspaces.id", ondelete="CASCADE"), index=True)
    created_by: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id"))
    name: Mapped[str] = mapped_column(sa.String(120))
    key_hash: Mapped[bytes] = mapped_column(sa.LargeBinary(32), unique=True)
    """SHA-256 of the whole key, which itself is kept nowhere."""
    key_suffix: Mapped[str] = mapped_column(sa.String(4))
    scopes: Mapped[list[str]] = mapped_column(sa.JSON)
    last_used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class SigninLink(Base):
    """A link that signs one user in once."""

    __tablename__ = "signin_links"

    token_hash: Mapped[bytes] = mapped_column(sa.LargeBinary(32), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class BrowserSession(Base):
    """A signed-in browser; deleting the row signs it out."""

    __tablename__ = "sessions"

    token_hash: Mapped[bytes] = mapped_column(sa.LargeBinary(32), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    seen_at: Mapped[datetime] = mapped_column(UTCDateTime)

    user: Mapped[User] = relationship()


class Workflow(Base):
    __tablename__ = "workflows"
    __table_args__ = (
        sa.CheckConstraint("next_run_number >= 1", name="next_run_number"),
        sa.Index("ix_workflows_workspace_id_updated_at", "workspace_id", "updated_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(sa.ForeignKey("workspaces.id", ondelete="CASCADE"))
    user_id: Mapped[UUID] = mapped_column(Id)
    """Who made it; for imported ones an id that stands for the import."""
    name: Mapped[str] = mapped_column(sa.String(200))
    name_source: Mapped[str] = mapped_column(sa.String(20), default="user")
    description: Mapped[str | None] = mapped_column(sa.String(5000))
    name_folded: Mapped[str] = mapped_column(FoldedText)
    description_folded: Mapped[str] = mapped_column(FoldedText)
    definition: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    source: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    """What imported history says of it beyond these columns; null for a workflow made here."""
    next_run_number: Mapped[int] = mapped_column(sa.BigInteger, default=1)
    change_stamp: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    """Grows with every transaction that writes to the workflow or its runs."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)
    deleted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class Run(Base):
    """One run, narrow: what a list shows. The rest is in RunDetail.

    The checks on times and counts hold for runs made here; imported history is kept as it came.
    """

    __tablename__ = "runs"
    __table_args__ = (
        _one_of("status", RunStatus),
        sa.CheckConstraint("run_number >= 1", name="run_number"),
        sa.CheckConstraint(
            "imported OR ((started_at IS NULL OR created_at <= started_at)"
            " AND (completed_at IS NULL OR started_at IS NULL OR started_at <= completed_at)"
            " AND finished_steps <= total_steps"
            " AND (completed_at IS NOT NULL) = (status IN ('completed', 'failed', 'cancelled')))",
            name="order_of_times",
        ),
        sa.Index("ix_runs_workflow_id_created_at", "workflow_id", "created_at", "id"),
        sa.Index("ix_runs_workflow_id_status_created_at", "workflow_id", "status", "created_at", "id"),
        sa.Index("ix_runs_workflow_id_person_id_created_at", "workflow_id", "person_id", "created_at", "id"),
        sa.Index("ix_runs_workflow_id_run_number", "workflow_id", "run_number"),
        sa.Index(
            "uq_runs_workflow_id_run_number_made_here",
            "workflow_id",
            "run_number",
            unique=True,
            sqlite_where=sa.text("NOT imported"),
            postgresql_where=sa.text("NOT imported"),
        ),
    )

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    workflow_id: Mapped[UUID] = mapped_column(sa.ForeignKey("workflows.id", ondelete="CASCADE"))
    person_id: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    run_number: Mapped[int] = mapped_column(sa.BigInteger)
    status: Mapped[str] = mapped_column(sa.String(10))
    imported: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    completed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)
    total_nodes: Mapped[int | None] = mapped_column(sa.BigInteger)
    finished_nodes: Mapped[int | None] = mapped_column(sa.BigInteger)
    total_steps: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    finished_steps: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    usage_summary: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    credits: Mapped[int | None] = mapped_column(sa.BigInteger)
    pause_requested_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    paused_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    paused_ms: Mapped[int | None] = mapped_column(sa.BigInteger)
    pause_reason: Mapped[str | None] = mapped_column(sa.String(30))
    pause_error: Mapped[str | None] = mapped_column(sa.Text)
    output_line_count: Mapped[int | None] = mapped_column(sa.BigInteger)
    delivered_audio_ms: Mapped[int | None] = mapped_column(sa.BigInteger)
    error: Mapped[str | None] = mapped_column(sa.Text)
    import_digest: Mapped[bytes | None] = mapped_column(sa.LargeBinary(16))
    """Which line of history this run was last brought up to date from."""


class RunDetail(Base):
    """The wide part of a run, loaded for one run only."""

    __tablename__ = "run_details"

    run_id: Mapped[UUID] = mapped_column(sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    definition_snapshot: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    source: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    """What imported history says beyond the columns: the source's status word, title, labels, …"""
    superseded_digests: Mapped[list[str] | None] = mapped_column(sa.JSON(none_as_null=True))
    """Lines that once described this run and no longer do: seen again, they change nothing."""


class Step(Base):
    """One attempt at one node, in the order of execution."""

    __tablename__ = "steps"
    __table_args__ = (_one_of("status", RunStatus),)

    run_id: Mapped[UUID] = mapped_column(sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    node_id: Mapped[str] = mapped_column(sa.Text)
    node_type: Mapped[str] = mapped_column(sa.Text)
    name: Mapped[str | None] = mapped_column(sa.Text)
    status: Mapped[str] = mapped_column(sa.String(10))
    iteration: Mapped[int] = mapped_column(sa.BigInteger, default=1)
    created_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    completed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    error: Mapped[str | None] = mapped_column(sa.Text)
    source: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    """What imported history says of it beyond the columns."""
