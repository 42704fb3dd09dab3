"""Metrics: who sees them, and what they say."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from portal import create_app, moments
from portal.database.engine import db
from portal.database.models import RunStatus
from portal.database.transactions import writing
from portal.engine.reporting.step_totals import count_step
from tests.conftest import settings_for
from tests.factories import make_claim, make_engine_run, make_run, make_worker, make_workflow, make_workspace
from tests.statements import statements

TOKEN = "c8b1f0e2d7a94635" * 2
OPENED = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def environment(database_url: str) -> dict[str, str]:
    return settings_for(database_url) | {"PORTAL_METRICS_TOKEN": TOKEN}


@pytest.fixture
def read(client: FlaskClient) -> Callable[[], dict[str, float]]:
    """The samples, each by its name and its labels in braces."""

    def read() -> dict[str, float]:
        answer = client.get("/metrics", headers=OPENED)
        assert answer.status_code == 200
        assert answer.content_type.startswith("text/plain; version=0.0.4")
        assert answer.headers["Cache-Control"] == "no-store"
        samples = [each for family in text_string_to_metric_families(answer.text) for each in family.samples]
        return {f"{each.name}{{{','.join(each.labels.values())}}}": each.value for each in samples}

    return read


def test_without_a_token_there_are_no_metrics(sqlite_app: Flask) -> None:
    assert sqlite_app.test_client().get("/metrics", headers=OPENED).status_code == 404


@pytest.mark.parametrize(
    "sent", [None, "", "Bearer", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", f"Bearer {TOKEN}é", TOKEN]
)
def test_only_the_token_opens_them(client: FlaskClient, sent: str | None) -> None:
    answer = client.get("/metrics", headers={} if sent is None else {"Authorization": sent})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert TOKEN not in answer.text


def test_who_guesses_is_slowed_down_and_who_knows_is_not(
    environment: dict[str, str], tmp_path: object
) -> None:
    app = create_app(environment | {"PORTAL_RATE_LIMIT_ATTEMPTS_PER_MIN": "2"}, instance=tmp_path)  # type: ignore[arg-type]
    client = app.test_client()
    guesses = [client.get("/metrics", headers={"Authorization": "Bearer x"}).status_code for _ in range(3)]
    assert guesses == [401, 401, 429]
    assert client.get("/metrics", headers=OPENED).status_code == 200
    with app.app_context():
        db.engine.dispose()


@pytest.mark.slow
def test_figures_are_those_of_the_database(read: Callable[[], dict[str, float]]) -> None:
    empty = read()
    assert empty["portal_database_up{}"] == 1
    assert empty["portal_engine_oldest_waiting_seconds{}"] == 0
    assert empty["portal_runs{completed}"] == 0
    workflow = make_workflow(make_workspace())
    make_run(workflow)
    make_worker("a", threads=4)
    make_worker("b", threads=2, draining=True)
    make_worker("dead", silent=3600)
    make_claim(make_engine_run(workflow, "running"), "a")
    retry = moments.now() + timedelta(minutes=1)
    make_claim(make_engine_run(workflow, "running"), retry_at=retry)
    waiting_since = moments.now() - timedelta(hours=1)
    make_engine_run(workflow, created_at=waiting_since, updated_at=waiting_since)
    with writing() as session:
        for _ in range(2):
            count_step(session, "a", "sink_preview", RunStatus.COMPLETED, 750)
        count_step(session, "b", "operator_generator", RunStatus.FAILED, 0)
    found = read()
    assert 3600 <= found.pop("portal_engine_oldest_waiting_seconds{}") < 4200
    assert {name: value for name, value in found.items() if "request" not in name} == {
        "portal_database_up{}": 1,
        "portal_runs{pending}": 1,
        "portal_runs{running}": 2,
        "portal_runs{paused}": 0,
        "portal_runs{completed}": 1,
        "portal_runs{failed}": 0,
        "portal_runs{cancelled}": 0,
        "portal_engine_enabled{}": 1,
        "portal_engine_runs{pending}": 1,
        "portal_engine_runs{running}": 2,
        "portal_engine_runs_waiting{}": 1,
        "portal_engine_runs_stuck{}": 1,
        "portal_engine_steps_running{}": 1,
        "portal_engine_steps_retrying{}": 1,
        "portal_engine_workers{ready}": 1,
        "portal_engine_workers{draining}": 1,
        "portal_engine_worker_threads{}": 4,
        "portal_engine_steps_total{operator_generator,failed}": 1,
        "portal_engine_steps_total{sink_preview,completed}": 2,
        "portal_engine_step_seconds_total{operator_generator,failed}": 0,
        "portal_engine_step_seconds_total{sink_preview,completed}": 1.5,
    }


def test_requests_are_measured_by_the_template_of_their_address(
    client: FlaskClient, read: Callable[[], dict[str, float]]
) -> None:
    client.get("/login")
    for name in ("a", "b"):
        client.get(f"/signin/{name}")
        client.get(f"/nothing/{name}")
        client.open("/login", method=f"MADE-UP-{name.upper()}")
    counts = {name: value for name, value in read().items() if "request_seconds_count" in name}
    assert counts == {
        "portal_request_seconds_count{GET,/login,2xx}": 1,
        "portal_request_seconds_count{GET,/signin/<token>,4xx}": 2,
        "portal_request_seconds_count{GET,none,4xx}": 2,
        "portal_request_seconds_count{other,none,4xx}": 2,
    }


def test_without_a_database_there_is_still_what_was_measured(tmp_path: object) -> None:
    settings = settings_for("postgresql://nobody@127.0.0.1:1/nothing") | {"PORTAL_METRICS_TOKEN": TOKEN}
    client = create_app(settings, instance=tmp_path).test_client()  # type: ignore[arg-type]
    assert client.get("/healthz").status_code == 200
    text = client.get("/metrics", headers=OPENED).text
    assert "portal_database_up 0.0" in text
    assert "portal_engine" not in text
    assert 'route="/healthz"' in text


def test_a_scrape_takes_a_handful_of_statements(read: Callable[[], dict[str, float]]) -> None:
    workflow = make_workflow(make_workspace())
    for number in range(5):
        make_worker(f"w{number}")
        make_claim(make_engine_run(workflow, "running"), f"w{number}")
    with statements() as asked:
        read()
    assert len([each for each in asked if each.text.startswith("SELECT")]) <= 8
