"""Cancelling, pausing and resuming runs over the API (contract 4; part 2, 7.3)."""

from uuid import UUID

import pytest

from portal.database.engine import db
from portal.database.models import Workflow
from portal.engine.contract import (
    Context,
    StepInput,
    StepOutput,
)
from portal.engine.flow import StepKey
from tests.api.conftest import Api
from tests.api.running import (
    STEERING,
    flow,
    found_in,
    pass_all,
    read,
    refusal,
    start,
    steer,
    steered,
    to_state,
    two_scripts,
)
from tests.definitions.graphs import (
    CHECK,
    GENERATOR,
    SCRIPT,
    SINK,
    edge,
    graph,
    node,
)
from tests.engine.fabric import Bench, speak
from tests.factories import make_run

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
@pytest.mark.slow
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


@pytest.mark.slow
def test_a_body_of_cancel_pause_and_resume_is_ignored(runner: Api) -> None:
    run = start(runner, flow(runner))
    for event in ("pause", "resume", "cancel"):
        assert steer(runner, run, event, data=b"<no>", content_type="text/xml").status_code == 200


@pytest.mark.parametrize("status", ["pending", "running", "paused"])
@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_run_that_has_not_begun_is_held_before_its_sources(runner: Api) -> None:
    run = start(runner, flow(runner, two_scripts()))
    held = [{"node_id": "a", "locales": []}, {"node_id": "b", "locales": []}]
    assert steered(runner, run, "pause")["held_nodes"] == held
    cancelled = steered(runner, run, "cancel")
    assert (cancelled["held_nodes"], cancelled["started_at"], cancelled["paused_ms"]) == (held, None, None)


@pytest.mark.slow
def test_a_pause_during_the_last_step_comes_too_late(runner: Api) -> None:
    run = start(runner, flow(runner))

    def speak_and_pause(step: StepInput, _context: Context) -> StepOutput:
        steered(runner, run, "pause")
        return StepOutput(delivered=list(step.items))

    assert Bench({SINK: speak_and_pause}).finish(UUID(run["id"])).status == "completed"
    assert read(runner, run)["pause_requested_at"] is None


@pytest.mark.slow
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
