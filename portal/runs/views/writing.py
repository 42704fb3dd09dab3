"""Saving, renaming, redefining and deleting views. Those of the team are for who may change workflows."""

import json
from datetime import datetime
from typing import Annotated
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.auth.audit import trail
from portal.auth.principals import Principal
from portal.database.models import SavedView
from portal.database.transactions import writing
from portal.errors import FieldError, InvalidQuery, NotFound
from portal.input import bodies
from portal.input.folding import fold
from portal.runs.recording.workflow_rows import touch_workflows
from portal.runs.views.definition import Definition
from portal.runs.views.reading import NOT_HERE, ListOf, View, get_view
from portal.workspaces.people import touch_workspace

MAX_NAME = 60
MAX_OF_LIST = 20
"""Views of one list that somebody may have, and that the team may have."""
MAX_IN_WORKSPACE = 200
"""The same over all lists of a workspace."""
MAX_PARAMETERS = 2_000
"""Characters of a definition as JSON."""
CHANGES_TEAM = "workflows:write"
"""The permission to make and change views of the team."""

_Name = Annotated[str, bodies.Text(1, MAX_NAME)]
_Flag = Annotated[bool, bodies.Boolean()]


class NewView(bodies.Body):
    """A view to save."""

    name: _Name
    of_team: _Flag = False
    is_default: _Flag = False
    """Whether links to the workflow shall lead to it."""


class ViewChanges(bodies.Body):
    """What a view is called, and whether links to its workflow lead to it."""

    name: _Name
    is_default: _Flag = False


def may_change_team(principal: Principal, workspace_id: UUID) -> bool:
    """Whether the principal may make and change views of the team."""
    membership = principal.membership(workspace_id)
    return membership is not None and membership.allows(CHANGES_TEAM)


def may_change(principal: Principal, view: View) -> bool:
    return view.is_own or may_change_team(principal, view.of.workspace_id)


def save_view(principal: Principal, of: ListOf, definition: Definition, spec: NewView, now: datetime) -> UUID:
    """Save a list under a new name and return the view's id. Raises InvalidQuery, NotFound, Forbidden."""
    _check(principal, of, spec.of_team)
    owner = None if spec.of_team else principal.user.id
    _refuse_long(definition)
    with writing() as session:
        _touch(session, of)
        _refuse_taken(session, of, owner, spec.name)
        _refuse_many(session, of, owner)
        view = SavedView(
            id=uuid4(),
            workspace_id=of.workspace_id,
            workflow_id=of.workflow_id,
            user_id=owner,
            name=spec.name,
            name_folded=fold(spec.name),
            parameters=definition.parameters,
            is_default=False,
            created_at=now,
            updated_at=now,
        )
        _set_default(session, view, spec.is_default)
        session.add(view)
        _record(session, principal, "view.created", view, now, is_default=view.is_default)
    return view.id


def change_view(principal: Principal, view_id: UUID, changes: ViewChanges, now: datetime) -> None:
    """Rename a view, and say whether it is the default. Raises InvalidQuery, NotFound, Forbidden."""
    of = _to_change(principal, view_id).of
    with writing() as session:
        _touch(session, of)
        view = _find(session, view_id)
        _refuse_taken(session, of, view.user_id, changes.name, except_for=view_id)
        before, view.name, view.name_folded = view.name, changes.name, fold(changes.name)
        _set_default(session, view, changes.is_default)
        view.updated_at = now
        _record(session, principal, "view.changed", view, now, before=before, is_default=view.is_default)


def redefine_view(principal: Principal, view_id: UUID, definition: Definition, now: datetime) -> None:
    """Let a view be this list from now on. Raises InvalidQuery, NotFound, Forbidden."""
    of = _to_change(principal, view_id).of
    _refuse_long(definition)
    with writing() as session:
        _touch(session, of)
        view = _find(session, view_id)
        before, view.parameters = view.parameters, definition.parameters
        view.updated_at = now
        _record(session, principal, "view.changed", view, now, before=before, after=view.parameters)


def delete_view(principal: Principal, view_id: UUID, now: datetime) -> View:
    """Delete a view and return it. Raises NotFound, Forbidden."""
    found = _to_change(principal, view_id)
    with writing() as session:
        _touch(session, found.of)
        view = _find(session, view_id)
        session.delete(view)
        _record(session, principal, "view.deleted", view, now)
    return found


def get_view_to_change(principal: Principal, view_id: UUID) -> View:
    """A view that the principal may change. Raises NotFound; Forbidden for who may only see it."""
    return _to_change(principal, view_id)


def _to_change(principal: Principal, view_id: UUID) -> View:
    view = get_view(principal, view_id)
    _check(principal, view.of, not view.is_own)
    return view


def _check(principal: Principal, of: ListOf, of_team: bool) -> None:
    here = principal.in_workspace(of.workspace_id)
    if of_team:
        here.restricted_to(CHANGES_TEAM)


def _touch(session: Session, of: ListOf) -> None:
    """Change the version that the pages with these views are known by; it locks the list's views too."""
    if of.workflow_id is None:
        touch_workspace(session, of.workspace_id)
    else:
        touch_workflows(session, [of.workflow_id])


def _find(session: Session, view_id: UUID) -> SavedView:
    view = session.get(SavedView, view_id)
    if view is None:
        raise NotFound(NOT_HERE)
    return view


def _set_default(session: Session, view: SavedView, is_default: bool) -> None:
    """Make it the default in place of another one, or no longer; lists of a workspace have none."""
    if is_default and view.workflow_id is not None and not view.is_default:
        others = sa.update(SavedView).where(SavedView.workflow_id == view.workflow_id, SavedView.is_default)
        session.execute(others.where(_owned_by(view.user_id)).values(is_default=False))
    view.is_default = is_default and view.workflow_id is not None


def _owned_by(user_id: UUID | None) -> sa.ColumnElement[bool]:
    return SavedView.user_id.is_(None) if user_id is None else SavedView.user_id == user_id


def _of_list(of: ListOf) -> tuple[sa.ColumnElement[bool], ...]:
    here = SavedView.workspace_id == of.workspace_id
    if of.workflow_id is None:
        return here, SavedView.workflow_id.is_(None)
    return here, SavedView.workflow_id == of.workflow_id


def _refuse_taken(
    session: Session, of: ListOf, owner: UUID | None, name: str, except_for: UUID | None = None
) -> None:
    same = sa.select(SavedView.id).where(*_of_list(of), _owned_by(owner), SavedView.name_folded == fold(name))
    if session.scalars(same.where(SavedView.id != except_for) if except_for else same).first():
        whose = "The team has" if owner is None else "You have"
        raise InvalidQuery([FieldError("name", f"is taken. {whose} a view of this list with this name.")])


def _refuse_many(session: Session, of: ListOf, owner: UUID | None) -> None:
    whose = "The team has" if owner is None else "You have"
    counted = sa.select(sa.func.count()).where(SavedView.workspace_id == of.workspace_id, _owned_by(owner))
    if (session.scalar(counted.where(*_of_list(of))) or 0) >= MAX_OF_LIST:
        raise _refused(f"{whose} {MAX_OF_LIST} views of this list, which is the most. Delete one first.")
    if (session.scalar(counted) or 0) >= MAX_IN_WORKSPACE:
        raise _refused(
            f"{whose} {MAX_IN_WORKSPACE} views in this workspace, which is the most. Delete one first."
        )


def _refuse_long(definition: Definition) -> None:
    if len(json.dumps(definition.parameters)) > MAX_PARAMETERS:
        raise _refused("The filters of this list are too long to be saved. Take some of them off.")


def _refused(message: str) -> InvalidQuery:
    return InvalidQuery([FieldError("view", message)])


def _record(
    session: Session, principal: Principal, kind: str, view: SavedView, now: datetime, **details: object
) -> None:
    """Add to the audit log what concerns the team; what is somebody's own concerns nobody else."""
    if view.user_id is not None:
        return
    trail.record(
        session,
        kind,
        trail.actor_of(principal),
        now,
        workspace_id=view.workspace_id,
        subject=view.name,
        view_id=str(view.id),
        **details,
    )
