"""The run list and its fragment."""

from typing import Any
from uuid import UUID

from flask import Response, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from portal import moments
from portal.auth.access import SeenWorkflow, get_workflow
from portal.auth.gate import current_principal
from portal.errors import InvalidQuery, NotFound
from portal.pages import bp, freshness
from portal.pages.api_call import curl_line
from portal.pages.facets import any_status, cleared, facets
from portal.pages.forms import filled, id_in_path, parse_run_list, plain_form, without
from portal.pages.overview import overview
from portal.pages.pager import Pager
from portal.pages.run_lines import run_lines
from portal.pages.run_live import watch
from portal.pages.sortings import SORT_LABELS, sortings
from portal.runs.listing import RunPage, list_runs
from portal.runs.listing.rows import Texts
from portal.runs.query import SORTS, RunQuery
from portal.runs.subjects import subjects_of
from portal.web import htmx

SEARCH_FIELD = "search"
"""The id of the field in which people type; its requests replace the address instead of adding to history."""

CHIPS = ("running", "pending", "paused", "completed", "failed", "cancelled")
PARAMETERS = ("status", "search", "from", "to", "sort", "order", "limit", "offset", "page")
PAGE_SIZES = (10, 20, 50, 100)


@bp.get("/workflows/<workflow_id>/runs")
def runs(workflow_id: str) -> Response | BaseResponse:
    found_id = id_in_path(workflow_id)
    if "page" in request.args:
        return _to_offset(found_id)
    return _answer("runs/page.html", found_id)


@bp.get("/workflows/<workflow_id>/runs/table")
def runs_table(workflow_id: str) -> Response | BaseResponse:
    found_id = id_in_path(workflow_id)
    if not htmx.wants_fragment():
        args: dict[str, Any] = {name: request.args.getlist(name) for name in PARAMETERS}
        return redirect(url_for(".runs", workflow_id=found_id, **args), code=303)
    return _answer("runs/_table.html", found_id)


def _answer(template: str, workflow_id: UUID) -> Response:
    """The list that the request asks for, or the form with what is wrong with it."""
    plain = plain_form(request.args)
    try:
        query = parse_run_list(plain, workflow_id)
    except InvalidQuery as refusal:
        return _refusal(template, workflow_id, plain, refusal)
    workflow = get_workflow(current_principal(), workflow_id)
    freshness.stop_if_known(workflow, freshness.second(workflow))
    page = list_runs(workflow, query, Texts.BRIEF)
    page_only = overview(workflow, page.in_all) if template == "runs/page.html" else {}
    html = render_template(template, **_list(workflow, query, page), **page_only)
    return _addressed(html, workflow_id, query.to_args())


def _list(workflow: SeenWorkflow, query: RunQuery, page: RunPage) -> dict[str, Any]:
    """What the section of the list shows."""
    lines = run_lines(page.rows, subjects_of([run.id for run in page.rows]), moments.now())
    return {
        "workflow": workflow,
        "workflow_id": workflow.id,
        "query": query,
        "cleared": cleared(query),
        "any_status": any_status(query),
        "facets": facets(query),
        "form": filled(query.to_args()),
        "page": page,
        "lines": lines,
        "counts": page.counts,
        "pager": Pager(page),
        "sortings": sortings(query),
        "watch": watch(workflow, query, lines, page.counts),
        "api_call": curl_line("api.runs", workflow_id=workflow.id, **query.to_args()),
        **_choices(),
    }


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
        cleared=cleared(corrected),
        form=filled(plain, refusal.errors),
        **_choices(),
    )
    answer = _addressed(html, workflow_id, {name: plain[name] for name in PARAMETERS if name in plain})
    answer.status_code = refusal.status
    return answer


def _addressed(html: str, workflow_id: UUID, args: dict[str, str]) -> Response:
    url = url_for(".runs", workflow_id=workflow_id, **args)  # type: ignore[arg-type]
    return htmx.set_browser_url(make_response(html), url, typing_in=SEARCH_FIELD)


def _to_offset(workflow_id: UUID) -> Response | BaseResponse:
    """A page number leads to its first row: one address for each page."""
    try:
        query = parse_run_list(plain_form(request.args), workflow_id)
    except InvalidQuery:
        return _answer("runs/page.html", workflow_id)
    return redirect(url_for(".runs", workflow_id=workflow_id, **query.to_args()), code=303)  # type: ignore[arg-type]


def _choices() -> dict[str, object]:
    sorts = [(key, SORT_LABELS[key]) for key in SORTS]
    return {"statuses": CHIPS, "sorts": sorts, "page_sizes": PAGE_SIZES, "search_field": SEARCH_FIELD}
