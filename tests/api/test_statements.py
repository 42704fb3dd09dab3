"""No answer of the API takes more statements where there is more to read."""

import json
from typing import Any
from uuid import UUID, uuid5

import pytest
from flask import Flask

from portal import speech
from portal.auth.principals import SCOPES
from portal.history.importer import import_lines
from tests.api.conftest import Api
from tests.definitions.graphs import smallest
from tests.factories import (
    NOON,
    make_entry,
    make_key,
    make_member,
    make_template,
    make_user,
    make_workspace,
)
from tests.statements import statements

NOT_ASKED = {"api_keys", "api_key", "slug_available", "voice_preview"}
"""Endpoints that a key does not open, and the one for which no voice of the default engine has a clip."""
QUERY = {"name": "x", "search": "x", "language": "de-de"}
ASKED_WITH = {"workflow_name_availability", "dictionary_entries", "search_dictionary"}
"""Endpoints that need a query."""
NODES = {"graph": {"nodes": [{"id": "out", "type": "sink_preview"}], "edges": []}}


def a_workspace(app: Flask, name: str, size: int) -> tuple[Api, dict[str, str]]:
    """A workspace with so many of everything that can be many, and names of one of each."""
    workspace, user = make_workspace(name), make_user(f"{name}@acme.example")
    make_member(workspace, user)
    for number in range(1, size):
        make_member(workspace, make_user(f"{name}{number}@acme.example"))
    own = [str(uuid5(workspace.id, str(number))) for number in range(size)]
    lines = [
        *({"type": "workflow", "id": each, "name": each, "definition": NODES} for each in own),
        *(an_upload(own[0], number) for number in range(size)),
        *(a_run(own[0], number, size) for number in range(size)),
    ]
    texts = (json.dumps(line).encode() for line in lines)
    assert import_lines(workspace.id, texts, now=NOON, files={"a.wav": b"RIFF", "a.txt": b"Hello"}).ok
    templates = [
        make_template(workspace, f"Template {number}", definition=smallest()) for number in range(size)
    ]
    for number in range(size):
        make_entry(workspace, f"word {number}")
    voice = next(iter(speech.catalog().voices.values()))
    run_id = uuid5(UUID(own[0]), "run 0")
    names = {
        "workflow_id": own[0],
        "run_id": str(run_id),
        "node_id": "out",
        "audio_id": uuid5(run_id, "take:0:0").hex[:16],
        "workspace_id": str(workspace.id),
        "node_type": "source_script",
        "voice_id": str(voice.id),
        "provider_name": voice.provider,
        "model_name": next(iter(voice.models)),
        "template_id": templates[0].id,
    }
    scopes = tuple(scope for scope in SCOPES if scope.endswith(":read"))
    return Api(app, workspace, user, make_key(workspace, user, scopes=scopes)), names


def an_upload(workflow_id: str, number: int) -> dict[str, Any]:
    upload_id = str(uuid5(UUID(workflow_id), f"upload {number}"))
    named = {"id": upload_id, "workflow_id": workflow_id, "path": "a.txt", "category": "script"}
    return {"type": "upload", "uploaded_by": {"name": f"Person {number}"}, **named}


def a_run(workflow_id: str, number: int, size: int) -> dict[str, Any]:
    said = [{"kind": f"kind {n}", "node_id": f"v{n}", "score": 0.5, "passed": True} for n in range(size)]
    takes = [{"locale": f"l{n}", "audio": {"path": "a.wav"}, "validations": said} for n in range(size)]
    return {
        "type": "run",
        "id": str(uuid5(UUID(workflow_id), f"run {number}")),
        "workflow_id": workflow_id,
        "status": "completed",
        "created_at": f"2026-02-{number + 1:02d}T12:00:00Z",
        "triggered_by": {"name": f"Person {number}"},
        "definition_snapshot": NODES,
        "steps": [{"node_id": f"n{n}", "status": "completed", "result": {"n": n}} for n in range(size)],
        "output_lines": [{"script": "Hello", "takes": takes}] * size,
        "files": [{"path": "a.txt", "node_id": "out"}] * size,
    }


@pytest.fixture
def paths(app: Flask) -> dict[str, str]:
    """Every address of the API that is read, by the name of its endpoint."""
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("api.")]
    return {
        rule.endpoint.removeprefix("api."): rule.rule.removeprefix("/api/v1").replace("<path:", "<")
        for rule in rules
        if "GET" in (rule.methods or ())
    }


@pytest.mark.slow
def test_no_answer_takes_more_statements_for_more_rows(app: Flask, paths: dict[str, str]) -> None:
    few, many = (measured(*a_workspace(app, name, size), paths) for name, size in (("one", 1), ("ten", 10)))
    assert few == many
    assert few.keys() == paths.keys() - NOT_ASKED
    assert max(few.values()) <= 10, few


def measured(api: Api, names: dict[str, str], paths: dict[str, str]) -> dict[str, int]:
    """How many statements each answer takes, once the key's use has been noted."""
    assert api.get("/auth/whoami").status_code == 200
    counted = {}
    for endpoint in sorted(paths.keys() - NOT_ASKED):
        path = paths[endpoint]
        for name, value in names.items():
            path = path.replace(f"<{name}>", value)
        query = QUERY if endpoint in ASKED_WITH else {}
        with statements() as found:
            answer = api.get(path, query_string=query)
        assert answer.status_code == 200, (endpoint, answer.get_json())
        counted[endpoint] = len(found)
    return counted
