"""Real histories, read whole by the newest client: every answer of every kind of run is understood."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from flask import Flask
from onepin import OnepinClient

from portal import create_app
from portal.database.engine import db
from portal.database.models import Run, Step, Workflow
from portal.history.importer import import_files
from tests.conftest import BASE_URL, OutsideClient, settings_for
from tests.factories import NOON, make_key, make_member, make_user, make_workspace

SETS = ("bitcoin-core-ci", "ionic-stencil-nightly", "wfinstances")


@dataclass
class Shelf:
    """A portal with the histories, and the newest client on it."""

    app: Flask
    client: OnepinClient

    def rows(self, *columns: Any, **filters: Any) -> list[Any]:
        with self.app.app_context():
            return list(db.session.execute(sa.select(*columns).filter_by(**filters)))

    def odd_runs(self) -> dict[str, dict[str, str]]:
        """One run of each kind that tries an answer: by what is odd about it, the ids that name it."""
        failed_steps = sa.select(Step.run_id).where(Step.status == "failed")
        early_steps = sa.select(Step.run_id).join(Run).where(Step.started_at < Run.created_at)
        kinds = {
            "the longest": sa.true(),
            "failed without a failed step": (Run.status == "failed") & Run.id.not_in(failed_steps),
            "failed with one": (Run.status == "failed") & Run.id.in_(failed_steps),
            "steps before the run": Run.id.in_(early_steps),
            "not started": Run.started_at.is_(None),
            "not ended": Run.completed_at.is_(None),
            "cancelled": Run.status == "cancelled",
            "nobody's": Run.person_id.is_(None),
            "without steps": Run.total_steps == 0,
        }
        found = {}
        with self.app.app_context():
            for kind, condition in kinds.items():
                longest = sa.select(Run.workflow_id, Run.id).where(condition).order_by(Run.total_steps.desc())
                row = db.session.execute(longest.limit(1)).first()
                if row is not None:
                    found[kind] = {"workflow_id": str(row.workflow_id), "run_id": str(row.id)}
        return found


@pytest.fixture(scope="module")
def shelf(empty_sqlite: Path, history: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """The three histories with steps, imported once for all of this module."""
    folder = tmp_path_factory.mktemp("histories")
    shutil.copy(empty_sqlite, folder / "portal.sqlite3")
    app = create_app(settings_for(f"sqlite:///{folder / 'portal.sqlite3'}"), instance=folder)
    app.test_client_class = OutsideClient
    with app.app_context():
        workspace, user = make_workspace(), make_user()
        make_member(workspace, user)
        key = make_key(workspace, user)
        files = [history / name / "runs.jsonl.gz" for name in SETS]
        assert import_files(workspace.id, files, now=NOON).ok
        db.session.remove()
    transport = httpx.WSGITransport(app=app)
    with httpx.Client(transport=transport, base_url=BASE_URL) as wire:
        yield Shelf(app, OnepinClient(api_key=key, base_url=BASE_URL, httpx_client=wire))
    with app.app_context():
        db.engine.dispose()


def test_every_answer_of_every_odd_run_is_understood(shelf: Shelf) -> None:
    flows, odd = shelf.client.workflows, shelf.odd_runs()
    assert odd.keys() >= {"the longest", "failed without a failed step", "steps before the run", "nobody's"}
    for kind, ids in odd.items():
        run = flows.runs.get(**ids).data
        assert flows.runs.status(**ids).data.status == run.status
        steps = flows.runs.steps(**ids).data
        assert len(steps) == run.total_steps, kind
        overview = flows.get_run_overview(**ids).data
        nodes = overview.workflow_snapshot.node_states or []
        assert {step.node_id for step in steps} == {node.node_id for node in nodes}
        assert all(node.duration_ms is None or node.duration_ms >= 0 for node in nodes)
        assert flows.get_run_data(**ids).data.rows == []
        assert flows.get_run_outputs(**ids).data.outputs == []
        analysis = flows.get_run_analysis(**ids).data
        assert (analysis.run.status, analysis.audio.status) == (run.status, "unavailable")


def test_steps_come_in_their_order_with_results_only_on_request(shelf: Shelf) -> None:
    ids = shelf.odd_runs()["the longest"]
    steps = shelf.client.workflows.runs.steps(**ids).data
    assert len(steps) == 2122
    assert len({step.id for step in steps}) == 2122
    one = shelf.client.workflows.runs.steps(**ids, node_id=steps[-1].node_id, include_result=True).data
    assert [step.id for step in one] == [step.id for step in steps if step.node_id == steps[-1].node_id]


def test_a_summary_is_what_the_runs_of_its_list_add_up_to(shelf: Shelf) -> None:
    flows = shelf.client.workflows
    for (workflow_id,) in shelf.rows(Workflow.id):
        runs = shelf.rows(
            Run.status, Run.started_at, Run.completed_at, Run.created_at, workflow_id=workflow_id
        )
        whole = flows.runs_summary(workflow_id=str(workflow_id)).data
        counted = [
            sum(run.status == status for run in runs) for status in ("completed", "failed", "cancelled")
        ]
        assert [whole.completed, whole.failed, whole.cancelled] == counted
        took = [
            (run.completed_at - run.started_at) // timedelta(milliseconds=1) / 1000
            for run in runs
            if run.status == "completed" and run.started_at and run.completed_at
        ]
        took = [seconds for seconds in took if seconds >= 0]
        expected = sum(took) / len(took) if took else None
        assert whole.average_duration_seconds == (expected and pytest.approx(expected))
        middle = sorted(run.created_at for run in runs)[len(runs) // 2]
        half = flows.runs_summary(workflow_id=str(workflow_id), from_=middle).data
        assert half.total_runs == sum(run.created_at >= middle for run in runs)


def test_workflows_of_one_import_stand_by_their_last_run(shelf: Shelf) -> None:
    listed = shelf.client.workflows.list(limit=100).data
    assert len(listed) == 28
    moments = [workflow.last_run_at for workflow in listed]
    assert moments == sorted(moments, reverse=True)
