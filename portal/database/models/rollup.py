"""The counts beside the runs: per workflow, workspace, person and histogram bucket, by status.

One row holds all six counts, so that a total, the numbers of a filter bar or a chart read one row each.
Failed runs are also counted by cause, a table that holds what people noted of each.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.database.columns import Base, Id
from portal.database.models.states import RunStatus


class _Counts:
    """How many runs have each status."""

    pending: Mapped[int] = mapped_column(sa.BigInteger, default=0, sort_order=1)
    running: Mapped[int] = mapped_column(sa.BigInteger, default=0, sort_order=1)
    paused: Mapped[int] = mapped_column(sa.BigInteger, default=0, sort_order=1)
    completed: Mapped[int] = mapped_column(sa.BigInteger, default=0, sort_order=1)
    failed: Mapped[int] = mapped_column(sa.BigInteger, default=0, sort_order=1)
    cancelled: Mapped[int] = mapped_column(sa.BigInteger, default=0, sort_order=1)

    @classmethod
    def of(cls, statuses: Sequence[str] = ()) -> sa.ColumnElement[int]:
        """How many runs have one of these statuses (none: any), in SQL."""
        columns = [getattr(cls, status).expression for status in statuses or RunStatus]
        return cast(sa.ColumnElement[int], sum(columns[1:], start=columns[0]))


class _OfWorkflow:
    """Counts of the runs of one workflow, deleted or not."""

    workflow_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("workflows.id", ondelete="CASCADE"), primary_key=True, sort_order=-2
    )


class _OfWorkspace:
    """Counts of the runs of one workspace, without those of deleted workflows."""

    workspace_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True, sort_order=-2
    )


class _OfPerson(_Counts):
    """The runs that one person triggered."""

    person_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, sort_order=-1)


class _OfPersonAndPeriod(_Counts):
    """The runs of one person whose key in one order lies in one period of 32 days.

    So a search finds a page deep in its list by adding up periods and walking within one.
    """

    ordered_by: Mapped[str] = mapped_column(sa.String(12), primary_key=True)
    person_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    period: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Periods since 1970-01-01, 2**31 - 1 for runs without a key."""


class _OfBucket(_Counts):
    """One bucket of a histogram of runs: those whose key lies in it.

    Bucket n of a width holds the keys from n * width up to, but not including, (n + 1) * width. Keys are
    whole numbers: microseconds since 1970-01-01 UTC, milliseconds that a run took, or the leading 32 bits of
    an id.
    """

    histogram: Mapped[str] = mapped_column(sa.String(20), primary_key=True)
    """Which runs are counted by which key: a name of `portal.runs.counts.histograms`."""
    width: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    timed_runs: Mapped[int] = mapped_column(sa.BigInteger, default=0, server_default="0", sort_order=2)
    """Completed runs that say how long they took; the sums are those of the histogram of `created_at`."""
    active_ms: Mapped[int] = mapped_column(sa.BigInteger, default=0, server_default="0", sort_order=2)
    """How long those took together, pauses left out: the low halves of the values (portal.sums)."""
    active_ms_high: Mapped[int] = mapped_column(sa.BigInteger, default=0, server_default="0", sort_order=2)
    delivered_audio_ms: Mapped[int] = mapped_column(
        sa.BigInteger, default=0, server_default="0", sort_order=2
    )
    """Of completed runs, the low halves."""
    delivered_audio_ms_high: Mapped[int] = mapped_column(
        sa.BigInteger, default=0, server_default="0", sort_order=2
    )
    credits: Mapped[int] = mapped_column(sa.BigInteger, default=0, server_default="0", sort_order=2)
    """Of all runs, like the lines; the low halves."""
    credits_high: Mapped[int] = mapped_column(sa.BigInteger, default=0, server_default="0", sort_order=2)
    output_lines: Mapped[int] = mapped_column(sa.BigInteger, default=0, server_default="0", sort_order=2)
    output_lines_high: Mapped[int] = mapped_column(sa.BigInteger, default=0, server_default="0", sort_order=2)
    oldest: Mapped[int | None] = mapped_column(sa.BigInteger, sort_order=3)
    """No run of the bucket was created before this moment; it may be older than all of them."""
    newest: Mapped[int | None] = mapped_column(sa.BigInteger, sort_order=3)


class RunTotals(_OfWorkflow, _Counts, Base):
    """All runs."""

    __tablename__ = "run_totals"


class PersonRuns(_OfWorkflow, _OfPerson, Base):
    __tablename__ = "person_runs"
    __table_args__ = (sa.Index("ix_person_runs_person_id", "person_id", "workflow_id"),)


class PersonPeriodRuns(_OfWorkflow, _OfPersonAndPeriod, Base):
    __tablename__ = "person_period_runs"
    __table_args__ = ({"sqlite_with_rowid": False},)


class RunBucket(_OfWorkflow, _OfBucket, Base):
    __tablename__ = "run_buckets"
    __table_args__ = ({"sqlite_with_rowid": False},)


class WorkspaceRunTotals(_OfWorkspace, _Counts, Base):
    """All runs. Whoever counts runs of the workspace locks this row first."""

    __tablename__ = "workspace_run_totals"

    arrived_in: Mapped[int] = mapped_column(sa.BigInteger, default=0, server_default="0", sort_order=2)
    """The number of the last RunArrival."""


class WorkspacePersonRuns(_OfWorkspace, _OfPerson, Base):
    __tablename__ = "workspace_person_runs"


class WorkspacePersonPeriodRuns(_OfWorkspace, _OfPersonAndPeriod, Base):
    __tablename__ = "workspace_person_period_runs"
    __table_args__ = ({"sqlite_with_rowid": False},)


class WorkspaceRunBucket(_OfWorkspace, _OfBucket, Base):
    __tablename__ = "workspace_run_buckets"
    __table_args__ = ({"sqlite_with_rowid": False},)


class RunArrival(Base):
    """That runs came into a workflow in one transaction: those whose `arrived_in` is its version.

    Numbers grow in the order of commits, which versions of different workflows do not. Old rows are deleted
    when new ones are written.
    """

    __tablename__ = "run_arrivals"
    __table_args__ = ({"sqlite_with_rowid": False},)

    workspace_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    """A version of the workspace's runs (`sql.versions`)."""
    workflow_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("workflows.id", ondelete="CASCADE"), primary_key=True
    )
    version: Mapped[int] = mapped_column(sa.BigInteger)


class Cause(Base):
    """The failed runs of a workspace with one fingerprint, and what people noted of them.

    `failed`, `first_at` and `last_at` are those of its runs in workflows that are not deleted, by when these
    were created.
    """

    __tablename__ = "causes"
    __table_args__ = (
        sa.Index("ix_causes_workspace_id_last_at", "workspace_id", "last_at"),
        sa.Index(
            "ix_causes_merged_into",
            "merged_into",
            sqlite_where=sa.text("merged_into IS NOT NULL"),
            postgresql_where=sa.text("merged_into IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    """Made from the workspace and the fingerprint (`runs.causes.fingerprints`)."""
    workspace_id: Mapped[UUID] = mapped_column(sa.ForeignKey("workspaces.id", ondelete="CASCADE"))
    version: Mapped[int]
    """The version of the rules that made the fingerprint."""
    text: Mapped[str] = mapped_column(sa.Text)
    """The fingerprint, with `runs.causes.rules.VARIES` for what varies; empty where nothing said why."""
    failed: Mapped[int] = mapped_column(sa.BigInteger, default=0, server_default="0")
    first_at: Mapped[datetime | None]
    last_at: Mapped[datetime | None]
    merged_into: Mapped[UUID | None] = mapped_column(Id)
    """Where most of its runs went when newer rules grouped them; no foreign key."""
    note: Mapped[str | None] = mapped_column(sa.String(500))
    noted_at: Mapped[datetime | None]
    noted_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("users.id", ondelete="SET NULL"))
    resolved_at: Mapped[datetime | None]
    """A run created later opens it again."""
    resolved_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("users.id", ondelete="SET NULL"))
    muted_at: Mapped[datetime | None]
    muted_until: Mapped[datetime | None]
    """None: for good."""
    muted_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("users.id", ondelete="SET NULL"))


class CauseDay(Base):
    """The runs of a cause that were created on one day in UTC, in workflows that are not deleted."""

    __tablename__ = "cause_days"
    __table_args__ = ({"sqlite_with_rowid": False},)

    cause_id: Mapped[UUID] = mapped_column(sa.ForeignKey("causes.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Days since 1970-01-01."""
    failed: Mapped[int] = mapped_column(sa.BigInteger)


class CauseWorkflow(Base):
    """The runs of a cause in one workflow, deleted or not."""

    __tablename__ = "cause_workflows"
    __table_args__ = (
        sa.Index("ix_cause_workflows_workflow_id", "workflow_id"),
        {"sqlite_with_rowid": False},
    )

    cause_id: Mapped[UUID] = mapped_column(sa.ForeignKey("causes.id", ondelete="CASCADE"), primary_key=True)
    workflow_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("workflows.id", ondelete="CASCADE"), primary_key=True
    )
    failed: Mapped[int] = mapped_column(sa.BigInteger)
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
