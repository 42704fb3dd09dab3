"""What the engine knows of the runs it drives: claims, what flows between steps, workers, credits, schedules.

The truth about a run is in `runs`, `steps` and the tables of results. These tables say who works on what, so
that every step is committed exactly once (docs/engine.md).
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.database.columns import Base, Id, JsonObject, UTCDateTime
from portal.database.models.states import check_one_of

_json = sa.JSON(none_as_null=True)


class EngineClaim(Base):
    """A step that a worker has begun. Its primary key makes (run, node, iteration) happen once."""

    __tablename__ = "engine_claims"
    __table_args__ = (
        sa.Index(
            "ix_engine_claims_worker",
            "worker",
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        ),
    )

    run_id: Mapped[UUID] = mapped_column(sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    node_id: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    iteration: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int]
    """The position of the run's step."""
    fence: Mapped[UUID] = mapped_column(Id)
    """A fencing token, new with each claim: only who has it may end the step."""
    worker: Mapped[str] = mapped_column(sa.String(200))
    """The EngineWorker that has claimed it; no foreign key: it may be gone."""
    claimed_at: Mapped[datetime] = mapped_column(UTCDateTime)
    claims: Mapped[int] = mapped_column(default=1)
    """How often it was claimed: more than once where a worker was lost."""
    attempt: Mapped[int] = mapped_column(default=1)
    """How often its work was tried: more than once where a provider failed."""
    retry_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When the next attempt begins; a claim that waits for it belongs to no worker."""
    waiting_for: Mapped[str | None] = mapped_column(sa.Text)
    """What it waits for, in words."""
    done: Mapped[int | None]
    """How many of `total` items are done, as the handler said last."""
    total: Mapped[int | None]
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    counts: Mapped[dict[str, int] | None] = mapped_column(_json)
    """How many items left through each port; None until it has ended."""
    refusals: Mapped[dict[str, int] | None] = mapped_column(_json)
    """What a validator has refused so far (`engine.flow.routing`)."""
    cost: Mapped[Decimal | None] = mapped_column(sa.Numeric(20, 6))
    """Credits that it cost, unrounded."""
    usage: Mapped[JsonObject | None] = mapped_column(_json)
    """What it used (`engine.contract.Usage`)."""


class EngineRun(Base):
    """What the engine keeps of a run as a whole."""

    __tablename__ = "engine_runs"
    __table_args__ = (
        sa.Index(
            "ix_engine_runs_resume_at",
            "resume_at",
            sqlite_where=sa.text("resume_at IS NOT NULL"),
            postgresql_where=sa.text("resume_at IS NOT NULL"),
        ),
        sa.Index(
            "ix_engine_runs_unsettled",
            "run_id",
            sqlite_where=sa.text("settled_at IS NULL"),
            postgresql_where=sa.text("settled_at IS NULL"),
        ),
    )

    run_id: Mapped[UUID] = mapped_column(sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(Id)
    """The workspace of its workflow: the partition of its deliveries."""
    auto_resumes: Mapped[int] = mapped_column(default=0)
    """How often it has resumed by itself."""
    resume_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When it resumes by itself, if it is paused for a provider."""
    settled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When its end was written down and charged for: after its last step has ended, too."""


class EngineValue(Base):
    """The items that left a step through a port."""

    __tablename__ = "engine_values"

    run_id: Mapped[UUID] = mapped_column(sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    node_id: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    iteration: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    port: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    items: Mapped[list[JsonObject]] = mapped_column(sa.JSON)


class EngineWorker(Base):
    """A worker process, from its start until it stops or is found dead."""

    __tablename__ = "engine_workers"

    id: Mapped[str] = mapped_column(sa.String(200), primary_key=True)
    """Host, process id and a random part: new at every start."""
    host: Mapped[str] = mapped_column(sa.String(100))
    pid: Mapped[int]
    threads: Mapped[int]
    version: Mapped[str] = mapped_column(sa.String(40))
    """The latest migration that its release knows."""
    abilities: Mapped[JsonObject] = mapped_column(sa.JSON)
    """What it can do with each node type (`engine.preparing.abilities`)."""
    started_at: Mapped[datetime] = mapped_column(UTCDateTime)
    beat_at: Mapped[datetime] = mapped_column(UTCDateTime)
    """Its last heartbeat, by the database's clock on PostgreSQL."""
    draining: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    """Whether it has been told to stop and claims nothing more."""


class EngineLease(Base):
    """Work that one worker at a time does, such as reconciling."""

    __tablename__ = "engine_leases"

    name: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    holder: Mapped[str] = mapped_column(sa.String(200))
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)


class EngineStepTotal(Base):
    """How many steps of a node type ended in one way, and how long they took.

    Each worker counts in rows of its own, so that workers do not wait for each other.
    """

    __tablename__ = "engine_step_totals"

    worker: Mapped[str] = mapped_column(sa.String(200), primary_key=True)
    """Empty: those of all workers that are gone."""
    node_type: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    outcome: Mapped[str] = mapped_column(sa.String(10), primary_key=True)
    """The status of the step."""
    steps: Mapped[int] = mapped_column(sa.BigInteger)
    milliseconds: Mapped[int] = mapped_column(sa.BigInteger)


class StepLogLine(Base):
    """A line of the log of a step, kept bounded."""

    __tablename__ = "step_log_lines"

    run_id: Mapped[UUID] = mapped_column(sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """The position of the run's step."""
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """From 1 within the step."""
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    message: Mapped[str] = mapped_column(sa.Text)


class CreditKind(StrEnum):
    """Why a balance changed."""

    GRANT = "grant"
    CHARGE = "charge"


class CreditEntry(Base):
    """A change of a workspace's balance. Rows are only added."""

    __tablename__ = "credit_entries"
    __table_args__ = (
        check_one_of("kind", CreditKind),
        sa.UniqueConstraint("run_id"),
        sa.Index("ix_credit_entries_workspace_id_at", "workspace_id", "at"),
    )

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(sa.ForeignKey("workspaces.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(sa.String(10))
    run_id: Mapped[UUID | None] = mapped_column(Id)
    """The run that was charged, once; None for a grant. No foreign key: entries outlive runs."""
    amount: Mapped[int] = mapped_column(sa.BigInteger)
    """Credits granted, or taken from the balance; never negative."""
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    granted_by: Mapped[str | None] = mapped_column(sa.String(254))
    """The operator's account on the machine."""


class Schedule(Base):
    """When a workflow runs by itself: at most one a workflow."""

    __tablename__ = "schedules"
    __table_args__ = (
        sa.UniqueConstraint("workflow_id"),
        sa.Index(
            "ix_schedules_next_at",
            "next_at",
            sqlite_where=sa.text("enabled"),
            postgresql_where=sa.text("enabled"),
        ),
    )

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    workflow_id: Mapped[UUID] = mapped_column(sa.ForeignKey("workflows.id", ondelete="CASCADE"))
    cron: Mapped[str] = mapped_column(sa.String(100))
    """The five fields of a cron expression."""
    zone: Mapped[str] = mapped_column(sa.String(64))
    """The IANA name of the time zone that the expression is read in."""
    enabled: Mapped[bool]
    set_by: Mapped[UUID] = mapped_column(Id)
    """The user who saved it last, to whom its runs belong; no foreign key."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    changed_at: Mapped[datetime] = mapped_column(UTCDateTime)
    next_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """None while it is off; of one that is on: a worker has to set it."""
    stopped_reason: Mapped[str | None] = mapped_column(sa.String(500))
    """Why the portal turned it off, as a sentence."""


class ScheduleTick(Base):
    """What became of a moment of a schedule. Its primary key makes a moment happen once.

    With neither a run nor a reason, a worker is about to start the run, or ended while it did.
    """

    __tablename__ = "schedule_ticks"

    schedule_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("schedules.id", ondelete="CASCADE"), primary_key=True
    )
    moment: Mapped[datetime] = mapped_column(UTCDateTime, primary_key=True)
    claimed_at: Mapped[datetime] = mapped_column(UTCDateTime)
    """When a worker came to it."""
    run_id: Mapped[UUID | None] = mapped_column(Id)
    """The run that it started. No foreign key: ticks outlive runs."""
    reason: Mapped[str | None] = mapped_column(sa.String(500))
    """Why there is no run, as a sentence."""
