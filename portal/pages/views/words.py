"""What saved views list, in words, and where."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from flask import url_for

from portal.errors import InvalidQuery
from portal.pages import all_runs_url
from portal.pages.facets import facets
from portal.pages.sort_links import SORT_LABELS
from portal.paging import DEFAULT_LIMIT
from portal.runs.filters.created import CREATED
from portal.runs.filters.workflow import WORKFLOW
from portal.runs.query import RunQuery
from portal.runs.views.definition import Definition
from portal.runs.views.reading import ListOf, View
from portal.web import formats
from portal.web.formats import with_args
from portal.workflows.listing import names_by_id

PERIOD_WORDS = {"today": "on the day it is opened", "month": "in the month it is opened"}
"""What a view lists that is kept by the word."""
ORDERS = {"asc": "ascending", "desc": "descending"}


@dataclass(frozen=True)
class Words:
    """Each part of a list with its label."""

    parts: Sequence[tuple[str, str]]
    unknown: Sequence[str] = ()
    """The names of filters that this release does not know."""
    is_refused: bool = False
    """Whether this release no longer takes a value of it: then the parts are as they were written."""


def words_of_query(query: RunQuery, workspace_id: UUID) -> list[tuple[str, str]]:
    """The filters of a list, and its order and page size where they are not the usual ones."""
    period = Definition.of(query, formats.zone_on_show()).period
    return _parts(query, period, _names(workspace_id, query.workflows))


def words_of_views(views: Sequence[View], workspace_id: UUID) -> list[tuple[View, Words]]:
    """Views of a workspace with what each of them lists now."""
    queries = [(view, _query(view)) for view in views]
    chosen = [workflow_id for _, query in queries if query for workflow_id in query.workflows]
    names = _names(workspace_id, chosen)
    return [(view, _words(view, query, names)) for view, query in queries]


def list_address(view: View) -> str:
    """The address of the list that a view is now, with its parameters as they were written."""
    return with_args(whole_list_address(view.of), view.definition.parameters)


def whole_list_address(of: ListOf) -> str:
    """The address of a list without any filter."""
    if of.workflow_id is None:
        return all_runs_url(of.workspace_id)
    return url_for("pages.runs", workflow_id=of.workflow_id)


def _query(view: View) -> RunQuery | None:
    try:
        return view.definition.query(view.of.workflow_id, formats.zone_on_show())
    except InvalidQuery:
        return None


def _words(view: View, query: RunQuery | None, names: Mapping[str, str]) -> Words:
    unknown = list(view.definition.unknown)
    if query is not None:
        return Words(_parts(query, view.definition.period, names), unknown)
    written = [(name, str(value)) for name, value in view.definition.parameters.items()]
    return Words(written, unknown, is_refused=True)


def _parts(query: RunQuery, period: str | None, names: Mapping[str, str]) -> list[tuple[str, str]]:
    label = WORKFLOW.labels["workflow"]
    parts = [("Created", PERIOD_WORDS[period])] if period else []
    if period:
        query = CREATED.put(query, CREATED.empty)
    parts += [
        (facet.label, names.get(facet.value, facet.value) if facet.label == label else facet.value)
        for facet in facets(query)
    ]
    if (query.sort, query.order) != ("created_at", "desc"):
        parts.append(("Sorted by", f"{SORT_LABELS[query.sort]}, {ORDERS[query.order]}"))
    if query.slice.limit != DEFAULT_LIMIT:
        parts.append(("Runs per page", str(query.slice.limit)))
    return parts


def _names(workspace_id: UUID, chosen: Sequence[UUID]) -> Mapping[str, str]:
    """The names of workflows by their ids, as facets write them."""
    return {str(each): name for each, name in names_by_id(workspace_id, 0, chosen)} if chosen else {}
