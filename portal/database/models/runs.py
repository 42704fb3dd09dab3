"""Runs, their details, their steps, and the events that changed them."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.database.columns import Base, Id, JsonObject, UTCDateTime
from portal.database.models.states import RunStatus, check_one_of


class Run(Base):
    """One run, narrow: what a list shows. The rest is in RunDetail.

    The checks on times and counts hold for runs made here; imported history is kept as it came. Parents are
    looked for when a transaction ends: for every row, SQLite would keep a journal of each statement (bulk).
    """

    __tablename__ = "runs"
    __table_args__ = (
        check_one_of("status", RunStatus),
        sa.CheckConstraint("run_number >= 1", name="run_number"),
        sa.CheckConstraint(
            "imported OR ((started_at IS NULL OR created_at <= started_at)"
            " AND (completed_at IS NULL OR started_at IS NULL OR started_at <= completed_at)"
            " AND finished_steps <= total_steps"
            " AND (completed_at IS NOT NULL) = (status IN ('completed', 'failed', 'cancelled')))",
            name="order_of_times",
        ),
        sa.Index(
            "ix_runs_workspace_id_created_at",
            *("workspace_id", "created_at", "id", "status", "person_id", "workflow_id", "duration_ms"),
        ),
        sa.Index(
            "ix_runs_workflow_id_created_at",
            *("workflow_id", "created_at", "id", "status", "person_id", "duration_ms"),
        ),
        sa.Index(
            "ix_runs_workflow_id_started_at",
            *("workflow_id", "started_at", "id", "status", "created_at", "person_id", "duration_ms"),
        ),
        sa.Index(
            "ix_runs_workflow_id_completed_at",
            *("workflow_id", "completed_at", "id", "status", "created_at", "person_id", "duration_ms"),
        ),
        sa.Index(
            "ix_runs_workflow_id_duration_ms",
            *("workflow_id", "duration_ms", "id", "status", "created_at", "person_id"),
        ),
        sa.Index(
            "ix_runs_workflow_id_status_id",
            *("workflow_id", "status", "id", "created_at", "person_id", "duration_ms"),
        ),
        sa.Index("ix_runs_workflow_id_status_created_at", "workflow_id", "status", "created_at", "id"),
        sa.Index(
            "ix_runs_workflow_id_person_id_created_at",
            *("workflow_id", "person_id", "created_at", "id", "status", "duration_ms"),
        ),
        sa.Index("ix_runs_workflow_id_run_number", "workflow_id", "run_number"),
        sa.Index("ix_runs_workflow_id_arrived_in", "workflow_id", "arrived_in"),
        sa.Index(
            "uq_runs_workflow_id_run_number_made_here",
            "workflow_id",
            "run_number",
            unique=True,
            sqlite_where=sa.text("NOT imported"),
            postgresql_where=sa.text("NOT imported"),
        ),
        *(
            sa.Index(
                f"ix_runs_workflow_id_{name}",
                *("workflow_id", name, "status", "created_at", "id", "person_id"),
                sqlite_where=sa.text(f"{name} IS NOT NULL"),
                postgresql_where=sa.text(f"{name} IS NOT NULL"),
            )
            for name in ("outcome", "trigger", "source_system", "branch")
        ),
        *(
            sa.Index(
                name,
                *columns,
                sqlite_where=sa.text("cause_id IS NOT NULL"),
                postgresql_where=sa.text("cause_id IS NOT NULL"),
            )
            for name, *columns in (
                (
                    "ix_runs_workflow_id_cause_id",
                    *("workflow_id", "cause_id", "created_at", "id", "status", "person_id"),
                ),
                (
                    "ix_runs_workspace_id_cause_id",
                    *("workspace_id", "cause_id", "created_at", "id", "workflow_id", "status", "person_id"),
                ),
            )
        ),
        *(
            sa.Index(
                f"ix_runs_{name}",
                name,
                sqlite_where=sa.text(f"{name} IS NOT NULL"),
                postgresql_where=sa.text(f"{name} IS NOT NULL"),
            )
            for name in ("parent_id", "rerun_of_id")
        ),
        sa.Index(
            "ix_runs_engine_occupying",
            "workflow_id",
            "person_id",
            sqlite_where=sa.text("by_engine AND status IN ('pending', 'running')"),
            postgresql_where=sa.text("by_engine AND status IN ('pending', 'running')"),
        ),
    )

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    workflow_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("workflows.id", ondelete="CASCADE", deferrable=True, initially="DEFERRED")
    )
    workspace_id: Mapped[UUID] = mapped_column(Id)
    """That of its workflow, which never changes; no foreign key of its own."""
    person_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("people.id", deferrable=True, initially="DEFERRED")
    )
    run_number: Mapped[int] = mapped_column(sa.BigInteger)
    status: Mapped[str] = mapped_column(sa.String(10))
    imported: Mapped[bool]
    by_engine: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    """Whether the engine drives it: only these occupy their workflow and count for limits."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    completed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)
    total_nodes: Mapped[int | None] = mapped_column(sa.BigInteger)
    finished_nodes: Mapped[int | None] = mapped_column(sa.BigInteger)
    total_steps: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    finished_steps: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    usage_summary: Mapped[JsonObject | None] = mapped_column(sa.JSON(none_as_null=True))
    credits: Mapped[int | None] = mapped_column(sa.BigInteger)
    pause_requested_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    paused_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    paused_ms: Mapped[int | None] = mapped_column(sa.BigInteger)
    pause_reason: Mapped[str | None] = mapped_column(sa.String(30))
    pause_error: Mapped[str | None] = mapped_column(sa.Text)
    output_line_count: Mapped[int | None] = mapped_column(sa.BigInteger)
    delivered_audio_ms: Mapped[int | None] = mapped_column(sa.BigInteger)
    error: Mapped[str | None] = mapped_column(sa.Text)
    why: Mapped[str | None] = mapped_column(sa.String(200))
    """Of a failed run without an error text: which steps failed, in one line."""
    cause_id: Mapped[UUID | None] = mapped_column(Id)
    """Of a failed run: its Cause; no foreign key, which every import would check."""
    arrived_in: Mapped[int] = mapped_column(sa.BigInteger, default=0, server_default="0")
    """The version of its workflow in which it came: what came later is greater. 0: before that was kept."""
    workflow_version: Mapped[int | None] = mapped_column(sa.BigInteger)
    """The WorkflowVersion that it ran, if it was made here from a definition that has one."""
    as_of: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """The latest moment of which lines of history told of it; None for a run made here."""
    said: Mapped[int | None] = mapped_column(sa.BigInteger)
    """The fields that lines named, as bits (`history.parsing.fields.said`)."""
    outcome: Mapped[str | None] = mapped_column(sa.String(30))
    """What became of it in the words of `Outcome`, where history says more than the status."""
    trigger: Mapped[str | None] = mapped_column(sa.String(10))
    """What started it, a `Trigger`."""
    source_system: Mapped[str | None] = mapped_column(sa.String(200))
    """The system that history names as its source, such as github:acme/web."""
    branch: Mapped[str | None] = mapped_column(sa.String(500))
    """The branch that history names, as it stands in the detail (`runs.facts.terms`)."""
    parent_id: Mapped[UUID | None] = mapped_column(Id)
    """The run that started it, which may not be here."""
    rerun_of_id: Mapped[UUID | None] = mapped_column(Id)
    """The run that it repeats, which may not be here."""
    duration_ms: Mapped[int | None] = mapped_column(sa.BigInteger)
    """How long it took, as `duration_of` says; None while it is active, and where that is not known."""
    import_digest: Mapped[bytes | None] = mapped_column(sa.LargeBinary(16))
    """Which line of history this run was last brought up to date from."""


class RunDetail(Base):
    """The wide part of a run, loaded for one run only."""

    __tablename__ = "run_details"

    run_id: Mapped[UUID] = mapped_column(sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    definition_snapshot: Mapped[JsonObject | None] = mapped_column(sa.JSON(none_as_null=True))
    source: Mapped[JsonObject | None] = mapped_column(sa.JSON(none_as_null=True))
    """What imported history says beyond the columns: the source's status word, title, labels, …"""
    provenance: Mapped[JsonObject | None] = mapped_column(sa.JSON(none_as_null=True))
    """Of which moment each field is, where lines of several moments met (`history.merging.rows`)."""


class RunTerm(Base):
    """What a run is found by: one of its labels, or a step at which it failed (`runs.facts.terms`)."""

    __tablename__ = "run_terms"
    __table_args__ = (sa.Index("ix_run_terms_run_id", "run_id"), {"sqlite_with_rowid": False})

    workflow_id: Mapped[UUID] = mapped_column(primary_key=True)
    """That of the run, which never changes."""
    term: Mapped[bytes] = mapped_column(sa.LargeBinary(16), primary_key=True)
    run_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("runs.id", ondelete="CASCADE", deferrable=True, initially="DEFERRED"), primary_key=True
    )


class RunText(Base):
    """The text in which a run is searched (`runs.facts.texts`), of a run that has any.

    Its trigrams are indexed where the database can (`database.sql.text_index`), under its number.
    """

    __tablename__ = "run_texts"

    id: Mapped[int] = mapped_column(sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True)
    run_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("runs.id", ondelete="CASCADE", deferrable=True, initially="DEFERRED"), unique=True
    )
    workflow_id: Mapped[UUID]
    """That of the run, which never changes."""
    text: Mapped[str] = mapped_column(sa.Text)


class Step(Base):
    """One attempt at one node, in the order of execution."""

    __tablename__ = "steps"
    __table_args__ = (check_one_of("status", RunStatus),)

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
    source: Mapped[JsonObject | None] = mapped_column(sa.JSON(none_as_null=True))
    """What imported history says of it beyond the columns."""
    said: Mapped[int | None] = mapped_column(sa.BigInteger)
    """The fields that lines of history named, as bits (`history.parsing.fields.said`)."""
    provenance: Mapped[JsonObject | None] = mapped_column(sa.JSON(none_as_null=True))
    """As that of its run."""


class RunEvent(Base):
    """One change of a run, written in the transaction of the change. Imported files write none.

    Ids are never reused, but transactions commit in another order than they take ids: a reader that must see
    every event cannot remember the last id alone.
    """

    __tablename__ = "run_events"
    __table_args__ = (
        check_one_of("from_status", RunStatus),
        check_one_of("to_status", RunStatus),
        sa.Index("ix_run_events_run_id", "run_id", "id"),
        sa.Index("ix_run_events_occurred_at", "occurred_at", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True)
    run_id: Mapped[UUID] = mapped_column(sa.ForeignKey("runs.id", ondelete="CASCADE"))
    event: Mapped[str] = mapped_column(sa.String(20))
    """A word of the state machine, without a check: workers and rules will add words."""
    from_status: Mapped[str | None] = mapped_column(sa.String(10))
    """None where the run was created. The same as `to_status` where a pause was requested."""
    to_status: Mapped[str] = mapped_column(sa.String(10))
    occurred_at: Mapped[datetime] = mapped_column(UTCDateTime)
    person_id: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id", ondelete="SET NULL"))
    """Who did it; None for a worker."""
    api_key_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("api_keys.id", ondelete="SET NULL"))
    """The key with which they did it."""
    ingest_key_id: Mapped[UUID | None] = mapped_column(Id)
    """The ingest key that told of it; no foreign key."""
