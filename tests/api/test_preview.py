"""Previews and estimates over the API: what a run would cost, and where it would be refused."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from portal.config import init_app, settings_of
from portal.database.engine import db
from portal.database.models import EngineWorker, Run, RunEvent, Workflow
from portal.database.transactions import writing
from portal.engine.pricing.credits import grant
from tests.api.conftest import Api
from tests.definitions.graphs import CHECK, GENERATOR, SCRIPT, SINK, Json, checked, smallest
from tests.factories import CAN_ALL, NOON, make_key, make_upload, make_worker, make_workflow

PATHS = ("runs/preview", "estimate")
PRICES = f'{{"{GENERATOR}": {{"per_1000_characters": "1.5"}}, "{CHECK}": {{"per_audio_minute": "0.2"}}}}'
FREE = {"min_credits": 0, "expected_credits": 0, "max_credits": 0}


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return environment | {"PORTAL_ENGINE_PRICES": PRICES}


@pytest.fixture(params=PATHS)
def path(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def worker(app: Flask) -> None:
    make_worker(abilities=CAN_ALL)


def workflow(api: Api, definition: Json) -> Workflow:
    return make_workflow(api.workspace, definition=definition)


def ask(api: Api, path: str, workflow_id: object, **options: Any) -> TestResponse:
    return api.request("POST", f"/workflows/{workflow_id}/{path}", **options)


def estimate(api: Api, path: str, found: Workflow, **body: object) -> Any:
    answer = ask(api, path, found.id, json=body)
    assert answer.status_code == 200, answer.text
    return answer.get_json()["data"]


def rules(answer: TestResponse) -> list[tuple[str, str | None]]:
    assert answer.status_code == 422, answer.text
    return [(each["field"], each.get("rule")) for each in answer.get_json()["error"]["details"]]


def test_without_metering_everything_is_free_and_can_run(api: Api, path: str) -> None:
    found = estimate(api, path, workflow(api, checked()), script_text="x" * 100_000)
    assert {name: found[name] for name in FREE} == FREE
    assert (found["current_balance"], found["deficit_at_max"], found["can_run"]) == (0, 0, True)
    rows = [(row["node_id"], row["node_type"]) for row in found["breakdown"]]
    assert rows == [(each, each) for each in (SCRIPT, GENERATOR, CHECK, SINK)]
    assert (found["will_incur_overage"], found["estimated_overage_cents"]) == (False, None)


def test_a_metered_run_is_held_against_the_balance(api: Api, path: str) -> None:
    grant("acme", 4, "root", NOON)
    found = estimate(api, path, workflow(api, checked()), script_text=f" {'x' * 600} \n\n {'y' * 400}")
    assert (found["min_credits"], found["expected_credits"], found["max_credits"]) == (2, 3, 7)
    assert (found["current_balance"], found["deficit_at_max"], found["can_run"]) == (4, 3, True)
    dear = estimate(api, path, workflow(api, checked()), script_text="x" * 4_000)
    assert (dear["min_credits"], dear["can_run"]) == (7, False)


def test_uploads_count_as_they_were_counted(api: Api, path: str) -> None:
    grant("acme", 100, "root", NOON)
    definition = smallest()
    definition["graph"]["nodes"][0]["config"] = {"input_type": "file", "upload_ids": []}
    found = workflow(api, definition)
    older, newer = (make_upload(found, api.workspace, name, b"x") for name in ("a.txt", "b.txt"))
    with db.engine.begin() as connection:
        table = sa.table("uploads", sa.column("char_count"), sa.column("created_at"))
        connection.execute(sa.update(table).values(char_count=2_000))
    assert estimate(api, path, found)["min_credits"] == 3
    definition["graph"]["nodes"][0]["config"]["upload_ids"] = [str(older.id), str(newer.id).upper()]
    assert estimate(api, path, workflow(api, definition))["min_credits"] == 6


def test_nothing_changes(api: Api, path: str) -> None:
    found = workflow(api, checked())
    before = api.get(f"/workflows/{found.id}").get_json()["data"]
    estimate(api, path, found, script_text="Something else", source_language="de")
    assert api.get(f"/workflows/{found.id}").get_json()["data"] == before
    db.session.rollback()
    assert db.session.scalars(sa.select(Run)).all() == []
    assert db.session.scalars(sa.select(RunEvent)).all() == []


def test_an_empty_body_of_any_kind_is_no_override(api: Api, path: str) -> None:
    found = workflow(api, checked())
    for options in ({}, {"json": {}}, {"data": b"", "content_type": "application/json"}):
        assert ask(api, path, found.id, **options).status_code == 200


def test_a_body_that_cannot_be_read_is_refused_before_the_workflow_is_looked_for(api: Api, path: str) -> None:
    assert ask(api, path, uuid4(), data=b"[]", content_type="application/json").status_code == 400
    assert ask(api, path, uuid4(), data=b"{}", content_type="text/plain").status_code == 415
    bad = ask(api, path, "x", json={"script_text": "", "source_language": 5})
    assert rules(bad) == [("workflow_id", None), ("script_text", None), ("source_language", None)]
    assert ask(api, path, uuid4(), json={"script_text": "x"}).status_code == 404


def test_what_could_not_run_is_refused_with_rule_and_node(api: Api, path: str) -> None:
    definition = smallest()
    definition["graph"]["nodes"][0]["config"] = {}
    answer = ask(api, path, workflow(api, definition).id)
    assert rules(answer) == [("definition.graph.nodes.0.config.text", "empty_script")]
    assert answer.get_json()["error"]["details"][0]["node_id"] == SCRIPT
    translated = estimate(api, path, workflow(api, definition), script_text="Hello")
    assert translated["can_run"]


def test_an_engine_that_is_off_refuses_every_run(app: Flask, api: Api, path: str) -> None:
    settings = settings_of(app)
    init_app(app, replace(settings, engine=replace(settings.engine, enabled=False)))
    answer = ask(api, path, workflow(api, checked()).id)
    assert rules(answer) == [("definition.graph.nodes.0", "unavailable_node")]
    assert "PORTAL_ENGINE" in answer.get_json()["error"]["message"]


def test_without_workers_and_espeak_ng_it_says_what_to_install(
    api: Api, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with writing() as session:
        session.execute(sa.delete(EngineWorker))
    monkeypatch.setenv("PATH", "/nowhere")
    answer = ask(api, path, workflow(api, smallest()).id, json={"source_language": "de"})
    assert rules(answer) == [("definition.graph.nodes.1.config.voice_map", "unrouted_locale")]
    for said in ("de-de", "espeak-ng", "PORTAL_PROVIDER_URL"):
        assert said in answer.get_json()["error"]["message"]


def test_it_needs_the_scope_to_read(api: Api, path: str) -> None:
    found = workflow(api, smallest())
    stranger = api.with_key(make_key(api.workspace, api.user, ("workflows:run",)))
    assert ask(stranger, path, found.id).status_code == 403


def test_validation_says_what_cannot_be_done_here(api: Api) -> None:
    writer = api.with_key(make_key(api.workspace, api.user, ("workflows:write",)))
    definition = checked()
    voice = {"provider": "p", "model": "m", "voice_id": "v"}
    definition["graph"]["nodes"][1]["config"] = {"voice_map": {"en-us": [voice]}}
    answer = writer.request("POST", "/workflows/validate", json={"definition": definition})
    found = answer.get_json()["data"]
    assert [error["rule"] for error in found["errors"]] == ["unknown_voice"]
    assert not found["valid"]
