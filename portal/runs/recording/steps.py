"""Records the steps of runs made here, and counts them on the run."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.models import TERMINAL, Run, RunStatus, Step
from portal.database.transactions import writing
from portal.errors import Conflict, NotFound
from portal.runs.recording.causes.explaining import explain_failure
from portal.runs.recording.found_by import terms
from portal.runs.recording.run_rows import lock_run, touch_run


def add_step(
    run_id: UUID,
    now: datetime,
    *,
    node_id: str,
    node_type: str,
    name: str | None = None,
    iteration: int = 1,
) -> int:
    """Begin a step in a transaction of its own; returns its position. Raises NotFound, Conflict."""
    with writing() as session:
        run = lock_run(session, run_id)
        return begin_step(
            session, run, now, node_id=node_id, node_type=node_type, name=name, iteration=iteration
        )


def begin_step(
    session: Session,
    run: Run,
    now: datetime,
    *,
    node_id: str,
    node_type: str,
    name: str | None,
    iteration: int,
) -> int:
    """Begin a step of a locked run that is running; returns its position. Raises Conflict."""
    if run.status != RunStatus.RUNNING:
        raise Conflict(f"A run that is {run.status} begins no step.")
    last = session.scalar(sa.select(sa.func.max(Step.position)).where(Step.run_id == run.id))
    position = 0 if last is None else last + 1
    session.add(
        Step(
            run_id=run.id,
            position=position,
            node_id=node_id,
            node_type=node_type,
            name=name,
            status=RunStatus.RUNNING,
            iteration=iteration,
            created_at=now,
            started_at=max(now, run.started_at or now),
        )
    )
    run.total_steps = max(run.total_steps, position + 1)  # a retry is a step that was not planned
    _count_nodes(session, run)
    touch_run(session, run, now)
    return position


def finish_step(
    run_id: UUID, position: int, status: RunStatus, now: datetime, *, error: str | None = None
) -> None:
    """End a step in a transaction of its own. Raises NotFound, Conflict."""
    with writing() as session:
        end_step(session, lock_run(session, run_id), position, status, now, error=error)


def end_step(
    session: Session, run: Run, position: int, status: RunStatus, now: datetime, *, error: str | None = None
) -> None:
    """End a step of a locked run and count it. Raises NotFound, Conflict."""
    if status not in TERMINAL:
        raise ValueError("a step ends completed, failed or cancelled")
    step = session.get(Step, (run.id, position))
    if step is None:
        raise NotFound("This run has no such step.")
    if step.status in TERMINAL:
        raise Conflict(f"This step is {step.status} already.")
    step.status, step.error = status, error
    step.completed_at = max(now, step.started_at or now)
    run.finished_steps += 1
    if status == RunStatus.FAILED or (status == RunStatus.COMPLETED and _has_failed(session, step)):
        terms.renew(session, run.id, run.workflow_id)
    if run.status == RunStatus.FAILED:  # this step was still under way
        explain_failure(session, run)
    _count_nodes(session, run)
    touch_run(session, run, now)


def _has_failed(session: Session, step: Step) -> bool:
    """Whether an attempt at the node of this step has failed."""
    failed = sa.exists().where(
        Step.run_id == step.run_id, Step.node_id == step.node_id, Step.status == RunStatus.FAILED
    )
    return bool(session.scalar(sa.select(failed)))


def _count_nodes(session: Session, run: Run) -> None:
    """Count the nodes whose latest iteration has ended, if the run knows how many nodes there are."""
    if run.total_nodes is None:
        return
    session.flush()
    steps = sa.select(Step.node_id, Step.status).where(Step.run_id == run.id)
    rows = session.execute(steps.order_by(Step.iteration, Step.position))
    latest = {row.node_id: row.status for row in rows}
    run.finished_nodes = sum(status in TERMINAL for status in latest.values())
