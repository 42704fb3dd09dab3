"""How many runs there are: in all, by status, by day. Always exact, whatever the filter.

Read from the counts kept beside the runs as far as they go; what is counted itself is counted on an index.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.db import db
from portal.models import DayRuns, PersonPeriodRuns, PersonRuns, Run, RunTotals
from portal.runs import rollup
from portal.runs.filters import people_named
from portal.runs.query import RunQuery
from portal.runs.rollup import STATUSES, count_columns, date_of
from portal.runs.whole_periods import WholePeriods, whole_periods
from portal.workflows.access import SeenWorkflow


@dataclass(frozen=True)
class Day:
    """The runs created on one day in UTC, by status: every status is there."""

    day: date
    counts: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def count_runs(workflow: SeenWorkflow, query: RunQuery) -> int:
    """How many runs match the query."""
    counts = count_by_status(workflow, query)
    return sum(number for status, number in counts.items() if not query.status or status in query.status)


def count_by_status(workflow: SeenWorkflow, query: RunQuery) -> dict[str, int]:
    """How many runs each of the six statuses has under the other filters of the query."""
    parts = db.session.execute(_counting(workflow, replace(query, status=()))).all()
    # PostgreSQL sums into decimals, which JSON would write as text.
    return {status: int(sum(part[place] for part in parts)) for place, status in enumerate(STATUSES)}


def count_by_day(workflow: SeenWorkflow, first: date, last: date) -> list[Day]:
    """The workflow's runs on each day from first to last, days without runs too."""
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    rows = sa.select(DayRuns.day, *_kept(DayRuns)).where(
        DayRuns.workflow_id == workflow.id, DayRuns.day.between(_number(first), _number(last))
    )
    found = {date_of(day): counts for day, *counts in db.session.execute(rows)}
    none = [0] * len(STATUSES)
    return [Day(day, dict(zip(STATUSES, found.get(day, none), strict=True))) for day in days]


def _number(day: date) -> int:
    return (day - date_of(0)).days


def _counting(workflow: SeenWorkflow, query: RunQuery) -> Any:
    """Rows of six counts which together are those of the query."""
    people = people_named(workflow, query) if query.search else None
    if query.created_from or query.created_to:
        width = rollup.PERIOD_DAYS if query.search else 1
        return _in_window(workflow.id, people, whole_periods(query.created_from, query.created_to, width))
    if people is not None:
        of_person = [PersonRuns.workflow_id == workflow.id, PersonRuns.person_id.in_(people)]
        return sa.select(*_summed(PersonRuns)).where(*of_person)
    return sa.select(*_kept(RunTotals)).where(RunTotals.workflow_id == workflow.id)


def _in_window(workflow_id: UUID, people: sa.Select[int] | None, window: WholePeriods) -> Any:
    """Whole days or periods from the counts, the edges from the runs of theirs."""
    narrowed = [] if people is None else [Run.person_id.in_(people)]
    edges = [
        sa.select(*count_columns()).where(Run.workflow_id == workflow_id, *narrowed, edge.condition)
        for edge in window.edges
    ]
    return sa.union_all(_whole(workflow_id, people, window), *edges)


def _whole(workflow_id: UUID, people: sa.Select[int] | None, window: WholePeriods) -> sa.Select[Any]:
    if people is None:
        of_day = [DayRuns.workflow_id == workflow_id, window.within(DayRuns.day)]
        return sa.select(*_summed(DayRuns)).where(*of_day)
    table = PersonPeriodRuns
    of_period = [table.workflow_id == workflow_id, table.ordered_by == "created_at"]
    of_period += [table.person_id.in_(people), window.within(table.period)]
    return sa.select(*_summed(table)).where(*of_period)


def _kept(table: Any) -> list[Any]:
    return [getattr(table, status) for status in STATUSES]


def _summed(table: Any) -> list[Any]:
    return [sa.func.coalesce(sa.func.sum(column), 0) for column in _kept(table)]
