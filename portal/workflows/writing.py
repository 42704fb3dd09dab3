"""Creating, changing, duplicating, deleting and restoring workflows (contract part 2, 6).

Every write locks the row of the workflow, and answers as the transaction leaves it. Readers of other requests
see all of it or nothing.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID, uuid4

import sqlalchemy as sa
from pydantic import ConfigDict, Field
from sqlalchemy.orm import Session

from portal.auth.access import NO_SUCH_WORKFLOW, get_workflow
from portal.auth.audit import trail
from portal.auth.principals import Principal
from portal.database.columns import JsonObject
from portal.database.models import Schedule, User, Workflow, Workspace
from portal.database.sql import versions
from portal.database.transactions import writing
from portal.definitions.graph import EMPTY_DEFINITION
from portal.definitions.shape import DefinitionField
from portal.definitions.structure import refuse, validate_definition
from portal.errors import Conflict, NotFound, PreconditionFailed
from portal.input.bodies import Body, SomeChanges, absent
from portal.input.folding import fold
from portal.input.parameters import Reader
from portal.runs import counts
from portal.runs.causes.counting import recount_workflow
from portal.runs.recording.recorder import cancel_active_runs
from portal.runs.recording.workflow_rows import lock_workflows, touch_workflows
from portal.workflows import names
from portal.workflows.listing import WorkflowRow, read_workflow
from portal.workflows.versions import add_first_version, save_definition
from portal.workspaces.people import person_of
from portal.workspaces.workspaces import workspace_id_of

_Name = Annotated[str, names.Name()]
_Description = Annotated[str, names.Description()]
_Definition = Annotated[JsonObject, DefinitionField()]

Tags = Collection[str] | None
"""The values of `entity_tag` of which one must be the present one; None: whatever it is."""

_MICROSECOND = timedelta(microseconds=1)


class NewWorkflow(Body):
    """A workflow to make."""

    model_config = ConfigDict(title="NewWorkflow")

    name: Annotated[_Name | None, Field(description="Made up unless given.")] = None
    description: _Description | None = None
    definition: _Definition | None = None


class WorkflowReplacement(Body):
    """All that a workflow is to be from now on."""

    name: _Name
    description: Annotated[_Description | None, Field(description="null, or left out: none.")] = None
    definition: _Definition


class WorkflowChanges(SomeChanges):
    """What to change: at least one of these."""

    name: _Name = absent()
    description: _Description | None = None
    definition: _Definition = absent()


def create_workflow(principal: Principal, body: Mapping[str, object], now: datetime) -> WorkflowRow:
    """Create a workflow in the principal's workspace. Raises InvalidQuery, NotFound."""
    spec = NewWorkflow.read(body)
    workspace_id = workspace_id_of(principal)
    definition = EMPTY_DEFINITION if spec.definition is None else spec.definition
    refuse(validate_definition(definition))
    workflow = _new_workflow(principal, workspace_id, dict(definition), now)
    workflow.name = names.UNTITLED if spec.name is None else spec.name
    workflow.name_source = "placeholder" if spec.name is None else "user"
    workflow.description = spec.description
    return _add(principal, workflow, now)


def add_workflow(
    session: Session,
    principal: Principal,
    now: datetime,
    *,
    name: str,
    description: str | None,
    definition: JsonObject,
    **details: object,
) -> WorkflowRow:
    """Create a workflow within a transaction, from legal values; `details` are for the audit log."""
    workflow = _new_workflow(principal, workspace_id_of(principal), definition, now)
    workflow.name, workflow.name_source, workflow.description = name, "user", description
    return _store(session, principal, workflow, now, **details)


def replace_workflow(
    principal: Principal, workflow_id: str, body: Mapping[str, object], now: datetime, tags: Tags = None
) -> WorkflowRow:
    """Write all fields anew. Raises InvalidQuery, NotFound, PreconditionFailed."""
    reader = Reader({"workflow_id": workflow_id})
    found_id = reader.uuid("workflow_id")
    spec = WorkflowReplacement.read(body, *reader.errors)
    changes = {"name": spec.name, "description": spec.description, "definition": spec.definition}
    return _change(principal, found_id, changes, now, tags)


def change_workflow(
    principal: Principal, workflow_id: str, body: Mapping[str, object], now: datetime, tags: Tags = None
) -> WorkflowRow:
    """Write the fields that the body names. Raises InvalidQuery, NotFound, PreconditionFailed."""
    reader = Reader({"workflow_id": workflow_id})
    found_id = reader.uuid("workflow_id")
    changes = WorkflowChanges.read(body, *reader.errors).named()
    return _change(principal, found_id, changes, now, tags)


def set_expected(principal: Principal, workflow_id: UUID, expected: JsonObject | None, now: datetime) -> None:
    """Say when runs are expected, or that none are. Raises NotFound."""
    _change(principal, workflow_id, {"expected": expected}, now, None)


def duplicate_workflow(principal: Principal, workflow_id: UUID, now: datetime) -> WorkflowRow:
    """Copy a workflow without its runs. Raises NotFound."""
    get_workflow(principal, workflow_id)
    with writing() as session:
        original = _lock(session, principal, workflow_id)
        copy = _new_workflow(principal, original.workspace_id, original.definition, now)
        copy.name, copy.name_source = names.copied_name(original.name), original.name_source
        copy.description = original.description
        return _store(session, principal, copy, now, duplicate_of=str(workflow_id))


def delete_workflow(principal: Principal, workflow_id: UUID, now: datetime, tags: Tags = None) -> None:
    """Delete a workflow and cancel its active runs made here. Raises NotFound, PreconditionFailed."""
    seen = get_workflow(principal, workflow_id)
    with writing() as session:
        # Whoever changes people or imports locks the workspace before its workflows.
        person_id = person_of(session, seen.workspace_id, session.get_one(User, principal.user.id))
        workflow = _lock(session, principal, workflow_id)
        _refuse_unless_current(workflow, tags)
        cancelled = cancel_active_runs(
            session, workflow_id, now, person_id=person_id, api_key_id=principal.api_key_id
        )
        workflow.deleted_at, workflow.deleted_by = now, principal.user.id
        counts.count_out(session, workflow_id)
        recount_workflow(session, workflow_id)
        touch_workflows(session, [workflow_id])
        by = trail.actor_of(principal)
        _record(session, "workflow.deleted", by, workflow, now, cancelled_runs=cancelled)


def restore_workflow(workflow_id: UUID, now: datetime) -> Workflow:
    """Undo a deletion, for an operator; cancelled runs stay cancelled. Raises NotFound, Conflict."""
    with writing() as session:
        workflow = next(iter(lock_workflows(session, [workflow_id])), None)
        if workflow is None or session.get_one(Workspace, workflow.workspace_id).deleted_at is not None:
            raise NotFound(NO_SUCH_WORKFLOW)
        if workflow.deleted_at is None:
            raise Conflict("This workflow is not deleted.")
        workflow.deleted_at = workflow.deleted_by = None
        # A worker plans its next run from now on: what it missed meanwhile is not caught up.
        session.execute(sa.update(Schedule).where(Schedule.workflow_id == workflow_id).values(next_at=None))
        counts.count_in(session, workflow_id)
        recount_workflow(session, workflow_id)
        touch_workflows(session, [workflow_id])
        _record(session, "workflow.restored", trail.OPERATOR, workflow, now)
    return workflow


def entity_tag(updated_at: datetime) -> str:
    """What an ETag of the workflow says: it changes with every write to it, not with its runs."""
    return format(int(updated_at.timestamp()) * 1_000_000 + updated_at.microsecond, "x")


def _new_workflow(
    principal: Principal, workspace_id: UUID, definition: JsonObject, now: datetime
) -> Workflow:
    return Workflow(
        id=uuid4(),
        workspace_id=workspace_id,
        user_id=principal.user.id,
        definition=definition,
        next_run_number=1,
        version=versions.next_version(0),
        created_at=now,
        updated_at=now,
    )


def _add(principal: Principal, workflow: Workflow, now: datetime) -> WorkflowRow:
    with writing() as session:
        return _store(session, principal, workflow, now)


def _store(
    session: Session, principal: Principal, workflow: Workflow, now: datetime, **details: object
) -> WorkflowRow:
    """Insert a workflow with its first version."""
    _fold(workflow)
    session.add(workflow)
    add_first_version(session, workflow, principal, now)
    _record(session, "workflow.created", trail.actor_of(principal), workflow, now, **details)
    session.flush()
    return read_workflow(session, workflow.id)


def _change(
    principal: Principal, workflow_id: UUID, changes: JsonObject, now: datetime, tags: Tags
) -> WorkflowRow:
    get_workflow(principal, workflow_id)
    if "definition" in changes:
        refuse(validate_definition(changes["definition"]))
    with writing() as session:
        workflow = _lock(session, principal, workflow_id)
        _refuse_unless_current(workflow, tags)
        if "definition" in changes:
            save_definition(session, workflow, changes["definition"], principal, now)
        if "name" in changes:
            workflow.name, workflow.name_source = changes["name"], "user"
        if "description" in changes:
            workflow.description = changes["description"]
        if "expected" in changes:
            workflow.expected = changes["expected"]
        _fold(workflow)
        workflow.updated_at = max(now, workflow.updated_at + _MICROSECOND)
        session.flush()
        touch_workflows(session, [workflow_id])
        by = trail.actor_of(principal)
        _record(session, "workflow.changed", by, workflow, now, fields=sorted(changes))
        return read_workflow(session, workflow_id)


def _lock(session: Session, principal: Principal, workflow_id: UUID) -> Workflow:
    """Lock a live workflow of the principal until the transaction ends. Raises NotFound."""
    found = next(iter(lock_workflows(session, [workflow_id])), None)
    if found is None or found.deleted_at is not None or found.workspace_id not in principal.workspace_ids:
        raise NotFound(NO_SUCH_WORKFLOW)
    return found


def _refuse_unless_current(workflow: Workflow, tags: Tags) -> None:
    if tags is not None and entity_tag(workflow.updated_at) not in tags:
        raise PreconditionFailed


def _fold(workflow: Workflow) -> None:
    """What searches look through."""
    workflow.name_folded = fold(workflow.name)
    workflow.description_folded = fold(workflow.description or "")


def _record(
    session: Session, kind: str, by: trail.Actor, workflow: Workflow, now: datetime, **details: object
) -> None:
    trail.record(
        session,
        kind,
        by,
        now,
        workspace_id=workflow.workspace_id,
        subject=workflow.name,
        workflow_id=str(workflow.id),
        **details,
    )
