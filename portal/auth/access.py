"""Access to a workflow or a workspace: the only way to load one for a principal."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from portal.auth.principals import Principal
from portal.database.columns import JsonObject
from portal.database.engine import db
from portal.database.models import (
    RunTotals,
    SavedView,
    Schedule,
    User,
    Workflow,
    Workspace,
    WorkspaceRunTotals,
)
from portal.database.models.accounts import full_name
from portal.database.sql import versions
from portal.database.sql.excerpts import cut, excerpt
from portal.database.transactions import read
from portal.errors import Deleted, NotFound
from portal.moments import EPOCH

__all__ = ["Workflow", "get_workflow"]

NO_SUCH_WORKFLOW = "There is no such workflow here."

DESCRIPTION_EXCERPT = 300
"""Characters of a workflow's description in lists and page headers."""


@dataclass(frozen=True)
class SeenWorkflow:
    """A workflow that the principal may see: the scope of further reads, and the header of its pages."""

    id: UUID
    workspace_id: UUID
    name: str
    description: str | None
    """Truncated if long; `read_description` returns all of it."""
    next_run_number: int
    running: int | None
    """The number of its runs with this status."""
    version: int
    """Changes with every write to the workflow and its runs (`database.sql.versions`)."""
    workspace_version: int
    """Changes with the names of people."""
    change_stamp: int
    """What servers of the previous release maintain instead of the version."""
    workspace_stamp: int
    next_run_at: datetime | None = None
    """When its schedule starts a run next."""
    schedule_stopped: str | None = None
    """Why the portal turned its schedule off."""
    more_description: bool = False
    pending: int | None = None
    """The number of its runs with this status."""
    expected: JsonObject | None = None
    """When its runs are expected (`engine.control.schedules.expectations`)."""
    created_at: datetime = EPOCH
    default_view: UUID | None = None
    """The saved view that links to the workflow lead to: the principal's own, else the team's."""

    @property
    def as_of(self) -> versions.Version:
        return versions.Version(self.id, self.version, self.change_stamp)


@dataclass(frozen=True)
class SeenWorkspace:
    """A workspace that the principal may see: the scope of reads over all its workflows."""

    id: UUID
    version: int
    """Changes with the names of people."""
    change_stamp: int
    arrived_in: int
    """Grows whenever runs come into one of its workflows."""
    running: int
    """The number of its runs with this status."""
    workflows: int
    versions: tuple[int, int, int]
    """Sums that change with every write to a workflow or its runs."""


_DEFAULT_VIEW = (
    sa.select(SavedView.id)
    .where(
        SavedView.workflow_id == Workflow.id,
        SavedView.is_default,
        SavedView.user_id.is_(None) | (SavedView.user_id == sa.bindparam("user_id")),
    )
    .order_by(SavedView.user_id.is_(None))
    .limit(1)
    .correlate(Workflow)
    .scalar_subquery()
)

_SEEN = (
    sa.select(
        Workflow.id,
        Workflow.workspace_id,
        Workflow.name,
        excerpt(Workflow.description, DESCRIPTION_EXCERPT).label("description"),
        Workflow.next_run_number,
        RunTotals.running,
        RunTotals.pending,
        Workflow.version,
        Workspace.version.label("workspace_version"),
        Workflow.change_stamp,
        Workspace.change_stamp.label("workspace_stamp"),
        Schedule.next_at.label("next_run_at"),
        Schedule.stopped_reason.label("schedule_stopped"),
        Workflow.expected,
        Workflow.created_at,
        _DEFAULT_VIEW.label("default_view"),
    )
    .join(Workspace, Workflow.workspace_id == Workspace.id)
    .outerjoin(RunTotals, RunTotals.workflow_id == Workflow.id)
    .outerjoin(Schedule, Schedule.workflow_id == Workflow.id)
    .where(Workflow.id == sa.bindparam("workflow_id"), Workflow.deleted_at.is_(None))
)


_SEEN_WORKSPACE = (
    sa.select(
        Workspace.id,
        Workspace.version,
        Workspace.change_stamp,
        sa.func.coalesce(WorkspaceRunTotals.arrived_in, 0),
        sa.func.coalesce(WorkspaceRunTotals.running, 0),
        sa.func.count(Workflow.version),
        *versions.sums_in_sql(Workflow.version),
        sa.func.coalesce(sa.func.sum(Workflow.change_stamp), 0),
    )
    .outerjoin(WorkspaceRunTotals, WorkspaceRunTotals.workspace_id == Workspace.id)
    .outerjoin(Workflow, Workflow.workspace_id == Workspace.id)
    .where(Workspace.id == sa.bindparam("workspace_id"))
    .group_by(Workspace.id, WorkspaceRunTotals.workspace_id)
)


_DELETED = (
    sa.select(
        Workflow.workspace_id, Workflow.name, Workflow.deleted_at, User.first_name, User.last_name, User.email
    )
    .outerjoin(User, User.id == Workflow.deleted_by)
    .where(Workflow.id == sa.bindparam("workflow_id"), Workflow.deleted_at.is_not(None))
)


def get_workflow(principal: Principal, workflow_id: UUID) -> SeenWorkflow:
    """A live workflow in a workspace of the principal. Raises NotFound, also for a foreign one, Deleted."""
    found = _find(workflow_id, principal.user.id)
    if found is None:
        refuse_deleted(principal, workflow_id, NO_SUCH_WORKFLOW)
    if found is None or found.workspace_id not in principal.workspace_ids:
        raise NotFound(NO_SUCH_WORKFLOW)
    return found


def operators_workflow(workspace_id: UUID, workflow_id: UUID) -> SeenWorkflow:
    """A live workflow of this workspace, for a command. Raises NotFound."""
    found = _find(workflow_id)
    if found is None or found.workspace_id != workspace_id:
        raise NotFound(NO_SUCH_WORKFLOW)
    return found


def _find(workflow_id: UUID, user_id: UUID | None = None) -> SeenWorkflow | None:
    row = read(_SEEN, workflow_id=workflow_id, user_id=user_id).first()
    if row is None:
        return None
    values = dict(row._mapping)
    text = row.description and cut(row.description, DESCRIPTION_EXCERPT)
    return SeenWorkflow(**values | {"description": text}, more_description=text != row.description)


def get_workspace(principal: Principal, workspace_id: UUID | None = None) -> SeenWorkspace:
    """A workspace of the principal, or the current one. Raises NotFound."""
    found = principal.membership(workspace_id or principal.chosen)
    if found is None:
        raise NotFound("There is no such workspace here.")
    return operators_workspace(found.id)


def operators_workspace(workspace_id: UUID) -> SeenWorkspace:
    """This workspace, for a command."""
    _, *rest = read(_SEEN_WORKSPACE, workspace_id=workspace_id).one()
    version, change_stamp, arrived_in, running, workflows, *sums = map(int, rest)
    return SeenWorkspace(
        workspace_id, version, change_stamp, arrived_in, running, workflows, (sums[0], sums[1], sums[2])
    )


def refuse_deleted(principal: Principal, workflow_id: UUID, message: str) -> None:
    """Raise Deleted if this is a deleted workflow in a workspace of the principal."""
    row = read(_DELETED, workflow_id=workflow_id).first()
    if row is not None and row.workspace_id in principal.workspace_ids:
        by = full_name(row.first_name, row.last_name, row.email) if row.email else None
        raise Deleted(message, row.name, row.deleted_at, by)


def read_description(workflow: SeenWorkflow) -> str | None:
    """The full description."""
    if not workflow.more_description:
        return workflow.description
    return db.session.scalar(sa.select(Workflow.description).where(Workflow.id == workflow.id))
