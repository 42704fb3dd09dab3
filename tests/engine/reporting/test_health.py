"""How the engine fares: workers, what waits, and why a run does not go on."""

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from portal import moments
from portal.config import EngineSettings, Settings, settings_of
from portal.database.engine import db
from portal.database.models import Workflow
from portal.engine.reporting import health
from portal.engine.reporting.health import STUCK_SECONDS, Queue
from tests.factories import make_claim, make_engine_run, make_run, make_worker, make_workflow, make_workspace
from tests.statements import statements


@pytest.fixture
def engine(app: Flask) -> EngineSettings:
    settings: Settings = settings_of(app)
    return replace(settings.engine, lease=30)


@pytest.fixture
def workflow(app: Flask) -> Workflow:
    return make_workflow(make_workspace())


def ago(seconds: float) -> dict[str, object]:
    at = moments.now() - timedelta(seconds=seconds)
    return {"created_at": at, "updated_at": at}


def later(seconds: float) -> dict[str, object]:
    return {"retry_at": moments.now() + timedelta(seconds=seconds)}


def test_workers_are_alive_until_their_lease_ends(engine: EngineSettings) -> None:
    make_worker("b", silent=5, host="host-b", draining=True)
    make_worker("dead", silent=31)
    make_worker("a", silent=29)
    found = health.read_workers(engine)
    assert [(each.id, each.draining) for each in found] == [("a", False), ("b", True)]
    assert 29 <= found[0].silent_seconds < 31


def test_what_the_engine_does_not_drive_is_not_counted(engine: EngineSettings, workflow: Workflow) -> None:
    make_run(workflow, status="running")
    make_run(workflow, status="pending", imported=False)
    make_engine_run(workflow, "paused")
    make_engine_run(workflow, "completed", completed_at=moments.now())
    assert health.read_queue(engine) == Queue()


def test_a_run_waits_unless_one_of_its_steps_is_under_way(engine: EngineSettings, workflow: Workflow) -> None:
    make_worker("alive")
    make_worker("dead", silent=60)
    make_engine_run(workflow, **ago(20))
    make_engine_run(workflow, "running", **ago(STUCK_SECONDS + 60))
    make_claim(make_engine_run(workflow, "running"), "alive")
    make_claim(make_engine_run(workflow, "running"), **later(60))
    make_claim(make_engine_run(workflow, "running", **ago(40)), "dead")
    make_claim(make_engine_run(workflow, "running", **ago(30)), **later(-5))
    half = make_engine_run(workflow, "running")
    make_claim(half, "alive", ended_at=moments.now())
    make_claim(half, "alive", node_id="n2")
    queue = health.read_queue(engine)
    assert queue == Queue(
        pending_runs=1,
        running_runs=6,
        waiting_runs=4,
        stuck_runs=1,
        oldest_waiting_seconds=queue.oldest_waiting_seconds,
        running_steps=2,
        retrying_steps=1,
    )
    assert STUCK_SECONDS + 60 <= queue.oldest_waiting_seconds < STUCK_SECONDS + 600


def test_the_queue_is_read_from_indexes_of_what_is_active(engine: EngineSettings, workflow: Workflow) -> None:
    """However long the history is; an empty table would be scanned, so scans are forbidden here."""
    postgresql = db.engine.dialect.name == "postgresql"
    with statements() as asked:
        health.read_queue(engine)
        health.list_waiting_runs(engine, workflow.workspace_id, 20)
    with db.engine.connect() as connection:
        if postgresql:
            connection.exec_driver_sql("SET enable_seqscan = off")
        for text, bound in [each for each in asked if "runs" in each.text or "claims" in each.text]:
            explain = "EXPLAIN" if postgresql else "EXPLAIN QUERY PLAN"
            plan = "\n".join(map(str, connection.exec_driver_sql(f"{explain} {text}", bound)))
            if "FROM runs" in text:
                assert "ix_runs_engine_occupying" in plan or "workflow_id=? AND status=?" in plan, plan
            assert "ix_engine_claims_worker" in plan, plan


def test_a_workspace_sees_its_own_waiting_runs(engine: EngineSettings, workflow: Workflow) -> None:
    other = make_workflow(make_workspace("other"))
    make_engine_run(other)
    stuck = make_engine_run(workflow, **ago(STUCK_SECONDS + 60))
    fresh = make_engine_run(workflow, "running", **ago(5))
    found = health.list_waiting_runs(engine, workflow.workspace_id, 20)
    assert [(each.id, each.stuck, each.status) for each in found] == [
        (stuck.id, True, "pending"),
        (fresh.id, False, "running"),
    ]
    assert len(health.list_waiting_runs(engine, workflow.workspace_id, 1)) == 1


def test_a_node_type_works_if_one_worker_can(engine: EngineSettings) -> None:
    assert health.node_abilities([]) == []
    make_worker("a", abilities={"operator_generator": {"unavailable": "No voice."}, "sink_ftp": {}})
    make_worker("b", abilities={"operator_generator": {"unavailable": None}, "sink_preview": {}})
    abilities = {each.node_type: each for each in health.node_abilities(health.read_workers(engine))}
    assert abilities["operator_generator"].reason is None
    assert abilities["sink_preview"].reason is None
    assert abilities["operator_translator"].reason == "The workers do not have it."
    assert (abilities["sink_ftp"].name, abilities["sink_ftp"].reason) == ("sink_ftp", None)


def test_only_active_runs_of_the_engine_have_progress(engine: EngineSettings, workflow: Workflow) -> None:
    for run in (make_run(workflow, status="running"), make_engine_run(workflow, "paused")):
        assert health.run_progress(engine, run.id) is None


def sentence(engine: EngineSettings, run_id: object) -> str | None:
    progress = health.run_progress(engine, run_id)  # type: ignore[arg-type]
    assert progress is not None
    return progress.sentence


def test_a_run_says_why_it_waits(engine: EngineSettings, workflow: Workflow) -> None:
    run = make_engine_run(workflow, **ago(10))
    off = replace(engine, enabled=False)
    assert sentence(off, run.id) == "Waiting for the engine: it is switched off."
    assert sentence(engine, run.id) == "Waiting for a worker: none is running."
    make_worker("a", draining=True)
    assert sentence(engine, run.id) == "Waiting for a worker: those that are running are about to stop."
    make_worker("b")
    assert sentence(engine, run.id) == "Waiting for a worker: this run is next."
    make_engine_run(workflow, "running", **ago(20))
    assert sentence(engine, run.id) == "Waiting for a worker: 1 other run is before it."
    make_engine_run(workflow, **ago(20))
    assert sentence(engine, run.id) == "Waiting for a worker: 2 other runs are before it."
    progress = health.run_progress(engine, run.id)
    assert progress is not None
    assert progress.place == 3


def test_runs_before_a_run_are_counted_up_to_a_limit(
    engine: EngineSettings, workflow: Workflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "MAX_AHEAD", 2)
    make_worker("a")
    for _ in range(3):
        make_engine_run(workflow, **ago(20))
    run = make_engine_run(workflow, **ago(10))
    assert sentence(engine, run.id) == "Waiting for a worker: 2 or more other runs are before it."


def test_a_run_that_is_worked_on_says_how_far_its_steps_are(
    engine: EngineSettings, workflow: Workflow
) -> None:
    make_worker("a")
    run = make_engine_run(workflow, "running")
    make_claim(run, "a", done=3, total=10, position=1)
    wait = later(60)
    make_claim(run, node_id="n2", position=2, waiting_for="The provider wants fewer requests (429).", **wait)
    progress = health.run_progress(engine, run.id)
    assert progress is not None
    assert (progress.sentence, progress.place) == (None, None)
    assert [(each.held, each.done, each.total, each.retry_at) for each in progress.steps] == [
        (True, 3, 10, None),
        (False, None, None, wait["retry_at"]),
    ]


def test_a_run_waits_for_the_next_attempt_if_somebody_is_there_to_make_it(
    engine: EngineSettings, workflow: Workflow
) -> None:
    run = make_engine_run(workflow, "running")
    make_claim(run, waiting_for="The provider does not work at the moment (503).", **later(60))
    assert sentence(engine, run.id) == "Waiting for a worker: none is running."
    make_worker("a")
    assert sentence(engine, run.id) == (
        "Waiting for the next attempt. The provider does not work at the moment (503)."
    )


def test_progress_takes_the_same_few_statements_however_much_waits(
    engine: EngineSettings, workflow: Workflow
) -> None:
    make_worker("a")
    for number in range(5):
        make_claim(make_engine_run(workflow, "running"), node_id=f"n{number}")
    run = make_engine_run(workflow)
    db.session.execute(sa.select(1))
    with statements() as asked:
        assert health.run_progress(engine, run.id) is not None
    assert len(asked) <= 6
