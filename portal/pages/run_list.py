"""The run list and its fragment."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from flask import Response, make_response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from portal import moments
from portal.auth.access import SeenWorkflow, SeenWorkspace
from portal.database.sql.excerpts import cut
from portal.engine.control.schedules.expectations import Late
from portal.errors import InvalidQuery, NotFound
from portal.input.parameters import Args
from portal.pages import bp, conditional_get
from portal.pages.curl_command import curl_command
from portal.pages.expected import lateness
from portal.pages.facets import Facet, any_status, cleared, facets
from portal.pages.forms import Form, filled, names_period, parse_run_list, plain_form, without
from portal.pages.overview import Overview, read_overview
from portal.pages.pager import Pager
from portal.pages.presets import Preset, presets
from portal.pages.run_lines import RunLine, run_lines
from portal.pages.run_live import Watch, watch
from portal.pages.run_place import Place, place_of_workflow, place_of_workspace, seen_in
from portal.pages.run_rights import may_start, may_steer
from portal.pages.run_workflows import named_workflows, workflow_choices
from portal.pages.sort_links import SORT_LABELS, SortLink, sort_links
from portal.pages.views.tabs import Tabs, tabs_of_list
from portal.paging import Page
from portal.runs.facts.outcomes import FINER, OUTCOME_WORDS
from portal.runs.filters.created import within_words
from portal.runs.filters.duration import DURATION
from portal.runs.filters.facts.label import LABEL
from portal.runs.filters.facts.label import MOST as MOST_LABELS
from portal.runs.filters.facts.text import TEXT
from portal.runs.filters.facts.trigger import TRIGGER
from portal.runs.filters.facts.trigger import WORDS as TRIGGER_CHOICES
from portal.runs.filters.filter import AnyFilter
from portal.runs.filters.outcome import OUTCOME
from portal.runs.filters.registry import WORKSPACE_FILTERS, further_filters
from portal.runs.listing import RunPage, list_runs
from portal.runs.listing.rows import RunRow, Texts
from portal.runs.query import SORTS, RunQuery
from portal.runs.statuses import RunStatus
from portal.web import formats, htmx
from portal.web.rendering import render

SEARCH_FIELD = "search"
"""The id of the search field: its requests replace the address instead of adding to the history."""

CHIPS = (
    RunStatus.RUNNING,
    RunStatus.PENDING,
    RunStatus.PAUSED,
    RunStatus.COMPLETED,
    RunStatus.FAILED,
    RunStatus.CANCELLED,
)
MAX_CHOICE = 60
SPANS = ("1h", "24h", "7d", "30d")
PAGE_SIZES = (10, 20, 50, 100)
SORT_OPTIONS = tuple((key, SORT_LABELS[key]) for key in SORTS)


_DRAWN: Sequence[AnyFilter] = (TEXT, OUTCOME, TRIGGER, LABEL)
"""Further filters with fields of their own."""


@dataclass(frozen=True, kw_only=True)
class FilterForm:
    """What `runs/_filters.html` shows, whether the filters are valid or not."""

    place: Place
    form: Form
    cleared: RunQuery
    """The list without any filter."""
    outcomes: Sequence[tuple[str, str]]
    """The choices of the filter by outcome, each with its words."""
    triggers: Sequence[tuple[str, str]]
    """Those of the filter by what started a run."""
    spans: Sequence[tuple[str, str]]
    """The times until now in which runs were created."""
    more: bool
    """Whether a field is in use that the form folds away."""
    workflows: Sequence[tuple[str, str]] = ()
    """Those of the filter by workflow, where there is one."""
    statuses: Sequence[str] = CHIPS
    sorts: Sequence[tuple[str, str]] = SORT_OPTIONS
    presets: Sequence[Preset]
    """The windows that are a link."""
    page_sizes: Sequence[int] = PAGE_SIZES
    search_field: str = SEARCH_FIELD
    labels: Mapping[str, str] = field(default_factory=lambda: _labels_of(WORKSPACE_FILTERS))
    """Every parameter of a filter with its label."""
    further: Mapping[str, str] = field(
        default_factory=lambda: _labels_of(each for each in further_filters() if each not in _DRAWN)
    )
    """Those that have a plain text field."""
    most_labels: int = MOST_LABELS


@dataclass(frozen=True, kw_only=True)
class RunListPage(FilterForm):
    """What `runs/page.html` and `runs/_table.html` show."""

    workflow: SeenWorkflow | None
    """None where the list is of a workspace."""
    query: RunQuery
    page: Page[RunRow]
    lines: Sequence[RunLine]
    """The rows of the page, in words."""
    counts: Mapping[str, int]
    """Runs of each status under the other filters."""
    pager: Pager
    sortings: Mapping[str, SortLink]
    facets: Sequence[Facet]
    any_status: RunQuery
    watch: Watch
    workflow_names: Mapping[UUID, str]
    """Of a workspace's list: the names of the workflows of its rows."""
    api_call: str
    export_url: str
    export_args: Args
    """The parameters of an export of the list, but for its format."""
    may_start: bool
    """Whether there is a button to start a run."""
    may_steer: bool
    """Whether active runs of the engine have buttons to cancel, pause and resume them."""
    tabs: Tabs
    """The saved views of the workflow."""
    overview: Overview | None = None
    """None in the fragment, which leaves the overview as it is."""
    late: Late | None = None
    """A run that was expected and did not come."""


@dataclass(frozen=True, kw_only=True)
class RefusedRunList(FilterForm):
    """What the same templates show where a parameter is not valid."""

    workflow: SeenWorkflow | None
    """None where there is no such workflow: the errors of the parameters come first. Or as above."""
    corrected: RunQuery
    """The list with the valid parameters only."""
    query: None = None
    overview: None = None
    late: None = None
    may_start: bool = False


@bp.get("/workflows/<workflow_id>/runs")
def runs(workflow_id: str) -> Response | BaseResponse:
    return _page(place_of_workflow(workflow_id))


@bp.get("/workflows/<workflow_id>/runs/table")
def runs_table(workflow_id: str) -> Response | BaseResponse:
    return _table(place_of_workflow(workflow_id))


@bp.get("/runs")
@bp.get("/workspaces/<workspace_id>/runs")
def workspace_runs(workspace_id: str | None = None) -> Response | BaseResponse:
    """The runs of all workflows: of the chosen workspace, or of another one that the address names."""
    return _page(place_of_workspace())


@bp.get("/runs/table")
@bp.get("/workspaces/<workspace_id>/runs/table")
def workspace_runs_table(workspace_id: str | None = None) -> Response | BaseResponse:
    return _table(place_of_workspace())


def _page(place: Place) -> Response | BaseResponse:
    if "page" in request.args or names_period(request.args):
        return _to_canonical(place)
    return _answer(_whole(place), place)


def _whole(place: Place) -> str:
    """The template of the whole page."""
    return "runs/page.html" if place.workflow_id is not None else "runs/everywhere.html"


def _table(place: Place) -> Response | BaseResponse:
    if not htmx.wants_fragment():
        args: dict[str, Any] = {
            name: request.args.getlist(name) for name in _parameters()
        }  # as url_for takes them
        return redirect(place.url("runs", **args), code=303)
    return _answer("runs/_table.html", place)


def _answer(template: str, place: Place) -> Response:
    """The requested list, or the form with its errors."""
    plain = plain_form(request.args)
    try:
        query = parse_run_list(plain, place.workflow_id)
    except InvalidQuery as refusal:
        return _refusal(template, place, plain, refusal)
    seen = seen_in(place)
    late = lateness(seen) if isinstance(seen, SeenWorkflow) else None
    active = conditional_get.second_of_active_run(seen)
    conditional_get.answer_304_if_unchanged(seen, active, late, query.moving)
    page = list_runs(seen, query, Texts.BRIEF)
    lines = run_lines(page.rows, seen, page.workflows, moments.now())
    overview = None
    if template == "runs/page.html" and isinstance(seen, SeenWorkflow):
        overview = read_overview(seen, page.in_all)
    html = render(template, _list(place, seen, query, page, lines, overview, late))
    return _addressed(html, place, query.to_args())


def _list(
    place: Place,
    seen: SeenWorkflow | SeenWorkspace,
    query: RunQuery,
    page: RunPage,
    lines: Sequence[RunLine],
    overview: Overview | None,
    late: Late | None,
) -> RunListPage:
    form = filled(query.to_args())
    workflow = seen if isinstance(seen, SeenWorkflow) else None
    workspace_id = seen.workspace_id if isinstance(seen, SeenWorkflow) else seen.id
    workflows = workflow_choices(seen, query.workflows)
    api = ("api.workspace_runs", {}) if workflow is None else ("api.runs", {"workflow_id": workflow.id})
    return RunListPage(
        workflow=workflow,
        place=place,
        query=query,
        cleared=cleared(query),
        outcomes=_outcomes(query.to_args()),
        triggers=_triggers(query.to_args()),
        spans=_spans(query.to_args()),
        workflows=workflows,
        presets=presets(query),
        any_status=any_status(query),
        facets=named_workflows(facets(query), workflows),
        form=form,
        more=_uses_more(form),
        page=page,
        lines=lines,
        counts=page.counts,
        pager=Pager(page),
        sortings=sort_links(query),
        watch=watch(seen, query, lines, page.counts),
        workflow_names={each: found.name for each, found in page.workflows.items()},
        api_call=curl_command(api[0], **api[1], **query.to_args()),
        export_url=_export_url(place),
        export_args=query.to_export_args(),
        overview=overview,
        late=late,
        tabs=tabs_of_list(place, seen, query, page.in_all, request.args),
        may_start=workflow is not None and may_start(workspace_id),
        may_steer=may_steer(workspace_id),
    )


def _export_url(place: Place) -> str:
    if place.workflow_id is not None:
        return url_for("run_files.export", workflow_id=place.workflow_id)
    return url_for("run_files.export_all", workspace_id=place.workspace_id)


def _refusal(template: str, place: Place, plain: Args, refusal: InvalidQuery) -> Response:
    corrected = parse_run_list(without(plain, refusal.errors), place.workflow_id)
    workflow, workflows = None, list[tuple[str, str]]()
    try:
        seen = seen_in(place)
    except NotFound:
        pass
    else:
        workflow = seen if isinstance(seen, SeenWorkflow) else None
        workflows = workflow_choices(seen, corrected.workflows)
    form = filled(plain, refusal.errors)
    refused = RefusedRunList(
        workflow=workflow,
        place=place,
        corrected=corrected,
        cleared=cleared(corrected),
        outcomes=_outcomes(plain),
        triggers=_triggers(plain),
        spans=_spans(plain),
        workflows=workflows,
        presets=presets(corrected),
        form=form,
        more=_uses_more(form),
    )
    html = render(template, refused)
    answer = _addressed(html, place, {name: plain[name] for name in _parameters() if name in plain})
    answer.status_code = refusal.status
    return answer


def _uses_more(form: Form) -> bool:
    given = {**form.values, **form.lists}
    folded = [DURATION, *(each for each in further_filters() if each is not TEXT)]
    return any(given.get(name) or form.error(name) for name in ("within", *_labels_of(folded)))


def _outcomes(given: Args) -> list[tuple[str, str]]:
    """Those that say more than a status does, and what is chosen."""
    return _choices(
        {outcome: OUTCOME_WORDS[outcome] for outcome in FINER}, OUTCOME_WORDS, given.get("outcome")
    )


def _triggers(given: Args) -> list[tuple[str, str]]:
    return _choices(TRIGGER_CHOICES, TRIGGER_CHOICES, given.get("trigger"))


def _spans(given: Args) -> list[tuple[str, str]]:
    offered = {each: formats.sentence(within_words(each)) for each in SPANS}
    return _choices(offered, {}, given.get("within"))


def _choices(
    offered: Mapping[str, str], words: Mapping[str, str], given: str | list[str] | None
) -> list[tuple[str, str]]:
    """The choices of a field, and what is chosen if that is another one, such as several at once."""
    choices = [("", "Any"), *offered.items()]
    chosen = given if isinstance(given, str) else ""
    if chosen not in dict(choices):
        named = " or ".join(words.get(each, each) for each in chosen.split(","))
        choices.append((chosen, cut(named, MAX_CHOICE)))
    return choices


def _parameters() -> list[str]:
    return [name for each in WORKSPACE_FILTERS for name in each.labels] + [
        "sort",
        "order",
        "limit",
        "offset",
        "page",
    ]


def _labels_of(filters: Iterable[AnyFilter]) -> dict[str, str]:
    return {name: label for each in filters for name, label in each.labels.items()}


def _addressed(html: str, place: Place, args: Args) -> Response:
    return htmx.set_browser_url(make_response(html), place.url("runs", **args), typing_in=SEARCH_FIELD)


def _to_canonical(place: Place) -> Response | BaseResponse:
    """Redirect to an address of rows and exact moments, so that it says the same to everybody and later."""
    try:
        query = parse_run_list(plain_form(request.args), place.workflow_id)
    except InvalidQuery:
        return _answer(_whole(place), place)
    return redirect(place.url("runs", **query.to_args()), code=303)
