"""What a workflow's runs are like: how many pass, how long they usually take, when one last failed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from statistics import quantiles
from typing import Any

import sqlalchemy as sa

from portal.auth.access import SeenWorkflow
from portal.database.engine import db
from portal.database.models import Run, RunBucket, RunStatus
from portal.database.transactions import read
from portal.moments import elapsed_ms
from portal.runs.counts.columns import SUMS, Sums, count_columns, sum_columns
from portal.runs.counts.periods import in_edge, in_whole, whole_periods
from portal.runs.counts.reading import OF_DAYS
from portal.runs.filters import OF_WORKFLOW
from portal.runs.query import STATUSES

USUAL_OF = 100
"""How many of the last completed runs say what is usual."""


@dataclass(frozen=True)
class Usual:
    """How long a workflow's last completed runs took, pauses left out, in milliseconds."""

    runs: int
    median_ms: int
    p90_ms: int


@dataclass(frozen=True)
class Summary:
    """The runs of a workflow that were created in a window (contract 3.11)."""

    counts: Mapping[str, int]
    """By status: every status is there."""
    timed_runs: int
    active_ms: int
    delivered_audio_ms: int
    """Of completed runs."""

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def pass_rate(self) -> float | None:
        return pass_rate(self.counts["completed"], self.counts["failed"])

    @property
    def average_duration_seconds(self) -> float | None:
        """Of completed runs, pauses left out; None where there is none."""
        return self.active_ms / self.timed_runs / 1000 if self.timed_runs else None


def summarize(
    workflow: SeenWorkflow, created_from: datetime | None = None, created_to: datetime | None = None
) -> Summary:
    """Sum up the runs created in a window, both ends included; whole days come from the counts."""
    asked = whole_periods(created_from, created_to)
    statement = _summing(db.engine.dialect.name, len(asked.edges))
    parts = read(statement, workflow_id=workflow.id, **asked.values)
    numbers = [int(sum(column)) for column in zip(*parts, strict=True)]
    counts = dict(zip(STATUSES, numbers, strict=False))
    return Summary(counts, *Sums.of(*numbers[len(STATUSES) :]))


@lru_cache
def _summing(dialect: str, edges: int) -> Any:
    columns = [sa.func.coalesce(sa.func.sum(getattr(RunBucket, name)), 0) for name in STATUSES + SUMS]
    whole = sa.select(*columns).where(*OF_DAYS, in_whole(RunBucket.number))
    counted = sa.select(*count_columns(), *sum_columns(dialect))
    return sa.union_all(whole, *(counted.where(OF_WORKFLOW, in_edge(number)) for number in range(edges)))


def pass_rate(completed: int, failed: int) -> float | None:
    """Completed among completed and failed; None where there is neither (contract 3.11)."""
    return completed / (completed + failed) if completed + failed else None


def usual_duration(workflow: SeenWorkflow) -> Usual | None:
    """What the last 100 completed runs with a duration took; None where there is none."""
    rows = db.session.execute(
        sa.select(Run.started_at, Run.completed_at, Run.paused_ms)
        .where(Run.workflow_id == workflow.id, Run.status == RunStatus.COMPLETED)
        .order_by(Run.created_at.desc(), Run.id)
        .limit(USUAL_OF)
    )
    took = [milliseconds for row in rows if (milliseconds := elapsed_ms(*row)) is not None]
    if not took:
        return None
    if len(took) == 1:
        return Usual(1, took[0], took[0])
    tenths = quantiles(took, n=10, method="inclusive")
    return Usual(len(took), round(tenths[4]), round(tenths[8]))


def last_failed_at(workflow: SeenWorkflow) -> datetime | None:
    """When the newest failed run ended, else when it was created; None where none failed."""
    row = db.session.execute(
        sa.select(Run.completed_at, Run.created_at)
        .where(Run.workflow_id == workflow.id, Run.status == RunStatus.FAILED)
        .order_by(Run.created_at.desc(), Run.id)
        .limit(1)
    ).first()
    return (row.completed_at or row.created_at) if row else None
