"""Sortable columns: how each header is marked and where it leads."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from portal.paging import Slice
from portal.runs.query import RunQuery

SORT_LABELS = {
    "created_at": "Created",
    "started_at": "Started",
    "completed_at": "Completed",
    "status": "Status",
}
_OPPOSITE = {"asc": "desc", "desc": "asc"}
_SPOKEN = {"asc": "ascending", "desc": "descending"}


@dataclass(frozen=True)
class Sorting:
    label: str
    direction: str | None
    """As `aria-sort` says it; None for a column that is not sorted by."""
    query: RunQuery


def sortings(query: RunQuery) -> Mapping[str, Sorting]:
    """A link for each sortable column; for the sorted one it turns the direction."""
    start = query.at(Slice(0, query.slice.limit))
    links = {}
    for key, label in SORT_LABELS.items():
        chosen = query.sort == key
        order = _OPPOSITE[query.order] if chosen else "asc" if key == "status" else "desc"
        direction = _SPOKEN[query.order] if chosen else None
        links[key] = Sorting(label, direction, replace(start, sort=key, order=order))
    return links
