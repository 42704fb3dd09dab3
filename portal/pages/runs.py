"""The run list with its fragment, the page of one run, and the permanent link to it."""

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from flask import Response, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from portal import display
from portal.auth.gate import current_principal
from portal.errors import InvalidQuery, NotFound
from portal.pages import bp
from portal.pages.forms import filled, id_in_path, parse_run_list, plain_form, without
from portal.pages.pager import Pager
from portal.paging import Slice
from portal.runs.detail import find_run, get_run
from portal.runs.listing import list_runs
from portal.runs.query import SORTS, STATUSES, RunQuery
from portal.workflows.access import get_workflow

SEARCH_FIELD = "search"
"""The id of the field in which people type; its requests replace the address instead of adding to history."""

SORT_LABELS = {
    "status": "Status",
    "created_at": "Created",
    "started_at": "Started",
    "completed_at": "Completed",
}
PARAMETERS = ("status", "search", "from", "to", "sort", "order", "limit", "offset", "page")
PAGE_SIZES = (10, 20, 50, 100)


@dataclass(frozen=True)
class Sorting:
    """A sortable column: how its header is marked and where it leads."""

    label: str
    direction: str | None
    query: RunQuery


@bp.get("/workflows/<workflow_id>/runs")
def runs(workflow_id: str) -> Response | BaseResponse:
    found_id = id_in_path(workflow_id)
    if "page" in request.args:
        return _to_offset(found_id)
    return _answer("runs/page.html", found_id)


@bp.get("/workflows/<workflow_id>/runs/table")
def runs_table(workflow_id: str) -> Response | BaseResponse:
    found_id = id_in_path(workflow_id)
    if not display.wants_fragment():
        args: dict[str, Any] = {name: request.args.getlist(name) for name in PARAMETERS}
        return redirect(url_for(".runs", workflow_id=found_id, **args), code=303)
    return _answer("runs/_table.html", found_id)


@bp.get("/workflows/<workflow_id>/runs/<run_id>")
def run(workflow_id: str, run_id: str) -> str:
    workflow = get_workflow(current_principal(), id_in_path(workflow_id))
    found = get_run(workflow, id_in_path(run_id))
    came_from = _list_behind(workflow.id)
    return render_template("runs/run.html", workflow=workflow, run=found, came_from=came_from)


@bp.get("/runs/<run_id>")
def permalink(run_id: str) -> BaseResponse:
    workflow_id, found_id = find_run(current_principal(), id_in_path(run_id))
    return redirect(url_for(".run", workflow_id=workflow_id, run_id=found_id), code=302)


def _answer(template: str, workflow_id: UUID) -> Response:
    """The list that the request asks for, or the form with what is wrong with it."""
    plain = plain_form(request.args)
    try:
        query = parse_run_list(plain, workflow_id)
    except InvalidQuery as refusal:
        return _refusal(template, workflow_id, plain, refusal)
    workflow = get_workflow(current_principal(), workflow_id)
    page = list_runs(workflow, query)
    html = render_template(
        template,
        workflow=workflow,
        workflow_id=workflow_id,
        query=query,
        cleared=_cleared(query),
        form=filled(query.to_args()),
        page=page,
        pager=Pager(page),
        sortings=_sortings(query),
        **_choices(),
    )
    return _addressed(html, workflow_id, query.to_args())


def _refusal(template: str, workflow_id: UUID, plain: dict[str, str], refusal: InvalidQuery) -> Response:
    corrected = parse_run_list(without(plain, refusal.errors), workflow_id)
    try:
        workflow = get_workflow(current_principal(), workflow_id)
    except NotFound:
        workflow = None  # bad parameters are said first, and nothing of a workflow that is not there
    html = render_template(
        template,
        workflow=workflow,
        workflow_id=workflow_id,
        query=None,
        corrected=corrected,
        cleared=_cleared(corrected),
        form=filled(plain, refusal.errors),
        **_choices(),
    )
    answer = _addressed(html, workflow_id, {name: plain[name] for name in PARAMETERS if name in plain})
    answer.status_code = refusal.status
    return answer


def _addressed(html: str, workflow_id: UUID, args: dict[str, str]) -> Response:
    url = url_for(".runs", workflow_id=workflow_id, **args)  # type: ignore[arg-type]
    return display.show_address(make_response(html), url, typing_in=SEARCH_FIELD)


def _to_offset(workflow_id: UUID) -> Response | BaseResponse:
    """A page number leads to its first row: one address for each page."""
    try:
        query = parse_run_list(plain_form(request.args), workflow_id)
    except InvalidQuery:
        return _answer("runs/page.html", workflow_id)
    return redirect(url_for(".runs", workflow_id=workflow_id, **query.to_args()), code=303)  # type: ignore[arg-type]


def _list_behind(workflow_id: UUID) -> dict[str, str]:
    """The list that led to a run, from the parameters its link carries; the whole list if they make none."""
    try:
        return parse_run_list(plain_form(request.args), workflow_id).to_args()
    except InvalidQuery:
        return {}


def _cleared(query: RunQuery) -> RunQuery:
    """The same order and page size without any filter, from the start."""
    return RunQuery(
        workflow_id=query.workflow_id, slice=Slice(0, query.slice.limit), sort=query.sort, order=query.order
    )


def _sortings(query: RunQuery) -> dict[str, Sorting]:
    """A link for each sortable column; for the sorted one it turns the direction."""
    start = query.at(Slice(0, query.slice.limit))
    links = {}
    for key, label in SORT_LABELS.items():
        natural = "asc" if key == "status" else "desc"
        opposite = {"asc": "desc", "desc": "asc"}[query.order]
        chosen = query.sort == key
        order = opposite if chosen else natural
        direction = {"asc": "ascending", "desc": "descending"}[query.order] if chosen else None
        links[key] = Sorting(label, direction, replace(start, sort=key, order=order))
    return links


def _choices() -> dict[str, object]:
    sorts = [(key, SORT_LABELS[key]) for key in SORTS]
    return {"statuses": STATUSES, "sorts": sorts, "page_sizes": PAGE_SIZES, "search_field": SEARCH_FIELD}
