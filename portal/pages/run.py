"""The page of one run with its fragment, and the permanent link to it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from flask import Response, make_response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from portal import moments
from portal.auth.access import SeenWorkflow, get_workflow, get_workspace
from portal.auth.gate import current_principal
from portal.config import current_settings
from portal.database.sql.excerpts import TextBudget
from portal.engine.reporting.health import RunProgress, run_progress
from portal.errors import InvalidQuery
from portal.history.sync.opened import CopiedRun, open_run
from portal.input.parameters import Args, fits_links, fits_path, single
from portal.moments import elapsed_ms
from portal.pages import bp, conditional_get
from portal.pages.charts import Scale
from portal.pages.curl_command import curl_command
from portal.pages.forms import id_in_path, parse_run_list, plain_form
from portal.pages.graph import MAX_LISTED_NODES, Graph, NodeView, draw_graph, names_in, read_nodes
from portal.pages.key_values import KeyValues, first_key_values, source_key_values
from portal.pages.pager import Pager
from portal.pages.run_facts import RunAbout, about
from portal.pages.run_now import Now, now_of
from portal.pages.run_place import ALL, AMONG, marks_of, place_of_list
from portal.pages.run_rights import may_start, may_steer
from portal.pages.timeline_chart import TimelineChart, draw_timeline, lane_pages
from portal.paging import Page
from portal.runs.causes.alike import Alike, read_alike
from portal.runs.detail.failed_steps import MAX_ERROR, FailedStep, first_failed_step
from portal.runs.detail.pause import Pause, read_pause
from portal.runs.detail.run import (
    RunExcerpt,
    find_run,
    get_run_excerpt,
    read_run_facts,
    read_run_json,
    read_small_usage,
)
from portal.runs.detail.step_excerpts import StepExcerpt, step_duration_ms
from portal.runs.detail.step_log import StepLogs, read_step_logs
from portal.runs.detail.step_table import (
    Nesting,
    StepResults,
    StepTableQuery,
    count_steps,
    list_step_excerpts,
    read_nesting,
    read_step_results,
)
from portal.runs.detail.timeline import (
    Timeline,
    TimelineQuery,
    read_timeline,
    steps_before_start,
)
from portal.runs.facts.outcomes import outcome_word
from portal.runs.facts.relations import read_relations
from portal.runs.listing.neighbours import Neighbours, find_neighbours
from portal.runs.query import RunQuery
from portal.runs.results.run_results import ResultQuery, ResultsView, read_results
from portal.runs.statistics.run_timing import RunTiming, timing_of
from portal.runs.statistics.usual import usual_duration
from portal.runs.statuses import RunStatus, is_active
from portal.web import htmx
from portal.web.rendering import render
from portal.workflows.listing import describe_workflow


@dataclass(frozen=True)
class PaceBar:
    """The duration and the usual one, as percent of a bar."""

    median: float
    p90: float
    took: float


@dataclass(frozen=True)
class RunLinks:
    """The parameters of the links on the page of a run: each changes one part and leaves the others."""

    run_list: RunQuery
    """The list that led to the run."""
    timeline: TimelineQuery
    steps: StepTableQuery
    results: ResultQuery

    @property
    def came_from(self) -> Args:
        return {**self.run_list.to_args(), **marks_of(self.run_list.workflow_id)}

    @property
    def neighbour_labels(self) -> tuple[str, str]:
        """Names of the runs before and after this one in the list."""
        if self.run_list.sort != "created_at":
            return "Previous run", "Next run"
        newest_first = self.run_list.order == "desc"
        return ("Newer run", "Older run") if newest_first else ("Older run", "Newer run")

    def at_timeline(self, query: TimelineQuery) -> Args:
        """Another part of the timeline; the type of node expanded there filters the table of steps."""
        steps = replace(self.steps, node_type=query.node_type)
        if query.node_type != self.steps.node_type:
            steps = replace(steps.closed(), page=1)
        return {**self._rest, **steps.to_args(), **query.to_args()}

    @property
    def here(self) -> Args:
        return self.at_timeline(self.timeline)

    def at_steps(self, query: StepTableQuery) -> Args:
        """Other rows of the table."""
        return {**self._rest, **self.timeline.to_args(), **query.to_args()}

    def at_results(self, query: ResultQuery) -> Args:
        """Other lines of the results."""
        return {**self.here, **replace(self, results=query)._rest}

    @property
    def _rest(self) -> Args:
        return {**self.came_from, **self.results.to_args()}


@dataclass(frozen=True, kw_only=True)
class RunFragment:
    """What `runs/_run.html` shows: all that changes while a run is active, or while somebody zooms."""

    workflow: SeenWorkflow
    run: RunExcerpt
    came_from: Args
    """The parameters of the list that led to the run."""
    list_url: str
    """Where that list is."""
    links: RunLinks
    neighbours: Neighbours
    pace: RunTiming
    pace_bar: PaceBar | None
    failed_step: FailedStep | None
    failed_into_ms: int | None
    """How far into the run that step failed."""
    alike: Alike | None
    """How many failed like it; None for a run that has not failed."""
    about: RunAbout
    may_steer: bool
    """Whether there are buttons to cancel, pause and resume it."""
    may_start: bool
    """Whether there is one to run it again."""
    happening: Now | None
    """What a run of the engine does and waits for; None if it has ended, or another system drives it."""
    board: Graph | None
    """The drawing of what a run of the engine runs, which shows where it is; others have it further below."""
    board_nodes: Sequence[NodeView]
    timeline: Timeline
    before_start: int
    """Steps that began before the run did."""
    chart: TimelineChart
    lane_pages: Sequence[tuple[str, TimelineQuery]]
    steps: Page[StepExcerpt]
    nesting: Mapping[int, Nesting]
    """Where steps that are part of others stand, by position."""
    step_query: StepTableQuery
    step_pager: Pager
    step_counts: Mapping[str, int]
    step_results: StepResults
    step_logs: StepLogs
    results: ResultsView | None
    line_pager: Pager | None
    room: TextBudget
    """Shared by all texts of the page, so that together they stay short."""
    most_step_error: int = MAX_ERROR
    step_duration_ms: Callable[[StepExcerpt], int | None] = step_duration_ms
    outcome_word: Callable[[str, str | None], str] = outcome_word
    fits_links: Callable[[str], bool] = fits_links
    fits_path: Callable[[str], bool] = fits_path


@dataclass(frozen=True, kw_only=True)
class FollowedRun(RunFragment):
    """What `runs/_follow.html` shows: the fragment, and what else changes while a run is active."""

    usage: KeyValues | None
    """None leaves what the page shows."""


@dataclass(frozen=True, kw_only=True)
class RunPage(FollowedRun):
    """What `runs/run.html` shows: the same, and what never changes about a run."""

    source_facts: KeyValues
    snapshot: Mapping[str, object] | None
    """The definition as recorded with the run."""
    definition: Mapping[str, object] | None
    """The snapshot, else the workflow's present definition."""
    graph: Graph | None
    nodes: Sequence[NodeView]
    node_states: Mapping[str, str]
    api_call: str
    copied: CopiedRun | None
    """Where it was copied from, if a mirror did that."""
    most_nodes: int = MAX_LISTED_NODES


@bp.get("/workflows/<workflow_id>/runs/<run_id>")
def run(workflow_id: str, run_id: str) -> str:
    """The whole page."""
    found = _read(workflow_id, run_id)
    copied = open_run(found.run.id) if found.run.imported else None
    recorded = read_run_json(found.run.id)
    definition = recorded.definition or describe_workflow(found.workflow).definition
    names = found.timeline.node_names
    page = RunPage(
        **vars(found),
        usage=first_key_values(recorded.usage),
        source_facts=source_key_values(recorded.source, found.about.facts),
        snapshot=recorded.definition,
        definition=definition,
        graph=found.board or draw_graph(definition, names),
        nodes=read_nodes(definition, names),
        node_states=found.timeline.node_states,
        api_call=curl_command("api.run", workflow_id=found.workflow.id, run_id=found.run.id),
        copied=copied,
    )
    return render("runs/run.html", page)


@bp.get("/workflows/<workflow_id>/runs/<run_id>/view")
def run_view(workflow_id: str, run_id: str) -> Response | BaseResponse:
    """The part that changes while a run is active, or while somebody zooms."""
    workflow, run = id_in_path(workflow_id), id_in_path(run_id)
    page = url_for(".run", workflow_id=workflow, run_id=run, **_links(workflow).here)  # type: ignore[arg-type]
    if not htmx.wants_fragment():
        return redirect(page, code=303)
    answer = make_response(render("runs/_run.html", _read(workflow_id, run_id)))
    return htmx.set_browser_url(answer, page)


@bp.get("/workflows/<workflow_id>/runs/<run_id>/live")
def follow_run(workflow_id: str, run_id: str) -> str | BaseResponse:
    """All that changes, for a browser that follows an active run: it leaves the address alone."""
    if not htmx.wants_fragment():
        return run_view(workflow_id, run_id)
    found = _read(workflow_id, run_id)
    usage = read_small_usage(found.run.id)
    followed = FollowedRun(**vars(found), usage=None if usage is None else first_key_values(usage))
    return render("runs/_follow.html", followed)


@bp.get("/runs/<run_id>")
def permalink(run_id: str) -> BaseResponse:
    workflow_id, found_id = find_run(current_principal(), id_in_path(run_id))
    page = url_for(".run", workflow_id=workflow_id, run_id=found_id)
    query = request.query_string.decode("latin-1")
    return redirect(f"{page}?{query}" if query else page, code=302)


def _read(workflow_id: str, run_id: str) -> RunFragment:
    """Everything that the page and its fragment show of a run."""
    now, found_id = moments.now(), id_in_path(workflow_id)
    links = _links(found_id)
    workflow = get_workflow(current_principal(), found_id)
    progress = _progress(workflow, id_in_path(run_id))
    relations = read_relations(workflow.workspace_id, id_in_path(run_id))
    alike = read_alike(id_in_path(run_id))
    beside = None if links.run_list.workflow_id else get_workspace(current_principal(), workflow.workspace_id)
    conditional_get.answer_304_if_unchanged(
        workflow,
        conditional_get.second_of_active_run(workflow),
        progress,
        relations,
        alike,
        beside,
        links.run_list.moving,
    )
    run = get_run_excerpt(workflow, id_in_path(run_id))
    timeline = read_timeline(run.id, links.timeline, now)
    steps = list_step_excerpts(run.id, links.steps)
    results = read_results(run, links.results)
    pace = timing_of(run, usual_duration(workflow, run.created_at), now)
    failed = first_failed_step(run.id) if run.status == RunStatus.FAILED else None
    drawn = run.definition_snapshot if run.by_engine else None
    return RunFragment(
        workflow=workflow,
        run=run,
        came_from=links.came_from,
        list_url=place_of_list(links.run_list, workflow).url("runs", **links.run_list.to_args()),
        links=links,
        neighbours=find_neighbours(workflow, links.run_list, run.id),
        pace=pace,
        pace_bar=_pace_bar(pace),
        about=about(run, read_run_facts(run.id), relations, now),
        failed_step=failed,
        alike=alike,
        failed_into_ms=elapsed_ms(run.started_at or run.created_at, failed.failed_at) if failed else None,
        may_steer=run.by_engine and is_active(run.status) and may_steer(workflow.workspace_id),
        may_start=not is_active(run.status) and may_start(workflow.workspace_id),
        happening=now_of(run, progress, _pause(run), now),
        board=draw_graph(drawn, names_in(drawn)) if drawn else None,
        board_nodes=read_nodes(drawn, names_in(drawn)),
        timeline=timeline,
        before_start=steps_before_start(timeline, run.started_at),
        chart=draw_timeline(timeline),
        lane_pages=lane_pages(timeline),
        steps=steps,
        nesting=read_nesting(run.id, steps),
        step_query=links.steps,
        step_pager=Pager(steps),
        step_counts=count_steps(run.id),
        step_results=read_step_results(run.id, steps, links.steps),
        step_logs=read_step_logs(run, steps, links.steps),
        results=results,
        line_pager=Pager(results.lines) if results else None,
        room=TextBudget(),
    )


def _progress(workflow: SeenWorkflow, run_id: UUID) -> RunProgress | None:
    """What changes without a new version of the workflow; not asked while no run of it can move."""
    return run_progress(current_settings().engine, run_id) if workflow.running or workflow.pending else None


def _pause(run: RunExcerpt) -> Pause | None:
    return read_pause(run.id) if run.by_engine and run.status == RunStatus.PAUSED else None


def _links(workflow_id: UUID) -> RunLinks:
    """The links from the page with this request's parameters. Raises InvalidQuery."""
    args = single(request.args)
    timeline, steps, results = TimelineQuery.parse(args), StepTableQuery.parse(args), ResultQuery.parse(args)
    return RunLinks(originating_list(workflow_id), timeline, steps, results)


def originating_list(workflow_id: UUID) -> RunQuery:
    """The list that led to a run, from the parameters of its link; the whole list if they are not valid."""
    found_in = None if request.args.get(AMONG) == ALL else workflow_id
    try:
        return parse_run_list(_list_parameters(plain_form(request.args)), found_in)
    except InvalidQuery:
        return RunQuery(workflow_id=found_in)


def _list_parameters(plain: Args) -> Args:
    return {name: value for name, value in plain.items() if name != "page"}


def _pace_bar(pace: RunTiming) -> PaceBar | None:
    """None where the duration is not known, or nothing is usual yet."""
    if pace.usual is None or pace.took_ms is None:
        return None
    scale = Scale(0, max(pace.usual.p90_ms, pace.took_ms, 1) * 1.08)
    return PaceBar(scale.at(pace.usual.median_ms), scale.at(pace.usual.p90_ms), scale.at(pace.took_ms))
