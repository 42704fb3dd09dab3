"""How many steps have ended, by node type and outcome: counted with the steps, so that no count is lost.

Reading them costs some hundred rows, whatever the number of steps.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.engine import db
from portal.database.models import EngineStepTotal, EngineWorker, RunStatus, Step
from portal.database.sql.upserts import insert_or_add
from portal.moments import elapsed_ms

GONE = ""
"""Stands for all workers that are gone."""


@dataclass(frozen=True)
class StepTotal:
    """The steps of a node type that ended in one way."""

    node_type: str
    outcome: str
    steps: int
    seconds: float
    """How long they took together."""


def count_step(
    session: Session, worker_id: str, node_type: str, outcome: RunStatus, milliseconds: int
) -> None:
    """Count a step with the transaction that ends it; `worker_id` is who ends it."""
    key = {"worker": worker_id, "node_type": node_type, "outcome": outcome.value}
    insert_or_add(session, EngineStepTotal, key, {"steps": 1, "milliseconds": milliseconds})


def count_steps(session: Session, worker_id: str, run_id: UUID, positions: Iterable[int]) -> None:
    """Count steps of a run that have just ended; `worker_id` is who had them, GONE if nobody."""
    ended = [session.get_one(Step, (run_id, position)) for position in positions]
    # In one order everywhere, so that two transactions never wait for each other.
    for step in sorted(ended, key=lambda step: (step.node_type, step.status)):
        took = elapsed_ms(step.started_at, step.completed_at) or 0
        count_step(session, worker_id, step.node_type, RunStatus(step.status), took)


def merge_totals(session: Session) -> None:
    """Add up what workers counted that are gone, so that the rows stay few."""
    gone = sa.select(EngineStepTotal).where(
        EngineStepTotal.worker != GONE, EngineStepTotal.worker.not_in(sa.select(EngineWorker.id))
    )
    ordered = gone.order_by(EngineStepTotal.node_type, EngineStepTotal.outcome, EngineStepTotal.worker)
    for row in session.scalars(ordered.with_for_update()).all():
        key = {"worker": GONE, "node_type": row.node_type, "outcome": row.outcome}
        insert_or_add(session, EngineStepTotal, key, {"steps": row.steps, "milliseconds": row.milliseconds})
        session.delete(row)


def read_totals() -> list[StepTotal]:
    """The steps that have ended since the installation began, by type and outcome."""
    columns = EngineStepTotal.node_type, EngineStepTotal.outcome
    sums = sa.func.sum(EngineStepTotal.steps), sa.func.sum(EngineStepTotal.milliseconds)
    rows = db.session.execute(sa.select(*columns, *sums).group_by(*columns).order_by(*columns))
    return [StepTotal(kind, outcome, int(steps), float(ms) / 1000) for kind, outcome, steps, ms in rows]
