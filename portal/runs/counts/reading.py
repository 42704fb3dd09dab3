"""How many runs there are: in all, by status, by day. Always exact, whatever the filter.

Read from the counts beside the runs as far as they go; the rest is counted on an index.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

from portal.auth.access import SeenWorkflow
from portal.database.models import PersonPeriodRuns, PersonRuns, RunBucket, RunTotals
from portal.database.sql import statements
from portal.database.transactions import read
from portal.runs.counts import grains
from portal.runs.counts.columns import count_columns, date_of
from portal.runs.counts.histograms import CREATED, DAY
from portal.runs.counts.periods import in_edge, in_whole, whole_periods
from portal.runs.filters.conditions import Filters, matching, values
from portal.runs.filters.triggered_by import PEOPLE_NAMED
from portal.runs.query import RunQuery
from portal.runs.statuses import STATUSES


@dataclass(frozen=True)
class Day:
    """The runs created on one day in UTC, by status: every status is there."""

    day: date
    counts: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


class Counts(NamedTuple):
    """How many runs a list has, and its workflow."""

    by_status: Mapping[str, int]
    """How many each of the six statuses has under the other filters of the list."""
    in_all: int
    """Whatever the filters."""


def read_counts(workflow: SeenWorkflow, query: RunQuery) -> Counts:
    """Both in one statement."""
    if query.others:
        filters = Filters.of(query)._replace(statuses=0)
        rows = read(_of_matching(filters), **values(workflow, query, statuses=()))
        everything, *parts = sorted(map(tuple, rows), key=itemgetter(-1))
        return Counts(_add_up(parts), sum(everything[:-1]))
    searched, bound = bool(query.search), values(workflow, query, statuses=())
    if not (query.search or query.created_from or query.created_to):
        counts = _add_up(read(_OF_ALL, **bound).all())
        return Counts(counts, sum(counts.values()))
    counting = _of_people()
    if query.created_from or query.created_to:
        window = whole_periods(query.created_from, query.created_to, grains.PERIOD_DAYS if searched else 1)
        counting, bound = _in_window(searched, len(window.edges)), bound | window.values
    everything, *parts = sorted(map(tuple, read(counting, **bound)), key=itemgetter(-1))
    return Counts(_add_up(parts), sum(everything[:-1]))


def count_by_status(workflow: SeenWorkflow, query: RunQuery) -> Mapping[str, int]:
    """How many runs each of the six statuses has under the other filters of the query."""
    return read_counts(workflow, query).by_status


def _add_up(parts: Iterable[Sequence[int]]) -> dict[str, int]:
    """Add up rows of six counts."""
    # PostgreSQL sums into decimals, which JSON would write as text.
    return {status: int(sum(part[position] for part in parts)) for position, status in enumerate(STATUSES)}


def count_by_day(workflow: SeenWorkflow, first: date, last: date) -> list[Day]:
    """The workflow's runs on each day from first to last, days without runs too."""
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    found = {day.day: day for day in days_with_runs(workflow, first, last)}
    return [found.get(day) or Day(day, dict.fromkeys(STATUSES, 0)) for day in days]


def days_with_runs(workflow: SeenWorkflow, first: date, last: date) -> list[Day]:
    """The days from first to last on which runs were created, in order, however far apart they are."""
    rows = read(_BY_DAY, workflow_id=workflow.id, first_whole=_number(first), last_whole=_number(last))
    return sorted(
        (Day(date_of(day), dict(zip(STATUSES, counts, strict=True))) for day, *counts in rows if any(counts)),
        key=lambda day: day.day,
    )


def count_outside(workflow: SeenWorkflow, first: date, last: date) -> tuple[int, int]:
    """How many runs were created before the first of these days and how many after the last."""
    days = {"workflow_id": workflow.id, "first_whole": _number(first), "last_whole": _number(last)}
    before, after = read(_OUTSIDE, **days).one()
    return int(before), int(after)


def _number(day: date) -> int:
    return (day - date_of(0)).days


_Table = type[RunTotals | PersonRuns | PersonPeriodRuns | RunBucket]
"""A table of counts by status."""


def _of_workflow(table: _Table) -> sa.ColumnElement[bool]:
    return table.workflow_id == sa.bindparam("workflow_id")


OF_DAYS = (
    _of_workflow(RunBucket),
    RunBucket.histogram == sa.literal_column(f"'{CREATED.name}'"),
    RunBucket.width == sa.literal_column(str(DAY)),
)
"""The conditions on buckets to be the days on which runs of a workflow were created, in UTC."""


def _columns(table: _Table) -> list[InstrumentedAttribute[int]]:
    return [getattr(table, status) for status in STATUSES]


def _summed(table: _Table) -> statements.Columns:
    return sa.select(*(sa.func.coalesce(sa.func.sum(column), 0) for column in _columns(table)))


_OF_ALL = sa.select(*_columns(RunTotals)).where(_of_workflow(RunTotals))
_OF_PEOPLE = _summed(PersonRuns).where(_of_workflow(PersonRuns), PersonRuns.person_id.in_(PEOPLE_NAMED))
_OF_DAYS = _summed(RunBucket).where(*OF_DAYS, in_whole(RunBucket.number))
_OF_PERIODS = _summed(PersonPeriodRuns).where(
    _of_workflow(PersonPeriodRuns),
    PersonPeriodRuns.ordered_by == "created_at",
    PersonPeriodRuns.person_id.in_(PEOPLE_NAMED),
    in_whole(PersonPeriodRuns.period),
)
_BY_DAY = sa.select(RunBucket.number, *_columns(RunBucket)).where(*OF_DAYS, in_whole(RunBucket.number))
_RUNS_OF_DAYS = sa.func.sum(RunBucket.of())
_OUTSIDE = sa.select(
    sa.func.coalesce(_RUNS_OF_DAYS.filter(RunBucket.number < sa.bindparam("first_whole")), 0),
    sa.func.coalesce(_RUNS_OF_DAYS.filter(RunBucket.number > sa.bindparam("last_whole")), 0),
).where(*OF_DAYS)


def _with_all(*parts: statements.Columns) -> sa.Executable:
    """Parts of a list, marked 1, and all runs of the workflow, marked 0, even where it has none."""
    zeros = (sa.func.coalesce(sa.func.sum(column), 0) for column in _columns(RunTotals))
    everything = sa.select(*zeros, sa.literal_column("0")).where(_of_workflow(RunTotals))
    return sa.union_all(everything, *(part.add_columns(sa.literal_column("1")) for part in parts))


@lru_cache
def _of_matching(filters: Filters) -> sa.Executable:
    """Counted on the runs themselves: no counts beside them know of further filters."""
    return _with_all(sa.select(*count_columns()).where(*matching(filters)))


@lru_cache
def _of_people() -> sa.Executable:
    return _with_all(_OF_PEOPLE)


@lru_cache
def _in_window(searched: bool, edges: int) -> sa.Executable:
    """Whole days or periods from the counts, the edges from the runs of theirs."""
    runs = sa.select(*count_columns()).where(*matching(Filters(searched=searched)))
    parts = (runs.where(in_edge(number)) for number in range(edges))
    return _with_all(_OF_PERIODS if searched else _OF_DAYS, *parts)
