"""Whose step it is: the only code that gives a step to a worker or takes it away.

A claim carries a fencing token. A worker that was thought dead and comes back finds another token in the
claim and leaves without a trace.
"""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.models import TERMINAL, EngineClaim, EngineRun, Run, RunStatus, Step
from portal.database.transactions import writing
from portal.definitions.pipeline import PipelineNode
from portal.engine.execution import advance, plans
from portal.engine.execution.claimed_step import ClaimedStep
from portal.engine.execution.locks import lock_to_end
from portal.engine.execution.values import load_values
from portal.engine.execution.workers import alive
from portal.engine.flow import StepKey
from portal.errors import NotFound
from portal.runs.recording import steps
from portal.runs.recording.recorder import change_run
from portal.runs.recording.run_rows import touch_run
from portal.runs.recording.state_machine import Event


def claim_step(
    worker_id: str, run_id: UUID, key: StepKey, now: datetime, lease: float, *, idle: bool = False
) -> ClaimedStep | None:
    """Give a step to a worker in one transaction; None if there is nothing to do.

    `idle` says that no thread of the worker is at this step: what it has claimed then, it claimed in a
    transaction that was committed where it seemed to fail, or lost to an error.
    """
    with writing() as session:
        try:
            run = lock_to_end(session, run_id)
        except NotFound:
            return None
        if not run.by_engine:
            return None
        progress = plans.progress_of(session, run_id)
        claim = progress.claims.get(key)
        if claim is not None and _is_taken(session, claim, now, lease, worker_id if idle else None):
            return None
        if run.status in TERMINAL:
            advance.close_idle_steps(session, run, now, [claim] if claim is not None else [])
            return None
        if run.status == RunStatus.PAUSED or run.pause_requested_at is not None:
            if claim is not None and claim.worker:
                release(session, run, claim)
                advance.drain(session, run, plans.progress_of(session, run_id), now)
            return None
        plan = plans.plan_of(session, run_id)
        ready = next((step for step in progress.ready(plan) if step.key == key), None)
        if ready is None:
            return None
        if run.status == RunStatus.PENDING:
            change_run(session, run, Event.PICK_UP, now)
        node = plan.nodes[key.node_id]
        claim = _claim(session, run, claim, node, key, worker_id, now)
        earlier = progress.claims.get(StepKey(key.node_id, key.iteration - 1))
        return ClaimedStep(
            run_id=run_id,
            workflow_id=run.workflow_id,
            workspace_id=session.get_one(EngineRun, run_id).workspace_id,
            key=key,
            node=node,
            fence=claim.fence,
            position=claim.position,
            attempt=claim.attempt,
            items=plan.gather(ready, lambda output: load_values(session, run_id, output)),
            refusals=(earlier.refusals or {}) if earlier is not None else {},
        )


def held_claim(session: Session, step: ClaimedStep) -> tuple[Run, EngineClaim] | None:
    """The locked run and the claim, if the step still belongs to the worker; None if it has lost it."""
    try:
        run = lock_to_end(session, step.run_id)
    except NotFound:
        return None
    claim = session.get(EngineClaim, (step.run_id, *step.key))
    if claim is None or claim.fence != step.fence or claim.ended_at is not None:
        return None
    return run, claim


def release(session: Session, run: Run, claim: EngineClaim, status: RunStatus = RunStatus.PAUSED) -> None:
    """Take a step from its worker without ending it; another attempt follows."""
    claim.worker, claim.fence = "", uuid4()
    step = session.get_one(Step, (run.id, claim.position))
    step.status = status
    touch_run(session, run, run.updated_at)


def lost_claims(session: Session, workers: Collection[str], limit: int) -> list[EngineClaim]:
    """Open claims of workers that are not among these, by run."""
    lost = sa.select(EngineClaim).where(EngineClaim.ended_at.is_(None), EngineClaim.worker != "")
    lost = lost.where(EngineClaim.worker.not_in(sorted(workers)))
    return list(session.scalars(lost.order_by(EngineClaim.run_id).limit(limit)))


def _is_taken(
    session: Session, claim: EngineClaim, now: datetime, lease: float, idle_worker: str | None
) -> bool:
    """Whether a delivery of this step comes too early or for nothing."""
    if claim.ended_at is not None:
        return True
    if claim.worker:
        return claim.worker != idle_worker and claim.worker in alive(session, lease)
    return claim.retry_at is not None and claim.retry_at > now


def _claim(
    session: Session,
    run: Run,
    claim: EngineClaim | None,
    node: PipelineNode,
    key: StepKey,
    worker_id: str,
    now: datetime,
) -> EngineClaim:
    if claim is not None:
        claim.fence, claim.worker, claim.claimed_at = uuid4(), worker_id, now
        claim.retry_at = claim.waiting_for = claim.done = claim.total = None
        claim.claims += 1
        step = session.get_one(Step, (run.id, claim.position))
        step.status = RunStatus.RUNNING
        touch_run(session, run, now)
        return claim
    position = steps.begin_step(
        session,
        run,
        now,
        node_id=node.id,
        node_type=node.type.slug,
        name=node.json.get("name") or node.type.display_name,
        iteration=key.iteration,
    )
    claim = EngineClaim(
        run_id=run.id,
        node_id=key.node_id,
        iteration=key.iteration,
        position=position,
        fence=uuid4(),
        worker=worker_id,
        claimed_at=now,
    )
    session.add(claim)
    session.flush()
    return claim
