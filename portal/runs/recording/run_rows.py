"""Rows of runs that are about to change: locked, touched, and read as the counts see them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.models import Run
from portal.database.sql.in_lists import chunks
from portal.errors import NotFound
from portal.runs.counts import COUNTED, Counted
from portal.runs.recording.workflow_rows import lock_workflows, touch_workflows

_COUNTED = tuple(getattr(Run, name) for name in COUNTED)
_MICROSECOND = timedelta(microseconds=1)


def lock_run(session: Session, run_id: UUID) -> Run:
    """Lock the run's workflow and then the run until the transaction ends. Raises NotFound."""
    workflow_id = session.scalar(sa.select(Run.workflow_id).where(Run.id == run_id))
    if workflow_id is None:
        raise NotFound("There is no such run here.")
    lock_workflows(session, [workflow_id])
    run = session.scalar(sa.select(Run).where(Run.id == run_id).with_for_update(key_share=True))
    if run is None:
        raise NotFound("There is no such run here.")
    return run


def touch_run(session: Session, run: Run, now: datetime) -> None:
    """Let `updated_at` grow, also where the clock was set back, and give the workflow a new version."""
    run.updated_at = max(now, run.updated_at + _MICROSECOND)
    touch_workflows(session, [run.workflow_id])


def read_counted(session: Session, run_ids: Sequence[UUID]) -> list[Counted]:
    """Stored runs as the counts see them."""
    found: list[Counted] = []
    for chunk in chunks(run_ids):
        rows = session.execute(sa.select(*_COUNTED).where(Run.id.in_(chunk)))
        found += [Counted.of_values(*row) for row in rows]
    return found
