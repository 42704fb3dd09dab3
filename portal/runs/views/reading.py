"""Which saved views a principal sees: their own and the team's, of workflows that are not deleted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa

from portal.auth.access import SeenWorkflow, get_workflow, get_workspace
from portal.auth.principals import Principal
from portal.database.columns import Id
from portal.database.models import SavedView, Workflow
from portal.database.sql import statements
from portal.database.transactions import read
from portal.errors import NotFound
from portal.runs.scope import Listed
from portal.runs.views.definition import Definition

NOT_HERE = "There is no such view here."


class ListOf(NamedTuple):
    """The list that a view narrows: the runs of a workflow, or of a whole workspace."""

    workspace_id: UUID
    workflow_id: UUID | None


@dataclass(frozen=True, kw_only=True)
class View:
    """A saved view, as its readers see it."""

    id: UUID
    of: ListOf
    workflow_name: str | None
    """None for a list over the whole workspace."""
    is_own: bool
    """Whether it is the reader's own; else it is the team's."""
    name: str
    definition: Definition
    is_default: bool
    """Whether links to the workflow lead here."""


class Views(NamedTuple):
    """Views of the team and of the reader, each by name."""

    team: list[View]
    own: list[View]

    @property
    def all(self) -> list[View]:
        return [*self.team, *self.own]


def get_view(principal: Principal, view_id: UUID) -> View:
    """A view. Raises NotFound, also for somebody else's own and for one of a deleted workflow."""
    row = read(_ONE, view_id=view_id, user_id=principal.user.id).first()
    if row is None or row.workspace_id not in principal.workspace_ids:
        raise NotFound(NOT_HERE)
    return _view(row)


def list_of(seen: Listed) -> ListOf:
    """All runs of a workflow or a workspace, as a list that views are of."""
    if isinstance(seen, SeenWorkflow):
        return ListOf(seen.workspace_id, seen.id)
    return ListOf(seen.id, None)


def get_listed(principal: Principal, of: ListOf) -> Listed:
    """What a list is of. Raises NotFound."""
    if of.workflow_id is None:
        return get_workspace(principal, of.workspace_id)
    return get_workflow(principal, of.workflow_id)


def views_of_list(principal: Principal, of: ListOf) -> Views:
    """The views of a list that the principal may see."""
    if of.workflow_id is None:
        return _views(read(_OF_ALL_RUNS, workspace_id=of.workspace_id, user_id=principal.user.id))
    return _views(read(_OF_WORKFLOW, workflow_id=of.workflow_id, user_id=principal.user.id))


def views_of_workspace(principal: Principal, workspace_id: UUID) -> Views:
    """All views of a workspace: first those over the whole of it, then those of its workflows."""
    return _views(read(_OF_WORKSPACE, workspace_id=workspace_id, user_id=principal.user.id))


def first_views(principal: Principal, workspace_id: UUID, most: int) -> tuple[Views, int]:
    """The first of the team's views of a workspace and of the principal's own, and the number of all."""
    rows = read(_FIRST, workspace_id=workspace_id, user_id=principal.user.id, most=most).all()
    return _views(rows), rows[0].in_all if rows else 0


def default_views(principal: Principal, workspace_id: UUID) -> Mapping[UUID, UUID]:
    """Where links to workflows lead, by workflow: the principal's own default view, else the team's."""
    rows = read(_DEFAULTS, workspace_id=workspace_id, user_id=principal.user.id)
    return {row.workflow_id: row.id for row in rows}


_USER: sa.BindParameter[UUID] = sa.bindparam("user_id", type_=Id())
_OWN = SavedView.user_id == _USER
_SEEN = SavedView.user_id.is_(None) | _OWN
_LIVE = SavedView.workflow_id.is_(None) | Workflow.deleted_at.is_(None)
_COLUMNS: statements.Columns = (
    sa.select(
        SavedView.id,
        SavedView.workspace_id,
        SavedView.workflow_id,
        SavedView.user_id,
        SavedView.name,
        SavedView.parameters,
        SavedView.is_default,
        Workflow.name.label("workflow_name"),
    )
    .outerjoin(Workflow, Workflow.id == SavedView.workflow_id)
    .where(_SEEN, _LIVE)
)
_BY_NAME = (SavedView.user_id.is_not(None), SavedView.name_folded, SavedView.id)
_ONE = _COLUMNS.where(SavedView.id == sa.bindparam("view_id"))
_OF_WORKFLOW = _COLUMNS.where(SavedView.workflow_id == sa.bindparam("workflow_id")).order_by(*_BY_NAME)
_IN_WORKSPACE = SavedView.workspace_id == sa.bindparam("workspace_id")
_OF_ALL_RUNS = _COLUMNS.where(_IN_WORKSPACE, SavedView.workflow_id.is_(None)).order_by(*_BY_NAME)
_OF_WORKSPACE = _COLUMNS.where(_IN_WORKSPACE).order_by(SavedView.workflow_id.is_not(None), *_BY_NAME)
_PLACED = _COLUMNS.where(_IN_WORKSPACE).add_columns(
    sa.func.row_number()
    .over(partition_by=SavedView.user_id, order_by=(SavedView.workflow_id.is_not(None), *_BY_NAME))
    .label("place"),
    sa.func.count().over().label("in_all"),
)
_FIRST_ROWS = _PLACED.subquery()
_FIRST = (
    sa.select(_FIRST_ROWS)
    .where(_FIRST_ROWS.c.place <= sa.bindparam("most"))
    .order_by(_FIRST_ROWS.c.place, _FIRST_ROWS.c.id)
)
_DEFAULTS = (
    sa.select(SavedView.workflow_id, SavedView.id)
    .where(_IN_WORKSPACE, SavedView.is_default, _SEEN)
    .order_by(SavedView.user_id.is_not(None))  # one's own comes last, and counts
)


def _views(rows: Iterable[statements.Row]) -> Views:
    views = Views([], [])
    for row in rows:
        view = _view(row)
        (views.own if view.is_own else views.team).append(view)
    return views


def _view(row: statements.Row) -> View:
    return View(
        id=row.id,
        of=ListOf(row.workspace_id, row.workflow_id),
        workflow_name=row.workflow_name,
        is_own=row.user_id is not None,
        name=row.name,
        definition=Definition(row.parameters),
        is_default=row.is_default,
    )
