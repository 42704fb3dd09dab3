"""Starting runs, and steering them (contract 3.2, 3.5)."""

from flask import Response

from portal import moments
from portal.api import bp
from portal.api.answers import one
from portal.api.operations import operation
from portal.api.request_values import json_body
from portal.api.run import RunJson, run_object
from portal.auth.access import SeenWorkflow, get_workflow
from portal.auth.gate import current_principal, requires
from portal.config import current_settings
from portal.engine.control import starting, steering
from portal.engine.preparing import Overrides
from portal.runs.address import RunAddress
from portal.runs.detail.run import get_run_status

_BODY = "A body is ignored."


@bp.post("/workflows/<workflow_id>/runs")
@requires("workflows:run")
@operation(
    tag="Runs",
    summary="Start a run",
    answer=RunJson,
    status=202,
    body=Overrides,
    refusals=(402, 409),
    description="Runs the workflow as it is now. What the body names is only for this run.",
)
def start_run(workflow_id: str) -> Response:
    principal = current_principal()
    run = starting.start(principal, workflow_id, json_body(), moments.now())
    workflow = get_workflow(principal, run.workflow_id)
    return one(run_object(get_run_status(workflow, run.id)), status=202)


@bp.post("/workflows/<workflow_id>/runs/<run_id>/cancel")
@requires("workflows:run")
@operation(
    tag="Runs",
    summary="Cancel a run",
    answer=RunJson,
    refusals=(409,),
    description=f"A run that has ended stays as it is. {_BODY}",
)
def cancel_run(workflow_id: str, run_id: str) -> Response:
    address, workflow = _addressed(workflow_id, run_id)
    steering.cancel(current_principal(), workflow, address.run_id, moments.now())
    return one(run_object(get_run_status(workflow, address.run_id)))


@bp.post("/workflows/<workflow_id>/runs/<run_id>/pause")
@requires("workflows:run")
@operation(
    tag="Runs",
    summary="Pause a run",
    answer=RunJson,
    refusals=(409,),
    description=f"It is paused when the steps that are running have ended. {_BODY}",
)
def pause_run(workflow_id: str, run_id: str) -> Response:
    address, workflow = _addressed(workflow_id, run_id)
    steering.pause(current_principal(), workflow, address.run_id, moments.now())
    return one(run_object(get_run_status(workflow, address.run_id)))


@bp.post("/workflows/<workflow_id>/runs/<run_id>/resume")
@requires("workflows:run")
@operation(
    tag="Runs",
    summary="Resume a paused run",
    answer=RunJson,
    refusals=(409,),
    description=f"Refused while another run of the workflow is pending or running. {_BODY}",
)
def resume_run(workflow_id: str, run_id: str) -> Response:
    address, workflow = _addressed(workflow_id, run_id)
    steering.resume(current_principal(), workflow, address.run_id, moments.now(), current_settings().engine)
    return one(run_object(get_run_status(workflow, address.run_id)))


def _addressed(workflow_id: str, run_id: str) -> tuple[RunAddress, SeenWorkflow]:
    address = RunAddress.parse(workflow_id, run_id)
    return address, get_workflow(current_principal(), address.workflow_id)
