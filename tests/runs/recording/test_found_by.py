"""Whatever writes a run keeps what it is found by, and `flask check` makes anew what is wrong."""

from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.checks import database_check
from portal.database.engine import db
from portal.database.models import Run, RunTerm, Workflow, Workspace
from portal.database.transactions import writing
from portal.runs.facts.terms import label_term, step_term
from portal.runs.listing import list_runs
from portal.runs.query import RunQuery
from portal.runs.recording import recorder
from portal.runs.recording.found_by import drift
from portal.runs.recording.state_machine import Event
from portal.runs.recording.steps import add_step, finish_step
from tests.factories import NOON, make_runs, make_workflow, make_workspace, seen
from tests.history.conftest import Import, load
from tests.history.lines import run_line, workflow_line

__all__ = ["load"]


@pytest.fixture
def workspace(app: Flask) -> Workspace:
    return make_workspace()


def terms() -> set[bytes]:
    db.session.rollback()
    return set(db.session.scalars(sa.select(RunTerm.term)))


def listed(workflow: Workflow, **asked: Any) -> list[int]:
    query = RunQuery.parse(asked, workflow_id=str(workflow.id))
    return [row.run_number for row in list_runs(seen(workflow), query).rows]


def test_a_step_is_found_while_its_failure_lasts(workspace: Workspace) -> None:
    workflow = make_workflow(workspace)
    run = recorder.start_run(workflow.id, now=NOON)
    recorder.apply_event(run.id, Event.PICK_UP, NOON)
    for name, status in (("Build", "failed"), ("Test", "completed")):
        position = add_step(run.id, NOON, node_id=name.lower(), node_type="n", name=name)
        finish_step(run.id, position, status, NOON)  # type: ignore[arg-type]
    assert terms() == {step_term("build"), step_term("Build")}
    assert listed(workflow, step_failed="Build") == [1]
    again = add_step(run.id, NOON, node_id="build", node_type="n", iteration=2)
    assert terms() == {step_term("build"), step_term("Build")}
    finish_step(run.id, again, "completed", NOON)  # type: ignore[arg-type]
    assert terms() == set()
    assert not drift.find_drift(db.session())


def test_lines_that_meet_bring_terms_and_take_them_back(load: Import) -> None:
    first = {"labels": {"env": "prod", "old": "1"}, "ref": {"branch": "main"}}
    step = {"node_id": "build", "status": "failed"}
    load(workflow_line(), run_line(at="2026-03-01T12:00:00Z", steps=[step], **first))
    assert terms() == {label_term("env=prod"), label_term("old=1"), step_term("build")}
    later = {"labels": {"env": "test"}, "ref": {"branch": "other"}}
    load(run_line(at="2026-03-01T13:00:00Z", steps=[{**step, "status": "completed"}], **later))
    assert terms() == {label_term("env=test")}
    assert db.session.scalars(sa.select(Run.branch)).all() == ["other"]
    load(run_line(at="2026-03-01T14:00:00Z") | {"labels": None, "ref": None})
    assert terms() == set()
    assert db.session.scalars(sa.select(Run.branch)).all() == [None]
    assert not drift.find_drift(db.session())


def test_terms_go_with_their_run(workspace: Workspace) -> None:
    workflow = make_workflow(workspace)
    [run, _] = make_runs(workflow, [{"source": {"labels": {"a": each}}} for each in "xy"])
    with writing() as session:
        recorder.delete_runs(session, workflow.id, [run.id])
    assert terms() == {label_term("a=y")}


def test_a_run_without_any_has_no_terms(workspace: Workspace) -> None:
    steps = [{"status": "completed"}, {"status": "cancelled"}]
    make_runs(make_workflow(workspace), [{"source": {"title": "A"}, "steps": steps}])
    assert terms() == set()


def test_a_check_finds_what_is_wrong_and_repairs_it(workspace: Workspace) -> None:
    workflow, other = make_workflow(workspace), make_workflow(workspace, "Right")
    told = {"labels": {"env": "prod"}, "ref": {"branch": "main"}}
    row = {"source": told, "branch": "main", "steps": [{"node_id": "build", "status": "failed"}]}
    [run] = make_runs(workflow, [row])
    make_runs(other, [row])
    assert not wrong()
    with writing() as session:
        session.execute(sa.delete(RunTerm).where(RunTerm.term == label_term("env=prod"), of_run(run)))
        session.add(RunTerm(workflow_id=workflow.id, term=label_term("a=b"), run_id=run.id))
        session.execute(sa.update(Run).where(Run.id == run.id).values(branch="other"))
    assert wrong() == "wrong in Nightly dub: run_terms, runs.branch. Run: flask check --repair"
    assert database_check.repair_counts() == ["Nightly dub"]
    assert not wrong()
    assert listed(workflow, label=["env=prod"], branch="main", step_failed="build")


def wrong() -> str:
    """What the check of what is kept beside the runs complains of."""
    [found] = [each for each in database_check.check_database() if each.check == "counts"]
    return "" if found.ok else found.detail


def of_run(run: Run) -> sa.ColumnElement[bool]:
    return RunTerm.run_id == run.id
