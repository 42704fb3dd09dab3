"""How many runs a view has: counted once for each version of what it lists, and kept (LRU cache)."""

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock

from portal.auth.access import SeenWorkflow
from portal.errors import InvalidQuery
from portal.input.time_zones import UTC_NAME
from portal.runs.counts.reading import read_counts
from portal.runs.query import RunQuery
from portal.runs.scope import Listed, scope_of_list
from portal.runs.statuses import STATUSES
from portal.runs.views.definition import Definition

_REMEMBERED = 10_000
_counts: OrderedDict[Hashable, tuple[Hashable, int]] = OrderedDict()
"""Per list: the state in which it was counted, and the count."""
_lock = Lock()


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
    with _lock:
        _counts[_key(seen, query)] = _state(seen, query), count
        _counts.move_to_end(_key(seen, query))
        while len(_counts) > _REMEMBERED:
            _counts.popitem(last=False)
    return count


def _query(seen: Listed, definition: Definition, zone: str) -> RunQuery:
    return definition.query(seen.id if isinstance(seen, SeenWorkflow) else None, zone)


def _remembered(seen: Listed, query: RunQuery) -> int | None:
    with _lock:
        state, count = _counts.get(_key(seen, query), (None, None))
    return count if state == _state(seen, query) else None


def _key(seen: Listed, query: RunQuery) -> Hashable:
    return seen.id, repr(query.to_args())


def _state(seen: Listed, query: RunQuery) -> Hashable:
    """What a count depends on; on the minute too, where the window of the list moves with the time."""
    if not isinstance(seen, SeenWorkflow):
        return seen, query.moving
    versions = seen.version, seen.workspace_version, seen.change_stamp, seen.workspace_stamp
    return versions, query.moving
