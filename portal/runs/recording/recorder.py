"""The recorder: starts runs, applies events to them, and deletes them.

Who does it is a person and, where they use one, an API key; a worker is neither. `add_run` and `change_run`
work within a transaction of the caller, who writes what belongs to the change there, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.columns import JsonObject
from portal.database.models import ACTIVE, OCCUPYING, PauseReason, Run, RunDetail, RunStatus
from portal.database.sql.in_lists import chunks
from portal.database.transactions import writing
from portal.errors import Conflict
from portal.runs import counts
from portal.runs.causes import counting
from portal.runs.counts import Counted
from portal.runs.facts.duration import keep_duration
from portal.runs.recording.causes.explaining import explain_failure, read_failed
from portal.runs.recording.events import record_event
from portal.runs.recording.found_by import texts
from portal.runs.recording.run_rows import lock_run, read_counted, touch_run
from portal.runs.recording.state_machine import Event, changes_nothing, next_status
from portal.runs.recording.workflow_rows import take_run_number, touch_workflows

_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, kw_only=True)
class RunOutcome:
    """What a run that has ended came to."""

    total_steps: int
    output_line_count: int | None = None
    delivered_audio_ms: int | None = None
    usage_summary: JsonObject | None = None
    credits: int | None = None


def start_run(
    workflow_id: UUID,
    *,
    now: datetime,
    person_id: int | None = None,
    api_key_id: UUID | None = None,
    total_nodes: int | None = None,
    total_steps: int = 0,
    definition_snapshot: JsonObject | None = None,
    workflow_version: int | None = None,
    by_engine: bool = False,
) -> Run:
    """Create a pending run in a transaction of its own. Raises NotFound, Conflict."""
    with writing() as session:
        return add_run(
            session,
            workflow_id,
            now=now,
            person_id=person_id,
            api_key_id=api_key_id,
            total_nodes=total_nodes,
            total_steps=total_steps,
            definition_snapshot=definition_snapshot,
            workflow_version=workflow_version,
            by_engine=by_engine,
        )


def add_run(
    session: Session,
    workflow_id: UUID,
    *,
    now: datetime,
    person_id: int | None,
    api_key_id: UUID | None,
    total_nodes: int | None,
    total_steps: int,
    definition_snapshot: JsonObject | None,
    workflow_version: int | None,
    by_engine: bool,
) -> Run:
    """Create a pending run with the workflow's next run number. Raises NotFound, Conflict.

    A run that the engine drives is refused while another such run of the workflow is pending or running.
    """
    taken = take_run_number(session, workflow_id)
    if by_engine:
        refuse_if_occupied(session, workflow_id)
    run = Run(
        id=uuid4(),
        workflow_id=workflow_id,
        workspace_id=taken.workspace_id,
        person_id=person_id,
        run_number=taken.run_number,
        status=RunStatus.PENDING,
        imported=False,
        by_engine=by_engine,
        created_at=now,
        updated_at=now,
        total_nodes=total_nodes,
        finished_nodes=None if total_nodes is None else 0,
        total_steps=total_steps,
        finished_steps=0,
        arrived_in=taken.version,
        workflow_version=workflow_version,
    )
    session.add(run)
    session.flush()
    counted = counts.Changes([], [Counted.of(run)])
    counted.arrivals[workflow_id] = taken.version
    counts.apply(session, counted)
    if definition_snapshot is not None:
        session.add(RunDetail(run_id=run.id, definition_snapshot=definition_snapshot))
    record_event(session, run, Event.START, None, now, person_id=person_id, api_key_id=api_key_id)
    return run


def apply_event(
    run_id: UUID,
    event: Event,
    now: datetime,
    *,
    error: str | None = None,
    reason: PauseReason = PauseReason.USER,
    person_id: int | None = None,
    api_key_id: UUID | None = None,
) -> Run:
    """Apply an event to a run in a transaction of its own. Raises NotFound, Conflict."""
    with writing() as session:
        run = lock_run(session, run_id)
        change_run(
            session,
            run,
            event,
            now,
            error=error,
            reason=reason,
            person_id=person_id,
            api_key_id=api_key_id,
        )
    return run


def cancel_active_runs(
    session: Session,
    workflow_id: UUID,
    now: datetime,
    *,
    person_id: int | None = None,
    api_key_id: UUID | None = None,
) -> int:
    """Cancel the active runs of a locked workflow that the engine drives; returns how many."""
    active = sa.select(Run).where(
        Run.workflow_id == workflow_id, Run.status.in_(sorted(ACTIVE)), Run.by_engine
    )
    runs = session.scalars(active.order_by(Run.id).with_for_update(key_share=True)).all()
    for run in runs:
        change_run(session, run, Event.CANCEL, now, person_id=person_id, api_key_id=api_key_id)
    return len(runs)


def change_run(
    session: Session,
    run: Run,
    event: Event,
    now: datetime,
    *,
    error: str | None = None,
    reason: PauseReason = PauseReason.USER,
    person_id: int | None = None,
    api_key_id: UUID | None = None,
) -> None:
    """Apply an event to a locked run. Raises Conflict.

    `error` belongs to a failure or a pause, `reason` to a pause.
    """
    status, pausing = RunStatus(run.status), _is_pausing(run)
    after = next_status(status, pausing, event)
    if changes_nothing(status, pausing, event):
        return
    if event is Event.RESUME and run.by_engine:
        refuse_if_occupied(session, run.workflow_id)
    before = Counted.of(run)
    moment = max(now, run.created_at, run.started_at or run.created_at)
    if event is Event.PAUSE:
        run.pause_requested_at, run.pause_reason, run.pause_error = moment, reason, error
    if event is Event.FAIL:
        run.error = error
        texts.renew(session, run)
    _set_status(run, after, event, moment)
    keep_duration(session, run)
    touch_run(session, run, now)
    counts.apply(session, counts.Changes([before], [Counted.of(run)]))
    if after is RunStatus.FAILED:
        explain_failure(session, run)
    record_event(session, run, event, status, moment, person_id=person_id, api_key_id=api_key_id)


def delete_runs(session: Session, workflow_id: UUID, run_ids: Sequence[UUID]) -> None:
    """Delete runs of a locked workflow with all that belongs to them."""
    for chunk in chunks(run_ids):
        gone = [run for run in read_counted(session, chunk) if run.workflow_id == workflow_id]
        failed = [run for run in read_failed(session, chunk) if run.workflow_id == workflow_id]
        session.execute(sa.delete(Run).where(Run.workflow_id == workflow_id, Run.id.in_(chunk)))
        counts.apply(session, counts.Changes(gone, []))
        causes = counting.Changes()
        causes.count(failed, [], [])
        causes.apply(session)
    touch_workflows(session, [workflow_id])


def _is_pausing(run: Run) -> bool:
    return run.status == RunStatus.RUNNING and run.pause_requested_at is not None


def settle_run(session: Session, run: Run, outcome: RunOutcome, now: datetime) -> None:
    """Write what a locked run that has ended came to."""
    before = Counted.of(run)
    run.total_steps = outcome.total_steps
    run.output_line_count, run.delivered_audio_ms = outcome.output_line_count, outcome.delivered_audio_ms
    run.usage_summary, run.credits = outcome.usage_summary, outcome.credits
    touch_run(session, run, now)
    counts.apply(session, counts.Changes([before], [Counted.of(run)]))


def refuse_if_occupied(session: Session, workflow_id: UUID) -> None:
    """Refuse while the engine drives a pending or running run of this locked workflow. Raises Conflict."""
    if session.scalar(occupying(workflow_id)) is not None:
        raise Conflict("Another run of this workflow is pending or running.")


def occupying(workflow_id: UUID) -> sa.Select[UUID]:
    """Selects the run of this workflow that the engine drives and that is pending or running."""
    return (
        sa.select(Run.id)
        .where(Run.workflow_id == workflow_id, Run.status.in_(OCCUPYING), Run.by_engine)
        .limit(1)
    )


def _set_status(run: Run, status: RunStatus, event: Event, moment: datetime) -> None:
    """Set the status with its moments; clear what described a pause that is over."""
    if run.status == RunStatus.PAUSED:
        _add_paused_time(run, moment)
    run.status = status
    if status is RunStatus.RUNNING:
        run.started_at = run.started_at or moment
    elif status is RunStatus.PAUSED:
        run.paused_at = moment
    else:
        run.completed_at = moment
    if event in (Event.RESUME, Event.COMPLETE, Event.FAIL):
        run.pause_requested_at = run.paused_at = run.pause_reason = run.pause_error = None


def _add_paused_time(run: Run, moment: datetime) -> None:
    """Add the pause that ends to `paused_ms`; waiting before the start is not part of the duration."""
    if run.paused_at is not None and run.started_at is not None:
        run.paused_ms = (run.paused_ms or 0) + max(moment - run.paused_at, timedelta()) // _MILLISECOND
