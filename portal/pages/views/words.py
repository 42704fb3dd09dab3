"""What a saved view lists, in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

from flask import url_for

from portal.errors import InvalidQuery, NotFound
from portal.pages.facets import facets
from portal.pages.sort_links import SORT_LABELS
from portal.paging import DEFAULT_LIMIT
from portal.runs.query import RunQuery
from portal.runs.views.definition import Definition
from portal.runs.views.reading import NOT_HERE, View

ORDERS = {"asc": "ascending", "desc": "descending"}


@dataclass(frozen=True)
class Words:
    """Each part of a list with its label."""

    parts: Sequence[tuple[str, str]]
    unknown: Sequence[str] = ()
    """The names of filters that this release does not know."""
    is_refused: bool = False
    """Whether this release no longer takes a value of it: then the parts are as they were written."""


def words_of_query(query: RunQuery) -> list[tuple[str, str]]:
    """The filters of a list, and its order and page size where they are not the usual ones."""
    parts = [(facet.label, facet.value) for facet in facets(query)]
    if (query.sort, query.order) != ("created_at", "desc"):
        parts.append(("Sorted by", f"{SORT_LABELS[query.sort]}, {ORDERS[query.order]}"))
    if query.slice.limit != DEFAULT_LIMIT:
        parts.append(("Runs per page", str(query.slice.limit)))
    return parts


def words_of_view(view: View) -> Words:
    definition = view.definition
    unknown = list(definition.unknown)
    try:
        return Words(words_of_query(definition.query(workflow_of(view))), unknown)
    except InvalidQuery:
        written = [(name, str(value)) for name, value in definition.parameters.items()]
        return Words(written, unknown, is_refused=True)


def list_address(view: View) -> str:
    """The address of the list that a view is now, with its parameters as they were written."""
    return address_of(view.definition, workflow_of(view))


def address_of(definition: Definition, workflow_id: UUID) -> str:
    written = urlencode(definition.parameters, doseq=True)
    address = url_for("pages.runs", workflow_id=workflow_id)
    return f"{address}?{written}" if written else address


def workflow_of(view: View) -> UUID:
    """The workflow whose runs a view lists. Raises NotFound for one over a whole workspace."""
    if view.of.workflow_id is None:
        raise NotFound(NOT_HERE)
    return view.of.workflow_id
