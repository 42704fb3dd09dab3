"""Causes and their counts: live and imported alike, whatever the order, as recounted naively."""

import random
from collections.abc import Callable
from datetime import timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from portal import moments
from portal.auth.memberships import memberships_of
from portal.auth.principals import Principal, PrincipalUser
from portal.checks.database_check import check_database
from portal.database.engine import db
from portal.database.models import Cause, CauseDay, CauseWorkflow, Run, Workflow, Workspace
from portal.database.transactions import writing
from portal.runs.causes import drift
from portal.runs.causes.fingerprints import cause_id, fingerprint
from portal.runs.causes.lasting import NONE
from portal.runs.recording import recorder, steps
from portal.runs.recording.recorder import delete_runs
from portal.runs.recording.state_machine import Event
from portal.runs.recording.workflow_rows import lock_workflows
from portal.workflows.writing import delete_workflow, restore_workflow
from tests.factories import NOON, make_member, make_run, make_runs, make_user, make_workflow, make_workspace
from tests.history.conftest import Import
from tests.history.lines import WORKFLOW, an_id, run_line, workflow_line

DAY = timedelta(days=1)


@pytest.fixture
def workflow(app: Flask) -> Workflow:
    return make_workflow(make_workspace())


def naive() -> dict[str, tuple[Any, ...]]:
    """What each cause should say, from the runs one by one."""
    db.session.rollback()
    live = {row.id for row in db.session.scalars(sa.select(Workflow)) if row.deleted_at is None}
    texts = {row.id: row.text for row in db.session.scalars(sa.select(Cause))}
    found: dict[str, list[Run]] = {}
    for run in db.session.scalars(sa.select(Run).order_by(Run.created_at)):
        assert (run.cause_id is not None) == (run.status == "failed")
        if run.cause_id is not None and run.workflow_id in live:
            found.setdefault(texts[run.cause_id], []).append(run)
    return {
        text: (
            len(runs),
            runs[0].created_at,
            runs[-1].created_at,
            {
                day: sum(day == run.created_at.date() for run in runs)
                for day in {r.created_at.date() for r in runs}
            },
            {run.workflow_id for run in runs},
        )
        for text, runs in found.items()
    }


def stored() -> dict[str, tuple[Any, ...]]:
    """What each cause with runs says."""
    db.session.rollback()
    live = sa.select(Workflow.id).where(Workflow.deleted_at.is_(None))
    return {
        cause.text: (
            cause.failed,
            cause.first_at,
            cause.last_at,
            {
                (moments.EPOCH + row.day * DAY).date(): row.failed
                for row in db.session.scalars(sa.select(CauseDay).where(CauseDay.cause_id == cause.id))
            },
            set(
                db.session.scalars(
                    sa.select(CauseWorkflow.workflow_id).where(
                        CauseWorkflow.cause_id == cause.id, CauseWorkflow.workflow_id.in_(live)
                    )
                )
            ),
        )
        for cause in db.session.scalars(sa.select(Cause).where(Cause.failed > 0))
    }


def in_order() -> None:
    assert stored() == naive()
    assert drift.find_drift(db.session()) == []
    db.session.rollback()


def test_runs_of_one_cause_are_counted_by_day_and_workflow(workflow: Workflow, app: Flask) -> None:
    other = make_workflow(db.session.get_one(Workspace, workflow.workspace_id))
    for number, each in enumerate((workflow, workflow, other)):
        make_run(each, status="failed", error=f"line {number} is bad", created_at=NOON + number * DAY)
    make_run(workflow)
    in_order()
    assert {text: row[:3] for text, row in stored().items()} == {"line … is bad": (3, NOON, NOON + 2 * DAY)}


def test_a_run_that_nothing_explains_has_a_cause_too(workflow: Workflow) -> None:
    make_run(workflow, status="failed", error=" ")
    in_order()
    assert list(stored()) == [""]


def test_workspaces_do_not_share_causes(workflow: Workflow) -> None:
    for each in (workflow, make_workflow(make_workspace("other"))):
        make_run(each, status="failed", error="the same")
    db.session.rollback()
    causes = db.session.scalars(sa.select(Cause)).all()
    assert [cause.failed for cause in causes] == [1, 1]
    assert len({cause.workspace_id for cause in causes}) == 2


def test_live_runs_and_imported_ones_meet_in_one_cause(load: Import, workspace: Workspace) -> None:
    failed = {"status": "failed", "steps": [{"node_id": "n", "name": "Voice fr-FR", "status": "failed"}]}
    load(workflow_line(), run_line(**failed), run_line("told", status="failed", error="take 7 is silent"))
    for error in (None, "take 12 is silent"):
        run = recorder.start_run(UUID(WORKFLOW), now=NOON + 300 * DAY, total_steps=1)
        recorder.apply_event(run.id, Event.PICK_UP, NOON)
        place = steps.add_step(run.id, NOON, node_id="x", node_type="y", name="Voice de-DE")
        steps.finish_step(run.id, place, recorder.RunStatus.FAILED, NOON)
        recorder.apply_event(run.id, Event.FAIL, NOON, error=error)
    in_order()
    assert {text: row[0] for text, row in stored().items()} == {
        "Failed steps: Voice …": 2,
        "take … is silent": 2,
    }


def test_a_line_that_comes_later_moves_a_run_to_another_cause(load: Import) -> None:
    load(workflow_line(), run_line(status="failed"), run_line("other", status="failed", error="no voice"))
    assert {text: row[0] for text, row in stored().items()} == {"": 1, "no voice": 1}
    load(run_line(status="failed", error="no voice", at="2026-03-02T12:00:00Z"))
    in_order()
    assert {text: row[0] for text, row in stored().items()} == {"no voice": 2}
    load(run_line(status="completed", error=None, at="2026-03-03T12:00:00Z"))
    in_order()


def test_the_order_of_an_import_does_not_matter(load: Import) -> None:
    lines = [
        run_line(name, status="failed", error=f"take {name} 1", created_at=f"2026-03-0{day}T12:00:00Z")
        for name, day in (("a", 3), ("b", 1), ("c", 2))
    ]
    load(workflow_line())
    found = []
    for order in permutations(lines):
        load(*order)
        in_order()
        found.append(stored())
        with writing() as session:
            lock_workflows(session, [UUID(WORKFLOW)])
            delete_runs(session, UUID(WORKFLOW), [UUID(line["id"]) for line in order])
        assert stored() == {}
    assert all(each == found[0] for each in found)


def test_deleting_runs_takes_them_out_with_first_and_last(workflow: Workflow) -> None:
    runs = make_runs(
        workflow,
        [{"status": "failed", "error": "no voice", "created_at": NOON + n * DAY} for n in range(4)],
    )
    with writing() as session:
        lock_workflows(session, [workflow.id])
        delete_runs(session, workflow.id, [runs[0].id, runs[3].id])
    in_order()
    assert stored()["no voice"][:3] == (2, NOON + DAY, NOON + 2 * DAY)


def test_runs_of_a_deleted_workflow_do_not_count_until_it_is_restored(app: Flask) -> None:
    workspace = make_workspace()
    ada = make_user()
    make_member(workspace, ada)
    who = PrincipalUser(ada.id, ada.email, ada.display_name)
    principal = Principal(kind="session", user=who, workspaces=memberships_of(ada.id), chosen=workspace.id)
    kept, gone = make_workflow(workspace), make_workflow(workspace)
    for number, each in enumerate((gone, kept, gone)):
        make_run(each, status="failed", error="no voice", created_at=NOON + number * DAY)
    delete_workflow(principal, gone.id, NOON)
    in_order()
    assert stored()["no voice"][:3] == (1, NOON + DAY, NOON + DAY)
    restore_workflow(gone.id, NOON)
    in_order()
    assert stored()["no voice"][:3] == (3, NOON, NOON + 2 * DAY)


@pytest.mark.slow
def test_counts_hold_through_any_history(load: Import) -> None:
    dice = random.Random(18)
    load(workflow_line(), workflow_line(id=an_id("other"), name="Other"))
    for _ in range(12):
        lines = [
            run_line(
                f"run {dice.randrange(8)}",
                workflow_id=WORKFLOW,
                status=dice.choice(("failed", "failed", "completed")),
                error=dice.choice((None, "", "no voice 1", "no voice 2", "out of memory")),
                created_at=f"2026-03-0{dice.randint(1, 9)}T{dice.randrange(24):02}:00:00Z",
                at=f"2026-04-01T{dice.randrange(24):02}:00:00Z",
            )
            for _ in range(5)
        ]
        load(*lines, batch_size=dice.choice((1, 3, 1000)))
        in_order()


def test_the_check_notices_wrong_counts_and_missing_causes(workflow: Workflow) -> None:
    def verdict() -> str:
        [found] = [each for each in check_database() if each.check == "causes of failures"]
        assert found.ok == (found.detail == "as recounted")
        return found.detail

    runs = make_runs(workflow, [{"status": "failed", "error": "no voice"}, {"status": "failed"}])
    assert verdict() == "as recounted"
    breaks: list[tuple[Callable[[], sa.Update], str]] = [
        (lambda: sa.update(CauseDay).values(failed=CauseDay.failed + 1), "cause_days is wrong for 2 causes"),
        (lambda: sa.update(Cause).values(last_at=None), "causes is wrong for 2 causes"),
        (
            lambda: sa.update(Run).where(Run.id == runs[0].id).values(cause_id=None),
            "1 failed run without a cause",
        ),
    ]
    for statement, words in breaks:
        with writing() as session:
            session.execute(statement())
        assert words in verdict()


def test_a_fingerprint_does_not_depend_on_where_a_long_error_is_cut() -> None:
    long = "word " * 500
    assert fingerprint(f"take 1 {long}", NONE) == fingerprint(f"take 1234567 {long}", NONE)
    assert len(fingerprint(long, NONE)) == 1000


def test_the_id_of_a_cause_follows_from_workspace_and_fingerprint(app: Flask) -> None:
    one, two = UUID(int=1), UUID(int=2)
    assert cause_id(one, "a") == cause_id(one, "a")
    assert len({cause_id(one, "a"), cause_id(one, "b"), cause_id(two, "a")}) == 3
