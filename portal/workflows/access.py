"""Workflows as a principal may see them: there is no other getter."""

from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from portal.auth.principals import Principal
from portal.db import read
from portal.errors import NotFound
from portal.models import RunTotals, Workflow, Workspace

__all__ = ["Workflow", "get_workflow"]


@dataclass(frozen=True)
class SeenWorkflow:
    """A workflow that the one who asks may see: what scopes every further read and heads its pages."""

    id: UUID
    workspace_id: UUID
    name: str
    description: str | None
    next_run_number: int
    running: int | None
    """How many of its runs go on right now."""
    version: int
    """Grows with every write to the workflow and its runs (portal.versions)."""
    workspace_version: int
    """Grows with the names of people."""
    change_stamp: int
    """What servers of the release before count instead of the version."""
    workspace_stamp: int


_SEEN = (
    sa.select(
        Workflow.id,
        Workflow.workspace_id,
        Workflow.name,
        Workflow.description,
        Workflow.next_run_number,
        RunTotals.running,
        Workflow.version,
        Workspace.version.label("workspace_version"),
        Workflow.change_stamp,
        Workspace.change_stamp.label("workspace_stamp"),
    )
    .join(Workspace, Workflow.workspace_id == Workspace.id)
    .outerjoin(RunTotals, RunTotals.workflow_id == Workflow.id)
    .where(Workflow.id == sa.bindparam("workflow_id"), Workflow.deleted_at.is_(None))
)


def get_workflow(principal: Principal, workflow_id: UUID) -> SeenWorkflow:
    """The workflow, if it lies in a workspace of the principal's and is not deleted.

    Raises NotFound, the same for foreign and absent ones.
    """
    row = read(_SEEN, workflow_id=workflow_id).first()
    if row is None or row.workspace_id not in principal.workspace_ids:
        raise NotFound("There is no such workflow here.")
    return SeenWorkflow(**row._mapping)
