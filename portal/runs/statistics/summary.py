"""Summary of a workflow's runs: counts and sums of a window, last failure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Self
from uuid import UUID

import sqlalchemy as sa

from portal.auth.access import SeenWorkflow
from portal.database.engine import db
from portal.database.models import Run, RunBucket, RunStatus
from portal.database.transactions import read
from portal.input import parameters
from portal.input.parameters import Reader
from portal.runs.counts.columns import SUMS, Sums, count_columns, sum_columns
from portal.runs.counts.histograms import DAY, HOUR
from portal.runs.counts.periods import Parts, in_edge, in_hours, in_whole, whole_days
from portal.runs.counts.reading import created_in
from portal.runs.scope import IN_WORKFLOW, Kind
from portal.runs.statuses import STATUSES


@dataclass(frozen=True)
class SummaryQuery:
    """A workflow and a window of creation times, ends included; None leaves an end open (contract 1.8)."""

    workflow_id: UUID
    created_from: datetime | None
    created_to: datetime | None

    @classmethod
    def parse(cls, args: Mapping[str, str], *, workflow_id: str) -> Self:
        """Read a request's parameters. Raises InvalidQuery with an error for each bad field."""
        reader = Reader({**args, "workflow_id": workflow_id})
        created_from, created_to = reader.window("from", "to")
        found_id = reader.read("workflow_id", parameters.uuid, UUID(int=0))
        reader.finish()
        return cls(found_id, created_from, created_to)


@dataclass(frozen=True)
class Summary:
    """Counts and sums of the runs created in a window (contract 3.11)."""

    counts: Mapping[str, int]
    """Runs by status, with zeros."""
    timed_runs: int
    active_ms: int
    delivered_audio_ms: int
    """Sums over completed runs."""

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def pass_rate(self) -> float | None:
        return pass_rate(self.counts[RunStatus.COMPLETED], self.counts[RunStatus.FAILED])

    @property
    def average_duration_seconds(self) -> float | None:
        """The average of completed runs without pauses; None if there are none."""
        return self.active_ms / self.timed_runs / 1000 if self.timed_runs else None


def summarize(
    workflow: SeenWorkflow, created_from: datetime | None = None, created_to: datetime | None = None
) -> Summary:
    """Summarize the runs created in a window, ends included; whole hours come from the counts."""
    periods = whole_days(created_from, created_to)
    statement = _summing(db.engine.dialect.name, periods.parts)
    parts = read(statement, workflow_id=workflow.id, **periods.values)
    numbers = [int(sum(column)) for column in zip(*parts, strict=True)]
    counts = dict(zip(STATUSES, numbers, strict=False))
    found = Sums.of(*numbers[len(STATUSES) :])
    return Summary(counts, found.timed_runs, found.active_ms, found.delivered_audio_ms)


@lru_cache
def _summing(dialect: str, divided: Parts) -> sa.CompoundSelect[*tuple[int, ...]]:
    columns = [sa.func.coalesce(sa.func.sum(getattr(RunBucket, name)), 0) for name in STATUSES + SUMS]
    of_days = sa.select(*columns).where(*created_in(Kind.WORKFLOW, DAY))
    of_hours = sa.select(*columns).where(*created_in(Kind.WORKFLOW, HOUR))
    counted = sa.select(*count_columns(), *sum_columns(dialect)).where(IN_WORKFLOW)
    return sa.union_all(
        of_days.where(in_whole(RunBucket.number)),
        *(of_hours.where(in_hours(RunBucket.number, number)) for number in range(divided.hours)),
        *(counted.where(in_edge(number)) for number in range(divided.edges)),
    )


def pass_rate(completed: int, failed: int) -> float | None:
    """The share of completed runs among completed and failed ones; None if there are none (contract 3.11)."""
    return completed / (completed + failed) if completed + failed else None


_NEWEST_FIRST = (Run.created_at.desc(), Run.id)
LAST_FAILED_AT = (
    sa.select(sa.func.coalesce(Run.completed_at, Run.created_at))
    .where(IN_WORKFLOW, Run.status == RunStatus.FAILED)
    .order_by(*_NEWEST_FIRST)
    .limit(1)
)
"""When the newest failed run ended, or else was created."""
