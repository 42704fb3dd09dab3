"""The ids of the runs on a page, in order, by the way that reads least.

A list is one of three: so few runs that all are read and sorted; one order of the workflow's index, walked
where a measure says; or, by status, one such list after the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.db import db
from portal.models import Run
from portal.runs.counts import count_runs
from portal.runs.filters import matching, people_named
from portal.runs.measure import ByBlocks, ByBlocksInWindow, ByPeriods, Measure, Unmeasured
from portal.runs.query import RunQuery
from portal.runs.seek import Walk
from portal.workflows.access import SeenWorkflow

FEW = 1000
"""So many runs are read one by one and sorted."""
FEW_OF_PEOPLE = 20_000
"""So many are, where the index of people's runs says all that is needed."""

SEARCH_GAP = 16
"""One run in so many is supposed to be found by a search, before its runs are measured."""

_FIRST, _LAST = (moment.replace(tzinfo=UTC) for moment in (datetime.min, datetime.max))
_TICK = timedelta(microseconds=1)


def find_ids(
    workflow: SeenWorkflow, query: RunQuery, counts: Mapping[str, int], count: int
) -> Sequence[UUID]:
    """The ids of as many runs as stand at the query's offset; `counts` are those of all statuses."""
    statuses = tuple(status for status in counts if not query.status or status in query.status)
    total = sum(counts[status] for status in statuses)
    narrowed = bool(query.search or query.created_from or query.created_to)
    few = FEW_OF_PEOPLE if query.search and query.sort == "status" else FEW
    if total <= few and (narrowed or total < sum(counts.values())):
        return _gather(workflow, query, total, count)
    if query.sort == "status":
        return _by_status(workflow, query, counts, count)
    walk = _walk(workflow, query, statuses, query.sort, query.order == "desc")
    position = query.slice.offset + _outside(workflow, query)
    gap = SEARCH_GAP if query.search else sum(counts.values()) / total
    return walk.ids(position, count, position - query.slice.offset + total, gap)


def _gather(workflow: SeenWorkflow, query: RunQuery, total: int, count: int) -> Sequence[UUID]:
    """Find all that match in the narrowest index, read their keys, and sort them, the nearer end first."""
    position, backwards = query.slice.offset, 2 * query.slice.offset + count > total
    if backwards:
        position = total - position - count
    page = _keys(workflow, query)
    key, run_id = page.selected_columns
    page = page.order_by(*_ordering(key, run_id, query, backwards))
    ids = [run_id for _, run_id in db.session.execute(page.offset(position).limit(count))]
    return ids[::-1] if backwards else ids


def _keys(workflow: SeenWorkflow, query: RunQuery) -> Any:
    """Key and id of all that match. Apart from their order, or a planner reads an index for that."""
    key: sa.ColumnElement[Any] = getattr(Run, query.sort).expression
    named = query.sort in ("created_at", "status")  # which all indexes that narrow hold
    narrow = sa.select(*([key.label("key")] if named else []), Run.id.label("id"))
    found = narrow.where(*matching(workflow, query)).cte("found").prefix_with("MATERIALIZED")
    if named:
        return sa.select(found.c.key, found.c.id)
    return sa.select(key, Run.id).join_from(found, Run, Run.id == found.c.id)


def _ordering(key: Any, run_id: Any, query: RunQuery, backwards: bool) -> tuple[Any, ...]:
    """The asked order, missing keys last in both directions, ties by id ascending (contract 3.1)."""
    directed = key.desc() if (query.order == "desc") != backwards else key.asc()
    if query.sort in ("started_at", "completed_at"):
        directed = directed.nulls_first() if backwards else directed.nulls_last()
    return directed, run_id.desc() if backwards else run_id.asc()


def _walk(
    workflow: SeenWorkflow, query: RunQuery, statuses: tuple[str, ...], order: str, descending: bool
) -> Walk:
    windowed = bool(query.created_from or query.created_to) and order != "created_at"
    narrowing = _of_people(workflow, query)
    if windowed:
        narrowing += tuple(_created_within(query))
    measure = _measure(workflow, query, statuses, order, windowed, narrowing)
    return Walk(workflow.id, order, descending, statuses, measure, narrowing, windowed and order != "id")


def _measure(
    workflow: SeenWorkflow,
    query: RunQuery,
    statuses: tuple[str, ...],
    order: str,
    windowed: bool,
    narrowing: tuple[sa.ColumnElement[bool], ...],
) -> Measure:
    if order == "id" and (windowed or query.search):
        return Unmeasured()
    if windowed:
        window = (query.created_from, query.created_to)
        return ByBlocksInWindow(workflow.id, order, statuses, *window, narrowing, bool(query.search))
    if query.search:
        return ByPeriods(workflow.id, order, statuses, people_named(workflow, query))
    return ByBlocks(workflow.id, order, statuses)


def _of_people(workflow: SeenWorkflow, query: RunQuery) -> tuple[sa.ColumnElement[bool], ...]:
    """The condition to be a run of the people searched for, checked while an index of an order is walked.

    Adding nothing keeps a planner from reading all their runs instead.
    """
    return ((Run.person_id + 0).in_(people_named(workflow, query)),) if query.search else ()


def _created_within(query: RunQuery) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if query.created_from:
        conditions.append(Run.created_at >= query.created_from)
    if query.created_to:
        conditions.append(Run.created_at <= query.created_to)
    return conditions


def _outside(workflow: SeenWorkflow, query: RunQuery) -> int:
    """How many runs stand before a window in a list by created_at, of which it is a slice."""
    begin, end = query.created_from, query.created_to
    if query.sort != "created_at":
        return 0
    if query.order == "desc" and end and end < _LAST:
        return count_runs(workflow, replace(query, created_from=end + _TICK, created_to=None))
    if query.order == "asc" and begin and begin > _FIRST:
        return count_runs(workflow, replace(query, created_to=begin - _TICK, created_from=None))
    return 0


def _by_status(workflow: SeenWorkflow, query: RunQuery, counts: Mapping[str, int], count: int) -> list[UUID]:
    """One status after the other, each by id."""
    ids: list[UUID] = []
    position = query.slice.offset
    for status in sorted(set(query.status) or counts, reverse=query.order == "desc"):
        here = counts[status]
        if position < here and len(ids) < count:
            ids += _by_id(workflow, query, status, position, min(count - len(ids), here - position), here)
        position = max(0, position - here)
    return ids


def _by_id(
    workflow: SeenWorkflow, query: RunQuery, status: str, position: int, count: int, total: int
) -> list[UUID]:
    """Ids of one status; from the nearer end, where no measure knows the list."""
    narrowed = bool(query.search or query.created_from or query.created_to)
    backwards = narrowed and 2 * position + count > total
    if backwards:
        position = total - position - count
    ids = _walk(workflow, query, (status,), "id", backwards).ids(position, count, total, 1)
    return ids[::-1] if backwards else ids
