"""How many runs failed like one run, since when, and in which first."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from portal.database.columns import Id
from portal.database.models import Cause, Run, Workflow
from portal.database.transactions import read
from portal.runs.causes.listing import run_at_end


@dataclass(frozen=True)
class Alike:
    """The failed runs with the cause of a run, that run among them."""

    cause_id: UUID
    failed: int
    first_at: datetime
    first_id: UUID
    first_number: int
    workflow_id: UUID
    """Of the first one."""
    workflow_name: str


_Failed, _First = aliased(Run), aliased(Run)
_ALIKE = (
    sa.select(
        Cause.id, Cause.failed, Cause.first_at, _First.id, _First.run_number, Workflow.id, Workflow.name
    )
    .select_from(_Failed)
    .join(Cause, Cause.id == _Failed.cause_id)
    .join(_First, _First.id == run_at_end(Run.created_at.asc(), Run.id.asc()))
    .join(Workflow, Workflow.id == _First.workflow_id)
    .where(_Failed.id == sa.bindparam("run_id", type_=Id()))
)


def read_alike(run_id: UUID) -> Alike | None:
    """None for a run that has not failed."""
    row = read(_ALIKE, run_id=run_id).first()
    return Alike(*row) if row else None
