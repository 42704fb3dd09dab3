"""Run events: one for each change, in its transaction, and only for as long as the setting says."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from portal.database.engine import db
from portal.database.models import ApiKey, Person, Run, RunEvent, RunStatus
from portal.database.transactions import writing
from portal.errors import Conflict
from portal.history.demo.sample import install_demo
from portal.runs import counts
from portal.runs.recording import events, recorder, steps, workflow_rows
from portal.runs.recording.state_machine import Event
from tests.conftest import settings_for
from tests.factories import (
    NOON,
    make_key,
    make_member,
    make_person,
    make_run,
    make_user,
    make_workflow,
    make_workspace,
)

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)

Change = tuple[str, str | None, str]


def written(run_id: UUID) -> list[Change]:
    db.session.rollback()
    rows = sa.select(RunEvent.event, RunEvent.from_status, RunEvent.to_status)
    return [
        tuple(row) for row in db.session.execute(rows.where(RunEvent.run_id == run_id).order_by(RunEvent.id))
    ]


def count() -> int:
    db.session.rollback()
    return db.session.scalar(sa.select(sa.func.count()).select_from(RunEvent)) or 0


def test_each_change_writes_one_event(app: Flask) -> None:
    run = recorder.start_run(make_workflow(make_workspace()).id, now=NOON)
    life = (Event.PICK_UP, Event.PAUSE, Event.PAUSE, Event.DRAIN, Event.PAUSE, Event.RESUME, Event.CANCEL)
    for number, event in enumerate((*life, Event.CANCEL), 1):
        recorder.apply_event(run.id, event, NOON + number * SECOND)
    assert written(run.id) == [
        ("start", None, "pending"),
        ("pick_up", "pending", "running"),
        ("pause", "running", "running"),  # requested; asking again changes nothing
        ("drain", "running", "paused"),
        ("resume", "paused", "running"),
        ("cancel", "running", "cancelled"),
    ]


def test_an_event_knows_when_it_occurred_and_who_did_it(app: Flask) -> None:
    workspace, user = make_workspace(), make_user()
    make_member(workspace, user)
    make_key(workspace, user, ("workflows:run",))
    key_id = db.session.scalars(sa.select(ApiKey.id)).one()
    ada, grace = make_person(workspace, "Ada"), make_person(workspace, "Grace")
    run = recorder.start_run(make_workflow(workspace).id, now=NOON, person_id=ada.id)
    recorder.apply_event(run.id, Event.PICK_UP, NOON + SECOND)
    recorder.apply_event(run.id, Event.CANCEL, NOON - DAY, person_id=grace.id, api_key_id=key_id)
    db.session.rollback()
    rows = sa.select(RunEvent.occurred_at, RunEvent.person_id, RunEvent.api_key_id).order_by(RunEvent.id)
    assert [tuple(row) for row in db.session.execute(rows)] == [
        (NOON, ada.id, None),
        (NOON + SECOND, None, None),
        (NOON + SECOND, grace.id, key_id),  # never before the start, whatever the clock says
    ]


def test_who_did_it_may_be_deleted_and_a_run_takes_its_events_with_it(app: Flask) -> None:
    workspace = make_workspace()
    workflow, ada = make_workflow(workspace), make_person(workspace, "Ada")
    run = recorder.start_run(workflow.id, now=NOON)
    recorder.apply_event(run.id, Event.CANCEL, NOON, person_id=ada.id)
    with writing() as session:
        session.execute(sa.delete(Person).where(Person.id == ada.id))
    assert [event for event, *_ in written(run.id)] == ["start", "cancel"]
    with writing() as session:
        workflow_rows.lock_workflows(session, [workflow.id])
        recorder.delete_runs(session, workflow.id, [run.id])
    assert count() == 0


def test_what_is_refused_and_steps_write_no_event(app: Flask) -> None:
    workflow = make_workflow(make_workspace())
    run = recorder.start_run(workflow.id, now=NOON, by_engine=True)
    with pytest.raises(Conflict):
        recorder.start_run(workflow.id, now=NOON, by_engine=True)
    with pytest.raises(Conflict):
        recorder.apply_event(run.id, Event.COMPLETE, NOON)
    recorder.apply_event(run.id, Event.PICK_UP, NOON)
    before = count()
    step = steps.add_step(run.id, NOON, node_id="a", node_type="source_script")
    steps.finish_step(run.id, step, RunStatus.COMPLETED, NOON)
    assert count() == before == 2


@pytest.mark.parametrize("broken", ["counts", "event"])
def test_a_change_and_its_event_are_rolled_back_together(
    app: Flask, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    run = recorder.start_run(make_workflow(make_workspace()).id, now=NOON)

    def fail(session: Session, *_: object) -> None:
        session.flush()
        raise RuntimeError(broken)

    target, name = (counts, "apply") if broken == "counts" else (events, "_prune")
    monkeypatch.setattr(target, name, fail)
    with pytest.raises(RuntimeError, match=broken):
        recorder.apply_event(run.id, Event.CANCEL, NOON)
    with pytest.raises(RuntimeError, match=broken):
        recorder.start_run(run.workflow_id, now=NOON)
    assert written(run.id) == [("start", None, "pending")]
    assert count() == 1
    assert db.session.scalars(sa.select(Run.status)).all() == ["pending"]


@pytest.mark.slow
def test_writers_at_the_same_time_write_each_change_once(app: Flask) -> None:
    workspace = make_workspace()
    workflows = [make_workflow(workspace).id, make_workflow(workspace, "Weekly dub").id]
    make_run_with_events(workflows[0], 200)  # something to prune for all of them
    shared = recorder.start_run(workflows[0], now=NOON).id

    def live(number: int) -> list[UUID]:
        with app.app_context():
            run = recorder.start_run(workflows[number % 2], now=NOON)
            for event in (Event.PICK_UP, Event.PAUSE, Event.COMPLETE):
                recorder.apply_event(run.id, event, NOON)
            recorder.apply_event(shared, Event.CANCEL, NOON)
            return [run.id]

    with ThreadPoolExecutor(8) as pool:
        runs = [run_id for ids in pool.map(live, range(16)) for run_id in ids]
    for run_id in runs:
        assert [event for event, *_ in written(run_id)] == ["start", "pick_up", "pause", "complete"]
    assert [event for event, *_ in written(shared)] == ["start", "cancel"]
    assert count() == 16 * 4 + 2


def make_run_with_events(workflow_id: UUID, number: int) -> None:
    """A run that was changed again and again long ago."""
    run = recorder.start_run(workflow_id, now=NOON - 200 * DAY)
    with writing() as session:
        rows = [
            {"run_id": run.id, "event": "pause", "to_status": "running", "occurred_at": NOON - 100 * DAY}
            for _ in range(number - 1)
        ]
        session.execute(sa.insert(RunEvent), rows)


@pytest.mark.slow
def test_imported_history_writes_none(app: Flask) -> None:
    make_run(make_workflow(make_workspace()))
    install_demo(NOON)
    assert (db.session.scalar(sa.select(sa.func.count()).select_from(Run)) or 0) > 1000
    assert count() == 0


def test_old_events_are_pruned_a_few_with_each_event(app: Flask) -> None:
    workflow = make_workflow(make_workspace())
    make_run_with_events(workflow.id, 25)
    run = recorder.start_run(workflow.id, now=NOON - 11 * DAY)  # 89 days after most of them
    assert count() == 25  # the start 200 days ago is gone
    recorder.apply_event(run.id, Event.PICK_UP, NOON)
    assert count() == 16
    recorder.apply_event(run.id, Event.PAUSE, NOON)
    recorder.apply_event(run.id, Event.DRAIN, NOON)
    assert count() == 4
    assert len(written(run.id)) == 4


@pytest.fixture
def environment(database_url: str, request: pytest.FixtureRequest) -> dict[str, str]:
    days = getattr(request, "param", None)
    return settings_for(database_url) | ({"PORTAL_RUN_EVENTS_DAYS": days} if days else {})


@pytest.mark.parametrize(
    ("environment", "left"), [("0", 26), ("300", 26), ("30", 16)], indirect=["environment"]
)
def test_the_setting_says_for_how_long(app: Flask, left: int) -> None:
    workflow = make_workflow(make_workspace())
    make_run_with_events(workflow.id, 25)
    recorder.start_run(workflow.id, now=NOON)
    assert count() == left


def test_an_id_is_never_given_again(app: Flask) -> None:
    """A reader that goes on after the last id that it has seen misses nothing."""
    workflow = make_workflow(make_workspace())
    run = recorder.start_run(workflow.id, now=NOON)
    first = db.session.scalars(sa.select(RunEvent.id)).one()
    with writing() as session:
        workflow_rows.lock_workflows(session, [workflow.id])
        recorder.delete_runs(session, workflow.id, [run.id])
    recorder.start_run(workflow.id, now=NOON)
    assert db.session.scalars(sa.select(RunEvent.id)).one() > first
