"""Starting runs (contract 3.2, part 2 section 7.2)."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.auth.access import NO_SUCH_WORKFLOW, SeenWorkflow, get_workflow
from portal.auth.principals import Principal
from portal.config import current_settings
from portal.database.columns import JsonObject
from portal.database.engine import db
from portal.database.models import EngineRun, Run, User, Workflow
from portal.database.transactions import writing
from portal.engine.control.limits import refuse_beyond, refuse_if_full
from portal.engine.execution import advance
from portal.engine.execution.locks import lock_workspace
from portal.engine.flow import StepKey
from portal.engine.preparing import Overrides, abilities, prepare, read_earlier
from portal.engine.pricing import credits
from portal.engine.pricing.quotes import quote
from portal.errors import NotFound
from portal.input.parameters import Reader
from portal.runs.listing.rows import RunRow, Texts, read_rows
from portal.runs.recording.recorder import add_run, occupying, refuse_if_occupied
from portal.runs.scope import scope_of
from portal.workspaces.people import person_of


def start(principal: Principal, workflow_id: str | UUID, body: Mapping[str, object], now: datetime) -> Run:
    """Start a run of a workflow as it is now, with the overrides of a body.

    Raises, in this order, InvalidQuery, NotFound, InvalidQuery for what cannot run, PaymentRequired,
    Conflict; Unavailable if the queue is full.
    """
    reader = Reader({"workflow_id": str(workflow_id)})
    found_id = reader.uuid("workflow_id")
    overrides = Overrides.read(body, *reader.errors)
    get_workflow(principal, found_id)
    with writing() as session:
        workflow = _lock(session, found_id)
        return _start(
            session, principal, workflow, workflow.definition, workflow.current_version, overrides, now
        )


def start_again(principal: Principal, workflow_id: UUID, run_id: UUID, now: datetime) -> Run:
    """Start a run with the definition that an earlier run of the workflow had. Raises as `start`."""
    get_workflow(principal, workflow_id)
    with writing() as session:
        workflow = _lock(session, workflow_id)
        definition, version = read_earlier(session, workflow_id, run_id)
        return _start(session, principal, workflow, definition, version, Overrides(), now)


def occupying_run(workflow: SeenWorkflow) -> RunRow | None:
    """The run of the engine that keeps another one of this workflow from starting."""
    run_id = db.session.scalar(occupying(workflow.id))
    return read_rows(scope_of(workflow), [run_id], Texts.BRIEF)[0] if run_id is not None else None


def _lock(session: Session, workflow_id: UUID) -> Workflow:
    workspace_id = session.scalar(sa.select(Workflow.workspace_id).where(Workflow.id == workflow_id))
    if workspace_id is not None:
        lock_workspace(session, workspace_id)
    workflow = session.get(Workflow, workflow_id, with_for_update={"key_share": True})
    if workflow is None or workflow.deleted_at is not None:
        raise NotFound(NO_SUCH_WORKFLOW)
    return workflow


def _start(
    session: Session,
    principal: Principal,
    workflow: Workflow,
    definition: JsonObject,
    version: int | None,
    overrides: Overrides,
    now: datetime,
) -> Run:
    settings = current_settings().engine
    prepared = prepare(session, workflow, overrides, abilities.site(session), definition)
    refuse_if_full(session, settings)
    least = quote(session, workflow, prepared).estimate.credits.least
    credits.refuse_beyond_balance(session, workflow.workspace_id, least)
    refuse_if_occupied(session, workflow.id)
    refuse_beyond(session, settings, workflow.workspace_id, principal.user.id)
    run = add_run(
        session,
        workflow.id,
        now=now,
        person_id=person_of(session, workflow.workspace_id, session.get_one(User, principal.user.id)),
        api_key_id=principal.api_key_id,
        total_nodes=len(prepared.definition["graph"]["nodes"]),
        total_steps=len(prepared.plan.nodes),
        definition_snapshot=prepared.definition,
        workflow_version=version,
        by_engine=True,
    )
    session.add(EngineRun(run_id=run.id, workspace_id=workflow.workspace_id))
    session.flush()
    for node_id in prepared.plan.sources:
        advance.deliver(session, run, StepKey(node_id, 1))
    return run
