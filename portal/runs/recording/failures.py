"""Why a failed run failed: written with the run."""

from uuid import UUID

from sqlalchemy.orm import Session

from portal.database.models import Run, RunStatus
from portal.runs.causes.lasting import NONE, read_lasting
from portal.runs.causes.why import is_told, why


def explain_failure(session: Session, run: Run) -> None:
    """Write down why a locked run has failed, whose steps are written."""
    session.flush()
    run.why = why(run.error, NONE if is_told(run.error) else read_lasting(session, run.id))


def explain_again(session: Session, run_id: UUID) -> None:
    """The same after steps of a locked run were written below the ORM."""
    run = session.get(Run, run_id, populate_existing=True)
    if run is not None and run.status == RunStatus.FAILED:
        explain_failure(session, run)
