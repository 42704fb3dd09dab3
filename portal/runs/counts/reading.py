"""How many runs there are: in all, by status. Always exact, whatever the filter.

Read from the counts beside the runs as far as they go; the rest is counted on an index.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

from portal.auth.access import SeenWorkflow
from portal.database.models import Run, RunArrival
from portal.database.sql import statements
from portal.database.transactions import read
from portal.runs.counts import grains
from portal.runs.counts.columns import count_columns
from portal.runs.counts.histograms import CREATED, DAY, DURATION, HOUR, Level
from portal.runs.counts.periods import (
    NO_PARTS,
    Parts,
    in_edge,
    in_hours,
    in_whole,
    whole_days,
    whole_periods,
)
from portal.runs.filters.conditions import Filters, matching, values
from portal.runs.filters.triggered_by import PEOPLE_NAMED
from portal.runs.query import RunQuery
from portal.runs.scope import CountTable, Kind, Scope, counts_of, in_scope, scope_of
from portal.runs.statuses import STATUSES


class Counts(NamedTuple):
    """How many runs a list has, and its workflow or workspace."""

    by_status: Mapping[str, int]
    """How many each of the six statuses has under the other filters of the list."""
    in_all: int
    """Whatever the filters."""
    new: int
    """How many of the list came after it was read; 0 if that is not told."""
    shorter: Mapping[str, int]
    """How many of each status took less time than those of the list, where nothing else narrows it."""
    longer: Mapping[str, int]
    """How many took more."""


def read_counts(scope: Scope, query: RunQuery, since: int | None = None) -> Counts:
    """All in one statement.

    `since` is the version of the workflow, or the last arrival in the workspace, after which a run is new.
    """
    statuses = () if since is None else query.status  # what is new is not counted by status
    filters = Filters.of(scope, query)._replace(statuses=len(statuses))
    bound = values(scope, query, statuses)
    divided = NO_PARTS
    if _is_ranked(filters):
        bound |= _rank_values(scope.kind, query)
    elif not query.others and not query.by_duration and (query.created_from or query.created_to):
        ends = query.created_from, query.created_to
        window = whole_periods(*ends, grains.PERIOD_DAYS) if query.search else whole_days(*ends)
        bound, divided = bound | window.values, window.parts
    if since is not None:
        bound["since"] = since
    found: dict[int, list[Sequence[int]]] = {_ALL: [], _PART: [], _NEW: [], _SHORTER: [], _UPTO: []}
    over = Kind.WORKFLOW if query.workflow_id is not None else Kind.WORKSPACE
    for *counts, kind in read(_counting(filters, divided, over, since is not None), **bound):
        found[kind].append(counts)
    in_all = _add_up(found[_ALL])
    by_status = _add_up(found[_PART]) if found[_PART] else in_all
    shorter, longer = _add_up(found[_SHORTER]), _add_up(())
    if _is_ranked(filters):
        upto = _add_up(found[_UPTO]) if found[_UPTO] else by_status
        longer = {status: by_status[status] - upto[status] for status in STATUSES}
        by_status = {status: upto[status] - shorter[status] for status in STATUSES}
    return Counts(by_status, sum(in_all.values()), int(sum(map(sum, found[_NEW]))), shorter, longer)


def count_by_status(workflow: SeenWorkflow, query: RunQuery) -> Mapping[str, int]:
    """How many runs each of the six statuses has under the other filters of the query."""
    return read_counts(scope_of(workflow), query).by_status


def _add_up(parts: Iterable[Sequence[int]]) -> dict[str, int]:
    """Add up rows of six counts."""
    # PostgreSQL sums into decimals, which JSON would write as text.
    return {status: int(sum(part[position] for part in parts)) for position, status in enumerate(STATUSES)}


def created_in(kind: Kind, width: int) -> tuple[sa.ColumnElement[bool], ...]:
    """The conditions on buckets to be the days, or hours, of UTC in which runs of a scope were created."""
    table = kind.counts.buckets
    return (
        counts_of(kind, table),
        table.histogram == sa.literal_column(f"'{CREATED.name}'"),
        table.width == sa.literal_column(str(width)),
    )


def columns(table: CountTable) -> list[InstrumentedAttribute[int]]:
    """The counts by status."""
    return [getattr(table, status) for status in STATUSES]


def _summed(table: CountTable) -> statements.Columns:
    return sa.select(*(sa.func.coalesce(sa.func.sum(column), 0) for column in columns(table)))


_ALL, _PART, _NEW, _SHORTER, _UPTO = range(5)
"""What a row counts: all runs of a workflow, a part of a list, or what is new in it. Of a list of a range of
durations: all runs with one, those below the range, and those up to its end.
"""


@lru_cache
def _counting(filters: Filters, divided: Parts, over: Kind, new: bool) -> sa.Executable:
    """Rows of six counts and what they count; without parts where no filter narrows the list."""
    totals = over.counts.totals
    of_all = _summed(totals).where(counts_of(over, totals))  # a row, even where there is no run
    rows = [_marked(of_all, _ALL)]
    if _is_ranked(filters):
        parts = [_summed(filters.scope.counts.buckets).where(*_of_level(filters.scope, 0))]
        rows += [_marked(part, _SHORTER) for part in _below(filters.scope, _LEAST) if filters.min_duration]
        rows += [_marked(part, _UPTO) for part in _below(filters.scope, _MOST) if filters.max_duration]
    else:
        parts = _parts(filters._replace(statuses=0), divided)
    if not parts and filters.scope is not over:  # chosen by nothing but their workflows
        parts = [_summed(totals := filters.scope.counts.totals).where(counts_of(filters.scope, totals))]
    rows += [_marked(part, _PART) for part in parts]
    if new:
        came: statements.Columns = sa.select(sa.func.count(), *[sa.literal_column("0")] * (len(STATUSES) - 1))
        came = came.where(*_new(over), *matching(filters))
        rows.append(_marked(came, _NEW))
    return sa.union_all(*rows) if len(rows) > 1 else rows[0]


def _new(over: Kind) -> list[sa.ColumnElement[bool]]:
    """The conditions on runs to have come after the list of a workflow or a workspace was read."""
    since = sa.bindparam("since", type_=sa.BigInteger())
    if over is Kind.WORKFLOW:
        return [Run.arrived_in > since]
    return [
        RunArrival.workspace_id == sa.bindparam("workspace_id"),
        RunArrival.number > since,
        Run.workflow_id == RunArrival.workflow_id,
        Run.arrived_in == RunArrival.version,
    ]


def _marked(counts: statements.Columns, kind: int) -> statements.Columns:
    return counts.add_columns(sa.literal_column(str(kind)))


def _parts(filters: Filters, divided: Parts) -> list[statements.Columns]:
    """What adds up to the counts of a list that filters narrow."""
    if filters.others or filters.min_duration or filters.max_duration:  # no counts beside the runs know
        return [sa.select(*count_columns()).where(*matching(filters))]
    kind = filters.scope
    if filters.created_from or filters.created_to:  # whole ones, and the edges from the runs
        in_part = matching(Filters(searched=filters.searched, scope=kind), "created_at")
        runs = sa.select(*count_columns()).where(*in_part)
        whole = [_of_periods(kind)] if filters.searched else _of_whole_days(kind, divided.hours)
        return [*whole, *(runs.where(in_edge(number)) for number in range(divided.edges))]
    if not filters.searched:
        return []
    people = kind.counts.people
    return [_summed(people).where(counts_of(kind, people), people.person_id.in_(PEOPLE_NAMED))]


def _of_whole_days(kind: Kind, hours: int) -> list[statements.Columns]:
    """Whole days, and whole hours before or after them."""
    buckets = kind.counts.buckets
    of_hours = _summed(buckets).where(*created_in(kind, HOUR))
    return [
        _summed(buckets).where(*created_in(kind, DAY), in_whole(buckets.number)),
        *(of_hours.where(in_hours(buckets.number, number)) for number in range(hours)),
    ]


def _of_periods(kind: Kind) -> statements.Columns:
    periods = kind.counts.periods
    return _summed(periods).where(
        counts_of(kind, periods),
        periods.ordered_by == "created_at",
        periods.person_id.in_(PEOPLE_NAMED),
        in_whole(periods.period),
    )


_LEAST, _MOST = "least", "most"
"""The ends of a range of durations, which name what is bound for them."""


def _is_ranked(filters: Filters) -> bool:
    """Whether a list is narrowed by nothing but a range of durations, which its histogram counts."""
    narrowed = filters.others or filters.searched or filters.created_from or filters.created_to
    return bool(filters.min_duration or filters.max_duration) and not narrowed


def _rank_values(kind: Kind, query: RunQuery) -> statements.Values:
    """What `_below` has bound: the duration from which on runs are not counted, and its bucket by level."""
    most = None if query.max_duration is None else query.max_duration + 1
    bound: statements.Values = {}
    for name, end in ((_LEAST, query.min_duration), (_MOST, most)):
        if end is not None:
            bound[name] = end
            bound |= {
                f"{name}_{depth}": end // level.width for depth, level in enumerate(DURATION.levels_of(kind))
            }
    return bound


def _of_level(kind: Kind, depth: int) -> list[sa.ColumnElement[bool]]:
    """The conditions on buckets to be those of durations at a level."""
    table = kind.counts.buckets
    return [
        counts_of(kind, table),
        table.histogram == sa.literal_column(f"'{DURATION.name}'"),
        table.width == sa.literal_column(str(DURATION.levels[depth].width)),
    ]


def _below(kind: Kind, end: str) -> list[statements.Columns]:
    """What adds up to how many runs took less time: whole buckets level by level, each within the one of the
    level above that has the end, and the runs in the narrowest of these.
    """
    table, levels = kind.counts.buckets, DURATION.levels_of(kind)
    numbers = [sa.bindparam(f"{end}_{depth}", type_=sa.BigInteger()) for depth in range(len(levels))]
    parts, begin = [], numbers[0] * _width(levels[0])
    narrower: list[tuple[sa.ColumnElement[bool], sa.ColumnElement[int]]] = []
    for depth, level in enumerate(levels):
        within = _of_level(kind, depth)
        if depth:
            ratio: sa.ColumnElement[int] = sa.literal_column(str(levels[depth - 1].width // level.width))
            within.append(table.number >= numbers[depth - 1] * ratio)
            if level.always:
                begin = numbers[depth] * _width(level)
            else:
                divided = sa.exists().where(*within, table.number < (numbers[depth - 1] + 1) * ratio)
                narrower.insert(0, (divided, numbers[depth] * _width(level)))
        parts.append(_summed(table).where(*within, table.number < numbers[depth]))
    begin = sa.case(*narrower, else_=begin) if narrower else begin
    rest = sa.select(*count_columns()).where(
        *in_scope(kind, DURATION.key),
        Run.duration_ms >= begin,
        Run.duration_ms < sa.bindparam(end, type_=sa.BigInteger()),
    )
    return [*parts, rest]


def _width(level: Level) -> sa.ColumnElement[int]:
    return sa.literal_column(str(level.width))
