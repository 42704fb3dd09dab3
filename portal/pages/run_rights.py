"""Who may start and steer runs, on pages."""

from uuid import UUID

from portal.auth.access import SeenWorkflow, get_workflow
from portal.auth.gate import current_principal
from portal.auth.principals import Principal
from portal.config import current_settings
from portal.pages.forms import id_in_path
from portal.runs.detail.run import RunView, get_run_excerpt

RUN = "workflows:run"


def to_run(workflow_id: str) -> tuple[Principal, SeenWorkflow]:
    """A workflow and the principal in its workspace. Raises NotFound, and Forbidden to its viewers."""
    found = get_workflow(current_principal(), id_in_path(workflow_id))
    return _restricted(found), found


def to_steer(workflow_id: str, run_id: str) -> tuple[Principal, SeenWorkflow, RunView]:
    """The same with a run of the workflow. Raises NotFound, and Forbidden to its viewers."""
    found = get_workflow(current_principal(), id_in_path(workflow_id))
    run = get_run_excerpt(found, id_in_path(run_id))
    return _restricted(found), found, run


def _restricted(workflow: SeenWorkflow) -> Principal:
    return current_principal().in_workspace(workflow.workspace_id).restricted_to(RUN)


def may_steer(workspace_id: UUID) -> bool:
    """Whether this person may cancel, pause and resume runs of a workspace."""
    membership = current_principal().membership(workspace_id)
    return membership is not None and membership.allows(RUN)


def may_start(workspace_id: UUID) -> bool:
    """Whether this person may start runs of a workspace; nobody may while the engine is off."""
    return current_settings().engine.enabled and may_steer(workspace_id)
