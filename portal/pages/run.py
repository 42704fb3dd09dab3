"""The page of one run with its fragment, and the permanent link to it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from flask import Response, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from portal import moments
from portal.auth.access import get_workflow
from portal.auth.gate import current_principal
from portal.database.sql.excerpts import Room
from portal.errors import InvalidQuery
from portal.input.parameters import fits_links, fits_path, single
from portal.pages import bp, freshness
from portal.pages.api_call import curl_line
from portal.pages.charts import Scale
from portal.pages.facts import facts, source_facts
from portal.pages.forms import id_in_path, parse_run_list, plain_form
from portal.pages.graph import draw_graph, read_nodes
from portal.pages.pager import Pager
from portal.pages.timeline_chart import draw_timeline, lane_pages
from portal.runs.detail.failed_steps import MAX_ERROR, first_failed_step
from portal.runs.detail.run import find_run, get_run_excerpt, read_run_json
from portal.runs.detail.step_excerpts import step_duration_ms
from portal.runs.detail.step_table import StepTableQuery, count_steps, list_step_excerpts, read_step_results
from portal.runs.detail.timeline import TimelineQuery, read_timeline, steps_before_start
from portal.runs.neighbours import find_neighbours
from portal.runs.query import RunQuery
from portal.runs.results.run_results import ResultQuery, read_results
from portal.runs.statistics.run_timing import RunTiming, timing_of
from portal.runs.statistics.summary import usual_duration
from portal.web import htmx
from portal.workflows.listing import describe_workflow

MAX_LISTED_NODES = 200
"""Rows of the definition's table."""


@dataclass(frozen=True)
class PaceBar:
    """The duration beside what is usual, as percent of a bar."""

    median: float
    p90: float
    took: float


@dataclass(frozen=True)
class Place:
    """Where somebody stands on the page of a run; gives the parameters of the links from there."""

    behind: RunQuery
    """The list that led here."""
    timeline: TimelineQuery
    steps: StepTableQuery
    results: ResultQuery

    @property
    def came_from(self) -> Mapping[str, str]:
        return self.behind.to_args()

    def at_timeline(self, query: TimelineQuery) -> dict[str, str]:
        """Another part of the timeline; a type of node unfolded there is the one listed below."""
        steps = replace(self.steps, node_type=query.node_type)
        if query.node_type != self.steps.node_type:
            steps = replace(steps, page=1, result=None)
        return {**self._rest, **steps.to_args(), **query.to_args()}

    @property
    def here(self) -> dict[str, str]:
        return self.at_timeline(self.timeline)

    def at_steps(self, query: StepTableQuery) -> dict[str, str]:
        """Other rows of the table."""
        return {**self._rest, **self.timeline.to_args(), **query.to_args()}

    def at_results(self, query: ResultQuery) -> dict[str, str]:
        """Other lines of what the run gave."""
        return {**self.here, **replace(self, results=query)._rest}

    @property
    def _rest(self) -> dict[str, str]:
        return {**self.came_from, **self.results.to_args()}


@bp.get("/workflows/<workflow_id>/runs/<run_id>")
def run(workflow_id: str, run_id: str) -> str:
    """The whole page."""
    found = _look(workflow_id, run_id)
    said = read_run_json(found["run"].id)
    snapshot = said.definition
    definition = snapshot or describe_workflow(found["workflow"]).definition
    timeline = found["timeline"]
    return render_template(
        "runs/run.html",
        usage=facts(said.usage),
        source_facts=source_facts(said.source),
        snapshot=snapshot,
        definition=definition,
        graph=draw_graph(definition, timeline.node_names),
        nodes=read_nodes(definition, timeline.node_names),
        most_nodes=MAX_LISTED_NODES,
        node_states=timeline.node_states,
        api_call=curl_line("api.run", workflow_id=found["workflow"].id, run_id=found["run"].id),
        **found,
    )


@bp.get("/workflows/<workflow_id>/runs/<run_id>/view")
def run_view(workflow_id: str, run_id: str) -> Response | BaseResponse:
    """What changes while a run goes on, or while somebody zooms."""
    workflow, run = id_in_path(workflow_id), id_in_path(run_id)
    page = url_for(".run", workflow_id=workflow, run_id=run, **_place(workflow).here)  # type: ignore[arg-type]
    if not htmx.wants_fragment():
        return redirect(page, code=303)
    answer = make_response(render_template("runs/_run.html", **_look(workflow_id, run_id)))
    return htmx.show_address(answer, page)


@bp.get("/workflows/<workflow_id>/runs/<run_id>/live")
def follow_run(workflow_id: str, run_id: str) -> str | BaseResponse:
    """The same for a browser that follows an active run: it leaves the address alone."""
    if not htmx.wants_fragment():
        return run_view(workflow_id, run_id)
    return render_template("runs/_run.html", **_look(workflow_id, run_id))


@bp.get("/runs/<run_id>")
def permalink(run_id: str) -> BaseResponse:
    workflow_id, found_id = find_run(current_principal(), id_in_path(run_id))
    page = url_for(".run", workflow_id=workflow_id, run_id=found_id)
    query = request.query_string.decode("latin-1")
    return redirect(f"{page}?{query}" if query else page, code=302)


def _look(workflow_id: str, run_id: str) -> dict[str, Any]:
    """Everything that the page and its fragment show of a run."""
    now, found_id = moments.now(), id_in_path(workflow_id)
    place = _place(found_id)
    workflow = get_workflow(current_principal(), found_id)
    freshness.stop_if_known(workflow, freshness.second(workflow))
    run = get_run_excerpt(workflow, id_in_path(run_id))
    timeline = read_timeline(run.id, place.timeline, now)
    steps = list_step_excerpts(run.id, place.steps)
    results = read_results(run, place.results)
    pace = timing_of(run, usual_duration(workflow), now)
    return {
        "workflow": workflow,
        "run": run,
        "came_from": place.came_from,
        "neighbours": find_neighbours(workflow, place.behind, run.id),
        "pace": pace,
        "pace_bar": _pace_bar(pace),
        "failed_step": first_failed_step(run.id) if run.status == "failed" else None,
        "most_step_error": MAX_ERROR,
        "timeline": timeline,
        "before_start": steps_before_start(timeline, run.started_at),
        "chart": draw_timeline(timeline),
        "lane_pages": lane_pages(timeline),
        "steps": steps,
        "step_query": place.steps,
        "step_pager": Pager(steps),
        "step_counts": count_steps(run.id),
        "step_results": read_step_results(run.id, steps, place.steps),
        "step_duration_ms": step_duration_ms,
        "results": results,
        "line_pager": Pager(results.lines) if results else None,
        "place": place,
        "room": Room(),
        "fits_links": fits_links,
        "fits_path": fits_path,
    }


def _place(workflow_id: UUID) -> Place:
    """Where the request's parameters stand. Raises InvalidQuery."""
    args = single(request.args)
    timeline, steps, results = TimelineQuery.parse(args), StepTableQuery.parse(args), ResultQuery.parse(args)
    return Place(list_behind(workflow_id), timeline, steps, results)


def list_behind(workflow_id: UUID) -> RunQuery:
    """The list that led to a run, from the parameters its link carries; the whole list if they make none."""
    try:
        return parse_run_list(_list_parameters(plain_form(request.args)), workflow_id)
    except InvalidQuery:
        return RunQuery(workflow_id=workflow_id)


def _list_parameters(plain: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in plain.items() if name != "page"}


def _pace_bar(pace: RunTiming) -> PaceBar | None:
    """None where there is nothing to compare, or nothing that is usual."""
    if pace.usual is None or pace.took_ms is None or pace.usual.runs < 2:
        return None
    scale = Scale(0, max(pace.usual.p90_ms, pace.took_ms, 1) * 1.08)
    return PaceBar(scale.at(pace.usual.median_ms), scale.at(pace.usual.p90_ms), scale.at(pace.took_ms))
