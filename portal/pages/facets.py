"""The active filters in words, each with the query without it."""

from dataclasses import dataclass, replace
from datetime import datetime

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
    start = query.at(Slice(0, query.slice.limit))
    return [
        Facet(chip.label, _in_words(chip.words), each.put(start, chip.without))
        for each in query.filters
        for chip in each.chips(each.value_in(query))
    ]


def _in_words(words: str | datetime) -> str:
    if isinstance(words, str):
        return words
    return f"{formats.date(words)}, {formats.clock(words)} {formats.zone_on_show()}"


def any_status(query: RunQuery) -> RunQuery:
    """The same list with runs of every status, from the start."""
    return replace(query, slice=Slice(0, query.slice.limit), status=())


def cleared(query: RunQuery) -> RunQuery:
    """The same order and page size without any filter, from the start."""
    query = query.at(Slice(0, query.slice.limit))
    for each in query.filters:
        query = each.put(query, each.empty)
    return query
