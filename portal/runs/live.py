"""What moves on a list of runs that somebody is looking at, without reading the list again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from portal.auth.access import SeenWorkflow
from portal.database.engine import db
from portal.database.models import ACTIVE, Run
from portal.runs.counts import count_by_status
from portal.runs.filters import Filters, matching, values
from portal.runs.query import RunQuery
from portal.runs.rows import RunRow, Texts, read_rows


@dataclass(frozen=True, kw_only=True)
class Movement:
    rows: Sequence[RunRow]
    """The watched runs as they are now, in brief."""
    counts: Mapping[str, int]
    """By status, under the other filters of the list."""
    new: int
    """How many matching runs came since the list was read, whatever their numbers and times."""


def read_movement(workflow: SeenWorkflow, query: RunQuery, watched: Sequence[UUID], since: int) -> Movement:
    """How the watched runs stand, and how many runs came after this version of the workflow."""
    ours = sa.select(Run.id).where(Run.workflow_id == workflow.id, Run.id.in_(watched))
    known = set(db.session.scalars(ours)) if watched else set()
    fresh = sa.select(sa.func.count()).where(*matching(Filters.of(query)), Run.arrived_in > since)
    return Movement(
        rows=read_rows([run_id for run_id in watched if run_id in known], Texts.BRIEF),
        counts=count_by_status(workflow, query),
        new=db.session.scalar(fresh, values(workflow, query)) or 0,
    )


def is_active(status: str) -> bool:
    """Whether a run of this status may still change by itself."""
    return status in ACTIVE
