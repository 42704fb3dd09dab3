"""The description of the API: whole, true of real answers, and readable by people and agents."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from werkzeug.test import TestResponse

from portal import moments
from portal.api.operations import OPERATIONS
from portal.auth.principals import Membership, Principal, PrincipalUser
from portal.database.models import User, Workflow, Workspace
from portal.speech import espeak
from portal.workspaces import invitations
from portal.workspaces.members import roster_id
from tests.answer_models import faults
from tests.api.conftest import Api
from tests.api.test_lineage import START
from tests.conftest import BASE_URL
from tests.definitions.graphs import checked, edge
from tests.factories import (
    CAN_ALL,
    make_detail,
    make_ingest_key,
    make_key,
    make_member,
    make_output,
    make_person,
    make_run,
    make_user,
    make_worker,
    make_workflow,
)
from tests.factories import make_workspace as new_workspace
from tests.history.lines import workflow_line
from tests.provider_voices import voice_with_clip, voices_file
from tests.session_tokens import TokenCaller, let_in, portal_with_tokens

Json = dict[str, Any]


@pytest.fixture
def token_app(environment: dict[str, str], tmp_path: Path) -> Iterator[Flask]:
    voices = {"PORTAL_PROVIDER_VOICES": str(voices_file(tmp_path))}
    with portal_with_tokens(environment | voices, tmp_path) as app:
        yield app


def document(app: Flask) -> Json:
    answer = app.test_client().get("/openapi.json")
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    found: Json = answer.get_json()
    return found


def operations(client: FlaskClient) -> list[str]:
    paths: Json = client.get("/openapi.json").get_json()["paths"]
    return [operation["operationId"] for methods in paths.values() for operation in methods.values()]


def test_it_names_every_route_of_the_api_and_no_other(sqlite_app: Flask) -> None:
    described = {
        (path, method.upper())
        for path, methods in document(sqlite_app)["paths"].items()
        for method in methods
    }
    routed = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method)
        for rule in sqlite_app.url_map.iter_rules()
        if rule.rule.startswith("/api/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert described == routed
    endpoints = {rule.endpoint for rule in sqlite_app.url_map.iter_rules() if rule.rule.startswith("/api/")}
    assert {endpoint.rpartition(".")[2] for endpoint in endpoints} == OPERATIONS.keys()


@pytest.mark.slow
def test_it_is_valid_openapi_and_refers_to_nothing_that_is_not_there(sqlite_app: Flask) -> None:
    described = document(sqlite_app)
    assert described["openapi"].startswith("3.1.")
    for name in re.findall(r'"\$ref": "#/components/(\w+/\w+)"', json.dumps(described)):
        kind, part = name.split("/")
        assert part in described["components"][kind]
    for schema in described["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    ids = [
        operation["operationId"] for methods in described["paths"].values() for operation in methods.values()
    ]
    assert len(ids) == len(set(ids))


def test_what_a_key_needs_is_what_the_gate_asks_for(sqlite_app: Flask) -> None:
    security = {
        operation["operationId"]: operation["security"]
        for methods in document(sqlite_app)["paths"].values()
        for operation in methods.values()
    }
    assert security["runs"] == [{"apiKey": ["workflows:read"]}, {"sessionToken": []}]
    assert security["whoami"] == [{"apiKey": []}, {"sessionToken": []}]
    assert security["node_types"] == []
    assert security["create_api_key"] == [{"sessionToken": []}]
    assert security["push_history"] == [{"ingestKey": []}]


@pytest.mark.slow
def test_real_answers_are_as_described(token_app: Flask) -> None:
    workspace, user = new_workspace(), let_in(make_user(first_name="Ada"))
    make_member(workspace, user)
    workflow = make_workflow(workspace, description="Dubs", definition=checked())
    run = make_run(workflow, make_person(workspace, "Ada"), started_at=None, usage_summary={"api_calls": 3})
    make_run(workflow, status="pending")
    make_run(workflow, status="failed", error="no voice")
    make_detail(run, definition_snapshot={"graph": {"nodes": [{"id": "out", "type": "sink_preview"}]}})
    make_output(run, workspace, {"script": "Hello", "takes": [{"audio": b"RIFF"}]})
    caller = TokenCaller(token_app, user, workspace.id)
    answered = set()

    def ask(method: str, template: str, query: str = "", body: Json | None = None, **ids: object) -> Json:
        path = template.format(**ids) + query
        sent = {} if body is None else {"json": body}
        answer = caller.ask(method, path, api="", **sent)
        assert faults(token_app, answer) == []
        if answer.status_code < 300:
            answered.add((template, method.lower()))
        found: Json = answer.get_json(silent=True)
        return found

    keys, spaces, flows = "/api/v1/api-keys", "/api/v1/workspaces", "/api/v1/workflows"
    ask("GET", "/api/v1/auth/whoami")
    ask("GET", "/api/v1/nodes")
    for some_type in ("operator_generator", "unknown"):
        ask("GET", "/api/v1/nodes/{node_type}", node_type=some_type)
        ask("GET", "/api/v2/nodes/{node_type}", node_type=some_type)
    ask("GET", flows, "?include_definition=true")
    ask("GET", flows, "?limit=0")
    ask("GET", "/api/v1/runs")
    ask("GET", "/api/v1/runs/export")
    ask("GET", "/api/v1/failures", "?days=366&sort=count")
    ask("GET", "/api/v1/failures", "?days=0")
    for some in (workflow.id, uuid4(), "x"):
        ask("GET", flows + "/{workflow_id}", workflow_id=some)
        ask("GET", flows + "/{workflow_id}/runs", "?limit=1", workflow_id=some)
        ask("GET", flows + "/{workflow_id}/runs/export", "?format=jsonl", workflow_id=some)
        ask("GET", flows + "/{workflow_id}/runs/summary", workflow_id=some)
        ask("GET", flows + "/{workflow_id}/markdown", workflow_id=some)
        ask("GET", flows + "/{workflow_id}/uploads", workflow_id=some)
        for rest in ("", "/status", "/steps", "/overview", "/data", "/outputs", "/analysis", "/download"):
            ask("GET", f"{flows}/{{workflow_id}}/runs/{{run_id}}{rest}", workflow_id=some, run_id=run.id)
    whole = {"workflow_id": workflow.id, "run_id": run.id}
    ask("GET", flows + "/{workflow_id}/runs/{run_id}/nodes/{node_id}/download", **whole, node_id="out")
    ask("GET", flows + "/{workflow_id}/runs/{run_id}/audio/{audio_id}/url", **whole, audio_id="0" * 16)
    ask("GET", flows + "/name-availability", "?name=x")
    ask("GET", flows + "/name-availability")
    flow = ask("POST", flows, body={"name": "x"})["data"]["id"]
    unsound = {"graph": {"edges": [edge("a", "b")]}}
    ask("POST", flows, body={"definition": unsound})
    ask("POST", flows + "/validate", body={"definition": unsound})
    ask("POST", flows + "/validate", body={"definition": checked()})
    for some in (flow, uuid4(), "x"):
        ask("PUT", flows + "/{workflow_id}", body={"name": "y", "definition": checked()}, workflow_id=some)
        ask("PATCH", flows + "/{workflow_id}", body={"name": "z"}, workflow_id=some)
        ask("PATCH", flows + "/{workflow_id}", body={}, workflow_id=some)
        ask("POST", flows + "/{workflow_id}/duplicate", workflow_id=some)
        ask("DELETE", flows + "/{workflow_id}", workflow_id=some)
    ask_of_runs(ask, workflow.id)
    ask_of_templates(ask)
    ask_of_voices(ask)
    ask_of_the_dictionary(ask)
    made = ask("POST", keys, body={"name": "x"})["data"]["id"]
    ask("POST", keys, body={})
    for some in (made, uuid4()):
        ask("GET", keys + "/{key_id}", key_id=some)
        ask("PATCH", keys + "/{key_id}", body={"active": True}, key_id=some)
        ask("PATCH", keys + "/{key_id}/rotate", key_id=some)
        ask("PATCH", keys + "/{key_id}/rotate", key_id=some)
        ask("DELETE", keys + "/{key_id}", key_id=some)
    ask("GET", keys, "?status=all")
    sent, upload = "/api/v1/uploads", {"filename": "a.txt", "category": "script"}
    given = ask("POST", sent, body=upload)["data"]
    context = {"context_type": "workflow", "context_id": str(workflow.id)}
    ask("POST", sent + "/{upload_id}", body=context, upload_id=given["upload"]["id"])
    token_app.test_client().put(given["upload_url"].removeprefix(BASE_URL), data=b"Hello")
    for some in (given["upload"]["id"], uuid4(), "x"):
        ask("POST", sent + "/{upload_id}", body=context, upload_id=some)
        ask("DELETE", sent + "/{upload_id}", upload_id=some)
    own = ask("POST", spaces, body={"name": "Own"})["data"]["id"]
    ask("POST", spaces, body={"name": "Own", "slug": "own"})
    ask("GET", spaces)
    ask("GET", spaces + "/{workspace_id}/members", workspace_id=own)
    ask("GET", spaces + "/{workspace_id}/settings", workspace_id=own)
    ask("GET", spaces + "/{workspace_id}/plan", workspace_id=own)
    ask("GET", spaces + "/slug-available", "?slug=own")
    ask("GET", spaces + "/slug-available")
    _ask_about_members(ask, spaces, own, caller.user)
    me, used = "/api/v1/users/me", "/api/v1/usage"
    ask("GET", me + "/credits")
    ask("GET", me + "/limits")
    ask("GET", me + "/notification-preferences")
    ask("PATCH", me + "/notification-preferences", body={"failed_generation_email": False})
    ask("PATCH", me + "/notification-preferences", body={"failed_generation_email": None})
    for query in ("?range=90d&activity_view=weekly&timezone=Asia/Kolkata", "?range=1d"):
        ask("GET", used + "/summary", query)
        ask("GET", used + "/by-language", query)
    ask("GET", used + "/activity", "?limit=1")
    ask("GET", used + "/activity", "?cursor=x")
    for method, body in (("GET", None), ("PATCH", {"name": "New"}), ("DELETE", None), ("GET", None)):
        ask(method, spaces + "/{workspace_id}", body=body, workspace_id=own)
    caller.workspace_id = "x"
    ask("GET", flows)
    assert faults(token_app, _with_key(token_app, make_key(workspace, user), "POST", keys)) == []
    assert faults(token_app, token_app.test_client().get(keys)) == []
    answered |= ask_of_ingest(token_app, workspace)
    paths = document(token_app)["paths"]
    every = {(path, method) for path, methods in paths.items() for method in methods}
    suggestion = set() if espeak.is_here() else {("/api/v1/dictionary/suggest-pronunciation", "post")}
    assert answered == every - suggestion


def ask_of_runs(ask: Callable[..., Json], workflow_id: UUID) -> None:
    """What a run would cost, then start one twice, and steer it and what is not there."""
    make_worker(abilities=CAN_ALL)
    flow = "/api/v1/workflows/{workflow_id}"
    for some in (workflow_id, uuid4(), "x"):
        ask("POST", flow + "/estimate", workflow_id=some)
        ask("POST", flow + "/runs/preview", body={"script_text": ""}, workflow_id=some)
        ask("POST", flow + "/runs/preview", body={"script_text": "Hello"}, workflow_id=some)
        ask("POST", flow + "/runs", body={"source_language": 1}, workflow_id=some)
    started = ask("POST", flow + "/runs", workflow_id=workflow_id)["data"]["id"]
    ask("POST", flow + "/runs", workflow_id=workflow_id)
    for event in ("pause", "resume", "cancel", "pause"):
        for some in (started, uuid4(), "x"):
            ask("POST", f"{flow}/runs/{{run_id}}/{event}", workflow_id=workflow_id, run_id=some)


def ask_of_ingest(app: Flask, workspace: Workspace) -> set[tuple[str, str]]:
    """Push a good line and a bad one with an ingest key, and an event twice and a bad one."""
    path, bearer = "/api/v1/history", {"Authorization": f"Bearer {make_ingest_key(workspace)}"}
    for line, status in ((workflow_line(), 200), (workflow_line(name=7), 422)):
        answer = app.test_client().post(path, json=line, headers=bearer)
        assert (answer.status_code, faults(app, answer)) == (status, [])
    lineage = "/api/v1/lineage"
    for event, status in ((START, 201), (START, 200), ({}, 422)):
        answer = app.test_client().post(lineage, json=event, headers=bearer)
        assert (answer.status_code, faults(app, answer)) == (status, [])
    return {(path, "post"), (lineage, "post")}


def ask_of_templates(ask: Callable[..., Json]) -> None:
    templates = "/api/v1/templates"
    made = ask("POST", templates, body={"name": "x", "definition": checked()})["data"]["id"]
    ask("POST", templates, body={"definition": {"graph": {"edges": [edge("a", "b")]}}})
    ask("GET", templates, "?sort=popular&limit=2")
    ask("GET", templates, "?sort=x")
    ask("GET", "/api/v1/users/me/templates")
    for some in (made, "ReadText", "Absent00", "x"):
        ask("GET", templates + "/{template_id}", template_id=some)
        ask("GET", templates + "/{template_id}/estimate", template_id=some)
        ask("PATCH", templates + "/{template_id}", body={"category": "media"}, template_id=some)
        ask("POST", templates + "/{template_id}/clone", body={"name": "y"}, template_id=some)
        ask("POST", templates + "/{template_id}/favorite", template_id=some)
        ask("DELETE", templates + "/{template_id}/favorite", template_id=some)
        ask("DELETE", templates + "/{template_id}", template_id=some)


def ask_of_voices(ask: Callable[..., Json]) -> None:
    voices, providers = "/api/v1/voices", "/api/v1/providers"
    [bob, *_] = ask("GET", voices, "?provider=acme&sort=name&order=desc")["data"]
    ask("GET", voices, "?language=xx&gender=")
    ask("GET", voices + "/facets", "?language=de_DE")
    for some in (voice_with_clip(), bob["id"], uuid4(), "x"):
        ask("GET", voices + "/{voice_id}", voice_id=some)
        ask("GET", voices + "/{voice_id}/preview", "?language=de-de", voice_id=some)
        ask("GET", voices + "/{voice_id}/similar", voice_id=some)
        ask("POST", voices + "/{voice_id}/favorite", voice_id=some)
        ask("DELETE", voices + "/{voice_id}/favorite", voice_id=some)
    ask("GET", providers)
    for provider, model in (("acme", "org/large"), ("espeak-ng", "espeak-ng"), ("x", "y")):
        names = {"provider_name": provider, "model_name": model}
        ask("GET", providers + "/{provider_name}", **names)
        ask("GET", providers + "/{provider_name}/models", **names)
        ask("GET", providers + "/{provider_name}/models/{model_name}", **names)
        ask("GET", providers + "/{provider_name}/models/{model_name}/voices", **names)


def ask_of_the_dictionary(ask: Callable[..., Json]) -> None:
    words = "/api/v1/dictionary"
    word = {"word": "Podonos", "language": "en-us"}
    made = ask("POST", words, body=word | {"method": "spelled", "pronunciation": "poh-doh-nohs"})["data"]
    ask("POST", words, body=word | {"method": "spelled", "pronunciation": "again"})
    ask("POST", words, body=word)
    ask("GET", words, "?language=en-us")
    ask("GET", words)
    ask("GET", words + "/search", "?search=pod")
    ask("GET", words + "/languages")
    ask("POST", words + "/suggest-pronunciation", body=word)
    for some in (made["id"], uuid4(), "x"):
        ask("PUT", words + "/{entry_id}", body={"ipa": None}, entry_id=some)
        ask("DELETE", words + "/{entry_id}", entry_id=some)


def _ask_about_members(ask: Callable[..., Json], spaces: str, own: str, user: User) -> None:
    """Invitations and members, each at its best and refused."""
    invites, people = spaces + "/{workspace_id}/invites", spaces + "/{workspace_id}/members"
    mine = {"workspace_id": own}
    guest = make_user("guest@acme.example")
    invited = ask("POST", invites, body={"email": guest.email, "role": "viewer"}, **mine)["data"]
    ask("POST", invites, body={"email": guest.email, "role": "viewer"}, **mine)
    ask("POST", invites, body={"role": 1}, **mine)
    other = ask("POST", invites, body={"email": user.email.upper(), "role": "viewer"}, **mine)
    assert other["error"]["code"] == "CONFLICT"
    one = invites + "/{invite_id}"
    ask("PATCH", one, body={"role": "editor"}, invite_id=invited["id"], **mine)
    ask("POST", spaces + "/invites/{token}/accept", token=invited["token"])
    for _ in range(2):
        ask("DELETE", one, invite_id=invited["id"], **mine)
    ask("PATCH", one, body={"role": "editor"}, invite_id=invited["id"], **mine)
    elsewhere = new_workspace("elsewhere")
    make_member(elsewhere, guest)
    who = PrincipalUser(guest.id, guest.email, "Guest")
    here = (Membership(elsewhere.id, elsewhere.name, elsewhere.slug, "admin"),)
    host = Principal(kind="session", user=who, workspaces=here, chosen=elsewhere.id)
    _, token = invitations.invite(host, user.email, "viewer", moments.now())
    for _ in range(2):
        ask("POST", spaces + "/invites/{token}/accept", token=token)
    ask("POST", spaces + "/invites/{token}/accept", token="unknown")
    workspace = Workspace(id=UUID(own))
    make_member(workspace, guest, "viewer")
    row = roster_id(workspace.id, guest.id)
    one = people + "/{member_id}"
    ask("PATCH", one, body={"role": "editor"}, member_id=row, **mine)
    ask("PATCH", one, body={"role": "owner"}, member_id=row, **mine)
    ask("PATCH", one, body={"role": "viewer"}, member_id=roster_id(workspace.id, user.id), **mine)
    for _ in range(2):
        ask("DELETE", one, member_id=row, **mine)


@pytest.mark.slow
def test_a_body_is_required_exactly_where_an_empty_one_is_refused(token_app: Flask) -> None:
    workspace, user = new_workspace(), let_in(make_user())
    make_member(workspace, user, "admin")
    caller, seen = TokenCaller(token_app, user, workspace.id), set()
    for path, methods in document(token_app)["paths"].items():
        for method, operation in methods.items():
            if "requestBody" not in operation or operation["security"] == [{"ingestKey": []}]:
                continue
            in_path = re.findall(r"{(\w+)}", path)
            own = {"workspace_id": str(workspace.id)}
            address = path.format_map({name: own.get(name, str(uuid4())) for name in in_path})
            answer = caller.ask(method.upper(), address, api="").get_json()
            fields = {one["field"] for one in answer.get("error", {}).get("details") or ()}
            refused = bool(fields - set(in_path))
            assert operation["requestBody"]["required"] == refused, (method, path, answer)
            seen.add(refused)
    assert seen == {True, False}


def test_an_answer_that_is_not_as_described_is_found(api: Api, workflow: Workflow) -> None:
    make_run(workflow)
    path = f"/workflows/{workflow.id}/runs"

    def found(change: Callable[[Json], object], path: str = path) -> list[str]:
        answer = api.get(path)
        body: Json = answer.get_json()
        change(body)
        answer.data = json.dumps(body)
        return faults(api.app, answer)

    assert found(lambda body: None) == []
    changes: list[tuple[str, Callable[[Json], object]]] = [
        ("data.0", lambda body: body["data"][0].pop("credits")),
        ("data.0", lambda body: body["data"][0].update(beyond=1)),
        ("data.0.total_steps", lambda body: body["data"][0].update(total_steps=-1)),
        ("data.0.status", lambda body: body["data"][0].update(status="done")),
        ("data.0.id", lambda body: body["data"][0].update(id="{" + body["data"][0]["id"] + "}")),
        ("data.0.created_at", lambda body: body["data"][0].update(created_at="yesterday")),
        ("pagination", lambda body: body["pagination"].pop("total")),
        ("", lambda body: body.pop("meta")),
    ]
    for where, change in changes:
        [*_, fault] = found(change)
        assert fault.startswith(f"{where}: "), (where, fault)
    assert found(lambda body: body["error"].pop("code"), f"{path}?limit=0")


def _with_key(app: Flask, key: str, method: str, path: str) -> TestResponse:
    headers = {"Authorization": f"Bearer {key}"}
    return app.test_client().open(path, method=method, headers=headers, data="x", content_type="text/plain")


@pytest.mark.slow
def test_people_read_it_without_signing_in_and_without_scripts_of_others(client: FlaskClient) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    soup = BeautifulSoup(page.text, "html.parser")
    assert {section["id"] for section in soup.select("section.operation")} == set(operations(client))
    assert all(str(script["src"]).startswith("/static/") for script in soup.select("script"))
    assert "workflows:read" in soup.select_one("#runs").get_text()  # type: ignore[union-attr]


def test_agents_find_every_operation_in_the_index(client: FlaskClient) -> None:
    answer = client.get("/llms.txt")
    assert answer.content_type.startswith("text/plain")
    assert answer.text.startswith("# Run Portal\n")
    for name in operations(client):
        assert f"/docs#{name})" in answer.text
