"""Sortable columns: how each header is marked, and the list that its link leads to."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from portal.paging import Slice
from portal.runs.query import RunQuery
from portal.workflows.workflow_query import WorkflowQuery

SORT_LABELS = {
    "created_at": "Created",
    "started_at": "Started",
    "completed_at": "Completed",
    "status": "Status",
    "duration": "Duration",
}
OPPOSITE = {"asc": "desc", "desc": "asc"}
ARIA_SORT = {"asc": "ascending", "desc": "descending"}


@dataclass(frozen=True)
class SortLink:
    label: str
    direction: str | None
    """The value of `aria-sort`; None for a column that the list is not sorted by."""
    query: RunQuery | WorkflowQuery


def sort_links(query: RunQuery) -> Mapping[str, SortLink]:
    """A link for each sortable column of the run list. The link of the sorted column reverses the order."""
    start = query.at(Slice(0, query.slice.limit))
    links = {}
    for key, label in SORT_LABELS.items():
        chosen = query.sort == key
        order = OPPOSITE[query.order] if chosen else "asc" if key == "status" else "desc"
        direction = ARIA_SORT[query.order] if chosen else None
        links[key] = SortLink(label, direction, replace(start, sort=key, order=order))
    return links
