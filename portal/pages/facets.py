"""The active filters in words, each with the query without it."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from portal.paging import Slice
from portal.runs.query import RunQuery
from portal.web import formats


@dataclass(frozen=True)
class Facet:
    label: str
    value: str
    without: RunQuery


def facets(query: RunQuery) -> list[Facet]:
    """Every active filter of the query, with the query that removes it."""

    def facet(label: str, value: str, **off: Any) -> Facet:
        return Facet(label, value, replace(query, slice=Slice(0, query.slice.limit), **off))

    found = []
    if query.status:
        words = " or ".join(status.capitalize() for status in query.status)
        found.append(facet("Status", words, status=()))
    if query.search:
        found.append(facet("Triggered by", f"“{query.search}”", search=""))
    if query.created_from:
        found.append(facet("From", _moment(query.created_from), created_from=None))
    if query.created_to:
        found.append(facet("To", _moment(query.created_to), created_to=None))
    return found


def any_status(query: RunQuery) -> RunQuery:
    """The same list with runs of every status, from the start."""
    return replace(query, slice=Slice(0, query.slice.limit), status=())


def cleared(query: RunQuery) -> RunQuery:
    """The same order and page size without any filter, from the start."""
    start = Slice(0, query.slice.limit)
    return replace(query, slice=start, status=(), search="", created_from=None, created_to=None)


def _moment(moment: datetime) -> str:
    return f"{formats.date(moment)}, {formats.clock(moment)} UTC"
