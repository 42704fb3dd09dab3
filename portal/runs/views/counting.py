"""How many runs a view has: counted once for each version of its workflow, and kept in memory (LRU cache)."""

from collections import OrderedDict
from collections.abc import Hashable
from datetime import datetime
from threading import Lock

from portal.auth.access import SeenWorkflow
from portal.errors import InvalidQuery
from portal.runs.counts.reading import count_by_status
from portal.runs.statuses import STATUSES
from portal.runs.views.definition import Definition

_REMEMBERED = 10_000
_counts: OrderedDict[Hashable, tuple[Hashable, int]] = OrderedDict()
"""Per list: the state of the workflow and the minute in which it was counted, and the count."""
_lock = Lock()


def remembered_count(workflow: SeenWorkflow, definition: Definition, now: datetime) -> int | None:
    """The number of runs of a workflow in a list, if it was counted and is still right."""
    with _lock:
        state, count = _counts.get(_key(workflow, definition), (None, None))
    return count if state == _state(workflow, now) else None


def count_runs(workflow: SeenWorkflow, definition: Definition, now: datetime) -> int | None:
    """The number of runs of a workflow in a list; None where this release no longer takes a value of it."""
    count = remembered_count(workflow, definition, now)
    if count is not None:
        return count
    try:
        query = definition.query(workflow.id)
    except InvalidQuery:
        return None
    counts = count_by_status(workflow, query)
    count = sum(counts[status] for status in query.status or STATUSES)
    with _lock:
        _counts[_key(workflow, definition)] = _state(workflow, now), count
        _counts.move_to_end(_key(workflow, definition))
        while len(_counts) > _REMEMBERED:
            _counts.popitem(last=False)
    return count


def _key(workflow: SeenWorkflow, definition: Definition) -> Hashable:
    return workflow.id, repr(definition.parameters)


def _state(workflow: SeenWorkflow, now: datetime) -> Hashable:
    """What a count depends on; on the minute, because the windows of some lists move with the clock."""
    versions = (workflow.version, workflow.workspace_version, workflow.change_stamp, workflow.workspace_stamp)
    return versions, int(now.timestamp()) // 60
