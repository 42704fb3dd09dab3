"""Why a failed run failed, and its cause: written with the run."""

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.models import Run, RunStatus
from portal.database.sql.in_lists import chunks
from portal.runs.causes.counting import Changes, FailedRun, KnownCause
from portal.runs.causes.fingerprints import cause_id, fingerprint
from portal.runs.causes.lasting import NONE, read_lasting
from portal.runs.causes.why import is_told, why
from portal.runs.counts.histograms import microseconds


def explain_failure(session: Session, run: Run) -> None:
    """Write down why a locked run has failed, whose steps are written, and count it with its cause."""
    session.flush()
    failures = NONE if is_told(run.error) else read_lasting(session, [run.id])[run.id]
    before = _failed(run)
    text = fingerprint(run.error, failures)
    run.why, run.cause_id = why(run.error, failures), cause_id(run.workspace_id, text)
    changes = Changes()
    changes.count(before, _failed(run), [KnownCause(run.cause_id, run.workspace_id, text)])
    changes.apply(session)


def explain_again(session: Session, run_id: UUID) -> None:
    """The same after steps of a locked run were written below the ORM."""
    run = session.get(Run, run_id, populate_existing=True)
    if run is not None and run.status == RunStatus.FAILED:
        explain_failure(session, run)


def read_failed(session: Session, run_ids: Sequence[UUID]) -> list[FailedRun]:
    """Those of these runs that failed, as the counts of causes see them."""
    found: list[FailedRun] = []
    for chunk in chunks(run_ids):
        failed = sa.select(Run.cause_id, Run.workflow_id, Run.created_at)
        for cause, workflow_id, created_at in session.execute(failed.where(Run.id.in_(chunk))):
            if cause is not None:
                found.append(FailedRun(cause, workflow_id, microseconds(created_at)))
    return found


def _failed(run: Run) -> list[FailedRun]:
    if run.cause_id is None:
        return []
    return [FailedRun(run.cause_id, run.workflow_id, microseconds(run.created_at))]
