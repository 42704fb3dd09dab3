"""What ought to be under way and is not: found and set going again.

A queue may lose a delivery, a worker may die while its run is cancelled, and a backup may hold runs without
deliveries. One worker at a time looks for such runs, so that any fault of the queue costs seconds.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.engine import db
from portal.database.models import OCCUPYING, TERMINAL, EngineLease, EngineRun, Run
from portal.database.sql.clock import shared_now
from portal.database.transactions import writing
from portal.engine.execution import advance, plans
from portal.engine.execution.claims import lost_claims, release
from portal.engine.execution.locks import lock_to_end
from portal.engine.execution.workers import alive
from portal.engine.flow import ReadyStep
from portal.engine.queue import dbos_queue
from portal.errors import NotFound

QUIET = timedelta(seconds=10)
"""How long a run has been unchanged before it is looked at."""
BATCH = 500
"""Runs looked at in one pass."""
LEASE_NAME, LEASE_SECONDS = "reconciler", 60.0


def take_lease(session: Session, worker_id: str) -> bool:
    """Whether this worker is the one that reconciles now."""
    now = shared_now(session)
    lease = session.get(EngineLease, LEASE_NAME, with_for_update=True)
    if lease is None:
        lease = EngineLease(name=LEASE_NAME, holder=worker_id, expires_at=now)
        session.add(lease)
    elif lease.holder != worker_id and lease.expires_at > now:
        return False
    lease.holder, lease.expires_at = worker_id, now + timedelta(seconds=LEASE_SECONDS)
    return True


def reconcile(now: datetime, lease: float, after: UUID | None = None) -> tuple[int, UUID | None]:
    """Look at a batch of runs after one of them; returns the steps set going, and where to go on."""
    session = db.session()
    workers = alive(session, lease)
    lost = {claim.run_id for claim in lost_claims(session, workers, BATCH)} | _unsettled(session)
    quiet = _quiet_runs(session, now, after)
    expected = dbos_queue.live_runs(session, workers) if quiet else set()
    silent = [run_id for run_id in quiet if run_id not in expected]
    session.rollback()
    found = sum(_end_lost(run_id, now, workers) for run_id in sorted(lost))
    found += sum(_deliver_lost(run_id, now, workers) for run_id in silent)
    return found, quiet[-1] if len(quiet) == BATCH else None


def due_to_resume(session: Session, now: datetime) -> list[UUID]:
    """The runs that are paused for a provider and may resume by themselves now."""
    due = sa.select(EngineRun.run_id).where(EngineRun.resume_at <= now)
    return list(session.scalars(due.order_by(EngineRun.resume_at).limit(BATCH)))


def _quiet_runs(session: Session, now: datetime, after: UUID | None) -> list[UUID]:
    runs = sa.select(Run.id).where(Run.by_engine, Run.status.in_(OCCUPYING), Run.updated_at < now - QUIET)
    if after is not None:
        runs = runs.where(Run.id > after)
    return list(session.scalars(runs.order_by(Run.id).limit(BATCH)))


def _unsettled(session: Session) -> set[UUID]:
    """Runs that have ended, and may have steps which no worker will end, as of a deleted workflow."""
    ended = sa.select(EngineRun.run_id).join(Run, Run.id == EngineRun.run_id)
    ended = ended.where(EngineRun.settled_at.is_(None), Run.status.in_(sorted(TERMINAL)))
    return set(session.scalars(ended.limit(BATCH)))


def _end_lost(run_id: UUID, now: datetime, workers: Collection[str]) -> int:
    """Close or release the steps of dead workers, of a run that has ended or is to pause."""
    with writing() as session:
        run = _lock(session, run_id)
        if run is None or (run.status not in TERMINAL and run.pause_requested_at is None):
            return 0
        claims = [
            claim for claim in plans.progress_of(session, run_id).running if claim.worker not in workers
        ]
        if run.status in TERMINAL:
            advance.close_idle_steps(session, run, now, claims)
            return len(claims)
        for claim in claims:
            release(session, run, claim)
        session.flush()
        advance.drain(session, run, plans.progress_of(session, run_id), now)
        return len(claims)


def _deliver_lost(run_id: UUID, now: datetime, workers: Collection[str]) -> int:
    """Deliver the steps of a run that may run and that nobody has."""
    with writing() as session:
        run = _lock(session, run_id)
        if run is None or run.status in TERMINAL or run.pause_requested_at is not None:
            return 0
        progress = plans.progress_of(session, run_id)

        def is_lost(step: ReadyStep) -> bool:
            claim = progress.claims.get(step.key)
            if claim is None:
                return True
            waits = claim.retry_at is not None and claim.retry_at > now
            return claim.worker not in workers and not waits

        plan = plans.plan_of(session, run_id)
        ready = progress.ready(plan)
        lost = [step for step in ready if is_lost(step)]
        for step in lost:
            advance.deliver(session, run, step.key)
        if not ready:
            advance.advance(session, run, now)
        return len(lost)


def _lock(session: Session, run_id: UUID) -> Run | None:
    try:
        return lock_to_end(session, run_id)
    except NotFound:
        return None
