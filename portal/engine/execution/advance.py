"""What follows a change of a run: the next steps, a pause that has drained, the end and its charge.

Each function works on a locked run within the transaction of what came before, so that a step's end and the
deliveries that follow from it are one.
"""

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.columns import JsonObject
from portal.database.models import TERMINAL, EngineClaim, EngineRun, Run, RunResult, RunStatus, Step
from portal.engine.execution import outcomes, plans
from portal.engine.execution.plans import Progress
from portal.engine.execution.values import load_values
from portal.engine.flow import StepKey
from portal.engine.pricing import credits
from portal.engine.queue import Delivery, dbos_queue
from portal.engine.reporting import step_totals
from portal.runs.recording import steps
from portal.runs.recording.recorder import RunOutcome, change_run, settle_run
from portal.runs.recording.state_machine import Event


def advance(session: Session, run: Run, now: datetime, *, before: Collection[StepKey] = ()) -> None:
    """Go on after a step: `before` are the steps that were ready already, and have their deliveries."""
    progress = plans.progress_of(session, run.id)
    if run.status in TERMINAL:
        settle(session, run, progress, now)
        return
    ready = progress.ready(plans.plan_of(session, run.id))
    if not ready:
        change_run(session, run, Event.COMPLETE, now)
        settle(session, run, progress, now)
    elif run.pause_requested_at is not None:
        drain(session, run, progress, now)
    else:
        for step in ready:
            if step.key not in progress.claims and step.key not in before:
                deliver(session, run, step.key)


def deliver(session: Session, run: Run, key: StepKey, delay: float = 0) -> None:
    """Send a step to the workers, `delay` seconds from now."""
    workspace_id = session.get_one(EngineRun, run.id).workspace_id
    queue = plans.plan_of(session, run.id).nodes[key.node_id].type.queue
    dbos_queue.enqueue(session, Delivery.of(run.id, workspace_id, *key, queue), delay)


def deliver_waiting(session: Session, run: Run) -> None:
    """Send every step that may run and that no worker has."""
    progress = plans.progress_of(session, run.id)
    for step in progress.waiting(plans.plan_of(session, run.id)):
        deliver(session, run, step.key)


def drain(session: Session, run: Run, progress: Progress, now: datetime) -> None:
    """Pause a run that was asked to, once no step of it is running."""
    if run.status != RunStatus.RUNNING or run.pause_requested_at is None or progress.running:
        return
    change_run(session, run, Event.DRAIN, now)
    for claim in progress.open:
        session.get_one(Step, (run.id, claim.position)).status = RunStatus.PAUSED
    keep_held_nodes(session, run)


def keep_held_nodes(session: Session, run: Run) -> None:
    """Write down what a paused run waits in front of (contract 3.2)."""
    plan = plans.plan_of(session, run.id)
    waiting = plans.progress_of(session, run.id).waiting(plan)
    held: dict[str, set[str]] = {}
    for step in waiting:
        items = plan.gather(step, lambda output: load_values(session, run.id, output))
        held.setdefault(step.key.node_id, set()).update(item.locale for item in items)
    nodes: list[JsonObject] = [
        {"node_id": node_id, "locales": sorted(locales)} for node_id, locales in held.items()
    ]
    result(session, run).held_nodes = nodes


def close_idle_steps(session: Session, run: Run, now: datetime, lost: Collection[EngineClaim] = ()) -> None:
    """End the steps of a run that has ended which no worker has, and settle it if none is left.

    `lost` are claims whose workers are dead.
    """
    progress = plans.progress_of(session, run.id)
    idle = [claim for claim in progress.open if not claim.worker or claim in lost]
    for claim in idle:
        claim.ended_at, claim.counts, claim.worker = now, {}, ""
        steps.end_step(session, run, claim.position, RunStatus.CANCELLED, now)
    settle(session, run, progress, now)
    # After the counts of the workspace, as where a run fails first and its idle steps are closed then.
    step_totals.count_steps(session, step_totals.GONE, run.id, [claim.position for claim in idle])


def settle(session: Session, run: Run, progress: Progress, now: datetime) -> None:
    """Write what an ended run came to and charge for it, once none of its steps is open."""
    session.flush()
    of_engine = session.get_one(EngineRun, run.id)
    if progress.open or of_engine.settled_at is not None:
        return
    of_engine.settled_at, of_engine.resume_at = now, None
    cost = sum((claim.cost or Decimal(0) for claim in progress.claims.values()), Decimal(0))
    charged, absorbed = credits.charge(session, run, cost, now)
    usage = outcomes.usage_of(claim.usage or {} for claim in progress.claims.values())
    of_run = result(session, run)
    of_run.token_cost, of_run.credits_absorbed = usage["characters"], float(absorbed)
    lines, audio_ms = outcomes.close_takes(session, run)
    outcome = RunOutcome(
        total_steps=_steps_of(session, run) if run.status == RunStatus.COMPLETED else run.total_steps,
        output_line_count=lines,
        delivered_audio_ms=audio_ms,
        usage_summary=usage,
        credits=charged,
    )
    settle_run(session, run, outcome, now)
    outcomes.sum_languages(session, run)


def _steps_of(session: Session, run: Run) -> int:
    counted = sa.select(sa.func.count()).select_from(Step).where(Step.run_id == run.id)
    return session.scalar(counted) or 0


def result(session: Session, run: Run) -> RunResult:
    """The row of the run's results, made if there is none."""
    found = session.get(RunResult, run.id)
    if found is None:
        found = RunResult(run_id=run.id)
        session.add(found)
    return found
