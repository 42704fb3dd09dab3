"""The run list and its fragment."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from flask import Response, make_response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from portal import moments
from portal.auth.access import SeenWorkflow, get_workflow
from portal.auth.gate import current_principal
from portal.database.sql.excerpts import cut
from portal.engine.control.schedules.expectations import Late
from portal.errors import InvalidQuery, NotFound
from portal.input.parameters import Args
from portal.pages import bp, conditional_get
from portal.pages.curl_command import curl_command
from portal.pages.expected import lateness
from portal.pages.facets import Facet, any_status, cleared, facets
from portal.pages.forms import Form, filled, id_in_path, parse_run_list, plain_form, without
from portal.pages.overview import Overview, read_overview
from portal.pages.pager import Pager
from portal.pages.run_lines import RunLine, run_lines
from portal.pages.run_live import Watch, watch
from portal.pages.run_rights import may_start, may_steer
from portal.pages.sort_links import SORT_LABELS, SortLink, sort_links
from portal.paging import Page
from portal.runs.facts.outcomes import FINER, OUTCOME_WORDS
from portal.runs.filters.created import within_words
from portal.runs.filters.facts.label import LABEL
from portal.runs.filters.facts.label import MOST as MOST_LABELS
from portal.runs.filters.facts.text import TEXT
from portal.runs.filters.facts.trigger import TRIGGER
from portal.runs.filters.facts.trigger import WORDS as TRIGGER_CHOICES
from portal.runs.filters.filter import AnyFilter
from portal.runs.filters.outcome import OUTCOME
from portal.runs.filters.registry import FILTERS, further_filters
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

    workflow_id: UUID
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
    statuses: Sequence[str] = CHIPS
    sorts: Sequence[tuple[str, str]] = SORT_OPTIONS
    page_sizes: Sequence[int] = PAGE_SIZES
    search_field: str = SEARCH_FIELD
    labels: Mapping[str, str] = field(default_factory=lambda: _labels_of(FILTERS))
    """Every parameter of a filter with its label."""
    further: Mapping[str, str] = field(
        default_factory=lambda: _labels_of(each for each in further_filters() if each not in _DRAWN)
    )
    """Those that have a plain text field."""
    most_labels: int = MOST_LABELS


@dataclass(frozen=True, kw_only=True)
class RunListPage(FilterForm):
    """What `runs/page.html` and `runs/_table.html` show."""

    workflow: SeenWorkflow
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
    api_call: str
    may_start: bool
    """Whether there is a button to start a run."""
    may_steer: bool
    """Whether active runs of the engine have buttons to cancel, pause and resume them."""
    overview: Overview | None = None
    """None in the fragment, which leaves the overview as it is."""
    late: Late | None = None
    """A run that was expected and did not come."""


@dataclass(frozen=True, kw_only=True)
class RefusedRunList(FilterForm):
    """What the same templates show where a parameter is not valid."""

    workflow: SeenWorkflow | None
    """None where there is no such workflow: the errors of the parameters come first."""
    corrected: RunQuery
    """The list with the valid parameters only."""
    query: None = None
    overview: None = None
    late: None = None
    may_start: bool = False


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
        args: dict[str, Any] = {
            name: request.args.getlist(name) for name in _parameters()
        }  # as url_for takes them
        return redirect(url_for(".runs", workflow_id=found_id, **args), code=303)
    return _answer("runs/_table.html", found_id)


def _answer(template: str, workflow_id: UUID) -> Response:
    """The requested list, or the form with its errors."""
    plain = plain_form(request.args)
    try:
        query = parse_run_list(plain, workflow_id)
    except InvalidQuery as refusal:
        return _refusal(template, workflow_id, plain, refusal)
    workflow = get_workflow(current_principal(), workflow_id)
    late = lateness(workflow)
    conditional_get.answer_304_if_unchanged(
        workflow, conditional_get.second_of_active_run(workflow), late, query.moving
    )
    page = list_runs(workflow, query, Texts.BRIEF)
    overview = read_overview(workflow, page.in_all) if template == "runs/page.html" else None
    html = render(template, _list(workflow, query, page, overview, late))
    return _addressed(html, workflow_id, query.to_args())


def _list(
    workflow: SeenWorkflow, query: RunQuery, page: RunPage, overview: Overview | None, late: Late | None
) -> RunListPage:
    lines, form = run_lines(page.rows, moments.now()), filled(query.to_args())
    return RunListPage(
        workflow=workflow,
        workflow_id=workflow.id,
        query=query,
        cleared=cleared(query),
        outcomes=_outcomes(query.to_args()),
        triggers=_triggers(query.to_args()),
        spans=_spans(query.to_args()),
        any_status=any_status(query),
        facets=facets(query),
        form=form,
        more=_uses_more(form),
        page=page,
        lines=lines,
        counts=page.counts,
        pager=Pager(page),
        sortings=sort_links(query),
        watch=watch(workflow, query, lines, page.counts),
        api_call=curl_command("api.runs", workflow_id=workflow.id, **query.to_args()),
        overview=overview,
        late=late,
        may_start=may_start(workflow.workspace_id),
        may_steer=may_steer(workflow.workspace_id),
    )


def _refusal(template: str, workflow_id: UUID, plain: Args, refusal: InvalidQuery) -> Response:
    corrected = parse_run_list(without(plain, refusal.errors), workflow_id)
    try:
        workflow = get_workflow(current_principal(), workflow_id)
    except NotFound:
        workflow = None
    form = filled(plain, refusal.errors)
    refused = RefusedRunList(
        workflow=workflow,
        workflow_id=workflow_id,
        corrected=corrected,
        cleared=cleared(corrected),
        outcomes=_outcomes(plain),
        triggers=_triggers(plain),
        spans=_spans(plain),
        form=form,
        more=_uses_more(form),
    )
    html = render(template, refused)
    answer = _addressed(html, workflow_id, {name: plain[name] for name in _parameters() if name in plain})
    answer.status_code = refusal.status
    return answer


def _uses_more(form: Form) -> bool:
    given, folded = {**form.values, **form.lists}, (each for each in further_filters() if each is not TEXT)
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
    return [name for each in FILTERS for name in each.labels] + ["sort", "order", "limit", "offset", "page"]


def _labels_of(filters: Iterable[AnyFilter]) -> dict[str, str]:
    return {name: label for each in filters for name, label in each.labels.items()}


def _addressed(html: str, workflow_id: UUID, args: Args) -> Response:
    url = url_for(".runs", workflow_id=workflow_id, **args)  # type: ignore[arg-type]
    return htmx.set_browser_url(make_response(html), url, typing_in=SEARCH_FIELD)


def _to_offset(workflow_id: UUID) -> Response | BaseResponse:
    """Redirect a page number to the offset of its first row, so that each page has one address."""
    try:
        query = parse_run_list(plain_form(request.args), workflow_id)
    except InvalidQuery:
        return _answer("runs/page.html", workflow_id)
    return redirect(url_for(".runs", workflow_id=workflow_id, **query.to_args()), code=303)  # type: ignore[arg-type]
