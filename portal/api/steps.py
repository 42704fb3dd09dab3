"""Steps of a run (contract 3.6)."""

from typing import Any

from flask import Response, request

from portal.api import bp
from portal.api.answers import fields, one
from portal.auth.access import get_workflow
from portal.auth.gate import current_principal, requires
from portal.input.parameters import single
from portal.runs.detail.run import get_run_status
from portal.runs.detail.steps import StepRow, StepsQuery, list_steps

FIELDS = (
    "id",
    "node_id",
    "node_type",
    "status",
    "iteration",
    "started_at",
    "completed_at",
    "result",
    "has_result",
    "active_ports",
    "locales",
    "pause_reason",
    "pause_error",
    "error",
)


@bp.get("/workflows/<workflow_id>/runs/<run_id>/steps")
@requires("workflows:read")
def steps(workflow_id: str, run_id: str) -> Response:
    query = StepsQuery.parse(single(request.args), workflow_id=workflow_id, run_id=run_id)
    workflow = get_workflow(current_principal(), query.address.workflow_id)
    found = get_run_status(workflow, query.address.run_id)
    filters = {"node_type": query.node_type, "node_id": query.node_id}
    return one([_row(step) for step in list_steps(found, include_result=query.include_result, **filters)])


def _row(step: StepRow) -> dict[str, Any]:
    row = fields(step, FIELDS)
    return row | {"node_display_name": step.name}
