"""The workflows of a workspace: the page and its fragment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import Response, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from portal.auth.gate import current_principal
from portal.errors import InvalidQuery
from portal.pages import bp, freshness, workflows_url
from portal.pages.forms import Form, filled, plain_form, without
from portal.pages.pager import Pager
from portal.paging import Page, Slice
from portal.web import htmx
from portal.workflows.listing import list_workflows, state_of
from portal.workflows.recent_runs import RECENT_RUNS, recent_runs
from portal.workflows.workflow_query import WorkflowQuery

SEARCH_FIELD = "search"
SORT_LABELS = {"name": "Name", "runs_count": "Runs", "updated_at": "Updated"}
NATURAL = {"name": "asc", "runs_count": "desc", "updated_at": "desc"}
STATUS_LABELS = {"draft": "No runs yet", "running": "Active", "completed": "Completed", "failed": "Failed"}
"""`paused` finds nothing by contract 3.13, so that it is no choice here."""

_MAY_BE_EMPTY = ("status", "has_failed_run", "sort", "order")
PARAMETERS = (
    *("status", "search", "sort", "order", "last_run_after", "last_run_before"),
    *("has_failed_run", "limit", "offset"),
)


@dataclass(frozen=True)
class Sorting:
    """A sortable column: how its header is marked and where it leads."""

    label: str
    direction: str | None
    query: WorkflowQuery


@bp.get("/workspaces/<workspace_id>")
def workspace(workspace_id: str) -> Response | str:
    """The workflows of another workspace than the chosen one: the gate puts the principal in it."""
    return workflows()


@bp.get("/")
def workflows() -> Response:
    return _answer("workflows/page.html")


@bp.get("/workspaces/<workspace_id>/workflows/table")
def workspace_table(workspace_id: str) -> BaseResponse:
    return workflows_table()


@bp.get("/workflows/table")
def workflows_table() -> BaseResponse:
    if htmx.wants_fragment():
        return _answer("workflows/_table.html")
    args: dict[str, Any] = {name: request.args.getlist(name) for name in PARAMETERS}
    return redirect(_page_url(**args), code=303)


def _answer(template: str) -> Response:
    """The list that the request asks for, or the form with what is wrong with it."""
    args = _asked()
    try:
        query = WorkflowQuery.parse(args)
    except InvalidQuery as refusal:
        return _refusal(template, args, refusal)
    workspace = current_principal().workspace
    freshness.stop_if_known(state_of(workspace.id) if workspace else None)
    page = list_workflows(workspace.id, query, brief=True) if workspace else Page((), 0, query.slice)
    html = _render(
        template,
        query=query,
        form=filled(_lasts(args)),
        page=page,
        pager=Pager(page),
        strips=recent_runs([row.id for row in page.rows]),
        sortings=_sortings(query),
    )
    return htmx.set_browser_url(html, _page_url(**query.to_args()), typing_in=SEARCH_FIELD)


def _refusal(template: str, args: Mapping[str, Sequence[str]], refusal: InvalidQuery) -> Response:
    lasts = _lasts(args)
    good = without(lasts, refusal.errors)
    corrected = WorkflowQuery.parse({name: args[name] for name in good})
    form = filled(lasts, refusal.errors)
    answer = _render(template, query=None, form=form, corrected=corrected)
    answer.status_code = refusal.status
    shown = {name: list(args[name]) for name in PARAMETERS if name in args}
    return htmx.set_browser_url(answer, _page_url(**shown), typing_in=SEARCH_FIELD)


def _render(template: str, *, form: Form, **more: Any) -> Response:
    choices = {"status_labels": STATUS_LABELS, "sort_labels": SORT_LABELS, "search_field": SEARCH_FIELD}
    urls = {"page_url": _page_url, "table_url": _table_url, "strip_runs": RECENT_RUNS}
    return make_response(render_template(template, form=form, **choices, **urls, **more))


def _asked() -> dict[str, list[str]]:
    """What a plain form or a link says: what may be left empty left out, days made whole."""
    days = plain_form(request.args)
    asked = {}
    for name, values in request.args.to_dict(flat=False).items():
        if name in ("last_run_after", "last_run_before"):
            values = [days[name]] if name in days else []
        elif name in _MAY_BE_EMPTY and values[-1:] == [""]:
            values = []
        if values:
            asked[name] = values
    if "order" in asked and "sort" not in asked:
        asked["sort"] = ["updated_at"]  # a form on a phone may turn the order alone
    return asked


def _lasts(args: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {name: values[-1] for name, values in args.items()}


def _sortings(query: WorkflowQuery) -> dict[str, Sorting]:
    """A link for each sortable column; for the one sorted by first it turns the direction."""
    [(first, order), *_] = query.sorts or (("updated_at", "desc"),)
    start = query.at(Slice(0, query.slice.limit))
    opposite = {"asc": "desc", "desc": "asc"}
    sortings = {}
    for key, label in SORT_LABELS.items():
        chosen = key == first
        direction = {"asc": "ascending", "desc": "descending"}[order] if chosen else None
        pair = (key, opposite[order] if chosen else NATURAL[key])
        sorts = () if pair == ("updated_at", "desc") else (pair,)
        sortings[key] = Sorting(label, direction, replace(start, sorts=sorts))
    return sortings


def _page_url(**args: Any) -> str:
    return workflows_url(current_principal().chosen, **args)


def _table_url(**args: Any) -> str:
    """The fragment's address, below the page's."""
    chosen = current_principal().chosen
    if chosen is None or workflows_url(chosen) == url_for(".workflows"):
        return url_for(".workflows_table", **args)
    return url_for(".workspace_table", workspace_id=chosen, **args)
