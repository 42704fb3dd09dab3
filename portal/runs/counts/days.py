"""How many runs were created on each day of a time zone.

A day is added up from hours of UTC. Where it begins within one, as in zones that are not whole hours from
UTC, the parts of that hour are counted on the runs.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import accumulate, pairwise

import sqlalchemy as sa

from portal.database.sql import statements
from portal.database.sql.in_lists import chunks
from portal.database.transactions import read
from portal.input.time_zones import UTC_NAME, day_at, day_begins, day_ends
from portal.moments import EPOCH
from portal.runs.counts.columns import count_columns, day_of
from portal.runs.counts.histograms import DAY, HOUR, microseconds
from portal.runs.counts.periods import Edge, WholePeriods, in_edge, in_whole
from portal.runs.counts.reading import columns, created_in, read_counts
from portal.runs.query import RunQuery
from portal.runs.scope import Kind, Listed, Scope, in_scope, scope_of
from portal.runs.statuses import STATUSES

EDGES = 32
"""Parts of hours that one statement counts."""

_HOURS = DAY // HOUR
_PARTS = "abcdefghijklmnopqrstuvwxyz"
_A_DAY, _TICK = timedelta(days=1), timedelta(microseconds=1)
_NO_EDGE = Edge(EPOCH, EPOCH - _TICK)

_Counts = Sequence[int]
"""By status."""


@dataclass(frozen=True)
class Day:
    """The runs created on one day, by status: every status is there."""

    day: date
    counts: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def count_by_day(seen: Listed, first: date, last: date, zone: str = UTC_NAME) -> list[Day]:
    """The runs of a workflow or a workspace on each day from first to last, days without runs too."""
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    found = {day.day: day for day in days_with_runs(seen, first, last, zone)}
    return [found.get(day) or Day(day, dict.fromkeys(STATUSES, 0)) for day in days]


def days_with_runs(seen: Listed, first: date, last: date, zone: str = UTC_NAME) -> list[Day]:
    """The days from first to last on which runs were created, in order, however far apart they are."""
    added: defaultdict[date, list[int]] = defaultdict(lambda: [0] * len(STATUSES))
    for moment, counts in _counted(scope_of(seen), first, last, zone):
        day = day_at(moment, zone)
        if first <= day <= last and any(counts):
            added[day] = [one + int(other) for one, other in zip(added[day], counts, strict=True)]
    return [Day(day, dict(zip(STATUSES, added[day], strict=True))) for day in sorted(added)]


def count_outside(seen: Listed, first: date, last: date, zone: str = UTC_NAME) -> tuple[int, int]:
    """How many runs were created before the first of these days and how many after the last."""
    until = None if first == date.min else day_ends(first - _A_DAY, zone)
    since = None if last == date.max else day_begins(last + _A_DAY, zone)
    scope = scope_of(seen)
    workflow_id = scope.workflow_ids[0] if scope.kind is Kind.WORKFLOW else None
    windows = (
        RunQuery(workflow_id=workflow_id, created_to=until) if until else None,
        RunQuery(workflow_id=workflow_id, created_from=since) if since else None,
    )
    before, after = (
        sum(read_counts(scope, window).by_status.values()) if window else 0 for window in windows
    )
    return before, after


def _counted(scope: Scope, first: date, last: date, zone: str) -> Iterator[tuple[datetime, _Counts]]:
    """Counts of runs, each with a moment of the only day in the zone on which they were created."""
    first_day, last_day = day_of(day_begins(first, zone)), day_of(day_ends(last, zone))
    days = read(_by_day(scope.kind), **_whole(scope, first_day, last_day)).all()
    midnights = {found for number, *_ in days for found in _midnights(number, zone)}
    if not midnights:
        yield from ((_moment(number, DAY), counts) for number, *counts in days)
        return
    hours = _whole(scope, first_day * _HOURS, last_day * _HOURS + _HOURS - 1)
    divided = {microseconds(found) // HOUR for found in midnights if microseconds(found) % HOUR}
    edges: list[Edge] = []
    for number, *counts in read(_by_part_of_day(scope.kind), parts=_parts(midnights), **hours):
        if number in divided:
            edges += _divided(number, midnights)
        else:
            yield _moment(number, HOUR), counts
    for some in chunks(edges, EDGES):
        yield from _count_edges(scope, some)


def _midnights(number: int, zone: str) -> Iterator[datetime]:
    """When days of the zone begin within a day of UTC."""
    start = _moment(number, DAY)
    day = day_at(start, zone)
    while day < date.max:
        day += _A_DAY
        begin = day_begins(day, zone)
        if begin - start >= _A_DAY:
            return
        if begin > start:
            yield begin


def _parts(midnights: Collection[datetime]) -> str:
    """A letter for each hour of a day of UTC: another one where a day of the zone may have begun.

    An hour within which one begins has a letter of its own.
    """
    keys = [microseconds(midnight) for midnight in midnights]
    begins = {key // HOUR % _HOURS for key in keys} | {-(-key // HOUR) % _HOURS for key in keys}
    return "".join(_PARTS[part] for part in accumulate(hour in begins for hour in range(_HOURS)))


def _divided(hour: int, midnights: Collection[datetime]) -> list[Edge]:
    """The parts of an hour within which days of the zone begin."""
    begin, end = _moment(hour, HOUR), _moment(hour + 1, HOUR)
    inside = sorted(midnight for midnight in midnights if begin < midnight < end)
    return [Edge(start, stop - _TICK) for start, stop in pairwise([begin, *inside, end])]


def _count_edges(scope: Scope, edges: Sequence[Edge]) -> Iterator[tuple[datetime, _Counts]]:
    filled = (*edges, *[_NO_EDGE] * (EDGES - len(edges)))
    bound = WholePeriods(None, None, filled).values
    for number, *counts in read(_by_edge(scope.kind), **bound, **scope.values).all():
        yield filled[number].begin, counts


def _whole(scope: Scope, first: int, last: int) -> statements.Values:
    return scope.values | {"first_whole": first, "last_whole": last}


def _moment(number: int, width: int) -> datetime:
    return EPOCH + timedelta(microseconds=number * width)


@lru_cache
def _by_day(kind: Kind) -> sa.Executable:
    table = kind.counts.buckets
    days = sa.select(table.number, *columns(table))
    return days.where(*created_in(kind, DAY), in_whole(table.number))


@lru_cache
def _by_part_of_day(kind: Kind) -> sa.Executable:
    """The first hour of each part of a day of UTC, and its runs."""
    table = kind.counts.buckets
    hour = (table.number % _HOURS + _HOURS) % _HOURS
    letter = sa.func.substr(sa.bindparam("parts", type_=sa.Text()), sa.cast(hour, sa.Integer) + 1, 1)
    hours = sa.select(sa.func.min(table.number), *(sa.func.sum(column) for column in columns(table)))
    hours = hours.where(*created_in(kind, HOUR), in_whole(table.number))
    return hours.group_by(table.number - hour, letter)


@lru_cache
def _by_edge(kind: Kind) -> sa.Executable:
    counted: statements.Columns = sa.select(*count_columns()).where(*in_scope(kind, "created_at"))
    return sa.union_all(
        *(
            counted.with_only_columns(sa.literal_column(str(number)), *count_columns()).where(in_edge(number))
            for number in range(EDGES)
        )
    )
