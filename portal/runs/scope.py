"""Whose runs a list has: those of one workflow, of some workflows of a workspace, or of all of them.

The runs of deleted workflows belong to no workspace's list.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

from portal.auth.access import SeenWorkflow, SeenWorkspace
from portal.database.models import (
    PersonPeriodRuns,
    PersonRuns,
    Run,
    RunBucket,
    RunTotals,
    Workflow,
    WorkspacePersonPeriodRuns,
    WorkspacePersonRuns,
    WorkspaceRunBucket,
    WorkspaceRunTotals,
)
from portal.database.sql import statements
from portal.database.transactions import read

Listed = SeenWorkflow | SeenWorkspace
"""What a list is opened for."""


@dataclass(frozen=True)
class CountTables:
    """The counts beside the runs, of workflows or of workspaces."""

    owner: str
    """The column that names the workflow or the workspace."""
    totals: type[RunTotals | WorkspaceRunTotals]
    people: type[PersonRuns | WorkspacePersonRuns]
    periods: type[PersonPeriodRuns | WorkspacePersonPeriodRuns]
    buckets: type[RunBucket | WorkspaceRunBucket]


CountTable = type[
    RunTotals
    | PersonRuns
    | PersonPeriodRuns
    | RunBucket
    | WorkspaceRunTotals
    | WorkspacePersonRuns
    | WorkspacePersonPeriodRuns
    | WorkspaceRunBucket
]

WORKFLOW_COUNTS = CountTables("workflow_id", RunTotals, PersonRuns, PersonPeriodRuns, RunBucket)
WORKSPACE_COUNTS = CountTables(
    "workspace_id", WorkspaceRunTotals, WorkspacePersonRuns, WorkspacePersonPeriodRuns, WorkspaceRunBucket
)


class Kind(Enum):
    """The kinds of scopes: part of the shape of a statement."""

    WORKFLOW = "workflow"
    WORKFLOWS = "workflows"
    WORKSPACE = "workspace"

    @property
    def counts(self) -> CountTables:
        """The counts of the scope; of several workflows they are to be added up."""
        return WORKSPACE_COUNTS if self is Kind.WORKSPACE else WORKFLOW_COUNTS

    def is_merged(self, key: str | None) -> bool:
        """Whether the order by a column is merged from those of workflows, since no index has it."""
        return self is Kind.WORKFLOWS or (self is Kind.WORKSPACE and key != "created_at")


@dataclass(frozen=True)
class Scope:
    """Whose runs are listed."""

    kind: Kind
    workspace_id: UUID
    workflow_ids: tuple[UUID, ...] = field(default=())
    """One workflow, or some; none for a workspace."""

    @property
    def values(self) -> statements.Values:
        """What the conditions of the scope have bound."""
        bound: statements.Values = {"workspace_id": self.workspace_id}
        if self.kind is Kind.WORKFLOW:
            bound["workflow_id"] = self.workflow_ids[0]
        elif self.kind is Kind.WORKFLOWS:
            bound["workflow_ids"] = list(self.workflow_ids)
        return bound


class ListQuery(Protocol):
    """What is read of a run query."""

    @property
    def workflow_id(self) -> UUID | None: ...
    @property
    def workflows(self) -> tuple[UUID, ...]: ...


def scope_of(seen: Listed) -> Scope:
    """All runs of a workflow or a workspace."""
    if isinstance(seen, SeenWorkspace):
        return Scope(Kind.WORKSPACE, seen.id)
    return Scope(Kind.WORKFLOW, seen.workspace_id, (seen.id,))


def scope_of_list(seen: Listed, query: ListQuery) -> Scope:
    """Whose runs a query lists: those of the workflow; without one, those of its workspace, or of the chosen
    workflows that are live there.
    """
    own = scope_of(seen)
    if query.workflow_id is not None:
        return own
    if not query.workflows:
        return Scope(Kind.WORKSPACE, own.workspace_id)
    found = read(_CHOSEN, workspace_id=own.workspace_id, chosen=list(query.workflows)).scalars()
    workflow_ids = tuple(sorted(found))
    return Scope(Kind.WORKFLOW if len(workflow_ids) == 1 else Kind.WORKFLOWS, own.workspace_id, workflow_ids)


_WORKSPACE_ID: sa.BindParameter[UUID] = sa.bindparam("workspace_id")
LIVE = sa.select(Workflow.id).where(Workflow.workspace_id == _WORKSPACE_ID, Workflow.deleted_at.is_(None))
"""The workflows of a workspace that are not deleted."""
_DELETED = sa.select(Workflow.id).where(
    Workflow.workspace_id == _WORKSPACE_ID, Workflow.deleted_at.is_not(None)
)
_CHOSEN = LIVE.where(Workflow.id.in_(sa.bindparam("chosen", expanding=True)))


IN_WORKFLOW: sa.ColumnElement[bool] = Run.workflow_id == sa.bindparam("workflow_id")
"""The condition on runs to be of one workflow."""


def in_workflows(kind: Kind, column: InstrumentedAttribute[UUID]) -> sa.ColumnElement[bool]:
    """The condition on a column to name a workflow of the scope."""
    if kind is Kind.WORKSPACE:
        return column.in_(LIVE)
    if kind is Kind.WORKFLOWS:
        return column.in_(sa.bindparam("workflow_ids", expanding=True))
    return column == sa.bindparam("workflow_id")


def in_scope(kind: Kind, key: str | None = None) -> list[sa.ColumnElement[bool]]:
    """The conditions on runs to be in the scope, for an index that has them in the order of a column."""
    if kind is Kind.WORKSPACE and not kind.is_merged(key):
        return [Run.workspace_id == _WORKSPACE_ID, Run.workflow_id.not_in(_DELETED)]
    return [in_workflows(kind, Run.workflow_id)]


def counts_of(kind: Kind, table: CountTable) -> sa.ColumnElement[bool]:
    """The condition on a table of `kind.counts` to count runs of the scope."""
    if kind is Kind.WORKSPACE:
        return owner_of(table) == _WORKSPACE_ID
    return in_workflows(kind, owner_of(table))


def owner_of(table: CountTable) -> InstrumentedAttribute[UUID]:
    """The workflow or the workspace whose runs a row counts."""
    return table.workspace_id if hasattr(table, "workspace_id") else table.workflow_id
