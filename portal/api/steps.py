"""Steps of a run (contract 3.6)."""

from datetime import datetime
from typing import Annotated, NotRequired
from uuid import UUID

from flask import Response, request
from pydantic import Field
from typing_extensions import TypedDict

from portal.api import bp
from portal.api.answers import Count, one
from portal.api.facts import StepFactsJson, step_facts
from portal.api.operations import FLAG, TEXT, operation
from portal.api.schemas import words
from portal.auth.access import get_workflow
from portal.auth.gate import current_principal, requires
from portal.definitions.catalog import CATALOG
from portal.input.parameters import single
from portal.runs.detail.run import get_run_status
from portal.runs.detail.steps import StepRow, StepsQuery, list_steps


class StepJson(TypedDict):
    """An attempt at a node."""

    id: UUID
    node_id: str
    node_type: str
    node_display_name: str | None
    status: str
    iteration: Count
    started_at: datetime | None
    completed_at: datetime | None
    result: Annotated[dict[str, object] | None, Field(description="null unless include_result=true.")]
    has_result: bool
    active_ports: list[str] | None
    locales: list[str] | None
    pause_reason: str | None
    pause_error: str | None
    error: str | None
    x_portal: NotRequired[StepFactsJson]


@bp.get("/workflows/<workflow_id>/runs/<run_id>/steps")
@requires("workflows:read")
@operation(
    tag="Runs",
    summary="List the steps of a run",
    answer=StepJson,
    shape="whole",
    description="In the order of execution, one for each attempt at a node.",
    query={
        "include_result": FLAG,
        "node_type": lambda: words(*CATALOG),
        "node_id": TEXT,
    },
)
def steps(workflow_id: str, run_id: str) -> Response:
    query = StepsQuery.parse(single(request.args), workflow_id=workflow_id, run_id=run_id)
    workflow = get_workflow(current_principal(), query.address.workflow_id)
    found = get_run_status(workflow, query.address.run_id)
    filters = {"node_type": query.node_type, "node_id": query.node_id}
    return one([_row(step) for step in list_steps(found, include_result=query.include_result, **filters)])


def _row(step: StepRow) -> StepJson:
    row: StepJson = {
        "id": step.id,
        "node_id": step.node_id,
        "node_type": step.node_type,
        "status": step.status,
        "iteration": step.iteration,
        "started_at": step.started_at,
        "completed_at": step.completed_at,
        "result": step.result,
        "has_result": step.has_result,
        "active_ports": step.active_ports,
        "locales": step.locales,
        "pause_reason": step.pause_reason,
        "pause_error": step.pause_error,
        "error": step.error,
        "node_display_name": step.name,
    }
    if facts := step_facts(step):
        row["x_portal"] = facts
    return row
