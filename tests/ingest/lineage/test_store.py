"""Events become runs of history in the database, whatever their order, and however many come at once."""

import random
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from portal.database.engine import db
from portal.database.models import LineageEvent, LineageRun, RunEvent, Workspace
from portal.history.importer import import_lines
from portal.ingest.lineage import store
from portal.ingest.lineage.store import fold_waiting
from tests.examples import FEW
from tests.factories import NOON, make_workspace
from tests.history.lines import encode
from tests.ingest.lineage.folding.test_difference import airflow_bodies, plain_bodies
from tests.ingest.lineage.makers import (
    body,
    dag_facets,
    link,
    recorded,
    run_id,
    samples,
    states,
    task_facets,
)
from tests.ingest.lineage.stored import empty, rows_left, send, steps_of, stored, workflows

SUCCEEDED, FAILED = ("completed", "succeeded"), ("failed", "failed")


@pytest.fixture
def workspace(app: Flask) -> Workspace:
    return make_workspace()


def dag(kind: str = "START", minute: float = 0, **facets: Any) -> dict[str, Any]:
    return body(1, kind, minute, "nightly", facets=dag_facets() | facets)


def task(kind: str, name: str, attempt: int = 1, minute: float = 1) -> dict[str, Any]:
    facets = task_facets(name, attempt) | {"parent": link(1, "nightly")}
    return body(10 * ord(name) + attempt, kind, minute, f"nightly.{name}", facets=facets)


def test_a_run_with_its_steps(workspace: Workspace) -> None:
    sent = [body(1), body(2, "START", 1, "load", parent=1), body(2, "COMPLETE", 2, "load", parent=1)]
    assert send(workspace.id, *sent, body(1, "COMPLETE", 3)) == [True] * 4
    assert stored() == {
        ("openlineage:prod", run_id(1)): {
            "workflow": "job1",
            "status": "completed",
            "outcome": "succeeded",
            "source_status": "COMPLETE",
            "started_at": "2026-03-01T12:00:00Z",
            "completed_at": "2026-03-01T12:03:00Z",
            "created_at": "2026-03-01T12:00:00Z",
            "created_at_from": "started_at",
            "last_heard_at": "2026-03-01T12:03:00Z",
            "total_steps": 1,
            "steps": [
                {
                    "key": ("load", None, 1),
                    "status": "completed",
                    "outcome": "succeeded",
                    "source_status": "COMPLETE",
                    "started_at": "2026-03-01T12:01:00Z",
                    "completed_at": "2026-03-01T12:02:00Z",
                    "node_type": "unknown",
                }
            ],
        }
    }


def test_an_event_that_is_sent_again_changes_nothing(workspace: Workspace) -> None:
    send(workspace.id, body(1), body(1, "COMPLETE", 3))
    before = stored()
    assert send(workspace.id, body(1), body(1, "COMPLETE", 3)) == [False, False]
    assert stored() == before
    assert rows_left()["lineage_events"] == 2


@pytest.mark.slow
def test_a_run_that_turns_out_to_be_a_step_is_no_run_any_more(workspace: Workspace) -> None:
    send(workspace.id, body(3, "START", 2, parent=2), body(2, "START", 1))
    assert list(stored()) == [("openlineage:prod", run_id(2))]
    send(workspace.id, body(2, "RUNNING", 3, parent=1))
    assert list(stored()) == [("openlineage:prod", run_id(1))]
    assert list(steps_of(stored())) == [("job2", None, 1), ("job3", None, 1)]
    assert workflows() == ["job1"]


@pytest.mark.slow
def test_a_facet_that_comes_late_tells_which_run_it_is(workspace: Workspace) -> None:
    send(workspace.id, body(5, "START", 2, "app", facets={"parent": link(1, "nightly")}))
    assert list(stored()) == [("openlineage:prod", run_id(1))]
    send(workspace.id, dag())
    assert list(stored()) == [("airflow", "nightly/manual__1")]
    send(workspace.id, body(1, "COMPLETE", 9, "nightly"))
    assert stored()["airflow", "nightly/manual__1"]["status"] == "completed"
    assert workflows() == ["nightly"]


def test_a_run_that_was_imported_from_airflow_is_the_same_run(workspace: Workspace) -> None:
    line = {
        "type": "run",
        "source": "airflow",
        "external_id": "nightly/manual__1",
        "workflow": {"name": "nightly"},
        "status": "running",
        "created_at": "2026-03-01T11:58:00Z",
        "title": "By hand",
        "steps": [{"node_id": "a", "status": "running", "name": "The first"}],
    }
    assert import_lines(workspace.id, [encode(line)], now=NOON).ok
    send(workspace.id, dag(), task("COMPLETE", "a"), dag("COMPLETE", 9))
    [run] = stored().values()
    assert (run["title"], run["created_at"]) == ("By hand", "2026-03-01T11:58:00Z")
    assert (run["status"], run["started_at"]) == ("completed", "2026-03-01T12:00:00Z")
    assert [(step["name"], step["status"]) for step in run["steps"]] == [("The first", "completed")]


def test_an_attempt_that_comes_late_is_put_before_the_others(workspace: Workspace) -> None:
    send(workspace.id, body(1), body(3, "COMPLETE", 5, "load", parent=1))
    assert steps_of(stored()) == {("load", None, 1): SUCCEEDED}
    send(workspace.id, body(2, "FAIL", 2, "load", parent=1))
    assert steps_of(stored()) == {("load", None, 1): FAILED, ("load", None, 2): SUCCEEDED}


@pytest.mark.slow
def test_a_step_that_is_taken_back_is_not_counted(workspace: Workspace) -> None:
    send(workspace.id, dag("COMPLETE", 9, **states(a="success")))
    assert steps_of(stored()) == {("a", None, 1): SUCCEEDED}
    late = task("FAIL", "a", 1) | {"eventTime": "2026-03-01T12:01:00Z"}
    mapped = task_facets("a", 1, map_index=0) | {"parent": link(1, "nightly")}
    send(workspace.id, body(99, "COMPLETE", 2, "nightly.a", facets=mapped))
    [run] = stored().values()
    assert [step["key"] for step in run["steps"]] == [("a", 0, 1)]
    assert run["total_steps"] == 1
    send(workspace.id, late)
    assert len(steps_of(stored())) == 3  # the second attempt must have succeeded


def test_the_first_step_that_began_makes_a_pending_run_running(workspace: Workspace) -> None:
    later, earlier = body(2, "OTHER", 4, parent=1), body(3, "ABORT", 1, parent=1)
    send(workspace.id, later)
    assert [run["status"] for run in stored().values()] == ["pending"]
    send(workspace.id, earlier)
    assert [run["status"] for run in stored().values()] == ["running"]


@pytest.mark.slow
def test_a_run_that_loses_its_first_step_began_with_another(workspace: Workspace) -> None:
    send(workspace.id, body(2, "START", 1, parent=1), body(3, "START", 5, parent=1))
    assert [run["created_at"] for run in stored().values()] == ["2026-03-01T12:01:00Z"]
    send(workspace.id, body(2, "COMPLETE", 2, parent=4))
    assert stored()["openlineage:prod", run_id(1)]["created_at"] == "2026-03-01T12:05:00Z"
    assert stored()["openlineage:prod", run_id(4)]["created_at"] == "2026-03-01T12:01:00Z"


@pytest.mark.slow
def test_workspaces_share_nothing(workspace: Workspace) -> None:
    other = make_workspace("other", "Other")
    assert send(workspace.id, body(2, parent=1)) == send(other.id, body(2, parent=1)) == [True]
    send(other.id, body(1, "COMPLETE", 5))
    send(workspace.id, body(1, "FAIL", 5))
    db.session.rollback()
    heard = sa.select(LineageRun.workspace_id, LineageRun.has_ended).where(LineageRun.heard_at.is_not(None))
    assert dict(db.session.execute(heard).all()) == {workspace.id: True, other.id: True}


def test_news_is_recorded_as_events_of_the_run(workspace: Workspace) -> None:
    send(workspace.id, body(1), body(1, "COMPLETE", 3), now=NOON + timedelta(minutes=3))
    db.session.rollback()
    found = db.session.execute(sa.select(RunEvent.from_status, RunEvent.to_status).order_by(RunEvent.id))
    assert [tuple(row) for row in found] == [(None, "running"), ("running", "completed")]


@pytest.mark.slow
def test_an_event_that_cannot_be_folded_waits_and_is_folded_later(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    with patch.object(store, "difference", side_effect=ZeroDivisionError):
        assert send(workspace.id, body(1)) == [True]
    assert "could not be folded" in caplog.text
    assert stored() == {}
    assert send(workspace.id, body(1)) == [False]
    assert len(stored()) == 1
    with patch.object(store, "difference", side_effect=ZeroDivisionError):
        send(workspace.id, body(1, "COMPLETE", 3))
    assert fold_waiting(NOON + timedelta(seconds=30)) == 0
    send(workspace.id, body(7), now=NOON + timedelta(seconds=31))
    assert stored()["openlineage:prod", run_id(1)]["status"] == "completed"


def test_what_history_refuses_is_logged_and_the_event_kept(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    send(workspace.id, body(1))
    with db.engine.begin() as connection:
        connection.execute(sa.text("UPDATE workflows SET deleted_at = created_at"))
    assert send(workspace.id, body(1, "COMPLETE", 3), body(2, parent=3)) == [True, True]
    assert "history refuses" in caplog.text
    assert rows_left()["lineage_events"] == 3
    db.session.rollback()
    assert db.session.scalar(sa.select(LineageEvent.key).where(LineageEvent.root_id.is_(None))) is None


@pytest.mark.parametrize("bodies", [plain_bodies(), airflow_bodies()], ids=["plain", "airflow"])
@pytest.mark.slow
def test_order_and_repetition_make_no_difference(
    workspace: Workspace, bodies: st.SearchStrategy[dict[str, Any]]
) -> None:
    @FEW
    @given(sent=st.lists(bodies, min_size=1, max_size=8), seed=st.integers(0, 10_000))
    def check(sent: list[dict[str, Any]], seed: int) -> None:
        chance = random.Random(seed)
        empty()
        send(workspace.id, *sent)
        expected, names = stored(), workflows()
        again = sent + chance.choices(sent, k=chance.randrange(4))
        chance.shuffle(again)
        empty()
        send(workspace.id, *again)
        assert stored() == expected
        assert workflows() == names

    check()


@pytest.mark.parametrize("source", ["airflow", "openlineage-python", "samples"])
def test_recordings_shuffled_and_doubled_are_the_same_history(
    workspace: Workspace, history: Path, source: str
) -> None:
    every = [each for _, each in samples(history)] if source == "samples" else recorded(history, source)
    sent = every[-30:]
    send(workspace.id, *sent)
    expected, names = stored(), workflows()
    chance = random.Random(source)
    empty()
    send(workspace.id, *chance.sample(sent, len(sent)), *chance.sample(sent, len(sent) // 3))
    assert stored() == expected
    assert workflows() == names


@pytest.mark.slow
def test_events_that_come_at_once_are_all_in_history(app: Flask, workspace: Workspace) -> None:
    sent = [dag(), dag("COMPLETE", 9, **states(a="success", b="success", c="failed"))]
    sent += [task(kind, name, attempt, minute) for name in "abc" for kind, attempt, minute in TRIES]
    random.Random(1).shuffle(sent)
    failed: list[BaseException] = []

    def send_each(*bodies: dict[str, Any]) -> None:
        try:
            with app.app_context():
                send(workspace.id, *bodies)
        except Exception as error:  # noqa: BLE001 (a thread cannot raise)
            failed.append(error)

    threads = [threading.Thread(target=send_each, args=sent[number::4]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    together = stored()
    empty()
    send(workspace.id, *sent)
    assert together == stored()
    assert len(steps_of(together)) == 6


TRIES = [("START", 1, 1), ("FAIL", 1, 2), ("START", 2, 3), ("COMPLETE", 2, 4)]
