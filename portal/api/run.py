"""One run: whole, and as its status (contract 3.2 to 3.4)."""

from typing import Any

from flask import Response

from portal.api import bp
from portal.api.answers import fields, one, triggered_by
from portal.auth.access import get_workflow
from portal.auth.gate import current_principal, requires
from portal.runs.address import RunAddress
from portal.runs.detail.run import RunDetailView, RunView, get_run, get_run_status

FIELDS = (
    "id",
    "workflow_id",
    "status",
    "run_number",
    "total_nodes",
    "total_steps",
    "finished_steps",
    "finished_nodes",
    "held_nodes",
    "token_cost",
    "usage_summary",
    "started_at",
    "completed_at",
    "pause_requested_at",
    "paused_at",
    "paused_ms",
    "pause_reason",
    "pause_error",
    "created_at",
    "updated_at",
    "error",
    "has_export",
    "credits",
)


@bp.get("/workflows/<workflow_id>/runs/<run_id>")
@requires("workflows:read")
def run(workflow_id: str, run_id: str) -> Response:
    address = RunAddress.parse(workflow_id, run_id)
    workflow = get_workflow(current_principal(), address.workflow_id)
    return one(_detail(get_run(workflow, address.run_id)))


@bp.get("/workflows/<workflow_id>/runs/<run_id>/status")
@requires("workflows:read")
def run_status(workflow_id: str, run_id: str) -> Response:
    address = RunAddress.parse(workflow_id, run_id)
    workflow = get_workflow(current_principal(), address.workflow_id)
    return one(run_object(get_run_status(workflow, address.run_id)))


def run_object(run: RunView) -> dict[str, Any]:
    """A run as its status, and what starts, pauses or cancels it, answer."""
    return fields(run, FIELDS) | {"triggered_by": triggered_by(run)}


def _detail(run: RunDetailView) -> dict[str, Any]:
    return run_object(run) | {
        "definition_snapshot": run.definition_snapshot,
        "credits_absorbed": run.credits_absorbed,
        "public_share_id": None,
        "shared_at": None,
    }
