"""The rules by which lines about one run come together, each by an example."""

from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import OutputLine, Run, RunDetail, RunEvent, Step, Workflow, Workspace
from portal.history import identity
from portal.history.importer import import_lines
from portal.history.summary import ImportSummary
from portal.history.ways import WayIn
from tests.factories import NOON, make_run, make_workflow
from tests.history.conftest import Import
from tests.history.lines import WORKFLOW, an_id, encode, run_line, workflow_line

W = workflow_line()
KEY = UUID(an_id("key"))
LIVE = WayIn(key_id=KEY, live=True)
RICH = run_line(
    title="Nightly",
    labels={"branch": "main"},
    steps=[
        {"node_id": "a", "status": "completed", "result": {"lines": 2}},
        {"node_id": "b", "status": "failed"},
    ],
    output_lines=[{"script": "Hello"}],
)


def the_run(run_id: UUID | None = None) -> Run:
    db.session.rollback()
    db.session.expire_all()
    return db.session.get_one(Run, run_id or UUID(an_id("run")))


def source() -> dict[str, Any]:
    return db.session.scalar(sa.select(RunDetail.source)) or {}


def steps() -> list[tuple[str, int, str, str | None]]:
    rows = sa.select(Step.node_id, Step.iteration, Step.status, Step.error).order_by(Step.position)
    return [tuple(row) for row in db.session.execute(rows)]


def push(workspace: Workspace, *lines: dict[str, Any], way: WayIn = LIVE) -> ImportSummary:
    return import_lines(workspace.id, [encode(line).strip() for line in lines], now=NOON, way=way)


def test_a_thin_line_after_a_rich_one_leaves_what_it_does_not_name(load: Import) -> None:
    load(W, RICH)
    assert load(run_line(updated_at="2026-03-01T12:01:00Z")).total.runs_updated == 1
    assert (source()["title"], len(steps())) == ("Nightly", 2)
    assert db.session.scalar(sa.select(OutputLine.script)) == "Hello"
    assert load(RICH, run_line()).total.runs_unchanged == 2


def test_null_clears_a_field_and_an_older_line_does_not_bring_it_back(load: Import) -> None:
    cleared = {
        **run_line(updated_at="2026-03-01T12:01:00Z"),
        "title": None,
        "error": None,
        "output_lines": None,
    }
    load(W, cleared)
    load(run_line(title="older", error="older", output_lines=[{"script": "Hello"}]))
    assert (source().get("title"), the_run().error) == (None, None)
    assert db.session.scalar(sa.select(sa.func.count()).select_from(OutputLine)) == 0


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("last", [None, {"id": "ada"}])
def test_what_was_said_of_one_person_is_not_shown_of_the_next(
    load: Import, last: dict[str, Any] | None, order: int
) -> None:
    bob, later = {"id": "bob", "team": "web"}, "2026-03-01T12:01:00Z"
    lines = [run_line(triggered_by=bob), {**run_line(updated_at=later), "triggered_by": last}]
    load(W, *lines[::order])
    assert "triggered_by" not in source()
    load(run_line(updated_at="2026-03-01T12:02:00Z", triggered_by={"id": "bob"}))
    assert source()["triggered_by"] == bob


@pytest.mark.parametrize("order", [1, -1])
def test_a_late_running_never_reopens_a_run_and_takes_nothing_of_its_end(load: Import, order: int) -> None:
    end = run_line(status="failed", error="boom", outcome="timed_out")
    late = {**run_line(status="running", updated_at="2026-03-02T12:00:00Z", title="Late")}
    late |= {"completed_at": None, "error": None}
    load(W, *[end, late][::order])
    run = the_run()
    assert (run.status, run.error, run.outcome, run.completed_at is None) == (
        "failed",
        "boom",
        "timed_out",
        False,
    )
    assert source()["title"] == "Late"


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_ends_the_later_one_counts_and_of_starts_the_earliest(load: Import, order: int) -> None:
    first = run_line(status="failed", started_at="2026-03-01T12:00:05Z")
    second = run_line(
        status="completed", updated_at="2026-03-01T13:00:00Z", started_at="2026-03-01T12:00:09Z"
    )
    load(W, *[first, second][::order])
    assert the_run().status == "completed"
    assert the_run().started_at is not None
    assert the_run().started_at.second == 5


@pytest.mark.parametrize("order", [1, -1])
def test_steps_merge_by_node_instance_and_attempt(load: Import, order: int) -> None:
    at = {"at": "2026-03-01T12:00:02Z", "run_id": an_id("run"), "workflow_id": WORKFLOW, "type": "step"}
    lines = [
        run_line(status="running", completed_at=None, steps=[{"node_id": "a", "status": "running"}]),
        at | {"node_id": "a", "status": "failed", "error": "boom"},
        at | {"node_id": "a", "iteration": 2, "status": "completed"},
        at | {"node_id": "m", "map_index": 1, "status": "completed"},
        at | {"node_id": "m", "map_index": 0, "status": "completed"},
    ]
    load(W, *lines[::order])
    assert steps() == [
        ("a", 1, "failed", "boom"),
        ("a", 2, "completed", None),
        ("m", 1, "completed", None),
        ("m", 1, "completed", None),
    ]
    assert (the_run().total_steps, the_run().finished_steps) == (4, 4)


def test_a_step_before_its_run_makes_a_run_that_is_running(load: Import) -> None:
    step = {
        "type": "step",
        "run_id": an_id("run"),
        "workflow_id": WORKFLOW,
        "node_id": "a",
        "status": "completed",
    }
    load(W, step | {"started_at": "2026-03-01T12:00:02Z"})
    assert (the_run().status, the_run().created_at.second) == ("running", 2)
    load(run_line())
    assert (the_run().status, the_run().created_at.second, len(steps())) == ("completed", 0, 1)


def test_replace_drops_what_was_said_before_and_may_reopen(load: Import) -> None:
    load(W, RICH)
    load(run_line(status="running", completed_at=None, at="2026-03-01T12:05:00Z", replace=True))
    assert (the_run().status, the_run().completed_at, steps(), source()) == ("running", None, [], {})
    assert load(RICH).total.runs_unchanged == 1


@pytest.mark.parametrize("order", [1, -1])
def test_under_one_id_a_higher_attempt_supersedes_the_lower_one_whole(load: Import, order: int) -> None:
    first = run_line(status="failed", error="boom", title="First", attempt=1)
    second = run_line(status="running", completed_at=None, started_at=None, attempt=2)
    load(W, *[first, second][::order])
    assert (the_run().status, the_run().error, source()) == ("running", None, {"attempt": 2})


def test_with_a_source_each_attempt_is_a_run_of_its_own_linked_as_a_rerun(workspace: Workspace) -> None:
    line = {
        "type": "run",
        "source": "ci",
        "external_id": "7",
        "workflow": {"name": "Web"},
        "status": "failed",
    }
    assert push(workspace, line, line | {"attempt": 2, "status": "completed"}).ok
    first, second = (identity.run_id(workspace.id, "ci", "7", attempt) for attempt in (1, 2))
    assert the_run(second).rerun_of_id == first
    assert (the_run(first).status, the_run(first).source_system) == ("failed", "ci")
    workflow = db.session.get_one(Workflow, identity.workflow_id(workspace.id, "ci", "Web"))
    assert (workflow.name, workflow.source) == ("Web", {"source": "ci"})


def test_a_parent_may_come_after_its_child(workspace: Workspace) -> None:
    child = {
        "type": "run",
        "source": "ci",
        "external_id": "8",
        "workflow": {"name": "Web"},
        "status": "failed",
    }
    push(workspace, child | {"parent": {"external_id": "7"}})
    found = the_run(identity.run_id(workspace.id, "ci", "8"))
    assert found.parent_id == identity.run_id(workspace.id, "ci", "7")


def test_a_live_way_touches_no_run_made_here_and_none_of_another_source(workspace: Workspace) -> None:
    workflow = make_workflow(workspace)
    made = make_run(workflow, imported=False, status="pending")
    about = {
        "type": "run",
        "workflow_id": str(workflow.id),
        "status": "failed",
        "created_at": "2026-03-01T12:00:00Z",
    }
    push(workspace, about | {"id": an_id("run"), "source": "ci"})
    refused = push(workspace, about | {"id": str(made.id)}, about | {"id": an_id("run"), "source": "other"})
    assert [bad.reason for bad in refused.bad] == [
        "is the id of a run that was made here.",
        "is the id of a run of another source.",
    ]
    [bad] = push(
        workspace, about | {"id": an_id("x"), "source": "ci"}, way=WayIn(source_prefix="db:", live=True)
    ).bad
    assert bad.field == "source"
    [bad] = push(workspace, about | {"id": an_id("x"), "at": "2099-01-01T00:00:00Z"}).bad
    assert bad.field == "at"


def test_live_lines_that_arrive_together_may_tell_of_the_same_new_run(workspace: Workspace) -> None:
    run = {"source": "ci", "external_id": "7", "workflow": {"name": "Web"}}
    step = {"type": "step", "node_id": "a", "status": "running"}
    taken = push(
        workspace, run | step, run | step | {"node_id": "b"}, run | {"type": "run", "status": "running"}
    )
    assert (taken.bad, taken.total.runs_new) == ([], 1)
    assert [node for node, *_ in steps()] == ["a", "b"]


def test_recent_changes_by_a_live_way_write_events_and_old_ones_and_files_write_none(
    workspace: Workspace, load: Import
) -> None:
    line = {"type": "run", "source": "ci", "external_id": "7", "workflow": {"name": "Web"}}
    push(workspace, line | {"status": "running"})
    push(workspace, line | {"status": "running", "title": "no change of the status"})
    push(workspace, line | {"status": "failed"})
    push(workspace, line | {"external_id": "8", "status": "failed", "at": "2026-01-01T00:00:00Z"})
    load(W, run_line())
    events = db.session.scalars(sa.select(RunEvent).order_by(RunEvent.id)).all()
    assert [(each.event, each.from_status, each.to_status, each.ingest_key_id) for each in events] == [
        ("start", None, "running", KEY),
        ("fail", "running", "failed", KEY),
    ]


def test_a_run_of_one_line_needs_no_map_of_moments(load: Import) -> None:
    load(W, RICH)
    assert db.session.scalar(sa.select(RunDetail.provenance)) == {
        "outputs": {
            "output_lines": db.session.scalar(sa.select(RunDetail.provenance))["outputs"]["output_lines"]
        }
    }
    assert set(db.session.scalars(sa.select(Step.provenance))) == {None}
