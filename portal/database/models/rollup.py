"""The counts beside the runs: per workflow, person and histogram bucket, a column for each status.

One row holds all six counts, so that a total, the numbers of a filter bar or a chart read one row each.
"""

from collections.abc import Sequence
from typing import cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.database.columns import Base
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


class RunTotals(_Counts, Base):
    """All runs of a workflow."""

    __tablename__ = "run_totals"

    workflow_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("workflows.id", ondelete="CASCADE"), primary_key=True
    )


class PersonRuns(_Counts, Base):
    """The runs of a workflow that one person triggered."""

    __tablename__ = "person_runs"

    workflow_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("workflows.id", ondelete="CASCADE"), primary_key=True
    )
    person_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class PersonPeriodRuns(_Counts, Base):
    """The runs of one person whose key in one order lies in one period of 32 days.

    So a search finds a page deep in its list by adding up periods and walking within one.
    """

    __tablename__ = "person_period_runs"
    __table_args__ = ({"sqlite_with_rowid": False},)

    workflow_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("workflows.id", ondelete="CASCADE"), primary_key=True
    )
    ordered_by: Mapped[str] = mapped_column(sa.String(12), primary_key=True)
    person_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    period: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Periods since 1970-01-01, 2**31 - 1 for runs without a key."""


class RunBucket(_Counts, Base):
    """One bucket of a histogram of a workflow's runs: those whose key lies in it.

    Bucket n of a width holds the keys from n * width up to, but not including, (n + 1) * width. Keys are
    whole numbers: microseconds since 1970-01-01 UTC, or the leading 32 bits of an id.
    """

    __tablename__ = "run_buckets"
    __table_args__ = ({"sqlite_with_rowid": False},)

    workflow_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("workflows.id", ondelete="CASCADE"), primary_key=True
    )
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
