"""Workflows as a principal may see them: there is no other getter."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.auth.principals import Principal
from portal.database.engine import db
from portal.database.models import RunTotals, Workflow, Workspace
from portal.database.sql.excerpts import cut, excerpt
from portal.database.transactions import read
from portal.errors import NotFound

__all__ = ["Workflow", "get_workflow"]

DESCRIPTION_EXCERPT = 300
"""Characters of a workflow's description that lists and the heads of its pages show."""


@dataclass(frozen=True)
class SeenWorkflow:
    """A workflow that the one who asks may see: what scopes every further read and heads its pages."""

    id: UUID
    workspace_id: UUID
    name: str
    description: str | None
    """Ends in an ellipsis where it is long: `read_description` has all of it."""
    next_run_number: int
    running: int | None
    """How many of its runs go on right now."""
    version: int
    """Grows with every write to the workflow and its runs (portal.database.sql.versions)."""
    workspace_version: int
    """Grows with the names of people."""
    change_stamp: int
    """What servers of the release before count instead of the version."""
    workspace_stamp: int
    more_description: bool = False


_SEEN = (
    sa.select(
        Workflow.id,
        Workflow.workspace_id,
        Workflow.name,
        excerpt(Workflow.description, DESCRIPTION_EXCERPT).label("description"),
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
    return _seen(**row._mapping)


def read_description(workflow: SeenWorkflow) -> str | None:
    """All of what the workflow says of itself."""
    if not workflow.more_description:
        return workflow.description
    return db.session.scalar(sa.select(Workflow.description).where(Workflow.id == workflow.id))


def _seen(description: str | None, **columns: Any) -> SeenWorkflow:
    text = description and cut(description, DESCRIPTION_EXCERPT)
    return SeenWorkflow(description=text, more_description=text != description, **columns)
