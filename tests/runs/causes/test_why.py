"""Why a run failed, in one line, and that every way in writes it."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.database.engine import db
from portal.database.models import Run, RunStatus
from portal.runs.causes.lasting import LastingFailures, StepFailure
from portal.runs.causes.why import why
from portal.runs.recording import recorder, steps
from portal.runs.recording.state_machine import Event
from tests.factories import NOON, make_workflow, make_workspace
from tests.history.conftest import Import
from tests.history.lines import an_id, run_line, workflow_line


def failures(*names: str, nodes: int | None = None) -> LastingFailures:
    found = [StepFailure(f"node {number}", name, "") for number, name in enumerate(names)]
    return LastingFailures(found, len(found) if nodes is None else nodes)


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (failures("TSan"), "1 step failed: TSan"),
        (failures("TSan", "No wallet"), "2 steps failed: TSan, No wallet"),
        (failures("a", "b", "c"), "3 steps failed: a, b, c"),
        (failures("TSan", "No wallet", "c", "d"), "4 steps failed: TSan, No wallet, +2"),
        (failures("TSan", "No wallet", "c", nodes=12), "12 steps failed: TSan, No wallet, +10"),
        (failures("Test", "Test", "Test", "Test"), "4 steps failed: Test"),
        (failures("Test", "Test", "Lint"), "3 steps failed: Test, Lint"),
        (failures("a\n\t b"), "1 step failed: a b"),
        (failures("x" * 50), f"1 step failed: {'x' * 31}…"),
        (failures("a", nodes=12_000), "12,000 steps failed: a, +11,999"),
        (failures(), None),
    ],
)
def test_the_line_names_the_first_steps_and_counts_the_rest(found: LastingFailures, line: str) -> None:
    assert why(None, found) == line
    assert why(" \n", found) == line


def test_an_error_text_speaks_for_itself() -> None:
    assert why("no voice", failures("a")) is None


def test_the_recorder_writes_the_line_when_the_run_fails(app: Flask) -> None:
    run = recorder.start_run(make_workflow(make_workspace()).id, now=NOON, total_steps=2)
    recorder.apply_event(run.id, Event.PICK_UP, NOON)
    first, late = (
        steps.add_step(run.id, NOON, node_id=each, node_type="x", name=each.upper()) for each in "ab"
    )
    steps.finish_step(run.id, first, RunStatus.FAILED, NOON + timedelta(seconds=3))
    recorder.apply_event(run.id, Event.FAIL, NOON + timedelta(seconds=4))
    assert stored_line() == "1 step failed: A"
    steps.finish_step(run.id, late, RunStatus.FAILED, NOON + timedelta(seconds=2))
    assert stored_line() == "2 steps failed: B, A"


def test_an_import_writes_the_line_and_a_merged_line_renews_it(load: Import) -> None:
    failed = [{"node_id": "a", "name": "Lint", "status": "failed"}]
    load(workflow_line(), run_line(status="failed", steps=failed), run_line("good", steps=failed))
    assert stored_line() == "1 step failed: Lint"
    step = {"type": "step", "run_id": an_id("run"), "workflow_id": run_line()["workflow_id"], "node_id": "b"}
    load(step | {"name": "Build", "status": "failed", "completed_at": "2026-03-01T12:00:20Z"})
    assert stored_line() == "2 steps failed: Build, Lint"
    load(run_line(status="failed", error="out of memory", at="2026-03-01T13:00:00Z"))
    assert stored_line() is None


def stored_line() -> str | None:
    """That of the run which failed; others have none."""
    db.session.rollback()
    others = sa.select(sa.func.count(Run.why)).where(Run.status != "failed")
    assert db.session.scalar(others) == 0
    return db.session.execute(sa.select(Run.why).where(Run.status == "failed")).scalar_one()
