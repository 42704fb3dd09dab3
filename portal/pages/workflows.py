"""The workflows of a workspace: the page and its fragment."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from flask import Response, make_response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from portal import moments
from portal.auth.gate import current_principal
from portal.engine.control.schedules.expectations import Late, late_of
from portal.errors import InvalidQuery
from portal.pages import bp, conditional_get, workflows_url
from portal.pages.forms import Form, dates, filled, without
from portal.pages.pager import Pager
from portal.pages.sort_links import ARIA_SORT, OPPOSITE, SortLink
from portal.pages.views.tabs import Tabs, tabs_of_home
from portal.paging import Page, Slice
from portal.runs.views.reading import default_views
from portal.web import htmx
from portal.web.rendering import render
from portal.workflows.listing import WorkflowRow, list_workflows, state_of
from portal.workflows.recent_runs import RECENT_RUNS, RecentRun, recent_runs
from portal.workflows.workflow_query import WorkflowQuery

SEARCH_FIELD = "search"
SORT_LABELS = {"name": "Name", "runs_count": "Runs", "updated_at": "Updated"}
NATURAL = {"name": "asc", "runs_count": "desc", "updated_at": "desc"}
STATUS_LABELS = {"draft": "No runs yet", "running": "Active", "completed": "Completed", "failed": "Failed"}
"""Without `paused`, which by contract 3.13 matches nothing."""

_MAY_BE_EMPTY = ("status", "has_failed_run", "sort", "order")
PARAMETERS = (
    *("status", "search", "sort", "order", "last_run_after", "last_run_before"),
    *("has_failed_run", "limit", "offset"),
)


@dataclass(frozen=True, kw_only=True)
class FilterForm:
    """What the form of `workflows/_table.html` shows, whether the filters are valid or not."""

    form: Form
    status_labels: Mapping[str, str] = field(default_factory=lambda: STATUS_LABELS)
    sort_labels: Mapping[str, str] = field(default_factory=lambda: SORT_LABELS)
    search_field: str = SEARCH_FIELD
    page_url: Callable[..., str] = field(default_factory=lambda: _page_url)
    table_url: Callable[..., str] = field(default_factory=lambda: _table_url)


@dataclass(frozen=True, kw_only=True)
class WorkflowsPage(FilterForm):
    """What `workflows/page.html` and `workflows/_table.html` show."""

    query: WorkflowQuery
    page: Page[WorkflowRow]
    pager: Pager
    strips: Mapping[UUID, Sequence[RecentRun]]
    """The last runs of each workflow, oldest first."""
    sortings: Mapping[str, SortLink]
    late: Mapping[UUID, Late]
    """Runs that were expected and did not come, by workflow."""
    default_views: Mapping[UUID, UUID]
    """Where the links of workflows lead that have a default view."""
    tabs: Tabs | None
    """The saved views of the workspace; None in the fragment, which leaves them as they are."""
    strip_runs: int = RECENT_RUNS


@dataclass(frozen=True, kw_only=True)
class RefusedWorkflows(FilterForm):
    """What the same templates show where a parameter is not valid."""

    corrected: WorkflowQuery
    """The list with the valid parameters only."""
    query: None = None
    tabs: None = None


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
    args: dict[str, object] = {name: request.args.getlist(name) for name in PARAMETERS}
    return redirect(_page_url(**args), code=303)


def _answer(template: str) -> Response:
    """The requested list, or the form with its errors."""
    args = _plain_args()
    try:
        query = WorkflowQuery.parse(args)
    except InvalidQuery as refusal:
        return _refusal(template, args, refusal)
    principal = current_principal()
    workspace = principal.workspace
    state = state_of(workspace.id) if workspace else (0,)
    conditional_get.answer_304_if_unchanged(state, conditional_get.minute_of_expected_runs(state[-1]))
    page = list_workflows(workspace.id, query, brief=True) if workspace else Page((), 0, query.slice)
    page_of_list = WorkflowsPage(
        query=query,
        form=filled(_last_values(args)),
        page=page,
        pager=Pager(page),
        strips=recent_runs([row.id for row in page.rows]),
        sortings=_sort_links(query),
        late=_late(page.rows),
        default_views=default_views(principal, workspace.id) if workspace else {},
        tabs=tabs_of_home(principal) if template == "workflows/page.html" else None,
    )
    html = make_response(render(template, page_of_list))
    return htmx.set_browser_url(html, _page_url(**query.to_args()), typing_in=SEARCH_FIELD)


def _late(rows: Sequence[WorkflowRow]) -> dict[UUID, Late]:
    now = moments.now()
    found = {row.id: late_of(row.expected, row.last_run_at, row.created_at, now) for row in rows}
    return {workflow_id: late for workflow_id, late in found.items() if late is not None}


def _refusal(template: str, args: Mapping[str, Sequence[str]], refusal: InvalidQuery) -> Response:
    lasts = _last_values(args)
    good = without(lasts, refusal.errors)
    corrected = WorkflowQuery.parse({name: args[name] for name in good})
    refused = RefusedWorkflows(corrected=corrected, form=filled(lasts, refusal.errors))
    answer = make_response(render(template, refused))
    answer.status_code = refusal.status
    shown = {name: list(args[name]) for name in PARAMETERS if name in args}
    return htmx.set_browser_url(answer, _page_url(**shown), typing_in=SEARCH_FIELD)


def _plain_args() -> dict[str, list[str]]:
    """The parameters of a plain form or a link, without empty ones and with dates as whole days."""
    days = dates(request.args)
    plain = {}
    for name, values in request.args.to_dict(flat=False).items():
        if name in ("last_run_after", "last_run_before"):
            values = [days[name]] if name in days else []
        elif name in _MAY_BE_EMPTY and values[-1:] == [""]:
            values = []
        if values:
            plain[name] = values
    if "order" in plain and "sort" not in plain:
        plain["sort"] = ["updated_at"]  # a form on a phone may turn the order alone
    return plain


def _last_values(args: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {name: values[-1] for name, values in args.items()}


def _sort_links(query: WorkflowQuery) -> dict[str, SortLink]:
    """A link for each sortable column. The link of the first sorted column reverses the order."""
    [(first, order), *_] = query.sorts or (("updated_at", "desc"),)
    start = query.at(Slice(0, query.slice.limit))
    links = {}
    for key, label in SORT_LABELS.items():
        chosen = key == first
        direction = ARIA_SORT[order] if chosen else None
        pair = (key, OPPOSITE[order] if chosen else NATURAL[key])
        sorts = () if pair == ("updated_at", "desc") else (pair,)
        links[key] = SortLink(label, direction, replace(start, sorts=sorts))
    return links


def _page_url(**args: object) -> str:
    return workflows_url(current_principal().chosen, **args)


def _table_url(**args: Any) -> str:
    """The fragment's address, below the page's."""
    chosen = current_principal().chosen
    if chosen is None or workflows_url(chosen) == url_for(".workflows"):
        return url_for(".workflows_table", **args)
    return url_for(".workspace_table", workspace_id=chosen, **args)
