"""Runs of a workflow (contract 3.1)."""

from typing import Any

from flask import Response, request

from portal.api import bp
from portal.api.answers import counted_list, plain
from portal.auth.gate import current_principal, requires
from portal.parameters import single
from portal.runs.listing import RunRow, list_runs
from portal.runs.query import RunQuery
from portal.workflows.access import get_workflow

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


def _row(run: RunRow) -> dict[str, Any]:
    row = {name: plain(getattr(run, name)) for name in FIELDS}
    who = run.triggered_by
    row["triggered_by"] = who and {"user_id": str(who.user_id), "user_name": who.user_name}
    return row
