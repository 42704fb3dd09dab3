"""Starting runs over the API, to the letter of the contract (part 2, 7.2)."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.auth.principals import SCOPES
from portal.database.engine import db
from portal.database.models import RunEvent, Workflow
from portal.engine.pricing.credits import grant
from portal.engine.queue import dbos_queue
from tests.api.conftest import Api
from tests.api.running import (
    PRICES,
    STEERING,
    ask_to_start,
    change,
    flow,
    found_in,
    read,
    refusal,
    set_engine,
    start,
    steer,
    steered,
    two_scripts,
)
from tests.definitions.graphs import (
    GENERATOR,
    SCRIPT,
    Json,
    checked,
    edge,
    graph,
    node,
    smallest,
)
from tests.factories import NOON, make_key, make_member, make_run, make_workflow
from tests.factories import make_workspace as new_workspace


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return environment | {"PORTAL_ENGINE_PRICES": PRICES}


def test_what_is_wrong_is_refused_in_the_order_of_the_contract(app: Flask, runner: Api) -> None:
    reader = runner.with_key(make_key(runner.workspace, runner.user, ("workflows:read",)))
    nobody = runner.with_key("op_live_" + "0" * 32)
    bad = {"data": b"[", "content_type": "application/json"}
    assert ask_to_start(nobody, "x", **bad).status_code == 401
    assert ask_to_start(reader, "x", **bad).status_code == 403
    assert ask_to_start(runner, "x", **bad).status_code == 400
    assert (
        ask_to_start(runner, "x", data=b" " * 1_000_001, content_type="application/json").status_code == 413
    )
    assert ask_to_start(runner, "x", data=b"{}", content_type="text/plain").status_code == 415
    both = ask_to_start(runner, "x", json={"script_text": " ", "source_language": "xx"})
    assert refusal(both, 422)
    fields = [each["field"] for each in both.get_json()["error"]["details"]]
    assert fields == ["workflow_id", "script_text", "source_language"]
    foreign = make_workflow(new_workspace("other"), definition=smallest())
    for unknown in (uuid4(), foreign.id):
        assert ask_to_start(runner, unknown, json={"script_text": " "}).status_code == 422
        assert ask_to_start(runner, unknown, json={"script_text": "x"}).status_code == 404
    grant(runner.workspace.slug, 1, "root", NOON)
    workflow = flow(runner)
    start(runner, workflow)
    dear = {"script_text": "x" * 4000}
    spoilt = graph([node(SCRIPT, text="Hello"), node(GENERATOR)], [edge(SCRIPT, GENERATOR)])
    with db.engine.connect().execution_options(portal_writes=True) as connection, connection.begin():
        connection.execute(sa.update(Workflow).where(Workflow.id == workflow.id).values(definition=spoilt))
    answer = ask_to_start(runner, workflow, json=dear)
    refusal(answer, 422)
    assert answer.get_json()["error"]["details"][0]["rule"] == "missing_sink"
    with db.engine.connect().execution_options(portal_writes=True) as connection, connection.begin():
        connection.execute(
            sa.update(Workflow).where(Workflow.id == workflow.id).values(definition=smallest())
        )
    answer = ask_to_start(runner, workflow, json=dear)
    assert "6 credits" in refusal(answer, 402)
    assert answer.get_json()["error"]["code"] == "INSUFFICIENT_CREDITS"
    assert "pending or running" in refusal(ask_to_start(runner, workflow), 409)
    for event in STEERING:
        assert steer(reader, {"workflow_id": "x", "id": "y"}, event).status_code == 403
        assert steer(runner, {"workflow_id": "x", "id": "y"}, event).status_code == 422
        assert steer(runner, {"workflow_id": workflow.id, "id": uuid4()}, event).status_code == 404


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"json": {}},
        {"data": b"", "content_type": "application/json"},
        {"json": {"script_text": None, "source_language": None, "else": 1}},
        {"json": {"script_text": "x" * 500_000}},
        {"json": {"source_language": "pt"}},
    ],
    ids=["none", "object", "empty", "nulls", "long", "language"],
)
def test_these_bodies_start_a_run(runner: Api, options: Json) -> None:
    assert ask_to_start(runner, flow(runner), **options).status_code == 202


def test_these_bodies_are_refused_and_start_nothing(runner: Api) -> None:
    workflow, two = flow(runner), flow(runner, two_scripts())
    for body in (
        {"script_text": ""},
        {"script_text": " \n"},
        {"script_text": "x" * 500_001},
        {"script_text": 5},
        {"source_language": "xx"},
        {"source_language": ["en"]},
    ):
        answer = ask_to_start(runner, workflow, json=body)
        [detail] = answer.get_json()["error"]["details"]
        assert (answer.status_code, detail["field"]) == (422, next(iter(body)))
        assert detail["field"] in answer.get_json()["error"]["message"]
    assert "2" in refusal(ask_to_start(runner, two, json={"source_language": "de"}), 422)
    db.session.rollback()
    assert db.session.scalars(sa.select(RunEvent)).all() == []


@pytest.mark.slow
def test_a_started_run_is_counted_and_shown_before_the_answer_is_sent(runner: Api) -> None:
    workflow = flow(runner, checked())
    make_run(workflow, run_number=41, status="completed")
    before = found_in(runner.get(f"/workflows/{workflow.id}"))
    run = start(runner, workflow, script_text="One\nTwo", source_language="de")
    wanted = {
        "status": "pending",
        "started_at": None,
        "completed_at": None,
        "total_nodes": 4,
        "total_steps": 4,
        "finished_steps": 0,
        "finished_nodes": 0,
        "credits": None,
        "token_cost": 0,
        "held_nodes": None,
        "has_export": False,
        "triggered_by": {"user_id": str(runner.user.id), "user_name": "Ada Lovelace"},
        "workflow_id": str(workflow.id),
    }
    assert {name: run[name] for name in wanted} == wanted
    after = found_in(runner.get(f"/workflows/{workflow.id}"))
    changed = {"runs_count", "last_run_at", "last_run_status", "run_status_counts"}
    assert {name for name in before if before[name] != after[name]} == changed
    assert (after["runs_count"], after["last_run_status"]) == (2, "pending")
    assert (after["last_run_at"], after["run_status_counts"]["pending"]) == (run["created_at"], 1)
    listed = runner.get(f"/workflows/{workflow.id}/runs?status=pending").get_json()
    assert [each["id"] for each in listed["data"]] == [run["id"]]
    assert found_in(runner.get(f"/workflows/{workflow.id}/runs/summary"))["pending"] == 1
    snapshot = read(runner, run, "")["definition_snapshot"]
    assert snapshot["graph"]["nodes"][0]["config"] == {
        "text": "One\nTwo",
        "input_type": "text",
        "upload_ids": [],
        "source_language": "de",
    }
    again = runner.request("PATCH", f"/workflows/{workflow.id}", json={"definition": smallest()})
    assert again.status_code == 200
    assert read(runner, run, "")["definition_snapshot"] == snapshot
    steered(runner, run, "cancel")
    assert start(runner, workflow)["run_number"] == run["run_number"] + 1


@pytest.mark.slow
def test_of_64_starts_at_once_one_is_accepted(runner: Api) -> None:
    workflow = flow(runner)
    with ThreadPoolExecutor(64) as threads:
        answers = list(threads.map(lambda _: ask_to_start(runner, workflow.id), range(64)))
    assert sorted(answer.status_code for answer in answers) == [202] + [409] * 63
    assert runner.get(f"/workflows/{workflow.id}/runs").get_json()["pagination"]["total"] == 1


def test_a_delivery_that_fails_leaves_no_run(app: Flask, runner: Api) -> None:
    workflow = flow(runner)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    postgres = db.engine.dialect.name == "postgresql"
    broken = (
        "ALTER TABLE dbos.workflow_status ADD CONSTRAINT broken CHECK (false) NOT VALID"
        if postgres
        else "CREATE TRIGGER broken BEFORE INSERT ON workflow_status BEGIN SELECT RAISE(ABORT, 'broken'); END"
    )
    mended = "ALTER TABLE dbos.workflow_status DROP CONSTRAINT broken" if postgres else "DROP TRIGGER broken"
    change(broken)
    try:
        assert ask_to_start(runner, workflow).status_code >= 500
    finally:
        change(mended)
    assert found_in(runner.get(f"/workflows/{workflow.id}"))["runs_count"] == 0
    assert start(runner, workflow)["run_number"] == 1


@pytest.mark.slow
def test_a_person_is_limited_in_all_workspaces_together(app: Flask, runner: Api) -> None:
    set_engine(app, runs_per_person=2, runs_per_workspace=0)
    second = new_workspace("second")
    make_member(second, runner.user)
    there = Api(app, second, runner.user, make_key(second, runner.user, SCOPES))
    first, _ = start(runner, flow(runner)), start(there, flow(there))
    assert "2 are allowed" in refusal(ask_to_start(there, flow(there)), 409)
    steered(runner, first, "pause")
    start(there, flow(there))
    assert "2 are allowed" in refusal(steer(runner, first, "resume"), 409)
    assert read(runner, first)["status"] == "paused"
    assert found_in(runner.get("/users/me/limits"))["concurrent_runs_per_user"] == 2


def test_a_workspace_is_limited_and_0_is_no_limit(app: Flask, runner: Api) -> None:
    set_engine(app, runs_per_person=0, runs_per_workspace=1)
    start(runner, flow(runner))
    assert "This workspace has 1" in refusal(ask_to_start(runner, flow(runner)), 409)
    set_engine(app, runs_per_workspace=0)
    for _ in range(3):
        start(runner, flow(runner))


def test_a_full_queue_asks_to_come_back_later(app: Flask, runner: Api) -> None:
    db.session.rollback()
    set_engine(app, max_queued=dbos_queue.waiting(db.session()) + 1)
    start(runner, flow(runner))
    workflow = flow(runner)
    answer = ask_to_start(runner, workflow)
    assert "queue" in refusal(answer, 503)
    assert int(answer.headers["Retry-After"]) >= 1
    assert found_in(runner.get(f"/workflows/{workflow.id}"))["runs_count"] == 0


def test_an_engine_that_is_off_starts_nothing_and_its_runs_can_be_cancelled(app: Flask, runner: Api) -> None:
    run, workflow = start(runner, flow(runner)), flow(runner)
    set_engine(app, enabled=False)
    answer = ask_to_start(runner, workflow)
    assert "PORTAL_ENGINE" in refusal(answer, 422)
    assert {each["rule"] for each in answer.get_json()["error"]["details"]} == {"unavailable_node"}
    assert steered(runner, run, "cancel")["status"] == "cancelled"
