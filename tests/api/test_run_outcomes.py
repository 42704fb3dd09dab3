"""What becomes of runs: pauses for providers, failures, dropped lines, charges."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
import sqlalchemy as sa

from portal import moments
from portal.database.engine import db
from portal.database.models import EngineRun, RunEvent
from portal.engine.contract import (
    Billing,
    Context,
    Outage,
    RateLimited,
    StepError,
    StepInput,
    StepOutput,
    TimedOut,
    Verdict,
)
from portal.engine.control.steering import resume_by_itself
from portal.engine.execution import reconcile
from portal.engine.flow import StepKey
from portal.engine.pricing.credits import grant
from tests.api.conftest import Api
from tests.api.running import (
    LEASE,
    PRICES,
    STEERING,
    balance,
    change,
    charged,
    fail_all,
    flow,
    read,
    refuse_the_step,
    start,
    steer,
    steered,
    to_state,
)
from tests.definitions.graphs import (
    CHECK,
    GENERATOR,
    SCRIPT,
    SINK,
    Json,
    checked,
)
from tests.engine.fabric import SETTINGS, Bench, Job, speak
from tests.factories import NOON, make_run


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return environment | {"PORTAL_ENGINE_PRICES": PRICES}


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


@pytest.mark.slow
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
@pytest.mark.slow
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


@pytest.mark.slow
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
@pytest.mark.slow
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


@pytest.mark.slow
def test_a_step_that_cannot_go_on_fails_the_run_in_words(runner: Api) -> None:
    run = to_state(runner, "failed")
    assert run["error"] == f"Voice Generator “{GENERATOR}”: The voice is hoarse."
    assert (run["pause_reason"], run["completed_at"] is not None) == (None, True)
    steps = read(runner, run, "/steps")
    assert [(each["status"], each["error"]) for each in steps] == [
        ("completed", None),
        ("failed", "The voice is hoarse."),
    ]


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.parametrize("end", ["completed", "cancelled", "failed"])
@pytest.mark.slow
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


@pytest.mark.slow
def test_what_the_balance_lacks_is_absorbed(runner: Api) -> None:
    grant(runner.workspace.slug, 1, "root", NOON)
    run = start(runner, flow(runner))
    Bench(costs={GENERATOR: Decimal("2.5")}).finish(UUID(run["id"]))
    found = read(runner, run, "")
    assert (found["credits"], found["credits_absorbed"], balance(runner)) == (1, 2, 0)


@pytest.mark.slow
def test_without_a_grant_nothing_is_charged(runner: Api) -> None:
    run = start(runner, flow(runner))
    Bench(costs={GENERATOR: Decimal("2.5")}).finish(UUID(run["id"]))
    found = read(runner, run, "")
    assert (found["credits"], found["credits_absorbed"], charged()) == (0, 0, [])


@pytest.mark.slow
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


@pytest.mark.slow
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
