"""The recorder: the state machine, run numbers, exclusive starts, progress."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.database.engine import db
from portal.database.models import PauseReason, Run, RunDetail, RunStatus, Step, Workflow
from portal.errors import Conflict, NotFound
from portal.runs.recording import recorder, steps
from portal.runs.recording.state_machine import Event
from tests.factories import NOON, make_run, make_workflow, make_workspace

PAUSING = "pausing"
AFTER: dict[tuple[str, Event], str] = {
    ("pending", Event.PICK_UP): "running",
    ("pending", Event.PAUSE): "paused",
    ("pending", Event.CANCEL): "cancelled",
    ("running", Event.COMPLETE): "completed",
    ("running", Event.FAIL): "failed",
    ("running", Event.PAUSE): "pausing",
    ("running", Event.CANCEL): "cancelled",
    ("pausing", Event.COMPLETE): "completed",
    ("pausing", Event.FAIL): "failed",
    ("pausing", Event.PAUSE): "pausing",
    ("pausing", Event.DRAIN): "paused",
    ("pausing", Event.CANCEL): "cancelled",
    ("paused", Event.PAUSE): "paused",
    ("paused", Event.RESUME): "running",
    ("paused", Event.CANCEL): "cancelled",
    ("completed", Event.CANCEL): "completed",
    ("failed", Event.CANCEL): "failed",
    ("cancelled", Event.CANCEL): "cancelled",
}
WAYS: dict[str, tuple[Event, ...]] = {
    "pending": (),
    "running": (Event.PICK_UP,),
    "pausing": (Event.PICK_UP, Event.PAUSE),
    "paused": (Event.PICK_UP, Event.PAUSE, Event.DRAIN),
    "completed": (Event.PICK_UP, Event.COMPLETE),
    "failed": (Event.PICK_UP, Event.FAIL),
    "cancelled": (Event.PICK_UP, Event.CANCEL),
}


def later(seconds: int) -> Any:
    return NOON + timedelta(seconds=seconds)


def started(workflow: Workflow, state: str = "pending", *, by_engine: bool = True) -> Run:
    run = recorder.start_run(workflow.id, now=NOON, total_nodes=2, total_steps=2, by_engine=by_engine)
    for seconds, event in enumerate(WAYS[state], 1):
        run = recorder.apply_event(run.id, event, later(seconds))
    return run


def state_of(run: Run) -> str:
    pausing = run.status == RunStatus.RUNNING and run.pause_requested_at is not None
    return PAUSING if pausing else str(run.status)


def columns_of(run: Run) -> dict[str, Any]:
    return {column.name: getattr(run, column.name) for column in Run.__table__.columns}


@pytest.mark.parametrize(("state", "event"), list(itertools.product(WAYS, Event)))
def test_every_event_in_every_state_does_what_the_contract_says(app: Flask, state: str, event: Event) -> None:
    run = started(make_workflow(make_workspace()), state)
    before = columns_of(run)
    if (state, event) not in AFTER:
        with pytest.raises(Conflict):
            recorder.apply_event(run.id, event, later(60))
        after = db.session.get_one(Run, run.id)
        assert columns_of(after) == before
        return
    after = recorder.apply_event(run.id, event, later(60))
    assert state_of(after) == AFTER[state, event]
    if AFTER[state, event] == state:
        assert columns_of(after) == before
    else:
        assert after.updated_at > before["updated_at"]
    assert (after.completed_at is not None) == (after.status in ("completed", "failed", "cancelled"))
    if after.status == RunStatus.RUNNING:
        assert after.started_at is not None


def test_a_pause_is_counted_and_its_marks_are_cleared_by_resuming(app: Flask) -> None:
    run = started(make_workflow(make_workspace()), "pausing")
    run = recorder.apply_event(run.id, Event.DRAIN, later(10))
    assert (run.paused_at, run.pause_reason) == (later(10), PauseReason.USER)
    run = recorder.apply_event(run.id, Event.RESUME, later(25))
    assert run.paused_ms == 15_000
    assert (run.paused_at, run.pause_requested_at, run.pause_reason, run.pause_error) == (None,) * 4


def test_waiting_before_the_start_is_no_pause_of_the_run(app: Flask) -> None:
    run = started(make_workflow(make_workspace()))
    recorder.apply_event(run.id, Event.PAUSE, later(1))
    run = recorder.apply_event(run.id, Event.RESUME, later(100))
    assert (run.started_at, run.paused_ms) == (later(100), None)


@pytest.mark.slow
def test_a_paused_run_does_not_resume_while_another_one_occupies_the_workflow(app: Flask) -> None:
    workflow = make_workflow(make_workspace())
    paused = started(workflow, "paused")
    started(workflow)
    with pytest.raises(Conflict):
        recorder.apply_event(paused.id, Event.RESUME, later(60))
    assert db.session.get_one(Run, paused.id).status == RunStatus.PAUSED


def test_a_run_that_the_engine_does_not_drive_neither_occupies_its_workflow_nor_minds_another(
    app: Flask,
) -> None:
    workflow = make_workflow(make_workspace())
    paused = started(workflow, "paused", by_engine=False)
    started(workflow, "running", by_engine=False)
    assert started(workflow, "running").run_number == 3
    assert recorder.apply_event(paused.id, Event.RESUME, later(60)).status == RunStatus.RUNNING


@pytest.mark.parametrize("state", WAYS)
def test_a_start_is_refused_while_a_run_is_pending_or_running(app: Flask, state: str) -> None:
    workflow = make_workflow(make_workspace())
    started(workflow, state)
    if state in ("pending", "running", "pausing"):
        with pytest.raises(Conflict):
            started(workflow)
        assert db.session.get_one(Workflow, workflow.id).next_run_number == 2
    else:
        assert started(workflow).run_number == 2


def test_a_clock_that_runs_back_does_not_break_the_order_of_moments(app: Flask) -> None:
    run = started(make_workflow(make_workspace()), "running")
    before = run.updated_at
    run = recorder.apply_event(run.id, Event.COMPLETE, later(-100))
    assert run.created_at <= run.started_at <= run.completed_at
    assert run.updated_at > before


def test_every_change_bumps_the_change_stamp_and_a_repeated_cancel_does_not(app: Flask) -> None:
    workflow = make_workflow(make_workspace())
    stamps = [0]
    run = recorder.start_run(workflow.id, now=NOON)
    for event in (Event.PICK_UP, Event.CANCEL, Event.CANCEL):
        db.session.rollback()
        stamps.append(db.session.get_one(Workflow, workflow.id).change_stamp)
        recorder.apply_event(run.id, event, later(1))
    db.session.rollback()
    assert stamps == [0, 1, 2, 3]
    assert db.session.get_one(Workflow, workflow.id).change_stamp == 3


def test_unknown_and_deleted_things_are_not_found(app: Flask) -> None:
    gone = make_workflow(make_workspace(), deleted_at=NOON)
    for workflow_id in (uuid4(), gone.id):
        with pytest.raises(NotFound):
            recorder.start_run(workflow_id, now=NOON)
    with pytest.raises(NotFound):
        recorder.apply_event(uuid4(), Event.CANCEL, NOON)


def test_the_definition_that_a_run_is_started_with_is_kept(app: Flask) -> None:
    workflow = make_workflow(make_workspace())
    run = recorder.start_run(workflow.id, now=NOON, definition_snapshot={"graph": {}})
    assert db.session.get_one(RunDetail, run.id).definition_snapshot == {"graph": {}}


def test_steps_are_counted_as_they_end_and_a_retry_adds_one(app: Flask) -> None:
    run = started(make_workflow(make_workspace()), "running")
    first = steps.add_step(run.id, later(2), node_id="a", node_type="source_script")
    steps.finish_step(run.id, first, RunStatus.FAILED, later(3), error="no voice")
    again = steps.add_step(run.id, later(4), node_id="a", node_type="source_script", iteration=2)
    other = steps.add_step(run.id, later(4), node_id="b", node_type="sink_preview")
    run = db.session.get_one(Run, run.id)
    assert (run.finished_steps, run.total_steps, run.finished_nodes) == (1, 3, 0)
    steps.finish_step(run.id, again, RunStatus.COMPLETED, later(5))
    steps.finish_step(run.id, other, RunStatus.COMPLETED, later(5))
    with pytest.raises(Conflict):
        steps.finish_step(run.id, other, RunStatus.FAILED, later(6))
    db.session.rollback()
    db.session.expire_all()
    assert (run.finished_steps, run.total_steps, run.finished_nodes) == (3, 3, 2)
    assert db.session.get_one(Step, (run.id, first)).error == "no voice"


STARTS = 4
"""How many runs each of 16 sides starts in each of two workflows; `make soak` starts 1,024 from 64."""


def at_once(app: Flask, *workflows: Workflow, sides: int, by_engine: bool) -> list[list[int]]:
    """Run numbers in each workflow of starts from so many sides at the same time; 0 for a refused one."""

    def start(_: int) -> list[int]:
        with app.app_context():
            return [started_number(workflow, by_engine=by_engine) for workflow in workflows]

    with ThreadPoolExecutor(sides) as pool:
        numbers = list(pool.map(start, range(sides)))
    return [sorted(of_one) for of_one in zip(*numbers, strict=True)]


def started_number(workflow: Workflow, *, by_engine: bool) -> int:
    try:
        return recorder.start_run(workflow.id, now=NOON, by_engine=by_engine).run_number
    except Conflict:
        return 0


@pytest.mark.slow
def test_starts_from_many_sides_at_once_get_numbers_without_gap_or_double(app: Flask) -> None:
    workspace = make_workspace()
    two = make_workflow(workspace), make_workflow(workspace, "Weekly dub")
    numbers = at_once(app, *(two * STARTS), sides=16, by_engine=False)  # as many as share the connections
    for workflow in (0, 1):
        given = sorted(number for of_one in numbers[workflow::2] for number in of_one)
        assert given == list(range(1, 16 * STARTS + 1))


@pytest.mark.slow
def test_of_64_starts_of_the_engine_at_once_exactly_one_wins(app: Flask) -> None:
    workflow = make_workflow(make_workspace())
    assert at_once(app, workflow, sides=64, by_engine=True) == [[0] * 63 + [1]]
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Run)) == 1


def test_a_number_that_history_brought_is_not_given_again(app: Flask) -> None:
    workflow = make_workflow(make_workspace(), next_run_number=8)
    make_run(workflow, run_number=7)
    assert recorder.start_run(workflow.id, now=NOON).run_number == 8
