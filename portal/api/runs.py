"""Runs of a workflow, listed and summed up (contract 3.1, 3.11), and those of a whole workspace."""

from datetime import datetime
from typing import Annotated, NotRequired
from uuid import UUID

from flask import Response, request
from pydantic import Field
from typing_extensions import TypedDict

from portal.api import bp
from portal.api.answers import (
    FREE_FORM,
    Count,
    Fraction,
    Status,
    StatusCountsJson,
    TriggeredByJson,
    counted_list,
    one,
    status_counts,
    triggered_by,
)
from portal.api.facts import RunRowFactsJson, run_row_facts
from portal.api.operations import PAGING, operation
from portal.api.schemas import words
from portal.auth.access import get_workflow, get_workspace
from portal.auth.gate import current_principal, requires
from portal.input.parameters import flat, single
from portal.runs.filters.created import CREATED
from portal.runs.filters.filter import Schema
from portal.runs.filters.registry import FILTERS, WORKSPACE_FILTERS, repeating
from portal.runs.listing import list_runs
from portal.runs.listing.rows import RunRow
from portal.runs.query import ORDERS, SORTS, RunQuery
from portal.runs.statistics.summary import Summary, SummaryQuery, summarize


class RunRowJson(TypedDict):
    """A run in a list."""

    id: UUID
    status: Status
    run_number: Annotated[int, Field(ge=1, description="Counts up in its workflow.")]
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    total_nodes: Count | None
    finished_nodes: Count | None
    total_steps: Count
    finished_steps: Count
    usage_summary: Annotated[dict[str, object] | None, Field(description=FREE_FORM)]
    triggered_by: TriggeredByJson | None
    credits: int | None
    pause_requested_at: datetime | None
    paused_at: datetime | None
    paused_ms: Count | None
    pause_reason: str | None
    pause_error: str | None
    output_line_count: Count | None
    delivered_audio_ms: Count | None
    x_portal: NotRequired[RunRowFactsJson]


class WorkspaceRunRowJson(RunRowJson):
    """A run in a list over all workflows."""

    workflow_id: UUID
    workflow_name: str


class RunsSummaryJson(StatusCountsJson):
    """The runs created in a window."""

    total_runs: Count
    pass_rate: Annotated[Fraction | None, Field(description="Completed among completed and failed.")]
    average_duration_seconds: Annotated[
        float | None, Field(description="Of completed runs, pauses left out.")
    ]
    delivered_audio_ms: Count


_LISTED: dict[str, Schema] = PAGING | {
    "sort": {**words(*SORTS), "default": "created_at"},
    "order": {**words(*ORDERS), "default": "desc"},
}


@bp.get("/workflows/<workflow_id>/runs")
@requires("workflows:read")
@operation(
    tag="Runs",
    summary="List the runs of a workflow",
    answer=RunRowJson,
    shape="counted",
    description="Ties are broken by id, ascending in both directions; runs without the time that is "
    "sorted by come last.",
    query=_LISTED,
    filters=FILTERS,
)
def runs(workflow_id: str) -> Response:
    query = RunQuery.parse(flat(request.args, repeating()), workflow_id=workflow_id)
    workflow = get_workflow(current_principal(), UUID(workflow_id))
    page = list_runs(workflow, query)
    return counted_list(page, _row, lambda slice_: query.at(slice_).to_api_args())


@bp.get("/runs")
@requires("workflows:read")
@operation(
    tag="Runs",
    summary="List the runs of all workflows",
    answer=WorkspaceRunRowJson,
    shape="counted",
    description="As the list of a workflow, over the whole workspace; without the runs of deleted workflows.",
    query=_LISTED,
    filters=WORKSPACE_FILTERS,
)
def workspace_runs() -> Response:
    query = RunQuery.parse(flat(request.args, repeating()), workflow_id=None)
    page = list_runs(get_workspace(current_principal()), query)

    def row(run: RunRow) -> WorkspaceRunRowJson:
        name = page.workflows[run.workflow_id].name
        return {**_row(run), "workflow_id": run.workflow_id, "workflow_name": name}

    return counted_list(page, row, lambda slice_: query.at(slice_).to_api_args())


_WINDOW = {name: CREATED.schemas[name] for name in ("from", "to")}


@bp.get("/workflows/<workflow_id>/runs/summary")
@requires("workflows:read")
@operation(tag="Runs", summary="Sum up the runs of a workflow", answer=RunsSummaryJson, query=_WINDOW)
def runs_summary(workflow_id: str) -> Response:
    query = SummaryQuery.parse(single(request.args), workflow_id=workflow_id)
    workflow = get_workflow(current_principal(), query.workflow_id)
    return one(_summary(summarize(workflow, query.created_from, query.created_to)))


def _row(run: RunRow) -> RunRowJson:
    row: RunRowJson = {
        "id": run.id,
        "status": run.status,
        "run_number": run.run_number,
        "created_at": run.created_at,
        "total_nodes": run.total_nodes,
        "total_steps": run.total_steps,
        "finished_steps": run.finished_steps,
        "usage_summary": run.usage_summary,
        "started_at": run.started_at,
        "completed_at": run.completed_at,
        "credits": run.credits,
        "pause_requested_at": run.pause_requested_at,
        "paused_at": run.paused_at,
        "finished_nodes": run.finished_nodes,
        "paused_ms": run.paused_ms,
        "pause_reason": run.pause_reason,
        "pause_error": run.pause_error,
        "output_line_count": run.output_line_count,
        "delivered_audio_ms": run.delivered_audio_ms,
        "triggered_by": triggered_by(run),
    }
    if facts := run_row_facts(run):
        row["x_portal"] = facts
    return row


def _summary(summary: Summary) -> RunsSummaryJson:
    return {
        "total_runs": summary.total,
        **status_counts(summary.counts),
        "pass_rate": summary.pass_rate,
        "average_duration_seconds": summary.average_duration_seconds,
        "delivered_audio_ms": summary.delivered_audio_ms,
    }
