"""How many runs there are: in all, by status, by day. Always exact, whatever the filter."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

import sqlalchemy as sa

from portal.db import db
from portal.models import Run, RunStatus, Workflow
from portal.runs.filters import matching
from portal.runs.query import RunQuery


@dataclass(frozen=True)
class Day:
    """The runs created on one day in UTC, by status: every status is there."""

    day: date
    counts: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def count_runs(workflow: Workflow, query: RunQuery) -> int:
    """How many runs match the query."""
    matches = sa.select(sa.func.count()).select_from(Run).where(*matching(workflow, query))
    return db.session.scalar(matches) or 0


def count_by_status(workflow: Workflow, query: RunQuery) -> dict[str, int]:
    """How many runs each of the six statuses has under the other filters of the query."""
    others = matching(workflow, replace(query, status=()))
    grouped = sa.select(Run.status, sa.func.count().label("runs")).where(*others).group_by(Run.status)
    found = {row.status: row.runs for row in db.session.execute(grouped)}
    return {status.value: found.get(status.value, 0) for status in RunStatus}


def count_by_day(workflow: Workflow, first: date, last: date) -> list[Day]:
    """The workflow's runs on each day from first to last, days without runs too."""
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    counts = {day: dict.fromkeys((status.value for status in RunStatus), 0) for day in days}
    rows = sa.select(Run.created_at, Run.status).where(
        Run.workflow_id == workflow.id,
        Run.created_at >= datetime.combine(first, time(), UTC),
        Run.created_at < datetime.combine(last + timedelta(days=1), time(), UTC),
    )
    for created_at, status in db.session.execute(rows):
        counts[created_at.astimezone(UTC).date()][status] += 1
    return [Day(day, counts[day]) for day in days]
