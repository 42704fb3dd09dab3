"""A run of the engine as it goes on: what its page says, and when the browser's copy is still right."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from portal import moments
from portal.database.models import EngineClaim, EngineRun, Run, RunResult, RunStatus, Workflow
from portal.database.transactions import writing
from portal.engine.control.steering import resume_by_itself
from tests.definitions.graphs import GENERATOR, checked
from tests.engine.fabric import SETTINGS, Bench
from tests.factories import (
    NOON,
    make_claim,
    make_detail,
    make_engine_run,
    make_run,
    make_worker,
    make_workflow,
)
from tests.pages.conftest import HTMX, Browser, one, parsed, text_of
from tests.statements import statements


@pytest.fixture
def workflow(browser: Browser) -> Workflow:
    return make_workflow(browser.workspace, "Tour", definition=checked())


def running(workflow: Workflow, status: str = "running", **columns: object) -> Run:
    run = make_engine_run(workflow, status=status, **({"started_at": moments.now()} | columns))
    make_detail(run, definition_snapshot=checked())
    with writing() as session:
        session.add(EngineRun(run_id=run.id, workspace_id=workflow.workspace_id))
    return run


def live(browser: Browser, run: Run, mark: str = "") -> TestResponse:
    headers = HTMX | ({"If-None-Match": mark} if mark else {})
    return browser.open(f"/workflows/{run.workflow_id}/runs/{run.id}/live", headers=headers)


def change(run: Run, **columns: object) -> None:
    """What a worker notes of a step, without a new version of the workflow."""
    with writing() as session:
        session.execute(sa.update(EngineClaim).where(EngineClaim.run_id == run.id).values(**columns))


@pytest.mark.slow
def test_without_a_worker_the_page_says_what_is_missing(browser: Browser, workflow: Workflow) -> None:
    run = running(workflow, "pending")
    said = text_of(one(parsed(browser.open(f"/workflows/{workflow.id}/runs/{run.id}")), "#now-sentence"))
    assert said == "Waiting for a worker: none is running."


def test_the_place_in_the_queue_is_told(browser: Browser, workflow: Workflow) -> None:
    make_worker("w")
    other = make_workflow(browser.workspace, "Other")
    make_engine_run(other, updated_at=moments.now() - timedelta(hours=1))
    run = running(workflow, "pending", updated_at=moments.now())
    assert text_of(one(parsed(live(browser, run)), "#now-sentence")).endswith("1 other run is before it.")


@pytest.mark.slow
def test_each_open_step_says_how_far_it_is_and_what_it_waits_for(
    browser: Browser, workflow: Workflow
) -> None:
    make_worker("w")
    run = running(workflow)
    later = moments.now() + timedelta(seconds=90)
    make_claim(run, "w", node_id=GENERATOR, done=3, total=8)
    make_claim(
        run,
        "",
        node_id="elsewhere",
        position=1,
        retry_at=later,
        waiting_for="The provider limits <requests>.",
    )
    steps = [text_of(line) for line in parsed(live(browser, run)).select("#now li")]
    assert steps[0] == "Voice Generator Running 3 of 8"
    assert steps[1].startswith("elsewhere Tries again in 1 m ")
    assert steps[1].endswith("The provider limits <requests>.")


def test_a_run_that_pauses_says_what_it_waits_for(browser: Browser, workflow: Workflow) -> None:
    make_worker("w")
    run = running(workflow, pause_requested_at=moments.now(), pause_reason="user")
    make_claim(run, "w")
    page = parsed(live(browser, run))
    assert text_of(one(page, "#now-sentence")) == "It pauses when the steps that are running have ended."
    assert text_of(one(page, "#pause h2")) == "Pausing"
    assert not page.select(".steer form")


def test_a_paused_run_tells_why_what_is_held_and_when_it_goes_on(
    browser: Browser, workflow: Workflow
) -> None:
    run = running(
        workflow, "paused", paused_at=moments.now(), pause_reason="provider_outage", pause_error="503 <down>"
    )
    with writing() as session:
        session.get_one(EngineRun, run.id).resume_at = moments.now() + timedelta(minutes=5)
        held = [{"node_id": GENERATOR, "locales": ["de-de", "fr-fr"]}]
        session.add(RunResult(run_id=run.id, held_nodes=held))
    said = text_of(one(parsed(live(browser, run)), "#pause"))
    assert "A provider is not responding." in said
    assert "503 <down>" in said
    assert "It goes on by itself at" in said
    assert said.endswith("Voice Generator German (Germany), French (France)")


def test_a_run_of_another_system_has_no_such_section(browser: Browser) -> None:
    for status in ("pending", "running", "paused"):
        run = make_run(browser.workflow, status=status)
        assert not parsed(live(browser, run)).select("#now, .held")


@pytest.mark.slow
def test_the_results_are_there_when_it_ends(browser: Browser, app: Flask) -> None:
    bench = Bench()
    workflow = make_workflow(browser.workspace, "Spoken", definition=checked())
    run = bench.start(workflow, checked())
    before = live(browser, run)
    assert one(parsed(before), "#run-poll")["data-poll"] == "on"
    assert bench.finish(run.id).status == RunStatus.COMPLETED
    after = parsed(live(browser, run, before.headers["ETag"]))
    assert one(after, "#run-poll")["data-poll"] == "off"
    assert not after.select("#now")
    assert after.select(f'a[href$="/runs/{run.id}/download"]')


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that stands still, so that no second passes between two requests."""
    now = moments.now()
    monkeypatch.setattr(moments, "now", lambda: now)


@pytest.mark.usefixtures("still")
@pytest.mark.slow
def test_what_a_worker_notes_makes_the_browsers_copy_stale(browser: Browser, workflow: Workflow) -> None:
    make_worker("w")
    run = running(workflow)
    make_claim(run, "w", node_id=GENERATOR, done=0, total=8)
    changes: list[dict[str, object]] = [
        {"done": 5},
        {
            "worker": "",
            "retry_at": moments.now() + timedelta(minutes=2),
            "waiting_for": "The provider is slow.",
        },
        {"waiting_for": "The provider is down."},
    ]
    for columns in changes:
        mark = live(browser, run).headers["ETag"]
        assert live(browser, run, mark).status_code == 304
        change(run, **columns)
        assert live(browser, run, mark).status_code == 200, columns


@pytest.mark.slow
def test_a_pending_run_hears_of_the_first_worker(browser: Browser, workflow: Workflow) -> None:
    run = running(workflow, "pending")
    mark = live(browser, run).headers["ETag"]
    assert live(browser, run, mark).status_code == 304
    make_worker("w")
    assert "this run is next" in live(browser, run, mark).text


@pytest.mark.slow
def test_a_run_that_was_to_go_on_and_could_not_says_so_no_longer(
    browser: Browser, workflow: Workflow
) -> None:
    run = running(workflow, "paused", paused_at=moments.now(), pause_reason="provider_outage")
    due = moments.now() + timedelta(minutes=5)
    with writing() as session:
        session.get_one(EngineRun, run.id).resume_at = due
    running(workflow)
    mark = live(browser, run).headers["ETag"]
    assert not resume_by_itself(run.id, due, SETTINGS)
    after = live(browser, run, mark)
    assert after.status_code == 200
    assert "It goes on by itself" not in text_of(one(parsed(after), "#pause"))


def test_where_nothing_can_move_nothing_more_is_read(browser: Browser, workflow: Workflow) -> None:
    run = running(workflow, "completed", started_at=NOON, completed_at=NOON)
    with statements() as seen:
        live(browser, run)
    assert not [text for text, _ in seen if "engine_" in text]


def test_a_run_is_not_followed_under_another_workflow(browser: Browser, workflow: Workflow) -> None:
    run = running(workflow)
    other = make_workflow(browser.workspace, "Other")
    path = f"/workflows/{other.id}/runs/{run.id}/live"
    assert browser.open(path, headers=HTMX).status_code == 404
