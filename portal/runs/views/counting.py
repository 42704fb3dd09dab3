"""How many runs a view has: counted once for each version of what it lists, and kept (LRU cache)."""

from collections.abc import Hashable

from portal.auth.access import SeenWorkflow
from portal.errors import InvalidQuery
from portal.input.time_zones import UTC_NAME
from portal.runs.counts.reading import read_counts
from portal.runs.query import RunQuery
from portal.runs.scope import Listed, scope_of_list
from portal.runs.statistics.lru import Lru
from portal.runs.statuses import STATUSES
from portal.runs.views.definition import Definition

_counts: Lru[Hashable, int] = Lru(10_000)


def remembered_count(seen: Listed, definition: Definition, zone: str = UTC_NAME) -> int | None:
    """The number of runs in a list of a workflow or a workspace, if it was counted and is still right."""
    try:
        return _remembered(seen, _query(seen, definition, zone))
    except InvalidQuery:
        return None


def count_runs(seen: Listed, definition: Definition, zone: str = UTC_NAME) -> int | None:
    """The same, counted where it is not known; None where this release no longer takes a value of it."""
    try:
        query = _query(seen, definition, zone)
    except InvalidQuery:
        return None
    count = _remembered(seen, query)
    if count is not None:
        return count
    counts = read_counts(scope_of_list(seen, query), query).by_status
    count = sum(counts[status] for status in query.status or STATUSES)
    _counts.add({_key(seen, query): count})
    return count


def _query(seen: Listed, definition: Definition, zone: str) -> RunQuery:
    return definition.query(seen.id if isinstance(seen, SeenWorkflow) else None, zone)


def _remembered(seen: Listed, query: RunQuery) -> int | None:
    key = _key(seen, query)
    return _counts.find([key]).get(key)


def _key(seen: Listed, query: RunQuery) -> Hashable:
    """The list, and what a count depends on: the minute too, where its window moves with the time."""
    state: Hashable = seen
    if isinstance(seen, SeenWorkflow):
        state = seen.version, seen.workspace_version, seen.change_stamp, seen.workspace_stamp
    return seen.id, repr(query.to_args()), state, query.moving
