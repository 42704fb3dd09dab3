"""Starting and steering runs over the API, to the letter of the contract (4; part 2, 7)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from portal import moments
from portal.auth.principals import SCOPES
from portal.config import init_app, settings_of
from portal.database.engine import db
from portal.database.models import CreditEntry, EngineRun, RunEvent, Workflow, Workspace
from portal.engine.contract import (
    Billing,
    Context,
    Outage,
    RateLimited,
    Refused,
    StepError,
    StepInput,
    StepOutput,
    TimedOut,
    Verdict,
)
from portal.engine.control.steering import resume_by_itself
from portal.engine.execution import reconcile
from portal.engine.execution.claims import claim_step
from portal.engine.flow import StepKey
from portal.engine.pricing.credits import grant
from portal.engine.queue import dbos_queue
from tests.api.conftest import Api
from tests.definitions.graphs import (
    CHECK,
    GENERATOR,
    SCRIPT,
    SINK,
    Json,
    checked,
    edge,
    graph,
    node,
    smallest,
)
from tests.engine.fabric import SETTINGS, Bench, Job, speak
from tests.factories import CAN_ALL, NOON, make_key, make_member, make_run, make_worker, make_workflow
from tests.factories import make_workspace as new_workspace

PRICES = f'{{"{GENERATOR}": {{"per_1000_characters": "1.5"}}}}'
STEERING = ("cancel", "pause", "resume")
LEASE = float(SETTINGS.lease)


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return environment | {"PORTAL_ENGINE_PRICES": PRICES}


@pytest.fixture
def runner(api: Api) -> Api:
    """Somebody who may do everything, in a portal whose worker says that it can do everything."""
    make_worker(abilities=CAN_ALL)
    return api.with_key(make_key(api.workspace, api.user, SCOPES))


def flow(api: Api, definition: Json | None = None, name: str = "Dub") -> Workflow:
    return make_workflow(api.workspace, name, definition=definition or smallest())


def ask_to_start(api: Api, workflow: Workflow | UUID | str, **options: Any) -> TestResponse:
    workflow_id = workflow.id if isinstance(workflow, Workflow) else workflow
    return api.request("POST", f"/workflows/{workflow_id}/runs", **options)


def start(api: Api, workflow: Workflow, **body: object) -> Json:
    answer = ask_to_start(api, workflow, **({"json": body} if body else {}))
    assert answer.status_code == 202, answer.text
    return found_in(answer)


def steer(api: Api, run: Json, event: str, **options: Any) -> TestResponse:
    return api.request("POST", f"/workflows/{run['workflow_id']}/runs/{run['id']}/{event}", **options)


def steered(api: Api, run: Json, event: str) -> Json:
    answer = steer(api, run, event)
    assert answer.status_code == 200, answer.text
    return found_in(answer)


def read(api: Api, run: Json, rest: str = "/status") -> Any:
    answer = api.get(f"/workflows/{run['workflow_id']}/runs/{run['id']}{rest}")
    assert answer.status_code == 200, answer.text
    return found_in(answer)


def found_in(answer: TestResponse) -> Any:
    return answer.get_json()["data"]


def refusal(answer: TestResponse, status: int) -> str:
    assert answer.status_code == status, answer.text
    message: str = answer.get_json()["error"]["message"]
    return message


def set_engine(app: Flask, **values: object) -> None:
    settings = settings_of(app)
    init_app(app, replace(settings, engine=replace(settings.engine, **values)))


def claim(run: Json, node_id: str = SCRIPT) -> None:
    """Give a step to a worker that does not finish it."""
    worker = Bench().worker_id
    assert claim_step(worker, UUID(run["id"]), StepKey(node_id, 1), moments.now(), LEASE) is not None


def refuse_the_step(_step: StepInput, _context: Context) -> StepOutput:
    raise Refused("The voice is hoarse.")


def to_state(api: Api, state: str) -> Json:
    """A run of a workflow of its own in this state; pausing is a running run that is asked to pause."""
    run = start(api, flow(api))
    if state in ("running", "pausing"):
        claim(run)
    if state in ("paused", "pausing"):
        steered(api, run, "pause")
    if state in ("completed", "failed"):
        jobs: dict[str, Job] = {GENERATOR: refuse_the_step} if state == "failed" else {}
        Bench(jobs).finish(UUID(run["id"]))
    if state == "cancelled":
        steered(api, run, "cancel")
    found: Json = read(api, run)
    wanted = {"pausing": "running"}.get(state, state)
    assert (found["status"], found["pause_requested_at"] is not None) == (
        wanted,
        state in ("pausing", "paused"),
    )
    return found


# Each state with what pause, resume and cancel lead to; None is a refusal, "same" is the run as it was.
STATES = {
    "pending": {"pause": "paused", "resume": None, "cancel": "cancelled"},
    "running": {"pause": "running", "resume": None, "cancel": "cancelled"},
    "pausing": {"pause": "same", "resume": None, "cancel": "cancelled"},
    "paused": {"pause": "same", "resume": "running", "cancel": "cancelled"},
    "completed": {"pause": None, "resume": None, "cancel": "same"},
    "failed": {"pause": None, "resume": None, "cancel": "same"},
    "cancelled": {"pause": None, "resume": None, "cancel": "same"},
}


@pytest.mark.parametrize("state", STATES)
def test_each_state_goes_where_the_table_says(runner: Api, state: str) -> None:
    for event, wanted in STATES[state].items():
        before = to_state(runner, state)
        answer = steer(runner, before, event)
        if wanted is None:
            assert state in refusal(answer, 409)
        else:
            after = found_in(answer)
            assert answer.status_code == 200
            assert after == read(runner, before)
            assert after["workflow_id"] == before["workflow_id"]
        if wanted in (None, "same"):
            assert read(runner, before) == before
            continue
        assert after["status"] == wanted
        assert after["updated_at"] > before["updated_at"]
        if wanted == "cancelled":
            assert after["completed_at"] is not None
            assert after["total_steps"] == before["total_steps"]
            assert (after["started_at"] is None) == (before["started_at"] is None)
            assert steered(runner, before, "cancel") == after
            start(runner, db.session.get_one(Workflow, UUID(before["workflow_id"])))
        if event == "resume":
            cleared = ("paused_at", "pause_requested_at", "pause_reason", "pause_error", "held_nodes")
            assert {after[name] for name in cleared} == {None}


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


def two_scripts() -> Json:
    nodes = [node(SCRIPT, "a", text="Hello"), node(SCRIPT, "b", text="Bye"), node(GENERATOR), node(SINK)]
    return graph(nodes, [edge("a", GENERATOR), edge("b", GENERATOR), edge(GENERATOR, SINK)])


def test_a_body_of_cancel_pause_and_resume_is_ignored(runner: Api) -> None:
    run = start(runner, flow(runner))
    for event in ("pause", "resume", "cancel"):
        assert steer(runner, run, event, data=b"<no>", content_type="text/xml").status_code == 200


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


def change(statement: str) -> None:
    with db.engine.connect().execution_options(portal_writes=True) as connection, connection.begin():
        connection.exec_driver_sql(statement)


@pytest.mark.parametrize("status", ["pending", "running", "paused"])
def test_a_run_of_another_system_occupies_nothing_and_is_steered_there(runner: Api, status: str) -> None:
    workflow = flow(runner)
    row = make_run(workflow, status=status)
    imported = read(runner, {"workflow_id": workflow.id, "id": row.id})
    for event in STEERING:
        assert "does not run here" in refusal(steer(runner, imported, event), 409)
    assert read(runner, imported) == imported
    run = start(runner, workflow)
    steered(runner, run, "pause")
    assert steered(runner, run, "resume")["status"] == "running"


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_a_run_of_another_system_that_has_ended_is_like_every_other(runner: Api, status: str) -> None:
    workflow = flow(runner)
    row = make_run(workflow, status=status)
    imported = read(runner, {"workflow_id": workflow.id, "id": row.id})
    assert steered(runner, imported, "cancel") == imported
    for event in ("pause", "resume"):
        assert status in refusal(steer(runner, imported, event), 409)


def test_a_run_is_looked_for_under_its_own_workflow(runner: Api) -> None:
    run, other = start(runner, flow(runner)), flow(runner)
    for event in STEERING:
        assert steer(runner, run | {"workflow_id": str(other.id)}, event).status_code == 404
    assert read(runner, run) == run


def test_a_pause_waits_for_the_steps_that_run_and_says_what_is_held(runner: Api) -> None:
    nodes = [
        node(SCRIPT, text="One\nTwo"),
        node("operator_translator", target_languages=["fr-fr", "de-de"]),
        node(GENERATOR, "a"),
        node(GENERATOR, "b"),
        node(CHECK),
        node(SINK),
    ]
    edges = [
        edge(SCRIPT, "operator_translator"),
        edge("operator_translator", "a"),
        edge("operator_translator", "b"),
        edge("a", CHECK),
        edge("b", SINK),
        edge(CHECK, SINK, "pass"),
    ]
    run = start(runner, flow(runner, graph(nodes, edges)))
    run_id, seen = UUID(run["id"]), []

    def speak_while_it_is_paused(step: StepInput, context: Context) -> StepOutput:
        if step.node_id == "a":  # the other one begins and ends meanwhile
            bench.deliver(run_id, StepKey("b", 1))
        else:
            seen.append(steered(runner, run, "pause"))
        return speak(step, context)

    bench = Bench({GENERATOR: speak_while_it_is_paused, CHECK: pass_all})
    bench.deliver(run_id, StepKey(SCRIPT, 1))
    bench.deliver(run_id, StepKey("operator_translator", 1))
    bench.deliver(run_id, StepKey("a", 1))
    assert [(each["status"], each["paused_at"], each["pause_reason"]) for each in seen] == [
        ("running", None, "user")
    ]
    paused = read(runner, run)
    assert (paused["status"], paused["finished_steps"], paused["pause_reason"]) == ("paused", 4, "user")
    assert paused["pause_error"] is None
    assert paused["held_nodes"] == [{"node_id": CHECK, "locales": ["de-de", "fr-fr"]}]
    bench.deliver(run_id, StepKey(CHECK, 1))
    assert read(runner, run) == paused
    resumed = steered(runner, run, "resume")
    assert (resumed["status"], resumed["held_nodes"], resumed["paused_at"]) == ("running", None, None)
    assert resumed["paused_ms"] >= 0
    assert bench.finish(run_id).status == "completed"


def pass_all(step: StepInput, _context: Context) -> StepOutput:
    return StepOutput(verdicts=[Verdict(passed=True, score=99.0) for _ in step.items])


def fail_all(step: StepInput, _context: Context) -> StepOutput:
    return StepOutput(verdicts=[Verdict(passed=False, score=12.0) for _ in step.items])


def test_a_run_that_has_not_begun_is_held_before_its_sources(runner: Api) -> None:
    run = start(runner, flow(runner, two_scripts()))
    held = [{"node_id": "a", "locales": []}, {"node_id": "b", "locales": []}]
    assert steered(runner, run, "pause")["held_nodes"] == held
    cancelled = steered(runner, run, "cancel")
    assert (cancelled["held_nodes"], cancelled["started_at"], cancelled["paused_ms"]) == (held, None, None)


def test_a_pause_during_the_last_step_comes_too_late(runner: Api) -> None:
    run = start(runner, flow(runner))

    def speak_and_pause(step: StepInput, _context: Context) -> StepOutput:
        steered(runner, run, "pause")
        return StepOutput(delivered=list(step.items))

    assert Bench({SINK: speak_and_pause}).finish(UUID(run["id"])).status == "completed"
    assert read(runner, run)["pause_requested_at"] is None


def test_resume_is_refused_while_another_run_occupies_the_workflow(runner: Api) -> None:
    workflow = flow(runner)
    paused = start(runner, workflow)
    steered(runner, paused, "pause")
    other = start(runner, workflow)
    before = read(runner, paused)
    assert "pending or running" in refusal(steer(runner, paused, "resume"), 409)
    assert read(runner, paused) == before
    steered(runner, other, "cancel")
    assert steered(runner, paused, "resume")["status"] == "running"


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


def raising(*errors: StepError) -> Job:
    """A job that raises these one after another, and speaks then."""
    left = list(errors)

    def job(step: StepInput, context: Context) -> StepOutput:
        if left:
            raise left.pop(0)
        return speak(step, context)

    return job


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets seconds pass."""
    passed, true_now = [0.0], moments.now
    monkeypatch.setattr(moments, "now", lambda: true_now() + timedelta(seconds=passed[0]))

    def wait(seconds: float) -> None:
        passed[0] += seconds

    return wait


def resume_at(run: Json) -> datetime | None:
    db.session.rollback()
    db.session.expire_all()
    return db.session.get_one(EngineRun, UUID(run["id"])).resume_at


def test_a_provider_that_stays_away_pauses_the_run_which_resumes_by_itself(
    runner: Api, later: Callable[[float], None]
) -> None:
    workflow = flow(runner)
    run = start(runner, workflow)
    run_id, gone = UUID(run["id"]), Outage("The provider does not answer.")
    bench = Bench({GENERATOR: raising(*[gone] * 15)})
    bench.deliver(run_id, StepKey(SCRIPT, 1))

    def fail_five_times() -> timedelta:
        for _ in range(5):
            assert read(runner, run)["status"] == "running"
            bench.deliver(run_id, StepKey(GENERATOR, 1))
            later(200)
        paused = read(runner, run)
        assert (paused["status"], paused["pause_reason"]) == ("paused", "provider_outage")
        assert paused["pause_error"] == "The provider does not answer."
        assert paused["held_nodes"] == [{"node_id": GENERATOR, "locales": ["en-us"]}]
        at = resume_at(run)
        return at - datetime.fromisoformat(paused["paused_at"]) if at else timedelta()

    assert fail_five_times() == timedelta(minutes=5)
    step = read(runner, run, f"/steps?node_id={GENERATOR}")[0]
    assert (step["status"], step["pause_reason"]) == ("paused", "provider_outage")
    assert step["pause_error"] == "The provider does not answer."
    assert not resume_by_itself(run_id, moments.now() - timedelta(hours=1), SETTINGS)
    steered(runner, run, "resume")
    assert read(runner, run, f"/steps?node_id={GENERATOR}")[0]["pause_reason"] is None
    assert fail_five_times() == timedelta(minutes=5)
    later(300)
    other = start(runner, workflow)
    assert not resume_by_itself(run_id, moments.now(), SETTINGS)
    assert (read(runner, run)["status"], resume_at(run)) == ("paused", None)
    steered(runner, other, "cancel")
    steered(runner, run, "resume")
    assert fail_five_times() == timedelta(minutes=10)
    later(600)
    assert resume_by_itself(run_id, moments.now(), SETTINGS)
    assert bench.finish(run_id).status == "completed"
    events = sa.select(RunEvent.event).where(RunEvent.run_id == run_id, RunEvent.person_id.is_(None))
    assert "resume" in db.session.scalars(events).all()


@pytest.mark.parametrize(("resumed", "minutes"), [(2, 20), (4, 60), (5, None)])
def test_it_waits_twice_as_long_each_time_up_to_an_hour_and_not_for_ever(
    runner: Api, later: Callable[[float], None], resumed: int, minutes: int | None
) -> None:
    run = start(runner, flow(runner))
    run_id = UUID(run["id"])
    change(f"UPDATE engine_runs SET auto_resumes = {resumed}")
    bench = Bench({GENERATOR: raising(*[Outage("Away.")] * 5)}, replace(SETTINGS, auto_resumes=5))
    bench.deliver(run_id, StepKey(SCRIPT, 1))
    for _ in range(5):
        bench.deliver(run_id, StepKey(GENERATOR, 1))
        later(200)
    at, paused = resume_at(run), read(runner, run)
    waits = at - datetime.fromisoformat(paused["paused_at"]) if at else None
    assert (paused["status"], waits) == ("paused", minutes and timedelta(minutes=minutes))


def test_a_provider_that_says_when_is_asked_again_then(runner: Api, later: Callable[[float], None]) -> None:
    run = start(runner, flow(runner))
    run_id = UUID(run["id"])
    bench = Bench({GENERATOR: raising(*[RateLimited("Too many.", retry_after=77)] * 5)})
    bench.deliver(run_id, StepKey(SCRIPT, 1))
    for _ in range(5):
        bench.deliver(run_id, StepKey(GENERATOR, 1))
        later(76)
        bench.deliver(run_id, StepKey(GENERATOR, 1))  # too early
        later(2)
    paused, at = read(runner, run), resume_at(run)
    assert (paused["status"], paused["pause_reason"]) == ("paused", "provider_rate_limited")
    assert at is not None
    assert at - datetime.fromisoformat(paused["paused_at"]) == timedelta(seconds=77)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Billing("The account has no money left."), "provider_billing"),
        (TimedOut("The step took longer than 600 seconds."), "node_timeout"),
    ],
)
def test_what_only_a_person_can_mend_waits_for_one(runner: Api, error: StepError, reason: str) -> None:
    run = start(runner, flow(runner))
    run_id, bench = UUID(run["id"]), Bench({GENERATOR: raising(error)})
    assert bench.finish(run_id).status == "paused"
    paused = read(runner, run)
    assert (paused["pause_reason"], paused["pause_error"]) == (reason, error.message)
    assert resume_at(run) is None
    assert steered(runner, run, "resume")["status"] == "running"
    assert bench.finish(run_id).status == "completed"
    assert read(runner, run)["pause_reason"] is None


def test_a_step_that_cannot_go_on_fails_the_run_in_words(runner: Api) -> None:
    run = to_state(runner, "failed")
    assert run["error"] == f"Voice Generator “{GENERATOR}”: The voice is hoarse."
    assert (run["pause_reason"], run["completed_at"] is not None) == (None, True)
    steps = read(runner, run, "/steps")
    assert [(each["status"], each["error"]) for each in steps] == [
        ("completed", None),
        ("failed", "The voice is hoarse."),
    ]


def test_a_validator_sends_lines_back_and_lets_them_out_in_the_end(runner: Api) -> None:
    definition = checked()
    definition["graph"]["nodes"][2]["config"] = {"max_retries": 2}
    run = start(runner, flow(runner, definition), script_text="One\nTwo")
    assert Bench({CHECK: fail_all}).finish(UUID(run["id"])).status == "completed"
    steps = read(runner, run, "/steps?include_result=true")
    assert [(each["node_id"], each["iteration"]) for each in steps] == [
        (SCRIPT, 1),
        *((each, n) for n in (1, 2, 3) for each in (GENERATOR, CHECK)),
        (SINK, 1),
    ]
    assert [each["active_ports"] for each in steps if each["node_id"] == CHECK] == [
        ["fail"],
        ["fail"],
        ["pass"],
    ]
    assert {tuple(each["locales"]) for each in steps} == {("en-us",)}
    ended = read(runner, run)
    assert (ended["total_steps"], ended["finished_steps"], ended["finished_nodes"]) == (8, 8, 4)
    for row in read(runner, run, "/data")["rows"]:
        assert [(card["status"], card["retry_count"]) for card in row["cards"]] == [
            ("not_delivered", 0),
            ("not_delivered", 1),
            ("delivered", 2),
        ]
        assert [len(card["rejected"]["verdicts"]) for card in row["cards"]] == [1, 1, 1]


def test_lines_that_nobody_takes_back_are_dropped(runner: Api) -> None:
    definition = checked()
    definition["graph"]["edges"].pop()

    def pass_the_first(step: StepInput, _context: Context) -> StepOutput:
        verdicts = [Verdict(passed=item.line == 0, score=50.0) for item in step.items]
        return StepOutput(verdicts=verdicts)

    run = start(runner, flow(runner, definition), script_text="One\nTwo")
    assert Bench({CHECK: pass_the_first}).finish(UUID(run["id"])).status == "completed"
    shown = [[card["status"] for card in row["cards"]] for row in read(runner, run, "/data")["rows"]]
    everything = read(runner, run, "/data?include_dropped=true")["rows"]
    assert shown[0] == ["delivered"]
    assert [[card["status"] for card in row["cards"]] for row in everything] == [["delivered"], ["dropped"]]
    [verdict] = everything[1]["cards"][0]["dropped"]["verdicts"]
    assert verdict["score"] == 50
    row = runner.get(f"/workflows/{run['workflow_id']}/runs").get_json()["data"][0]
    assert (row["output_line_count"], row["delivered_audio_ms"]) == (1, 100)


def charged() -> list[int]:
    db.session.rollback()
    charges = sa.select(CreditEntry.amount).where(CreditEntry.run_id.is_not(None))
    return list(db.session.scalars(charges))


def balance(api: Api) -> int:
    db.session.rollback()
    db.session.expire_all()
    return db.session.get_one(Workspace, api.workspace.id).credit_balance or 0


@pytest.mark.parametrize("end", ["completed", "cancelled", "failed"])
def test_a_run_is_charged_once_for_what_really_ran(runner: Api, end: str) -> None:
    grant(runner.workspace.slug, 10, "root", NOON)
    run = start(runner, flow(runner))
    run_id, costs = UUID(run["id"]), {GENERATOR: Decimal("1.2"), SINK: Decimal("1.5")}
    bench = Bench({SINK: refuse_the_step} if end == "failed" else {}, costs=costs)
    for name in (SCRIPT, GENERATOR):
        bench.deliver(run_id, StepKey(name, 1))
    assert read(runner, run)["credits"] is None
    if end == "cancelled":
        steered(runner, run, "cancel")
        steered(runner, run, "cancel")
    for _ in range(2):
        bench.deliver(run_id, StepKey(SINK, 1))
    credits = {"completed": 3, "cancelled": 2, "failed": 3}[end]
    found = read(runner, run, "")
    assert (found["status"], found["credits"], found["credits_absorbed"]) == (end, credits, 0)
    assert (charged(), balance(runner)) == ([credits], 10 - credits)


def test_what_the_balance_lacks_is_absorbed(runner: Api) -> None:
    grant(runner.workspace.slug, 1, "root", NOON)
    run = start(runner, flow(runner))
    Bench(costs={GENERATOR: Decimal("2.5")}).finish(UUID(run["id"]))
    found = read(runner, run, "")
    assert (found["credits"], found["credits_absorbed"], balance(runner)) == (1, 2, 0)


def test_without_a_grant_nothing_is_charged(runner: Api) -> None:
    run = start(runner, flow(runner))
    Bench(costs={GENERATOR: Decimal("2.5")}).finish(UUID(run["id"]))
    found = read(runner, run, "")
    assert (found["credits"], found["credits_absorbed"], charged()) == (0, 0, [])


def test_a_deleted_workflow_ends_its_runs_and_they_are_settled(runner: Api) -> None:
    grant(runner.workspace.slug, 10, "root", NOON)
    workflow = flow(runner)
    paused = start(runner, workflow)
    bench = Bench({SINK: raising(TimedOut("Too slow."))}, costs={GENERATOR: Decimal(2)})
    bench.finish(UUID(paused["id"]))
    pending = start(runner, workflow)
    theirs = make_run(workflow, status="running")
    assert runner.request("DELETE", f"/workflows/{workflow.id}").status_code == 200
    for run in (paused, pending):
        for event in STEERING:
            assert steer(runner, run, event).status_code == 404
    assert charged() == []
    reconcile.reconcile(moments.now(), LEASE)
    assert (charged(), balance(runner)) == ([2], 8)
    assert bench.run(UUID(paused["id"])).status == bench.run(UUID(pending["id"])).status == "cancelled"
    assert bench.run(theirs.id).status == "running"
    db.session.rollback()
    unsettled = sa.select(EngineRun.run_id).where(EngineRun.settled_at.is_(None))
    assert db.session.scalars(unsettled).all() == []
    steps = bench.run(UUID(paused["id"])).finished_steps, bench.run(UUID(paused["id"])).total_steps
    assert steps == (3, 3)


def test_a_step_that_ends_after_its_workflow_was_deleted_settles_the_run(runner: Api) -> None:
    workflow = flow(runner)
    run = start(runner, workflow)

    def speak_while_it_is_deleted(step: StepInput, context: Context) -> StepOutput:
        assert runner.request("DELETE", f"/workflows/{workflow.id}").status_code == 200
        return speak(step, context)

    bench = Bench({GENERATOR: speak_while_it_is_deleted})
    assert bench.finish(UUID(run["id"])).status == "cancelled"
    db.session.rollback()
    assert db.session.get_one(EngineRun, UUID(run["id"])).settled_at is not None
