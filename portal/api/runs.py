"""Runs of a workflow, listed and summed up (contract 3.1, 3.11)."""

from typing import Any

from flask import Response, request

from portal.api import bp
from portal.api.answers import counted_list, fields, one, triggered_by
from portal.auth.access import get_workflow
from portal.auth.gate import current_principal, requires
from portal.input.parameters import single
from portal.runs.listing import list_runs
from portal.runs.query import RunQuery
from portal.runs.rows import RunRow
from portal.runs.statistics.summary import Summary, SummaryQuery, summarize

FIELDS = (
    "id",
    "status",
    "run_number",
    "created_at",
    "total_nodes",
    "total_steps",
    "finished_steps",
    "usage_summary",
    "started_at",
    "completed_at",
    "credits",
    "pause_requested_at",
    "paused_at",
    "finished_nodes",
    "paused_ms",
    "pause_reason",
    "pause_error",
    "output_line_count",
    "delivered_audio_ms",
)


@bp.get("/workflows/<workflow_id>/runs")
@requires("workflows:read")
def runs(workflow_id: str) -> Response:
    query = RunQuery.parse(single(request.args), workflow_id=workflow_id)
    workflow = get_workflow(current_principal(), query.workflow_id)
    page = list_runs(workflow, query)
    return counted_list(page, _row, lambda slice_: query.at(slice_).to_api_args())


@bp.get("/workflows/<workflow_id>/runs/summary")
@requires("workflows:read")
def runs_summary(workflow_id: str) -> Response:
    query = SummaryQuery.parse(single(request.args), workflow_id=workflow_id)
    workflow = get_workflow(current_principal(), query.workflow_id)
    return one(_summary(summarize(workflow, query.created_from, query.created_to)))


def _row(run: RunRow) -> dict[str, Any]:
    return fields(run, FIELDS) | {"triggered_by": triggered_by(run)}


def _summary(summary: Summary) -> dict[str, Any]:
    names = ("pass_rate", "average_duration_seconds", "delivered_audio_ms")
    return {"total_runs": summary.total} | dict(summary.counts) | fields(summary, names)
