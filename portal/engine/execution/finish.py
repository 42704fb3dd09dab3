"""How a step ends: completed, failed, tried again, or given up for a pause. One transaction each.

A worker that has lost the step to another one finds another fencing token, and changes nothing.
"""

import random
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from portal.database.models import (
    TERMINAL,
    EngineClaim,
    EngineRun,
    PauseReason,
    Run,
    RunStatus,
    StepResult,
)
from portal.database.transactions import writing
from portal.definitions.structure import label
from portal.engine.contract import Billing, Outage, RateLimited, StepError, StepOutput, TimedOut, Usage
from portal.engine.execution import advance, plans
from portal.engine.execution.claimed_step import ClaimedStep
from portal.engine.execution.claims import held_claim, release
from portal.engine.execution.locks import lock_to_end
from portal.engine.execution.outcomes import store_outcome
from portal.engine.execution.step_context import StepContext
from portal.engine.execution.values import store_values
from portal.engine.flow import StepKey
from portal.engine.reporting import step_totals
from portal.errors import NotFound
from portal.runs.recording import steps
from portal.runs.recording.recorder import change_run
from portal.runs.recording.state_machine import Event

BACK_OFF = (2, 8, 30, 120)
"""Seconds before each further attempt at a step whose provider fails; then the run is paused."""
AUTO_RESUME_SECONDS, MAX_AUTO_RESUME_SECONDS = 300, 3600
"""After how long a run that is paused for a provider resumes; doubled each time."""
REASONS: dict[type[StepError], PauseReason] = {
    Outage: PauseReason.PROVIDER_OUTAGE,
    RateLimited: PauseReason.PROVIDER_RATE_LIMITED,
    Billing: PauseReason.PROVIDER_BILLING,
    TimedOut: PauseReason.NODE_TIMEOUT,
}
_RESUMES_BY_ITSELF = (PauseReason.PROVIDER_OUTAGE, PauseReason.PROVIDER_RATE_LIMITED)


class Spent(NamedTuple):
    """What an attempt at a step used and cost, in credits."""

    usage: Usage
    cost: Decimal


def complete(
    step: ClaimedStep, output: StepOutput, spent: Spent, context: StepContext, *, now: datetime
) -> bool:
    """Commit a step with its results and what follows; False if it belongs to another worker."""

    def end(session: Session, run: Run, claim: EngineClaim) -> None:
        plan = plans.plan_of(session, run.id)
        before = [ready.key for ready in plans.progress_of(session, run.id).ready(plan)]
        outcome = store_outcome(session, run, step, plan, output)
        _end(session, run, claim, RunStatus.COMPLETED, spent, context, now)
        claim.counts = {port: len(items) for port, items in outcome.ports.items()}
        claim.refusals = dict(outcome.refusals) or None
        wired = {port: items for port, items in outcome.ports.items() if plan.is_wired(step.node.id, port)}
        store_values(session, run.id, step.key, wired)
        session.flush()
        advance.advance(session, run, now, before=before)

    return _end_held(step, spent, context, now, end)


def fail(step: ClaimedStep, message: str, spent: Spent, context: StepContext, *, now: datetime) -> bool:
    """End a step that cannot succeed, and the run with it; False if it belongs to another worker."""

    def end(session: Session, run: Run, claim: EngineClaim) -> None:
        _end(session, run, claim, RunStatus.FAILED, spent, context, now, error=message)
        change_run(session, run, Event.FAIL, now, error=f"{label(step.node.json)}: {message}")
        advance.close_idle_steps(session, run, now)

    return _end_held(step, spent, context, now, end)


def fail_run(worker_id: str, run_id: UUID, key: StepKey, message: str, now: datetime) -> None:
    """Fail a run at whose step this worker gave up, whether it has claimed it or not."""
    with writing() as session:
        try:
            run = lock_to_end(session, run_id)
        except NotFound:
            return
        claim = session.get(EngineClaim, (run_id, *key))
        if claim is not None and claim.ended_at is None and claim.worker == worker_id:
            release(session, run, claim)
        if run.status not in TERMINAL:
            if run.status == RunStatus.PENDING:
                change_run(session, run, Event.PICK_UP, now)
            if run.status == RunStatus.RUNNING:
                change_run(session, run, Event.FAIL, now, error=message)
        if run.status in TERMINAL:
            advance.close_idle_steps(session, run, now)


def give_up(step: ClaimedStep, spent: Spent, context: StepContext, *, now: datetime) -> bool:
    """Leave a step: it ends if its run has ended, else another worker begins it again.

    False if it belongs to another worker already.
    """

    def end(session: Session, run: Run, claim: EngineClaim) -> None:
        release(session, run, claim, RunStatus.RUNNING)
        advance.deliver(session, run, step.key)

    return _end_held(step, spent, context, now, end)


def postpone(
    step: ClaimedStep, error: StepError, context: StepContext, *, now: datetime, auto_resumes: int
) -> bool:
    """Try a step again later, or pause its run; False if it belongs to another worker.

    A provider that fails is tried again four times. `auto_resumes` is how often a run resumes by itself.
    """
    reason = next(reason for kind, reason in REASONS.items() if isinstance(error, kind))

    def end(session: Session, run: Run, claim: EngineClaim) -> None:
        context.step_log.store(session, step.run_id, step.position)
        retries = reason in _RESUMES_BY_ITSELF and claim.attempt <= len(BACK_OFF)
        pausing = run.pause_requested_at is not None
        release(session, run, claim, RunStatus.PAUSED if pausing or not retries else RunStatus.RUNNING)
        claim.waiting_for = error.message
        if pausing:
            claim.retry_at = None
            session.flush()
            advance.drain(session, run, plans.progress_of(session, run.id), now)
        elif retries:
            delay = _delay(claim.attempt, error)
            claim.attempt += 1
            claim.retry_at = now + timedelta(seconds=delay)
            advance.deliver(session, run, step.key, delay)
        else:
            claim.attempt, claim.retry_at = 1, None
            _pause(session, run, step, error, reason, now, auto_resumes)

    return _end_held(step, Spent(Usage(), Decimal(0)), context, now, end)


def _end_held(
    step: ClaimedStep,
    spent: Spent,
    context: StepContext,
    now: datetime,
    end: Callable[[Session, Run, EngineClaim], None],
) -> bool:
    """End a step in one transaction: by `end`, or as cancelled if its run has ended meanwhile.

    False if it belongs to another worker.
    """
    with writing() as session:
        held = held_claim(session, step)
        if held is None:
            return False
        run, claim = held
        if run.status not in TERMINAL:
            end(session, run, claim)
            return True
        _end(session, run, claim, RunStatus.CANCELLED, spent, context, now)
        session.flush()
        advance.close_idle_steps(session, run, now)  # settles it, if this step was the last
        return True


def _delay(attempt: int, error: StepError) -> float:
    """Seconds before the next attempt: what the provider said, else a back-off with jitter."""
    if error.retry_after is not None:
        return min(max(error.retry_after, 1.0), MAX_AUTO_RESUME_SECONDS)
    return BACK_OFF[attempt - 1] * random.uniform(0.8, 1.2)  # noqa: S311 (jitter)


def _pause(
    session: Session,
    run: Run,
    step: ClaimedStep,
    error: StepError,
    reason: PauseReason,
    now: datetime,
    auto_resumes: int,
) -> None:
    result = session.get(StepResult, (run.id, step.position))
    if result is None:
        result = StepResult(run_id=run.id, position=step.position)
        session.add(result)
    result.pause_reason, result.pause_error = reason, error.message
    change_run(session, run, Event.PAUSE, now, error=error.message, reason=reason)
    of_engine = session.get_one(EngineRun, run.id)
    if reason in _RESUMES_BY_ITSELF and of_engine.auto_resumes < auto_resumes:
        after = error.retry_after or AUTO_RESUME_SECONDS * 2**of_engine.auto_resumes
        of_engine.resume_at = now + timedelta(seconds=min(after, MAX_AUTO_RESUME_SECONDS))
    session.flush()
    advance.drain(session, run, plans.progress_of(session, run.id), now)


def _end(
    session: Session,
    run: Run,
    claim: EngineClaim,
    status: RunStatus,
    spent: Spent,
    context: StepContext,
    now: datetime,
    *,
    error: str | None = None,
) -> None:
    claim.ended_at, claim.counts = now, {}
    claim.usage, claim.cost = asdict(spent.usage), spent.cost
    steps.end_step(session, run, claim.position, status, now, error=error)
    step_totals.count_steps(session, claim.worker, run.id, [claim.position])
    context.step_log.store(session, run.id, claim.position)
