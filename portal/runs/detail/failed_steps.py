"""Which failed steps count against a run: those that no later attempt at their node made good."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import RunStatus, Step
from portal.database.sql.excerpts import excerpt, json_text
from portal.runs.detail.timeline import STEP_COLUMNS

MAX_ERROR = 2_000
_COLUMNS = (
    *STEP_COLUMNS,
    excerpt(Step.error, MAX_ERROR).label("error"),
    json_text(Step.source, "last_command", MAX_ERROR).label("last_command"),
)


def lasting_failures(run_ids: Sequence[UUID]) -> sa.Select[Step]:
    """The failed steps of these runs, without those whose node completed later in the same run."""
    good = (
        sa.select(Step.run_id, Step.node_id, sa.func.max(Step.position).label("last"))
        .where(Step.run_id.in_(run_ids), Step.status == RunStatus.COMPLETED)
        .group_by(Step.run_id, Step.node_id)
        .subquery()
    )
    made_good = sa.and_(
        good.c.run_id == Step.run_id, good.c.node_id == Step.node_id, good.c.last > Step.position
    )
    failed = sa.select(Step).outerjoin(good, made_good)
    return failed.where(Step.run_id.in_(run_ids), Step.status == RunStatus.FAILED, good.c.last.is_(None))


def first_failed_step(run_id: UUID) -> Any | None:
    """The step that the failure of a run began with, its texts cut; None where none is recorded."""
    failed = lasting_failures([run_id]).with_only_columns(*_COLUMNS, maintain_column_froms=True)
    return db.session.execute(failed.order_by(Step.position).limit(1)).first()
