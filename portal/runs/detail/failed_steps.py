"""The failed steps that explain a run's failure: those whose node did not complete later."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import RunStatus, Step
from portal.database.sql.excerpts import json_text
from portal.runs.detail.step_excerpts import StepExcerpt, error_excerpt, step_columns

MAX_ERROR = 2_000


@dataclass(frozen=True, kw_only=True)
class FailedStep(StepExcerpt):
    """A failed step with what it last did."""

    last_command: str | None


_COLUMNS = (
    *step_columns(),
    error_excerpt(MAX_ERROR),
    json_text(Step.source, "last_command", MAX_ERROR).label("last_command"),
)


def lasting_failures(run_ids: Sequence[UUID]) -> sa.Select[Step]:
    """The failed steps of these runs whose node did not complete later in the same run."""
    completed = (
        sa.select(Step.run_id, Step.node_id, sa.func.max(Step.position).label("last"))
        .where(Step.run_id.in_(run_ids), Step.status == RunStatus.COMPLETED)
        .group_by(Step.run_id, Step.node_id)
        .subquery()
    )
    completed_later = sa.and_(
        completed.c.run_id == Step.run_id,
        completed.c.node_id == Step.node_id,
        completed.c.last > Step.position,
    )
    failed = sa.select(Step).outerjoin(completed, completed_later)
    return failed.where(Step.run_id.in_(run_ids), Step.status == RunStatus.FAILED, completed.c.last.is_(None))


def first_failed_step(run_id: UUID) -> FailedStep | None:
    """The first lasting failure of a run, with excerpts of its texts; None if none is recorded."""
    failed = lasting_failures([run_id]).with_only_columns(*_COLUMNS, maintain_column_froms=True)
    row = db.session.execute(failed.order_by(Step.position).limit(1)).first()
    return FailedStep(**row._asdict()) if row else None
