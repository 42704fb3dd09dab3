"""The only writer of runs and steps: the state machine, run numbers, counters and versions.

Locks are always taken in the same order: workflows by id, then runs. The counts kept beside the runs
(rollup) change in the same transaction.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple, cast
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.models import OCCUPYING, TERMINAL, PauseReason, Run, RunDetail, RunStatus, Step, Workflow
from portal.database.sql import versions
from portal.database.sql.in_lists import chunks
from portal.database.transactions import writing
from portal.errors import Conflict, NotFound
from portal.runs import bulk, rollup
from portal.runs.ready import NAMES, NEW_NAMES, RUNS
from portal.runs.rollup import Counted

_DETAILS = cast(sa.Table, RunDetail.__table__)
_STEPS = cast(sa.Table, Step.__table__)
_COUNTED = tuple(getattr(Run, name) for name in rollup.COUNTED)
_TICK = timedelta(microseconds=1)
_MILLISECOND = timedelta(milliseconds=1)


class Event(StrEnum):
    """What can happen to a run (contract section 4)."""

    PICK_UP = "pick_up"
    COMPLETE = "complete"
    FAIL = "fail"
    PAUSE = "pause"
    DRAIN = "drain"
    RESUME = "resume"
    CANCEL = "cancel"


_TRANSITIONS: Mapping[tuple[RunStatus, Event], RunStatus] = {
    (RunStatus.PENDING, Event.PICK_UP): RunStatus.RUNNING,
    (RunStatus.PENDING, Event.PAUSE): RunStatus.PAUSED,
    (RunStatus.PENDING, Event.CANCEL): RunStatus.CANCELLED,
    (RunStatus.RUNNING, Event.COMPLETE): RunStatus.COMPLETED,
    (RunStatus.RUNNING, Event.FAIL): RunStatus.FAILED,
    (RunStatus.RUNNING, Event.PAUSE): RunStatus.RUNNING,
    (RunStatus.RUNNING, Event.CANCEL): RunStatus.CANCELLED,
    (RunStatus.PAUSED, Event.PAUSE): RunStatus.PAUSED,
    (RunStatus.PAUSED, Event.RESUME): RunStatus.RUNNING,
    (RunStatus.PAUSED, Event.CANCEL): RunStatus.CANCELLED,
    **{(status, Event.CANCEL): status for status in TERMINAL},
}


def next_status(status: RunStatus, pausing: bool, event: Event) -> RunStatus:
    """The status after an event; `pausing` is a running run that was asked to pause. Raises Conflict."""
    if status is RunStatus.RUNNING and pausing and event is Event.DRAIN:
        return RunStatus.PAUSED
    after = _TRANSITIONS.get((status, event))
    if after is None:
        now = "pausing" if status is RunStatus.RUNNING and pausing else status
        raise Conflict(f"A run that is {now} cannot {event.replace('_', ' ')}.")
    return after


def changes_nothing(status: RunStatus, pausing: bool, event: Event) -> bool:
    """Whether an allowed event leaves the run exactly as it is."""
    if event is Event.PAUSE:
        return pausing or status is RunStatus.PAUSED
    return event is Event.CANCEL and status in TERMINAL


def start_run(
    workflow_id: UUID,
    *,
    person_id: int | None = None,
    now: datetime,
    total_nodes: int | None = None,
    total_steps: int = 0,
    definition_snapshot: dict[str, Any] | None = None,
    exclusive: bool = True,
) -> Run:
    """Make a pending run with the workflow's next number. Raises NotFound, Conflict.

    `exclusive` refuses while another run of the workflow is pending or running; sources that
    overlap runs turn it off.
    """
    with writing() as session:
        number, version = _take_number(session, workflow_id)
        if exclusive:
            _refuse_if_occupied(session, workflow_id)
        run = Run(
            id=uuid4(),
            workflow_id=workflow_id,
            person_id=person_id,
            run_number=number,
            status=RunStatus.PENDING,
            imported=False,
            created_at=now,
            updated_at=now,
            total_nodes=total_nodes,
            finished_nodes=None if total_nodes is None else 0,
            total_steps=total_steps,
            finished_steps=0,
            arrived_in=version,
        )
        session.add(run)
        session.flush()
        rollup.apply(session, rollup.Changes([], [Counted.of(run)]))
        if definition_snapshot is not None:
            session.add(RunDetail(run_id=run.id, definition_snapshot=definition_snapshot))
    return run


def apply(
    run_id: UUID,
    event: Event,
    now: datetime,
    *,
    error: str | None = None,
    reason: PauseReason = PauseReason.USER,
) -> Run:
    """Let an event happen to a run. Raises NotFound, Conflict.

    `error` goes with a failure or a pause, `reason` with a pause.
    """
    with writing() as session:
        run = _locked_run(session, run_id)
        status, pausing = RunStatus(run.status), _is_pausing(run)
        after = next_status(status, pausing, event)
        if changes_nothing(status, pausing, event):
            return run
        if event is Event.RESUME:
            _refuse_if_occupied(session, run.workflow_id)
        before = Counted.of(run)
        moment = max(now, run.created_at, run.started_at or run.created_at)
        if event is Event.PAUSE:
            run.pause_requested_at, run.pause_reason, run.pause_error = moment, reason, error
        if event is Event.FAIL:
            run.error = error
        _enter(run, after, event, moment)
        _touch(session, run, now)
        rollup.apply(session, rollup.Changes([before], [Counted.of(run)]))
    return run


def _enter(run: Run, status: RunStatus, event: Event, moment: datetime) -> None:
    """Set what goes with a status: its moments and the pause's account."""
    if run.status == RunStatus.PAUSED:
        _end_pause(run, moment)
    run.status = status
    if status is RunStatus.RUNNING:
        run.started_at = run.started_at or moment
    elif status is RunStatus.PAUSED:
        run.paused_at = moment
    else:
        run.completed_at = moment
    if event in (Event.RESUME, Event.COMPLETE, Event.FAIL):
        run.pause_requested_at = run.paused_at = run.pause_reason = run.pause_error = None


def _end_pause(run: Run, moment: datetime) -> None:
    """Add the pause that ends to `paused_ms`; waiting before the start is no part of the duration."""
    if run.paused_at is not None and run.started_at is not None:
        run.paused_ms = (run.paused_ms or 0) + max(moment - run.paused_at, timedelta()) // _MILLISECOND


def add_step(
    run_id: UUID,
    now: datetime,
    *,
    node_id: str,
    node_type: str,
    name: str | None = None,
    iteration: int = 1,
) -> int:
    """Begin a step of a running run and give its position. Raises NotFound, Conflict."""
    with writing() as session:
        run = _locked_run(session, run_id)
        if run.status != RunStatus.RUNNING:
            raise Conflict(f"A run that is {run.status} begins no step.")
        position = session.scalar(sa.select(sa.func.max(Step.position)).where(Step.run_id == run_id))
        position = 0 if position is None else position + 1
        session.add(
            Step(
                run_id=run_id,
                position=position,
                node_id=node_id,
                node_type=node_type,
                name=name,
                status=RunStatus.RUNNING,
                iteration=iteration,
                created_at=now,
                started_at=now,
            )
        )
        run.total_steps = max(run.total_steps, position + 1)  # a retry adds a row that was not planned
        _count_nodes(session, run)
        _touch(session, run, now)
    return position


def finish_step(
    run_id: UUID, position: int, status: RunStatus, now: datetime, *, error: str | None = None
) -> None:
    """End a step and count it. Raises NotFound, Conflict."""
    if status not in TERMINAL:
        raise ValueError("a step ends completed, failed or cancelled")
    with writing() as session:
        run = _locked_run(session, run_id)
        step = session.get(Step, (run_id, position))
        if step is None:
            raise NotFound("This run has no such step.")
        if step.status in TERMINAL:
            raise Conflict(f"This step is {step.status} already.")
        step.status, step.error = status, error
        step.completed_at = max(now, step.started_at or now)
        run.finished_steps += 1
        _count_nodes(session, run)
        _touch(session, run, now)


def _count_nodes(session: Session, run: Run) -> None:
    """Count the nodes that are terminal by their latest iteration, where the run says how many there are."""
    if run.total_nodes is None:
        return
    session.flush()
    steps = sa.select(Step.node_id, Step.status).where(Step.run_id == run.id)
    rows = session.execute(steps.order_by(Step.iteration, Step.position))
    latest = {row.node_id: row.status for row in rows}
    run.finished_nodes = sum(status in TERMINAL for status in latest.values())


def _is_pausing(run: Run) -> bool:
    return run.status == RunStatus.RUNNING and run.pause_requested_at is not None


def _take_number(session: Session, workflow_id: UUID) -> tuple[int, int]:
    """The workflow's next run number and new version; holds its row until the transaction ends."""
    row = session.execute(
        sa.update(Workflow)
        .where(Workflow.id == workflow_id, Workflow.deleted_at.is_(None))
        .values(
            next_run_number=Workflow.next_run_number + 1,
            version=versions.next_version_in_sql(Workflow.version),
            change_stamp=Workflow.change_stamp + 1,
        )
        .returning(Workflow.next_run_number, Workflow.version)
        .execution_options(synchronize_session=False)
    ).first()
    if row is None:
        raise NotFound("There is no such workflow here.")
    return row.next_run_number - 1, row.version


def _refuse_if_occupied(session: Session, workflow_id: UUID) -> None:
    occupied = sa.select(Run.id).where(Run.workflow_id == workflow_id, Run.status.in_(OCCUPYING)).limit(1)
    if session.scalar(occupied) is not None:
        raise Conflict("Another run of this workflow is pending or running.")


def _locked_run(session: Session, run_id: UUID) -> Run:
    """The run, with its workflow's row and then its own held until the transaction ends."""
    owner = session.scalar(sa.select(Run.workflow_id).where(Run.id == run_id))
    if owner is None:
        raise NotFound("There is no such run here.")
    lock_workflows(session, [owner])
    run = session.scalar(sa.select(Run).where(Run.id == run_id).with_for_update(key_share=True))
    if run is None:
        raise NotFound("There is no such run here.")
    return run


def _touch(session: Session, run: Run, now: datetime) -> None:
    run.updated_at = max(now, run.updated_at + _TICK)
    touch_workflows(session, [run.workflow_id])


def lock_workflows(session: Session, workflow_ids: Iterable[UUID], *, hold: bool = True) -> list[Workflow]:
    """These workflows as far as they exist, held in the order of their ids unless told otherwise."""
    found: list[Workflow] = []
    for chunk in chunks(sorted(set(workflow_ids))):
        rows = sa.select(Workflow).where(Workflow.id.in_(chunk)).order_by(Workflow.id)
        found += session.scalars(rows.with_for_update(key_share=True) if hold else rows)
    return found


def touch_workflows(session: Session, workflow_ids: Iterable[UUID]) -> None:
    """Say that these workflows or their runs have changed."""
    for chunk in chunks(sorted(set(workflow_ids))):
        session.execute(
            sa.update(Workflow)
            .where(Workflow.id.in_(chunk))
            .values(
                version=versions.next_version_in_sql(Workflow.version), change_stamp=Workflow.change_stamp + 1
            )
            .execution_options(synchronize_session=False)
        )


def set_versions(session: Session, versions_of: Mapping[UUID, int]) -> None:
    """Say that workflows, held by lock_workflows, have changed, with the versions in which runs came."""
    for workflow_id, version in sorted(versions_of.items()):
        session.execute(
            sa.update(Workflow)
            .where(Workflow.id == workflow_id)
            .values(version=version, change_stamp=Workflow.change_stamp + 1)
            .execution_options(synchronize_session=False)
        )


def raise_run_numbers(session: Session, next_numbers: Mapping[UUID, int]) -> None:
    """Raise the counters of workflows, held by lock_workflows, to at least these next numbers."""
    for workflow_id, number in sorted(next_numbers.items()):
        session.execute(
            sa.update(Workflow)
            .where(Workflow.id == workflow_id, Workflow.next_run_number < number)
            .values(next_run_number=number)
            .execution_options(synchronize_session=False)
        )


class ImportedRun(NamedTuple):
    """A run of imported history, whole: its row, and what goes beside it."""

    id: UUID
    values: tuple[Any, ...]
    """The columns EARLY as the driver takes them."""
    counted: tuple[Any, ...]
    """What the counts know, but for the person."""
    person_id: int | None
    run_number: int
    arrived_in: int
    """The version of its workflow from now on; a run that is there already keeps its own."""
    digest: bytes | None
    detail: dict[str, Any] | None
    steps: Sequence[dict[str, Any]]


def store_imported(
    session: Session, new: Sequence[ImportedRun], changed: Sequence[ImportedRun], counted: rollup.Changes
) -> None:
    """Store runs of history: new ones, and ones that are replaced with their details and steps.

    Their workflows are held by lock_workflows or made in this transaction, which applies what is `counted`.
    """
    connection = session.connection()
    before = _counted(session, [run.id for run in changed])
    with ThreadPoolExecutor(1) as thread:
        after = map(Counted._make, [(*run.counted, run.person_id) for run in (*new, *changed)])
        counting = thread.submit(counted.count, before, after)  # while the database stores
        bulk.insert_values(connection, RUNS, NEW_NAMES, _new_rows(new))
    counting.result()
    if changed:
        bulk.update_values(connection, RUNS, NAMES, _rows(changed))
        for chunk in chunks([run.id for run in changed]):
            connection.execute(sa.delete(_DETAILS).where(_DETAILS.c.run_id.in_(chunk)))
            connection.execute(sa.delete(_STEPS).where(_STEPS.c.run_id.in_(chunk)))
    details = [{"run_id": run.id, **run.detail} for run in (*new, *changed) if run.detail]
    bulk.insert_rows(connection, _DETAILS, details)
    steps = [step for run in (*new, *changed) for step in run.steps]
    bulk.insert_rows(connection, _STEPS, steps)


def _rows(runs: Sequence[ImportedRun]) -> list[tuple[Any, ...]]:
    return [(*run.values, run.person_id, run.run_number, run.digest) for run in runs]


def _new_rows(runs: Sequence[ImportedRun]) -> list[tuple[Any, ...]]:
    return [(*run.values, run.person_id, run.run_number, run.digest, run.arrived_in) for run in runs]


def _counted(session: Session, run_ids: Sequence[UUID]) -> list[Counted]:
    """What the counts know of these runs as they are stored."""
    found: list[Counted] = []
    for chunk in chunks(run_ids):
        rows = session.execute(sa.select(*_COUNTED).where(Run.id.in_(chunk)))
        found += [Counted.of_values(*row) for row in rows]
    return found


def delete_runs(session: Session, workflow_id: UUID, run_ids: Sequence[UUID]) -> None:
    """Delete runs of a workflow with all that belongs to them. Hold the workflow (lock_workflows)."""
    for chunk in chunks(run_ids):
        gone = [run for run in _counted(session, chunk) if run.workflow_id == workflow_id]
        session.execute(sa.delete(Run).where(Run.workflow_id == workflow_id, Run.id.in_(chunk)))
        rollup.apply(session, rollup.Changes(gone, []))
    touch_workflows(session, [workflow_id])
