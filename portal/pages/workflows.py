"""The workflows of a workspace: the page and its fragment."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from flask import Response, make_response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from portal import moments
from portal.auth.gate import current_principal
from portal.engine.control.schedules.expectations import late_of
from portal.errors import InvalidQuery
from portal.pages import bp, conditional_get, workflows_url
from portal.pages.forms import Form, dates, filled, without
from portal.pages.home_lines import HomeLine, home_lines
from portal.pages.pager import Pager
from portal.pages.sort_links import ARIA_SORT, OPPOSITE, SortLink
from portal.pages.views.tabs import Tabs, tabs_of_home
from portal.paging import Page, Slice
from portal.runs.views.reading import default_views
from portal.web import htmx
from portal.web.rendering import render
from portal.workflows.attention.home import Home, read_home
from portal.workflows.attention.home_query import HomeQuery
from portal.workflows.attention.run_samples import STRIP_RUNS
from portal.workflows.attention.verdicts import Look
from portal.workflows.listing import ListedWorkflow, state_of

SEARCH_FIELD = "search"
POLL = "workflows-poll"
"""The id of the element that asks for what is new: its requests leave the address as it is."""

SORT_LABELS = {
    "name": "Workflow",
    "last_run": "Last run",
    "failures": "Failed 24 h",
    "runs_count": "Runs",
    "updated_at": "Updated",
}
LOOK_LABELS = {
    Look.FAILING: "Failing",
    Look.SLOW: "Newly slow",
    Look.RUNNING: "Running long",
    Look.QUIET: "Quiet",
}
STATUS_LABELS = {"draft": "No runs yet", "running": "Active", "completed": "Completed", "failed": "Failed"}
"""Without `paused`, which by contract 3.13 matches nothing."""

_MAY_BE_EMPTY = ("look", "status", "has_failed_run", "sort", "order")
PARAMETERS = (
    *("look", "status", "search", "sort", "order", "last_run_after", "last_run_before"),
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


@dataclass(frozen=True)
class LookChip:
    """A link to the workflows that need a look for one reason."""

    look: Look
    label: str
    count: int
    chosen: bool
    query: HomeQuery


@dataclass(frozen=True, kw_only=True)
class WorkflowsPage(FilterForm):
    """What `workflows/page.html` and `workflows/_table.html` show."""

    query: HomeQuery
    page: Page[Any]
    lines: Sequence[HomeLine]
    pager: Pager
    sortings: Mapping[str, SortLink]
    looks: Sequence[LookChip]
    """Empty where nothing needs a look."""
    any_look: HomeQuery
    in_all: int
    """How many workflows there are, whatever they need."""
    moving: bool
    """Whether any run is active."""
    default_views: Mapping[UUID, UUID]
    """Where the links of workflows lead that have a default view."""
    tabs: Tabs | None
    """The saved views of the workspace; None in the fragment, which leaves them as they are."""
    strip_runs: int = STRIP_RUNS
    poll: str = POLL


@dataclass(frozen=True, kw_only=True)
class RefusedWorkflows(FilterForm):
    """What the same templates show where a parameter is not valid."""

    corrected: HomeQuery
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
        query = HomeQuery.parse(args)
    except InvalidQuery as refusal:
        return _refusal(template, args, refusal)
    with_tabs = template == "workflows/page.html"
    workspace = current_principal().workspace
    if workspace is None:
        return make_response(render(template, _page(query, args, None, moments.now(), with_tabs)))
    conditional_get.answer_304_if_unchanged(state_of(workspace.id), conditional_get.minute())
    now = moments.now()
    home = read_home(workspace.id, query, partial(_is_late, now), now)
    html = make_response(render(template, _page(query, args, home, now, with_tabs)))
    if htmx.is_from(POLL):
        return html
    return htmx.set_browser_url(html, _page_url(**query.to_args()), typing_in=SEARCH_FIELD)


def _page(
    query: HomeQuery, args: Mapping[str, Sequence[str]], home: Home | None, now: datetime, with_tabs: bool
) -> WorkflowsPage:
    """What is shown; without a workspace, nothing is."""
    principal = current_principal()
    page: Page[Any] = home.page if home else Page((), 0, query.slice)
    return WorkflowsPage(
        query=query,
        form=filled(_last_values(args)),
        page=page,
        lines=home_lines(home, now) if home else [],
        pager=Pager(page),
        sortings=_sort_links(query),
        looks=_look_chips(query, home.looks if home else {}),
        any_look=_of_look(query, None),
        in_all=home.in_all if home else 0,
        moving=bool(home and home.active),
        default_views=default_views(principal, principal.workspace.id) if principal.workspace else {},
        tabs=tabs_of_home(principal) if with_tabs else None,
    )


def _is_late(now: datetime, workflow: ListedWorkflow, last_at: datetime | None) -> bool:
    return late_of(workflow.expected, last_at, workflow.created_at, now) is not None


def _look_chips(query: HomeQuery, counts: Mapping[Look, int]) -> list[LookChip]:
    return [
        LookChip(look, label, counts.get(look, 0), query.look == look, _of_look(query, look))
        for look, label in LOOK_LABELS.items()
        if counts.get(look) or query.look == look
    ]


def _of_look(query: HomeQuery, look: Look | None) -> HomeQuery:
    return replace(query, look=look, slice=Slice(0, query.slice.limit))


def _refusal(template: str, args: Mapping[str, Sequence[str]], refusal: InvalidQuery) -> Response:
    lasts = _last_values(args)
    good = without(lasts, refusal.errors)
    corrected = HomeQuery.parse({name: args[name] for name in good})
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
        plain["sort"] = ["last_run"]  # a form on a phone may turn the order alone
    return plain


def _last_values(args: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {name: values[-1] for name, values in args.items()}


def _sort_links(query: HomeQuery) -> dict[str, SortLink]:
    """A link for each sortable column. The link of the first sorted column reverses the order."""
    first, order = query.sorts[0] if query.sorts else ("", "")
    start = query.at(Slice(0, query.slice.limit))
    links = {}
    for key, label in SORT_LABELS.items():
        chosen = key == first
        direction = ARIA_SORT[order] if chosen else None
        turned = OPPOSITE[order] if chosen else HomeQuery.natural_orders[key]
        links[key] = SortLink(label, direction, replace(start, sorts=((key, turned),)))
    return links


def _page_url(**args: object) -> str:
    return workflows_url(current_principal().chosen, **args)


def _table_url(**args: Any) -> str:
    """The fragment's address, below the page's."""
    chosen = current_principal().chosen
    if chosen is None or workflows_url(chosen) == url_for(".workflows"):
        return url_for(".workflows_table", **args)
    return url_for(".workspace_table", workspace_id=chosen, **args)
