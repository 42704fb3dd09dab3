"""What a workflow's runs are like: how many pass, how long they usually take, when one last failed."""

from dataclasses import dataclass
from datetime import datetime
from statistics import quantiles

import sqlalchemy as sa

from portal.db import db
from portal.models import Run, RunStatus, Workflow

USUAL_OF = 100
"""How many of the last completed runs say what is usual."""


@dataclass(frozen=True)
class Usual:
    """How long a workflow's last completed runs took, pauses left out, in milliseconds."""

    runs: int
    median_ms: int
    p90_ms: int


def pass_rate(completed: int, failed: int) -> float | None:
    """Completed among completed and failed; None where there is neither (contract 3.11)."""
    return completed / (completed + failed) if completed + failed else None


def usual_duration(workflow: Workflow) -> Usual | None:
    """What the last 100 completed runs with a duration took; None where there is none."""
    rows = db.session.execute(
        sa.select(Run.started_at, Run.completed_at, Run.paused_ms)
        .where(Run.workflow_id == workflow.id, Run.status == RunStatus.COMPLETED)
        .order_by(Run.created_at.desc(), Run.id)
        .limit(USUAL_OF)
    )
    took = [
        round((completed_at - started_at).total_seconds() * 1000) - (paused_ms or 0)
        for started_at, completed_at, paused_ms in rows
        if started_at is not None and completed_at is not None
    ]
    took = [milliseconds for milliseconds in took if milliseconds >= 0]
    if not took:
        return None
    if len(took) == 1:
        return Usual(1, took[0], took[0])
    tenths = quantiles(took, n=10, method="inclusive")
    return Usual(len(took), round(tenths[4]), round(tenths[8]))


def last_failed_at(workflow: Workflow) -> datetime | None:
    """When the newest failed run ended, else when it was created; None where none failed."""
    row = db.session.execute(
        sa.select(Run.completed_at, Run.created_at)
        .where(Run.workflow_id == workflow.id, Run.status == RunStatus.FAILED)
        .order_by(Run.created_at.desc(), Run.id)
        .limit(1)
    ).first()
    return (row.completed_at or row.created_at) if row else None
