"""All runs of a list in its exact order, however many, in short transactions and constant memory.

Keyset pagination, as for neighbours: a window of an index is read after the last run of the one before. What
filters a list is checked on all runs of a window, so that no filter makes a database choose another index.
Where no index has the order of a workspace, those of its workflows are merged.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from functools import total_ordering
from itertools import islice
from typing import Any, NamedTuple, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

from portal.database.id_set import IdSet
from portal.database.models import Run, Workflow
from portal.database.sql import statements
from portal.database.transactions import read, snapshot
from portal.runs.counts.reading import read_counts
from portal.runs.filters.conditions import Filters, is_listed, matching, values
from portal.runs.filters.created import CREATED
from portal.runs.listing.neighbours import segments_beside, segments_of_all
from portal.runs.query import RunQuery, SortValue
from portal.runs.scope import Kind, Listed, Scope, in_scope, in_workflows, scope_of_list
from portal.runs.statuses import STATUSES

WINDOW = 5000
"""Runs that are passed over in one transaction; a list of no more is read at once."""
LEAST = 50
"""The same of each workflow, where many are merged."""

_Key = InstrumentedAttribute[SortValue]


class _Place(NamedTuple):
    """A run where it stands in the list."""

    key: SortValue
    run_id: UUID


def walk(seen: Listed, query: RunQuery, window: int = WINDOW, least: int = LEAST) -> Iterator[Sequence[UUID]]:
    """The ids of all runs of the list, whatever the query's page, in portions of at most a window.

    No run comes twice, not even one that moves in the list meanwhile; where it moves back, it is left out.
    """
    with snapshot():
        scope = scope_of_list(seen, query)
        counts = read_counts(scope, query).by_status
        is_short = sum(counts[status] for status in query.status or STATUSES) <= window
        at_once = _read_all(scope, query) if is_short else ()
        parts = _parts(scope, query.sort_column)
    if is_short:
        yield at_once
        return
    if len(parts) == 1:
        places = _in_order(parts[0], query, window)
    else:
        each = max(window // (len(parts) or 1), least)
        places = heapq.merge(*(_in_order(part, query, each) for part in parts), key=_rank(query))
    with IdSet() as met:
        while ids := [place.run_id for place in islice(places, window)]:
            yield met.add(ids)


def _read_all(scope: Scope, query: RunQuery) -> Sequence[UUID]:
    key: _Key = getattr(Run, query.sort_column)
    narrow: statements.Columns = sa.select(key.label("key"), Run.id.label("id"))
    found = narrow.where(*matching(Filters.of(scope, query))).cte("found").prefix_with("MATERIALIZED")
    by_key = found.c.key.desc() if query.order == "desc" else found.c.key.asc()
    by_key = by_key.nulls_last() if key.nullable else by_key
    ids = sa.select(found.c.id).order_by(by_key, found.c.id)
    return read(ids, **values(scope, query)).scalars().all()


def _parts(scope: Scope, key: str) -> list[Scope]:
    """The scope as scopes of which an index has the runs in the order of a column."""
    if not scope.kind.is_merged(key):
        return [scope]
    live = sa.select(Workflow.id).where(in_workflows(scope.kind, Workflow.id)).order_by(Workflow.id)
    found = read(live, **scope.values).scalars()
    return [Scope(Kind.WORKFLOW, scope.workspace_id, (workflow_id,)) for workflow_id in found]


def _in_order(scope: Scope, query: RunQuery, window: int) -> Iterator[_Place]:
    """The runs that match, of the windows of the index of the list's order."""
    filters, bound = Filters.of(scope, query), values(scope, query)
    key, falls = cast(_Key, getattr(Run, query.sort_column)), query.order == "desc"
    among = in_scope(scope.kind, query.sort_column)
    if query.sort == "created_at":
        among += CREATED.conditions((filters.created_from, filters.created_to))
    listed: statements.Columns = sa.select(key.label("key"), Run.id, is_listed(filters).label("listed"))
    segments = segments_of_all(key, falls)
    while segments:
        segment = segments[0]
        part = listed.where(*among, segment.condition).order_by(*segment.order(key, Run.id)).limit(window)
        with snapshot():
            rows = read(part, **bound).all()
        yield from (_Place(row.key, row.id) for row in rows if row.listed)
        if len(rows) < window:
            segments = segments[1:]
        else:
            segments = segments_beside(key, rows[-1].key, rows[-1].id, falls, forward=True)


@total_ordering
class _Falling:
    """A key whose order is turned round."""

    def __init__(self, key: Any) -> None:  # comparable with others of its kind
        self.key = key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Falling) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __lt__(self, other: "_Falling") -> bool:
        return bool(other.key < self.key)


def _rank(query: RunQuery) -> Callable[[_Place], Any]:
    """What places are ordered by: missing keys last in both directions, ties by id ascending."""
    falls = query.order == "desc"

    def rank(place: _Place) -> tuple[bool, Any, UUID]:
        if place.key is None:
            return True, 0, place.run_id
        return False, _Falling(place.key) if falls else place.key, place.run_id

    return rank
