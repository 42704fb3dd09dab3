"""Cancel, pause and resume (contract 3.5, section 4; part 2, 7.3)."""

from datetime import datetime
from typing import TypedDict
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.auth.access import SeenWorkflow
from portal.auth.principals import Principal
from portal.config import EngineSettings
from portal.database.models import TERMINAL, EngineRun, Person, Run, RunResult, RunStatus, StepResult, User
from portal.database.transactions import writing
from portal.engine.control.limits import refuse_beyond
from portal.engine.execution import advance, plans
from portal.engine.execution.locks import lock_to_end, lock_workspace
from portal.errors import Conflict, NotFound
from portal.runs.recording.recorder import change_run
from portal.runs.recording.run_rows import lock_run, touch_run
from portal.runs.recording.state_machine import Event
from portal.workspaces.people import person_of

NO_SUCH_RUN = "There is no such run here."
RUNS_ELSEWHERE = "This run does not run here: steer it in the system that it came from."


def cancel(principal: Principal, workflow: SeenWorkflow, run_id: UUID, now: datetime) -> None:
    """Cancel a run; one that has ended stays as it is. Raises NotFound, Conflict.

    Steps under way end within two seconds: their workers look for it.
    """
    with writing() as session:
        run = _lock(session, workflow, run_id)
        change_run(session, run, Event.CANCEL, now, **_who(session, principal, workflow))
        if run.by_engine:
            advance.close_idle_steps(session, run, now)


def pause(principal: Principal, workflow: SeenWorkflow, run_id: UUID, now: datetime) -> None:
    """Pause a run, once the steps that are running have ended. Raises NotFound, Conflict."""
    with writing() as session:
        run = _lock(session, workflow, run_id)
        change_run(session, run, Event.PAUSE, now, **_who(session, principal, workflow))
        if run.status == RunStatus.PAUSED:
            advance.keep_held_nodes(session, run)
        else:
            advance.drain(session, run, plans.progress_of(session, run.id), now)


def resume(
    principal: Principal,
    workflow: SeenWorkflow,
    run_id: UUID,
    now: datetime,
    settings: EngineSettings,
) -> None:
    """Go on with a paused run. Raises NotFound; Conflict, also beyond the limits of runs at once."""
    with writing() as session:
        run = _lock(session, workflow, run_id)
        if run.status == RunStatus.PAUSED:
            refuse_beyond(session, settings, workflow.workspace_id, principal.user.id)
        _go_on(session, run, now, **_who(session, principal, workflow))


def resume_by_itself(run_id: UUID, now: datetime, settings: EngineSettings) -> bool:
    """Go on with a run that was paused for a provider, if it is time; False if it stays paused.

    It stays paused where another run occupies the workflow, or the limits are reached.
    """
    with writing() as session:
        try:
            run = lock_to_end(session, run_id)
        except NotFound:
            return False
        of_engine = session.get_one(EngineRun, run_id)
        due = of_engine.resume_at is not None and of_engine.resume_at <= now
        of_engine.resume_at = None
        if not due or run.status != RunStatus.PAUSED:
            return False
        of_engine.auto_resumes += 1
        user_id = session.scalar(sa.select(Person.user_id).where(Person.id == run.person_id))
        try:
            with session.begin_nested():
                if user_id is not None:
                    refuse_beyond(session, settings, of_engine.workspace_id, user_id)
                _go_on(session, run, now)
        except Conflict:
            touch_run(session, run, now)  # its page said when it would go on
            return False
        return True


def _go_on(
    session: Session, run: Run, now: datetime, person_id: int | None = None, api_key_id: UUID | None = None
) -> None:
    change_run(session, run, Event.RESUME, now, person_id=person_id, api_key_id=api_key_id)
    session.get_one(EngineRun, run.id).resume_at = None
    result = session.get(RunResult, run.id)
    if result is not None:
        result.held_nodes = None
    for claim in plans.progress_of(session, run.id).open:
        claim.retry_at = claim.waiting_for = None
        of_step = session.get(StepResult, (run.id, claim.position))
        if of_step is not None:
            of_step.pause_reason = of_step.pause_error = None
    session.flush()
    advance.deliver_waiting(session, run)


def _lock(session: Session, workflow: SeenWorkflow, run_id: UUID) -> Run:
    """The locked run, unless another system drives it. Raises NotFound, Conflict."""
    lock_workspace(session, workflow.workspace_id)
    run = lock_run(session, run_id)
    if run.workflow_id != workflow.id:
        raise NotFound(NO_SUCH_RUN)
    if not run.by_engine and run.status not in TERMINAL:
        raise Conflict(RUNS_ELSEWHERE)
    return run


class _Who(TypedDict):
    person_id: int
    api_key_id: UUID | None


def _who(session: Session, principal: Principal, workflow: SeenWorkflow) -> _Who:
    user = session.get_one(User, principal.user.id)
    return {"person_id": person_of(session, workflow.workspace_id, user), "api_key_id": principal.api_key_id}
