"""The counts kept beside the runs are those of the runs, whatever was written and by how many at once."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_migrate import downgrade, upgrade
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from portal.database.engine import db
from portal.database.models import (
    PersonPeriodRuns,
    PersonRuns,
    Run,
    RunBucket,
    RunStatus,
    RunTotals,
    Workflow,
    Workspace,
    WorkspacePersonPeriodRuns,
    WorkspacePersonRuns,
    WorkspaceRunBucket,
    WorkspaceRunTotals,
)
from portal.database.transactions import writing
from portal.errors import Conflict
from portal.history.importer import import_lines
from portal.moments import format_moment
from portal.runs import counts
from portal.runs.counts.histograms import SECOND
from portal.runs.counts.thresholds import THRESHOLDS, Thresholds
from portal.runs.recording import recorder, workflow_rows
from portal.runs.recording.state_machine import Event
from portal.runs.statistics.summary import summarize
from tests.factories import (
    NOON,
    delete_from_workspace,
    make_person,
    make_run,
    make_runs,
    make_workflow,
    make_workspace,
    restore_to_workspace,
)
from tests.thresholds import SMALL, divide_small_buckets

MIDNIGHT = NOON + timedelta(hours=12)
statuses = st.sampled_from([status.value for status in RunStatus])
hours = st.integers(0, 40)


def drift(thresholds: Thresholds = THRESHOLDS) -> dict[UUID, list[str]]:
    db.session.rollback()
    return counts.find_drift(db.session(), thresholds=thresholds)


class Writers(RuleBasedStateMachine):
    """Everything that writes runs, in any order; the counts hold after every step."""

    def __init__(self, app: Flask) -> None:
        super().__init__()
        self.app = app
        with writing() as session:
            session.execute(sa.delete(Workspace))
        self.workspace = make_workspace(f"acme-{uuid4()}")
        self.people = [make_person(self.workspace, "Ada").id, make_person(self.workspace, "Grace").id, None]
        self.workflows = [make_workflow(self.workspace, name) for name in ("One", "Two")]
        self.started: list[UUID] = []

    @rule(who=st.integers(0, 2), which=st.integers(0, 1), hour=hours)
    def start(self, who: int, which: int, hour: int) -> None:
        run = recorder.start_run(
            self.workflows[which].id,
            person_id=self.people[who],
            now=NOON + timedelta(hours=hour),
        )
        self.started.append(run.id)

    @rule(which=st.integers(0, 9), event=st.sampled_from(Event), hour=hours)
    def happen(self, which: int, event: Event, hour: int) -> None:
        if self.started:
            let_happen(self.started[which % len(self.started)], event, hour)

    @rule(
        lines=st.lists(
            st.tuples(st.integers(0, 5), statuses, hours, st.integers(0, 2), st.none() | st.integers(0, 9)),
            min_size=1,
            max_size=5,
        )
    )
    def load(self, lines: list[tuple[int, str, int, int, int | None]]) -> None:
        """New runs of history, and runs of history that changed: also when they were created and by whom."""
        summary = import_lines(self.workspace.id, [self.line(*line) for line in lines], now=NOON)
        assert summary.ok

    def line(self, number: int, status: str, hour: int, who: int, audio: int | None) -> bytes:
        workflow = self.workflows[number % 2]
        created = NOON + timedelta(hours=hour)
        line: dict[str, Any] = {
            "type": "run",
            "id": str(uuid5(workflow.id, str(number))),
            "workflow_id": str(workflow.id),
            "status": status,
            "created_at": format_moment(created),
            "started_at": format_moment(created),
            "completed_at": format_moment(created + timedelta(minutes=20 - hour)),
            "triggered_by": {"id": f"u{who}"} if who else None,
            "paused_ms": audio and audio * 1000,
            "delivered_audio_ms": audio,
        }
        return json.dumps(line).encode()

    @rule(which=st.integers(0, 1), count=st.integers(1, 3))
    def delete(self, which: int, count: int) -> None:
        workflow_id = self.workflows[which].id
        with writing() as session:
            workflow_rows.lock_workflows(session, [workflow_id])
            mine = sa.select(Run.id).where(Run.workflow_id == workflow_id).order_by(Run.id).limit(count)
            ids = session.scalars(mine).all()
            recorder.delete_runs(session, workflow_id, ids)
        self.started = [run_id for run_id in self.started if run_id not in ids]

    @rule(which=st.integers(0, 1))
    def replace_workflow(self, which: int) -> None:
        gone = self.workflows[which].id
        ours = set(db.session.scalars(sa.select(Run.id).where(Run.workflow_id == gone)))
        with writing() as session:
            counts.count_out(session, gone)
            session.execute(sa.delete(Workflow).where(Workflow.id == gone))
        self.started = [run_id for run_id in self.started if run_id not in ours]
        self.workflows[which] = make_workflow(self.workspace, "Again")

    @rule(which=st.integers(0, 1), hour=hours)
    def delete_and_restore(self, which: int, hour: int) -> None:
        """Its runs leave the counts of the workspace, whatever happens to them there, and come back."""
        workflow = self.workflows[which]
        for deleted_at, count in ((NOON, counts.count_out), (None, counts.count_in)):
            with writing() as session:
                session.execute(
                    sa.update(Workflow).where(Workflow.id == workflow.id).values(deleted_at=deleted_at)
                )
                count(session, workflow.id)
            if deleted_at:
                self.happen(which, Event.CANCEL, hour)
                assert drift(SMALL) == {}

    @rule(which=st.integers(0, 1))
    def write_at_once(self, which: int) -> None:
        def write(writer: int) -> UUID:
            with self.app.app_context():
                workflow = self.workflows[(which + writer) % 2]
                run = recorder.start_run(workflow.id, now=NOON, person_id=self.people[0])
                let_happen(run.id, Event.PICK_UP, writer)
                import_lines(
                    self.workspace.id,
                    [self.line(number, "failed", writer, 1, 1) for number in (0, 1)],
                    now=NOON,
                )
                let_happen(run.id, Event.COMPLETE, writer + 1)
                return run.id

        with ThreadPoolExecutor(3) as pool:
            self.started += pool.map(write, range(3))

    @invariant()
    def counts_are_those_of_the_runs(self) -> None:
        assert drift(SMALL) == {}


def let_happen(run_id: UUID, event: Event, hour: int) -> None:
    try:
        recorder.apply_event(run_id, event, NOON + timedelta(hours=hour))
    except Conflict:
        db.session.rollback()


@pytest.mark.slow
def test_the_counts_hold_after_every_write(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    divide_small_buckets(monkeypatch)
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        lambda: Writers(app), settings=settings(max_examples=12, stateful_step_count=12)
    )


@pytest.mark.parametrize("table", [RunTotals, PersonRuns, PersonPeriodRuns, RunBucket])
@pytest.mark.slow
def test_any_wrong_count_is_found_and_mended(app: Flask, table: type[Any]) -> None:
    workspace = make_workspace()
    workflow, whole = make_workflow(workspace), make_workflow(workspace, "Whole")
    for each in (workflow, whole):
        make_run(each, make_person(workspace, "Ada"), started_at=NOON, completed_at=MIDNIGHT)
    for statement in (sa.update(table).values(completed=table.completed + 1), sa.delete(table)):
        with writing() as session:
            session.execute(statement.where(table.workflow_id == workflow.id))
        assert drift() == {workflow.id: [table.__tablename__]}
        with writing() as session:
            workflow_rows.lock_workflows(session, [workflow.id])
            counts.repair(session, [workflow.id])
        assert drift() == {}


@pytest.mark.parametrize(
    "table", [WorkspaceRunTotals, WorkspacePersonRuns, WorkspacePersonPeriodRuns, WorkspaceRunBucket]
)
def test_any_wrong_count_of_a_workspace_is_found_and_mended(app: Flask, table: type[Any]) -> None:
    workspace, whole = make_workspace(), make_workspace("whole")
    for each in (workspace, workspace, whole):
        make_run(make_workflow(each), make_person(each, "Ada"), started_at=NOON, completed_at=MIDNIGHT)
    for statement in (sa.update(table).values(completed=table.completed + 1), sa.delete(table)):
        with writing() as session:
            session.execute(statement.where(table.workspace_id == workspace.id))
        assert drift() == {workspace.id: [table.__tablename__]}
        with writing() as session:
            counts.repair(session, [workspace.id])
        assert drift() == {}


@pytest.mark.slow
def test_the_migration_counts_the_runs_that_are_there(app: Flask) -> None:
    workspace = make_workspace()
    workflow, ada = make_workflow(workspace), make_person(workspace, "Ada")
    make_run(workflow, ada, created_at=NOON.replace(year=1969, hour=0), status="failed")
    made = {"delivered_audio_ms": 7, "credits": 2**53 - 1, "output_line_count": 2**40}
    make_run(workflow, started_at=NOON, completed_at=MIDNIGHT, paused_ms=1, **made)
    make_run(workflow, started_at=MIDNIGHT, completed_at=NOON)
    db.session.remove()
    downgrade(revision="0003")
    upgrade()
    assert drift() == {}
    assert summarize(workflow).total == 3
    db.session.remove()


@pytest.mark.slow
def test_the_migration_counts_the_runs_of_workspaces(app: Flask) -> None:
    """Also in buckets that only all workflows together fill, and without those of a deleted workflow."""
    workspace = make_workspace()
    one, two, gone = (make_workflow(workspace, name) for name in ("One", "Two", "Gone"))
    dense = {"created_at": NOON, "started_at": NOON}
    half = THRESHOLDS.split // 2 + 1
    for number, workflow in enumerate((one, two)):
        ids = range(number * half + 1, (number + 1) * half + 1)
        make_runs(workflow, [dense | {"id": UUID(int=n << 97), "person_id": None} for n in ids])
    make_run(gone, make_person(workspace, "Ada"), started_at=NOON)
    delete_from_workspace(gone)
    db.session.remove()
    downgrade(revision="0025")
    upgrade()
    assert drift() == {}
    seconds = sa.select(sa.func.count()).where(WorkspaceRunBucket.width == SECOND)
    assert db.session.scalar(seconds) == 2  # of created_at and of started_at
    restore_to_workspace(gone)
    assert drift() == {}
    db.session.remove()


@pytest.mark.slow
def test_the_migration_divides_what_holds_many_runs_and_can_be_taken_back(app: Flask) -> None:
    workflow = make_workflow(make_workspace())
    dense = {"status": "failed", "created_at": NOON, "started_at": NOON}
    make_runs(workflow, [dense | {"id": UUID(int=n << 97)} for n in range(1, THRESHOLDS.split + 2)])
    make_run(workflow, started_at=MIDNIGHT)
    seconds = sa.select(sa.func.count()).where(RunBucket.width == SECOND)
    assert db.session.scalar(seconds) == 2  # of created_at and of started_at
    db.session.remove()
    downgrade(revision="0011")
    assert db.session.scalar(sa.text("SELECT sum(failed) FROM day_runs")) == THRESHOLDS.split + 1
    assert db.session.scalar(sa.text("SELECT count(*) FROM run_blocks WHERE failed > 3072")) == 0
    db.session.remove()
    upgrade()
    assert drift() == {}
    assert db.session.scalar(seconds) == 2
    db.session.remove()


def test_a_summary_counts_a_window_with_both_its_ends(app: Flask) -> None:
    workflow = make_workflow(make_workspace())
    for days in range(4):
        for at in (MIDNIGHT, MIDNIGHT + timedelta(hours=5), MIDNIGHT - timedelta(microseconds=1)):
            created = at + timedelta(days=days)
            make_run(
                workflow,
                created_at=created,
                started_at=created,
                completed_at=created + timedelta(seconds=days),
                paused_ms=500 if days == 3 else None,
                delivered_audio_ms=days,
            )
    make_run(workflow, status="failed", created_at=MIDNIGHT, started_at=MIDNIGHT, completed_at=MIDNIGHT)
    everything = summarize(workflow)
    assert (everything.total, everything.counts["failed"], everything.pass_rate) == (13, 1, 12 / 13)
    assert everything.average_duration_seconds == pytest.approx((3 * (0 + 1 + 2 + 3) - 3 * 0.5) / 12)
    assert everything.delivered_audio_ms == 18
    some = summarize(workflow, MIDNIGHT, MIDNIGHT + timedelta(days=1, hours=5))
    assert some.counts | {"completed": 5, "failed": 1} == some.counts
    assert (some.timed_runs, some.active_ms, some.delivered_audio_ms) == (5, 3000, 3)
    none = summarize(workflow, MIDNIGHT + timedelta(days=9))
    assert (none.total, none.pass_rate, none.average_duration_seconds) == (0, None, None)
