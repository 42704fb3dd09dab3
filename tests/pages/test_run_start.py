"""Starting runs in the browser: the form with its estimate, what refuses it, and running again."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal import moments
from portal.database.engine import db
from portal.database.models import Person, Run, RunDetail, User, Workflow
from portal.definitions.catalog import CATALOG
from portal.definitions.locales import LOCALES
from portal.engine.contract import Ability
from portal.engine.preparing.abilities import to_json
from portal.engine.pricing.credits import grant
from portal.runs.recording import recorder
from portal.runs.recording.state_machine import Event
from tests.definitions.graphs import GENERATOR, SCRIPT, SINK, Json, edge, graph, node, smallest
from tests.factories import make_detail, make_member, make_run, make_user, make_worker, make_workflow
from tests.pages.conftest import HTMX, Browser, one, parsed, text_of

SAME = {"Sec-Fetch-Site": "same-origin"}
CAN = dict.fromkeys(CATALOG, Ability()) | {GENERATOR: Ability(locales=frozenset(LOCALES), voices=frozenset())}
PRICES = f'{{"{GENERATOR}": {{"per_1000_characters": "1000"}}}}'


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return environment | {"PORTAL_ENGINE_PRICES": PRICES}


@pytest.fixture(autouse=True)
def worker(app: Flask) -> None:
    make_worker(abilities=to_json(CAN))


@pytest.fixture
def workflow(browser: Browser) -> Workflow:
    return make_workflow(browser.workspace, "Tour", definition=smallest())


def run_path(workflow: Workflow) -> str:
    return f"/workflows/{workflow.id}/run"


def send(browser: Browser, path: str, headers: dict[str, str] | None = None, **fields: Any) -> TestResponse:
    return browser.client.post(path, data=fields, headers=SAME | (headers or {}))


def only_run(workflow: Workflow) -> Run:
    db.session.rollback()
    return db.session.scalars(sa.select(Run).where(Run.workflow_id == workflow.id)).one()


def script_of(run: Run) -> Json:
    detail = db.session.get_one(RunDetail, run.id)
    assert detail.definition_snapshot is not None
    config: Json = detail.definition_snapshot["graph"]["nodes"][0]["config"]
    return config


def test_a_run_is_started_with_the_workflows_own_script_and_its_page_opens(
    browser: Browser, workflow: Workflow
) -> None:
    form = browser.open(run_path(workflow))
    assert text_of(one(parsed(form), "#estimate")).endswith(
        "Nothing: the runs of this workspace are not metered."
    )
    started = send(browser, run_path(workflow), script_text=" \r\n", source_language="")
    assert started.status_code == 303
    run = only_run(workflow)
    assert started.headers["Location"] == f"/workflows/{workflow.id}/runs/{run.id}"
    assert (run.status, run.by_engine, script_of(run)["text"]) == ("pending", True, "Hello")
    person = db.session.get_one(Person, run.person_id)
    assert person.user_id == browser.user.id


def test_script_and_language_are_for_this_run_alone(browser: Browser, workflow: Workflow) -> None:
    send(browser, run_path(workflow), script_text="Hallo\r\nWelt", source_language="de-de")
    config = script_of(only_run(workflow))
    assert (config["text"], config["source_language"]) == ("Hallo\nWelt", "de-de")
    assert db.session.get_one(Workflow, workflow.id).definition == smallest()


def test_the_form_says_what_the_workflow_says(browser: Browser, workflow: Workflow) -> None:
    page = parsed(browser.open(run_path(workflow)))
    assert (
        text_of(one(page, "#source_language option[value='']"))
        == "As the workflow says: English (United States)"
    )
    assert len(page.select("#source_language option")) == 1 + len(LOCALES)


def test_with_several_scripts_there_is_nothing_to_override(browser: Browser) -> None:
    nodes = [node(SCRIPT, text="Hello"), node(SCRIPT, "two", text="Bye"), node(GENERATOR), node(SINK)]
    edges = [edge(SCRIPT, GENERATOR), edge("two", GENERATOR), edge(GENERATOR, SINK)]
    workflow = make_workflow(browser.workspace, "Two", definition=graph(nodes, edges))
    page = parsed(browser.open(run_path(workflow)))
    assert not page.select("#script_text, #source_language")
    assert send(browser, run_path(workflow)).status_code == 303


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"script_text": "x" * 500_001}, "script_text"), ({"source_language": "klingon"}, "source_language")],
)
def test_a_bad_field_is_marked_and_what_was_typed_is_kept(
    browser: Browser, workflow: Workflow, fields: dict[str, str], field: str
) -> None:
    answer = send(browser, run_path(workflow), **fields)
    page = parsed(answer)
    assert answer.status_code == 422
    assert one(page, f"#{field}")["aria-invalid"] == "true"
    assert one(page, f"#{field}-error").text
    assert "The run was not started." in text_of(one(page, "#refusal"))
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Run)) == 0


def test_what_keeps_it_from_running_is_told_with_the_names_of_nodes(browser: Browser) -> None:
    nodes = [{**node(SCRIPT, text=" "), "name": "Greeting"}, node(GENERATOR), node(SINK)]
    definition = graph(nodes, [edge(SCRIPT, GENERATOR), edge(GENERATOR, SINK)])
    workflow = make_workflow(browser.workspace, "Mute", definition=definition)
    page = parsed(browser.open(run_path(workflow)))
    assert text_of(one(page, ".obstacles li")) == "“Greeting”: it has no text."
    assert not page.select("#refusal")
    refused = send(browser, run_path(workflow))
    assert refused.status_code == 422
    assert "What has to change first is listed below." in text_of(one(parsed(refused), "#refusal"))
    assert send(browser, run_path(workflow), script_text="Hello").status_code == 303


def test_while_a_run_is_active_the_next_one_waits_and_says_so(browser: Browser, workflow: Workflow) -> None:
    send(browser, run_path(workflow))
    first = only_run(workflow)
    said = text_of(one(parsed(browser.open(run_path(workflow))), ".busy-now"))
    assert said.startswith(f"Run #{first.run_number} is pending.")
    refused = send(browser, run_path(workflow), script_text="Once more")
    page = parsed(refused)
    assert refused.status_code == 409
    assert "Another run of this workflow is pending or running." in text_of(one(page, "#refusal"))
    assert one(page, "#script_text").text.strip() == "Once more"


def test_credits_are_told_before_and_refused_after(browser: Browser, workflow: Workflow) -> None:
    grant(browser.workspace.slug, 7, "operator", moments.now())
    costs = parsed(browser.open(run_path(workflow)))
    facts = [text_of(fact) for fact in costs.select(".costs > div")]
    assert facts == ["At least5", "Expected5", "At most5", "Balance7"]
    refused = send(browser, run_path(workflow), script_text="Hello, world")
    assert refused.status_code == 402
    assert "costs at least 12 credits, and the workspace has 7" in text_of(one(parsed(refused), "#refusal"))
    assert "too low" in text_of(one(parsed(refused), "#estimate"))


def test_the_estimate_follows_the_form_with_and_without_script(browser: Browser, workflow: Workflow) -> None:
    grant(browser.workspace.slug, 100, "operator", moments.now())
    path = f"{run_path(workflow)}/estimate"
    for headers in (HTMX, {}):
        answer = send(browser, path, headers, script_text="Hello, world")
        assert answer.status_code == 200
        assert "At least12" in text_of(one(parsed(answer), "#estimate"))
        assert bool(parsed(answer).select("#script_text")) == (not headers)
    assert send(browser, path, HTMX, source_language="x").status_code == 422
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Run)) == 0
    assert browser.open(path).headers["Location"] == run_path(workflow)


def test_a_form_from_elsewhere_starts_nothing(browser: Browser, workflow: Workflow) -> None:
    answer = browser.client.post(run_path(workflow), headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Run)) == 0


@pytest.mark.slow
def test_viewers_are_offered_nothing_and_start_nothing(
    browser: Browser, workflow: Workflow, sign_in: Callable[[User], FlaskClient]
) -> None:
    viewer = make_user("grace@acme.example")
    make_member(browser.workspace, viewer, "viewer")
    ended = make_run(workflow)
    make_detail(ended, definition_snapshot=smallest())
    theirs = sign_in(viewer)
    for path, button in ((f"/workflows/{workflow.id}/runs", "#run-it"), (f"/runs/{ended.id}", "#again")):
        assert parsed(browser.client.get(path, follow_redirects=True)).select(button)
        assert not parsed(theirs.get(path, follow_redirects=True)).select(button)
    again = f"/workflows/{workflow.id}/runs/{ended.id}/again"
    for path in (run_path(workflow), f"{run_path(workflow)}/estimate", again):
        assert theirs.post(path, headers=SAME).status_code == 403


@pytest.mark.slow
def test_a_run_is_run_again_as_it_was(browser: Browser, workflow: Workflow) -> None:
    send(browser, run_path(workflow), script_text="As then", source_language="fr-fr")
    first = only_run(workflow)
    recorder.apply_event(first.id, Event.CANCEL, moments.now())
    again = f"/workflows/{workflow.id}/runs/{first.id}/again"
    assert one(parsed(browser.open(f"/workflows/{workflow.id}/runs/{first.id}")), "#again")["href"] == again
    choice = parsed(browser.open(again))
    assert run_path(workflow) in [link["href"] for link in choice.select("main a")]
    started = send(browser, again)
    assert started.status_code == 303
    db.session.rollback()
    second = db.session.scalars(
        sa.select(Run).where(Run.id != first.id, Run.workflow_id == workflow.id)
    ).one()
    assert started.headers["Location"].endswith(str(second.id))
    assert (script_of(second)["text"], script_of(second)["source_language"]) == ("As then", "fr-fr")
    assert send(browser, again).status_code == 409


def test_what_is_not_recorded_cannot_be_run_again(browser: Browser, workflow: Workflow) -> None:
    unknown = make_run(workflow)
    again = f"/workflows/{workflow.id}/runs/{unknown.id}/again"
    page = parsed(browser.open(again))
    assert not page.select("main form")
    assert "was not recorded" in page.text
    assert send(browser, again).status_code == 404


def test_what_a_run_ran_elsewhere_may_not_run_here(browser: Browser, workflow: Workflow) -> None:
    earlier = make_run(workflow)
    make_detail(earlier, definition_snapshot=graph([node(SINK)], []))
    again = f"/workflows/{workflow.id}/runs/{earlier.id}/again"
    assert "add a Script Input" in text_of(one(parsed(browser.open(again)), ".obstacles"))
    assert send(browser, again).status_code == 422


class TestWithoutEngine:
    """A mirror of history: nothing runs here."""

    @pytest.fixture
    def environment(self, environment: dict[str, str]) -> dict[str, str]:
        return environment | {"PORTAL_ENGINE": "off"}

    def test_no_run_is_offered_and_whoever_asks_is_told_why(
        self, browser: Browser, workflow: Workflow
    ) -> None:
        assert not parsed(browser.open(f"/workflows/{workflow.id}/runs")).select("#run-it")
        refused = send(browser, run_path(workflow))
        assert refused.status_code == 422
        assert parsed(refused).select(".obstacles li")
