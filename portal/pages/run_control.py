"""Cancel, pause and resume a run, from its page or from the list."""

from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from portal import moments
from portal.auth.access import SeenWorkflow
from portal.config import current_settings
from portal.engine.control import steering
from portal.errors import Conflict
from portal.pages import bp
from portal.pages.confirmation import confirm
from portal.pages.run import originating_list
from portal.pages.run_place import place_of_list
from portal.pages.run_rights import to_steer
from portal.runs.detail.run import RunView
from portal.runs.statuses import RunStatus, is_active
from portal.web.formats import number

BACK, LIST = "back", "list"
"""The parameter of an address that says where to return to, and its only value: the list, not the run."""

_CONSEQUENCE = (
    "It cannot go on afterwards. Steps that are running end within seconds. What it has made so far is kept, "
    "and what it has used is charged where credits are metered."
)


@bp.get("/workflows/<workflow_id>/runs/<run_id>/cancel")
def confirm_run_cancel(workflow_id: str, run_id: str) -> str | Response:
    _, workflow, run = to_steer(workflow_id, run_id)
    if not is_active(run.status):
        return _return_from(workflow, run)
    if not run.by_engine:
        raise Conflict(steering.RUNS_ELSEWHERE)
    return confirm(
        question=f"Cancel run #{number(run.run_number)}?",
        consequence=_CONSEQUENCE,
        button="Cancel the run",
        back=_address_after(workflow, run),
        otherwise="Let it go on" if run.status != RunStatus.PAUSED else "Leave it paused",
    )


@bp.post("/workflows/<workflow_id>/runs/<run_id>/cancel")
def cancel_run(workflow_id: str, run_id: str) -> Response:
    principal, workflow, run = to_steer(workflow_id, run_id)
    steering.cancel(principal, workflow, run.id, moments.now())
    return _return_from(workflow, run)


@bp.post("/workflows/<workflow_id>/runs/<run_id>/pause")
def pause_run(workflow_id: str, run_id: str) -> Response:
    principal, workflow, run = to_steer(workflow_id, run_id)
    steering.pause(principal, workflow, run.id, moments.now())
    return _return_from(workflow, run)


@bp.post("/workflows/<workflow_id>/runs/<run_id>/resume")
def resume_run(workflow_id: str, run_id: str) -> Response:
    """A run that goes on already is left alone: somebody pressed the button twice."""
    principal, workflow, run = to_steer(workflow_id, run_id)
    if not run.by_engine or run.status != RunStatus.RUNNING or run.pause_requested_at is not None:
        steering.resume(principal, workflow, run.id, moments.now(), current_settings().engine)
    return _return_from(workflow, run)


def _return_from(workflow: SeenWorkflow, run: RunView) -> Response:
    return redirect(_address_after(workflow, run), code=303)


def _address_after(workflow: SeenWorkflow, run: RunView) -> str:
    """The list or the run that the button was on, as it was."""
    came_from = originating_list(workflow.id)
    place = place_of_list(came_from, workflow)
    if request.args.get(BACK) == LIST:
        return place.url("runs", **came_from.to_args())
    args = {**came_from.to_args(), **place.marks}
    return url_for(".run", workflow_id=workflow.id, run_id=run.id, **args)  # type: ignore[arg-type]
