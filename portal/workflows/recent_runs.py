"""The most recent runs of workflows, for the status strip of each row."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import Run

RECENT_RUNS = 20


@dataclass(frozen=True)
class RecentRun:
    run_id: UUID
    run_number: int
    status: str


def recent_runs(workflow_ids: Sequence[UUID]) -> dict[UUID, list[RecentRun]]:
    """The last 20 runs of each workflow, oldest first: one query, an index range scan per workflow."""
    strips: dict[UUID, list[RecentRun]] = {workflow_id: [] for workflow_id in workflow_ids}
    if not workflow_ids:
        return strips
    columns = (Run.workflow_id, Run.created_at, Run.id, Run.run_number, Run.status)
    firsts = [
        sa.select(*columns)
        .where(Run.workflow_id == workflow_id)
        .order_by(Run.created_at.desc(), Run.id.asc())
        .limit(RECENT_RUNS)
        .subquery()
        for workflow_id in workflow_ids
    ]
    together = sa.union_all(*(sa.select(first) for first in firsts)).subquery()
    rows = sa.select(together).order_by(together.c.created_at.asc(), together.c.id.desc())
    for row in db.session.execute(rows):
        strips[row.workflow_id].append(RecentRun(row.id, row.run_number, row.status))
    return strips
