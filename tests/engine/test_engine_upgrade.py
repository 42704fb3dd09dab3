"""An upgrade with runs under way: what another system runs is not touched, and what we run goes on."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_migrate import downgrade, upgrade

from portal import create_app, moments
from portal.database.engine import db
from portal.database.models import RunStatus
from portal.engine.execution.reconcile import QUIET, reconcile
from portal.runs.recording import recorder, steps
from portal.runs.recording.state_machine import Event
from tests.engine.torture import handlers
from tests.engine.torture.driver import Crew, begin, drain
from tests.engine.torture.processes import wait_until_within, worker
from tests.factories import make_workflow, make_workspace

pytestmark = pytest.mark.slow

BEFORE = "0017"
"""The latest migration of the release that had no engine."""


def rows(app: Flask, *tables: str) -> dict[str, list[dict[str, object]]]:
    """What is stored, apart from what the engine's release has added."""
    with app.app_context(), db.engine.connect() as connection:
        return {
            table: [
                {name: value for name, value in row.items() if name != "by_engine"}
                for row in connection.exec_driver_sql(f"SELECT * FROM {table} ORDER BY 1").mappings()
            ]
            for table in tables
        }


def test_runs_of_the_release_before_are_not_touched(
    worker_settings: Mapping[str, str], tmp_path: Path
) -> None:
    app = create_app(worker_settings, instance=tmp_path / "portal")
    with app.app_context():
        upgrade()
        workflow = make_workflow(make_workspace("other"), definition=handlers.straight(0))
        now = moments.now() - 100 * QUIET
        for events in ((), (Event.PICK_UP,), (Event.PICK_UP, Event.PAUSE)):
            run = recorder.start_run(
                workflow.id,
                now=now,
                total_nodes=3,
                total_steps=3,
                definition_snapshot=handlers.straight(0),
            )
            for event in events:
                recorder.apply_event(run.id, event, now)
            if events:
                steps.add_step(run.id, now, node_id="source", node_type="source_torture")
        db.session.remove()
        downgrade(revision=BEFORE)
        db.engine.dispose()
    before = rows(app, "runs", "steps", "run_events")
    assert [run["status"] for run in before["runs"]].count("running") == 2
    traffic = begin(worker_settings, tmp_path, handlers.straight(0))
    crew = Crew(tmp_path, worker_settings, traffic.chance)
    crew.add()
    try:
        while traffic.ended() == 0:
            assert crew.restart_gone() == []
            crew.workers[0].process.join(0.1)
        with app.app_context():
            assert reconcile(moments.now() + 10 * QUIET, 30) == (0, None)
            db.session.remove()
        assert crew.close() == []
    finally:
        crew.kill_all()
    after = rows(app, "runs", "steps", "run_events")
    for table, of_old_release in before.items():
        later = [{name: row[name] for name in of_old_release[0]} for row in after[table]]
        assert [row for row in later if row in of_old_release] == of_old_release
    with app.app_context():
        db.engine.dispose()


def set_schema(app: Flask, version: str, oldest_writer: str) -> None:
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = :new"), {"new": version})
        connection.execute(sa.text("UPDATE schema_state SET oldest_writer = :new"), {"new": oldest_writer})


def test_a_worker_of_an_older_release_writes_nothing_more_and_its_step_begins_again(
    worker_settings: Mapping[str, str], tmp_path: Path
) -> None:
    traffic = begin(worker_settings, tmp_path, handlers.straight(600))
    app = traffic.client.application
    [[schema], [state]] = rows(app, "alembic_version", "schema_state").values()
    with worker(tmp_path, worker_settings) as old:
        wait_until_within(old, tmp_path)
        set_schema(app, "0099", "0099")
        before = rows(app, "runs", "steps", "engine_claims")
        old.process.join()
        assert old.process.exitcode == 1
        assert "The worker has stopped: The database is of a newer release: at migration 0099" in old.said
        assert rows(app, "runs", "steps", "engine_claims") == before
    set_schema(app, str(schema["version_num"]), str(state["oldest_writer"]))
    for file in (tmp_path / "inside").iterdir():
        file.unlink()
    with worker(tmp_path, worker_settings) as new:
        wait_until_within(new, tmp_path)
    [claim] = rows(app, "engine_claims")["engine_claims"]
    assert claim["claims"] == 2
    traffic.cancel_all()
    crew = Crew(tmp_path, worker_settings, traffic.chance)
    crew.add()
    try:
        assert drain(traffic, crew) == []
    finally:
        crew.kill_all()
    assert traffic.active(RunStatus.CANCELLED)
    with app.app_context():
        db.engine.dispose()
