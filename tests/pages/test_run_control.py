"""Cancel, pause and resume in the browser, on the list and on a run's page."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal.database.engine import db
from portal.database.models import Run, RunEvent, User, Workflow
from tests.definitions.graphs import checked
from tests.engine.fabric import Bench
from tests.factories import make_member, make_run, make_user, make_workflow
from tests.pages.conftest import HTMX, Browser, one, parsed, text_of

SAME = {"Sec-Fetch-Site": "same-origin"}
ACTIONS = ("cancel", "pause", "resume")


@pytest.fixture
def bench(app: Flask) -> Bench:
    return Bench()


@pytest.fixture
def workflow(browser: Browser) -> Workflow:
    return make_workflow(browser.workspace, "Tour", definition=checked())


@pytest.fixture
def run(bench: Bench, workflow: Workflow) -> Run:
    """A run of the engine that has done its first step."""
    run = bench.start(workflow, checked())
    bench.deliver(run.id, bench.waiting(run.id)[0])
    return run


def path_of(run: Run, action: str = "") -> str:
    return f"/workflows/{run.workflow_id}/runs/{run.id}" + (f"/{action}" if action else "")


def send(browser: Browser, run: Run, action: str, query: str = "") -> TestResponse:
    return browser.client.post(f"{path_of(run, action)}?{query}", headers=SAME)


def status_of(run: Run) -> str:
    db.session.rollback()
    return db.session.scalars(sa.select(Run.status).where(Run.id == run.id)).one()


def events_of(run: Run) -> list[str]:
    db.session.rollback()
    found = sa.select(RunEvent.event).where(RunEvent.run_id == run.id).order_by(RunEvent.id)
    return list(db.session.scalars(found))


def words(answer: TestResponse, selector: str) -> list[str]:
    return [text_of(button).split(" run")[0] for button in parsed(answer).select(selector)]


@pytest.mark.slow
def test_a_run_is_paused_and_goes_on(browser: Browser, run: Run) -> None:
    page = browser.open(path_of(run))
    assert words(page, ".steer button, .steer a") == ["Pause", "Cancel"]
    assert send(browser, run, "pause").headers["Location"] == path_of(run)
    assert status_of(run) == "paused"
    paused = browser.open(path_of(run))
    assert words(paused, ".steer button, .steer a") == ["Resume", "Cancel"]
    assert "Somebody paused it." in text_of(one(parsed(paused), "#pause"))
    assert send(browser, run, "resume").status_code == 303
    assert status_of(run) == "running"


@pytest.mark.slow
def test_buttons_pressed_twice_do_no_harm(browser: Browser, run: Run) -> None:
    for action, status in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        assert [send(browser, run, action).status_code for _ in range(2)] == [303, 303]
        assert status_of(run) == status
    assert events_of(run)[-4:] == ["pause", "drain", "resume", "cancel"]


def test_who_did_it_is_in_the_events_of_the_run(browser: Browser, run: Run) -> None:
    send(browser, run, "cancel")
    event = db.session.scalars(sa.select(RunEvent).where(RunEvent.event == "cancel")).one()
    assert event.person_id is not None
    assert event.api_key_id is None


@pytest.mark.slow
def test_cancelling_asks_first(browser: Browser, run: Run) -> None:
    link = str(one(parsed(browser.open(path_of(run))), ".steer a")["href"])
    question = parsed(browser.open(link))
    assert f"Cancel run #{run.run_number}?" in question.text
    assert status_of(run) == "running"
    stay = one(question, ".choices a")
    assert (stay.text, stay["href"]) == ("Let it go on", path_of(run))
    assert send(browser, run, "cancel").headers["Location"] == path_of(run)
    assert status_of(run) == "cancelled"
    after = browser.open(path_of(run))
    assert not parsed(after).select(".steer")
    assert browser.open(path_of(run, "cancel")).headers["Location"] == path_of(run)


@pytest.mark.slow
def test_a_button_of_the_list_returns_to_the_list_as_it_was(browser: Browser, run: Run) -> None:
    path = f"/workflows/{run.workflow_id}/runs?status=running&limit=10"
    page = parsed(browser.open(path))
    form = one(page, f"#run-{run.id} form")
    assert browser.client.post(str(form["action"]), headers=SAME).headers["Location"] == path
    assert status_of(run) == "paused"
    link = str(one(page, f"#run-{run.id} .steer a")["href"])
    assert one(parsed(browser.open(link)), ".choices a")["href"] == path
    assert browser.client.post(link, headers=SAME).headers["Location"] == path


def test_a_row_that_changes_brings_its_buttons(browser: Browser, run: Run) -> None:
    send(browser, run, "pause")
    path = f"/workflows/{run.workflow_id}/runs/live?since=1&rows={run.id}"
    [row] = parsed(browser.open(path, headers=HTMX)).select(f'hx-partial[hx-target="#run-{run.id}"]')
    assert text_of(one(row, "form button")).startswith("Resume")


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.slow
def test_runs_of_other_systems_have_no_buttons_and_say_where_to_go(browser: Browser, action: str) -> None:
    run = make_run(browser.workflow, status="running")
    for path in (browser.list_path, path_of(run)):
        assert not parsed(browser.open(path)).select(".steer")
    refused = send(browser, run, action)
    assert refused.status_code == 409
    assert "steer it in the system that it came from" in refused.text
    assert browser.open(path_of(run, "cancel")).status_code == 409
    assert status_of(run) == "running"


def test_a_run_that_has_ended_cannot_be_paused(browser: Browser, run: Run) -> None:
    send(browser, run, "cancel")
    assert send(browser, run, "pause").status_code == 409
    assert send(browser, run, "resume").status_code == 409


@pytest.mark.slow
def test_a_paused_run_does_not_go_on_beside_another(browser: Browser, run: Run, bench: Bench) -> None:
    send(browser, run, "pause")
    workflow = db.session.get_one(Workflow, run.workflow_id)
    bench.start(workflow, checked())
    refused = send(browser, run, "resume")
    assert refused.status_code == 409
    assert "Another run of this workflow is pending or running." in refused.text


@pytest.mark.slow
def test_viewers_have_no_buttons_and_change_nothing(
    browser: Browser, run: Run, sign_in: Callable[[User], FlaskClient]
) -> None:
    viewer = make_user("grace@acme.example")
    make_member(browser.workspace, viewer, "viewer")
    theirs = sign_in(viewer)
    for path in (f"/workflows/{run.workflow_id}/runs", path_of(run)):
        assert parsed(browser.open(path)).select(".steer")
        assert not parsed(theirs.get(path)).select(".steer")
    for action in ACTIONS:
        assert theirs.post(path_of(run, action), headers=SAME).status_code == 403
    assert theirs.get(path_of(run, "cancel")).status_code == 403
    assert status_of(run) == "running"


@pytest.mark.parametrize("action", ACTIONS)
def test_a_form_from_elsewhere_changes_nothing(browser: Browser, run: Run, action: str) -> None:
    before = events_of(run)
    answer = browser.client.post(path_of(run, action), headers={"Sec-Fetch-Site": "cross-site"})
    assert (answer.status_code, events_of(run)) == (403, before)
