"""Trends of a workflow over a window of days: runs, durations, failing steps, busiest people.

Run counts come from the rollup. The other figures are samples: an index scan reads a bounded number of the
newest runs of the window, so their cost does not depend on the size of the workflow.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median
from typing import Self
from uuid import UUID

import sqlalchemy as sa

from portal.auth.access import SeenWorkflow
from portal.database.engine import db
from portal.database.models import Person, Run, RunStatus, Step
from portal.database.sql.excerpts import cut, excerpt
from portal.input import parameters
from portal.input.parameters import Reader, Refused
from portal.input.time_zones import UTC_NAME, day_at, day_begins, day_ends
from portal.runs.causes.lasting import lasting_failures
from portal.runs.counts import Day, days_with_runs
from portal.runs.statistics.summary import pass_rate
from portal.runs.statuses import STATUSES

WINDOWS = ("7", "30", "90", "all")
TIMED_RUNS, FAILED_RUNS, PEOPLE_RUNS = 1_000, 200, 5_000
"""Sample sizes, in newest runs: for durations, failing steps and people."""

TOP = 10
MAX_STEP_NAME = 120
MAX_COLUMNS = 92
LONG_GAP = 3_660
"""A gap of more days than this separates ranges of days; charts show the ranges with most runs."""
MIN_SHARE = 0.25
"""A neighbouring range with this share of all runs is shown too."""
_A_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class TrendQuery:
    """The days to cover: a number of last days, all days, or a range of dates."""

    days: str = "30"
    first: date | None = None
    last: date | None = None

    @classmethod
    def parse(cls, args: Mapping[str, str]) -> Self:
        """Raises InvalidQuery. Empty dates count as absent: forms send them."""
        reader = Reader({name: value for name, value in args.items() if value or name == "days"})
        first, last = reader.read("from", _day, None), reader.read("to", _day, None)
        if first and last and first > last:
            reader.refuse("from", "must not be after to.")
        query = cls(days=reader.read("days", parameters.one_of(WINDOWS), "30"), first=first, last=last)
        reader.finish()
        return query

    @property
    def fixed(self) -> bool:
        """Whether the query names a date."""
        return self.first is not None or self.last is not None


@dataclass(frozen=True)
class TrendColumn:
    """The runs of one day, or of several days in a long window."""

    first: date
    last: date
    counts: Mapping[str, int]
    median_ms: int | None
    """The median of the sample; None if it has no runs of these days."""

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True)
class Outside:
    """Runs of the window before or after the days that charts show."""

    runs: int
    first: date
    last: date


@dataclass(frozen=True, kw_only=True)
class Trends:
    """Statistics of the runs created in a window."""

    query: TrendQuery
    first: date
    last: date
    """The first and the last day of the window."""
    columns: Sequence[TrendColumn]
    """The columns of charts: the window, or its main range if its runs are far apart."""
    outside: Sequence[Outside]
    counts: Mapping[str, int]
    durations: Sequence[int]
    """Durations of the newest completed runs, in milliseconds."""
    failing: Sequence[tuple[str, int]]
    """Step names with the number of sampled runs in which they failed."""
    failed_runs: int
    people: Sequence[tuple[str, int]]
    people_runs: int

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def pass_rate(self) -> float | None:
        return pass_rate(self.counts[RunStatus.COMPLETED], self.counts[RunStatus.FAILED])

    @property
    def median_ms(self) -> int | None:
        return round(median(self.durations)) if self.durations else None


def read_trends(workflow: SeenWorkflow, query: TrendQuery, today: date, zone: str = UTC_NAME) -> Trends:
    """The trends of a workflow, by days of a time zone. The caller has checked access."""
    first, last = _days(workflow, query, today, zone)
    days = days_with_runs(workflow, first, last, zone)
    charted = first, last
    if (last - first).days > LONG_GAP:
        charted = main_range(days, today) or charted
    inside = Run.created_at.between(day_begins(first, zone), day_ends(last, zone))
    newest = sa.select(Run.id).where(Run.workflow_id == workflow.id, inside)
    newest = newest.order_by(Run.created_at.desc(), Run.id)
    timed = _timed(newest, zone)
    failed = db.session.scalars(newest.where(Run.status == RunStatus.FAILED).limit(FAILED_RUNS)).all()
    people, people_runs = _people(newest)
    return Trends(
        query=query,
        first=first,
        last=last,
        columns=_columns(days, timed, *charted),
        outside=_outside(days, *charted),
        counts={status: sum(day.counts[status] for day in days) for status in STATUSES},
        durations=[took for _, took in timed],
        failing=_failing(failed),
        failed_runs=len(failed),
        people=people,
        people_runs=people_runs,
    )


def main_range(days: Sequence[Day], today: date) -> tuple[date, date] | None:
    """The first and the last day of the range with most runs; None if there are none.

    Gaps longer than LONG_GAP separate ranges. The result includes neighbouring ranges with at least MIN_SHARE
    of all runs. Ranges in the future only count if there are no others: a wrong date must not hide the rest.
    """
    parts: list[list[Day]] = []
    for day in days:
        if not parts or (day.day - parts[-1][-1].day).days > LONG_GAP:
            parts.append([])
        parts[-1].append(day)
    parts = [part for part in parts if (part[0].day - today).days <= 1] or parts
    if not parts:
        return None
    runs = [sum(day.total for day in part) for part in parts]
    enough = sum(runs) * MIN_SHARE
    first = last = max(range(len(parts)), key=lambda index: (runs[index], index))
    while first > 0 and runs[first - 1] >= enough:
        first -= 1
    while last < len(parts) - 1 and runs[last + 1] >= enough:
        last += 1
    return parts[first][0].day, parts[last][-1].day


def _outside(days: Sequence[Day], first: date, last: date) -> list[Outside]:
    """The runs before the first and after the last day of a chart."""
    sides = [day for day in days if day.day < first], [day for day in days if day.day > last]
    return [Outside(sum(day.total for day in side), side[0].day, side[-1].day) for side in sides if side]


def _days(workflow: SeenWorkflow, query: TrendQuery, today: date, zone: str) -> tuple[date, date]:
    """The first and the last day of the window; an open end is that of the runs."""
    oldest, newest = _oldest_and_newest(workflow, zone)
    if query.days != "all" and not query.fixed:
        return today - timedelta(days=int(query.days) - 1), today
    if not query.fixed:
        return oldest or today, newest or today
    first = query.first or min(oldest or today, query.last or today)
    last = query.last or max(newest or today, today, first)
    return first, last


def _oldest_and_newest(workflow: SeenWorkflow, zone: str) -> tuple[date | None, date | None]:
    """The days of the oldest and the newest run."""
    ends = [sa.func.min(Run.created_at), sa.func.max(Run.created_at)]
    found = [db.session.scalar(sa.select(end).where(Run.workflow_id == workflow.id)) for end in ends]
    oldest, newest = (day_at(moment, zone) if moment else None for moment in found)
    return oldest, newest


def _timed(newest: sa.Select[UUID], zone: str) -> list[tuple[date, int]]:
    columns = (Run.created_at, Run.duration_ms)
    completed = newest.with_only_columns(*columns).where(Run.status == RunStatus.COMPLETED)
    return [
        (day_at(created_at, zone), took)
        for created_at, took in db.session.execute(completed.limit(TIMED_RUNS))
        if took is not None
    ]


def _failing(run_ids: Sequence[UUID]) -> list[tuple[str, int]]:
    """The names of the steps with lasting failures in most of these runs."""
    name = sa.func.coalesce(Step.name, Step.node_id)
    runs = sa.func.count(sa.distinct(Step.run_id)).label("runs")
    counted = lasting_failures(run_ids).with_only_columns(excerpt(name, MAX_STEP_NAME), runs)
    counted = counted.group_by(name).order_by(sa.desc("runs"), name).limit(TOP)
    return [(cut(step, MAX_STEP_NAME), failed) for step, failed in db.session.execute(counted)]


def _people(newest: sa.Select[UUID]) -> tuple[list[tuple[str, int]], int]:
    some = newest.with_only_columns(Run.person_id).limit(PEOPLE_RUNS).subquery()
    counted = sa.select(some.c.person_id, sa.func.count()).group_by(some.c.person_id)
    counts = Counter({person: runs for person, runs in db.session.execute(counted)})  # noqa: C416
    total = sum(counts.values())
    counts.pop(None, None)
    busiest = counts.most_common(TOP)
    named = sa.select(Person.id, Person.display_name).where(Person.id.in_([person for person, _ in busiest]))
    names = {row.id: row.display_name for row in db.session.execute(named)}
    return [(names[person], runs) for person, runs in busiest], total


def _columns(
    days: Sequence[Day], timed: Sequence[tuple[date, int]], first: date, last: date
) -> list[TrendColumn]:
    """One column for each day, or for several days so that there are at most MAX_COLUMNS."""
    length = (last - first).days + 1
    size = -(-length // MAX_COLUMNS)
    counts: list[dict[str, int]] = [dict.fromkeys(STATUSES, 0) for _ in range(-(-length // size))]
    took: dict[int, list[int]] = defaultdict(list)
    for day in days:
        if first <= day.day <= last:
            column = counts[(day.day - first).days // size]
            for status in STATUSES:
                column[status] += day.counts[status]
    for created, milliseconds in timed:
        took[(created - first).days // size].append(milliseconds)
    return [
        TrendColumn(
            first + timedelta(days=index * size),
            min(last, first + timedelta(days=min((index + 1) * size, length) - 1)),
            column,
            round(median(took[index])) if took[index] else None,
        )
        for index, column in enumerate(counts)
    ]


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        day = None
    if day is None or not 1900 <= day.year <= 9000:
        raise Refused("must be a day such as 2026-01-31.")
    return day
