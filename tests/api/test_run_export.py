"""Exports over HTTP: the list as a file, two at a time, and broken off where they fail."""

import csv
import http.client
import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal.auth.limits import Slots
from portal.database.models import User, Workflow
from portal.errors import TooManyRequests
from portal.history.export.export import Export
from tests.api.conftest import Api
from tests.factories import (
    NOON,
    make_detail,
    make_key,
    make_member,
    make_person,
    make_run,
    make_steps,
    make_user,
    make_workflow,
    make_workspace,
    uuid_of,
)
from tests.serving import served
from tests.test_server import wait_until

SignIn = Callable[[User], FlaskClient]

QUERIES = [
    "",
    "status=failed,running",
    "search=ada&sort=status&order=asc",
    "sort=completed_at",
    "sort=started_at&order=asc&limit=2&offset=3",
    "outcome=timed_out",
    "from=2026-03-01T12:02:00Z&to=2026-03-01T12:03:00Z",
]


@pytest.fixture
def workflow(api: Api) -> Workflow:
    """Eight runs, of two people and nobody."""
    workflow = make_workflow(api.workspace)
    people = [make_person(api.workspace, "Ada", "ada@x.example"), make_person(api.workspace, "Bob"), None]
    for number in range(8):
        at = NOON + timedelta(minutes=number // 2)
        status = ("completed", "failed", "running")[number % 3]
        ends = at if status != "running" else None
        outcome = "timed_out" if status == "failed" else None
        times = {"created_at": at, "started_at": at, "completed_at": ends}
        make_run(workflow, people[number % 3], status=status, outcome=outcome, **times)
    return workflow


def ids_in(answer: TestResponse) -> list[str]:
    assert answer.status_code == 200, answer.text
    if answer.mimetype == "text/csv":
        return [row["id"] for row in csv.DictReader(io.StringIO(answer.text, newline=""))]
    lines = map(json.loads, answer.text.splitlines())
    return [line["id"] for line in lines if line["type"] == "run"]


def listed(api: Api, path: str, query: str) -> list[str]:
    unpaged = "&".join(part for part in query.split("&") if not part.startswith(("limit", "offset")))
    return [row["id"] for row in api.get(f"{path}?{unpaged}&limit=100").get_json()["data"]]


@pytest.mark.parametrize("query", QUERIES)
def test_a_file_has_what_the_list_has_on_all_surfaces(
    api: Api, workflow: Workflow, sign_in: SignIn, query: str
) -> None:
    path = f"/workflows/{workflow.id}/runs"
    expected, browser = listed(api, path, query), sign_in(api.user)
    for format in ("csv", "jsonl"):
        assert ids_in(api.get(f"{path}/export?format={format}&{query}")) == expected
        assert ids_in(api.get(f"/runs/export?format={format}&{query}")) == expected
        assert ids_in(browser.get(f"{path}/export?format={format}&{query}")) == expected
        for place in ("", f"/workspaces/{api.workspace.id}"):
            assert ids_in(browser.get(f"{place}/runs/export?format={format}&{query}")) == expected


@pytest.mark.parametrize(
    ("format", "kind"), [("csv", "text/csv; charset=utf-8"), ("jsonl", "application/x-ndjson")]
)
def test_its_headers_say_what_it_is_also_without_the_file(
    api: Api, workflow: Workflow, sign_in: SignIn, format: str, kind: str
) -> None:
    path = f"/workflows/{workflow.id}/runs/export?format={format}&status=failed"
    for ask in (api.request, lambda method, path: sign_in(api.user).open(path, method=method)):
        whole, head = ask("GET", path), ask("HEAD", path)
        assert (head.status_code, head.data) == (200, b"")
        changing = ("X-Request-Id", "Date")
        assert [each for each in head.headers if each[0] not in changing] == [
            each for each in whole.headers if each[0] not in changing
        ]
        assert whole.content_type == kind
        assert whole.cache_control.no_store
        begin, _, end = whole.headers["Content-Disposition"].partition("-status-failed-")
        assert begin == "attachment; filename=Nightly-dub-runs"
        assert end.endswith(f".{format}")


def test_a_workflow_without_runs_has_a_file_too(api: Api) -> None:
    path = f"/workflows/{make_workflow(api.workspace).id}/runs/export"
    assert len(api.get(path).text.splitlines()) == 1
    [line] = api.get(f"{path}?format=jsonl").text.splitlines()
    assert json.loads(line)["type"] == "workflow"


def test_steps_come_when_asked_for(api: Api, workflow: Workflow) -> None:
    run = make_run(workflow, id=uuid_of(7))
    make_detail(run, definition_snapshot={"graph": {"nodes": []}})
    make_steps(run, {"node_id": "a"}, {"node_id": "b", "error": "boom"})
    path = f"/workflows/{workflow.id}/runs/export?format=jsonl"

    def line(query: str) -> dict[str, Any]:
        lines = map(json.loads, api.get(f"{path}{query}").text.splitlines())
        return next(line for line in lines if line.get("id") == str(uuid_of(7)))

    assert not line("").keys() & {"steps", "definition_snapshot"}
    assert [step["node_id"] for step in line("&steps=1")["steps"]] == ["a", "b"]
    assert line("&steps=true")["definition_snapshot"] == {"graph": {"nodes": []}}


def test_no_address_of_anybody_is_in_a_file(api: Api, workflow: Workflow, sign_in: SignIn) -> None:
    for format in ("csv", "jsonl"):
        for path in (f"/workflows/{workflow.id}/runs", "/runs"):
            for answer in (
                api.get(f"{path}/export?format={format}"),
                sign_in(api.user).get(f"{path}/export?format={format}"),
            ):
                assert "Ada" in answer.text
                assert "@x.example" not in answer.text


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("format=xlsx", ["format"]),
        ("format=", ["format"]),
        ("steps=1", ["steps"]),
        ("format=jsonl&steps=yes", ["steps"]),
        ("format=pdf&status=none&sort=name", ["format", "status", "sort"]),
    ],
)
def test_what_cannot_be_exported_is_refused_field_by_field(
    api: Api, workflow: Workflow, sign_in: SignIn, query: str, fields: list[str]
) -> None:
    answer = api.get(f"/workflows/{workflow.id}/runs/export?{query}")
    assert answer.status_code == 422
    assert [each["field"] for each in answer.get_json()["error"]["details"]] == fields
    assert sign_in(api.user).get(f"/workflows/{workflow.id}/runs/export?{query}").status_code == 422


def test_another_workspace_is_not_in_it(api: Api, workflow: Workflow, sign_in: SignIn) -> None:
    foreign = make_workflow(make_workspace("other"), "Foreign")
    make_run(foreign)
    for path in (f"/workflows/{foreign.id}/runs/export", f"/workflows/{uuid_of(1)}/runs/export"):
        assert api.get(path).status_code == 404
        assert sign_in(api.user).get(path).status_code == 404
    assert sign_in(api.user).get("/workflows/no-id/runs/export").status_code == 404
    assert len(ids_in(api.get("/runs/export"))) == 8
    assert "Foreign" not in api.get("/runs/export?format=jsonl").text
    assert ids_in(api.get(f"/runs/export?workflow={foreign.id}")) == []


def test_viewers_may(api: Api, workflow: Workflow, sign_in: SignIn) -> None:
    viewer = make_user("viewer@acme.example")
    make_member(api.workspace, viewer, "viewer")
    assert len(ids_in(sign_in(viewer).get(f"/workflows/{workflow.id}/runs/export"))) == 8


def test_the_list_offers_it_with_its_filters_and_order(api: Api, workflow: Workflow, sign_in: SignIn) -> None:
    page = sign_in(api.user).get(f"/workflows/{workflow.id}/runs?status=failed&sort=status&limit=10&offset=1")
    path = f"/workflows/{workflow.id}/runs/export?status=failed&amp;sort=status&amp;format="
    for end in ("csv", "jsonl", "jsonl&amp;steps=1"):
        assert f'href="{path}{end}"' in page.text
    everywhere = sign_in(api.user).get("/runs?status=failed")
    assert 'href="/runs/export?status=failed&amp;format=csv"' in everywhere.text


def test_each_key_and_person_has_two_at_a_time(api: Api, workflow: Workflow, sign_in: SignIn) -> None:
    slots: Slots = api.app.extensions["portal.exports"]
    path = f"/workflows/{workflow.id}/runs/export"
    for _ in range(3):
        assert api.get(path).status_code == 200
        assert api.request("HEAD", path).status_code == 200
        assert api.get(f"{path}?format=xlsx").status_code == 422
    with ExitStack() as going_on:
        for _ in range(2):
            going_on.callback(slots.take(api.user.id))
        refused = sign_in(api.user).get(path)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "10")
        assert api.get(path).status_code == 200
    assert sign_in(api.user).get(path).status_code == 200


def test_slots_are_counted_for_each_and_given_back_once() -> None:
    slots = Slots(2)
    one = slots.take(uuid_of(1))
    slots.take(uuid_of(1))
    slots.take(uuid_of(2))
    with pytest.raises(TooManyRequests):
        slots.take(uuid_of(1))
    one()
    one()
    slots.take(uuid_of(1))
    with pytest.raises(TooManyRequests):
        slots.take(uuid_of(1))


@pytest.fixture
def server(api: Api, environment: dict[str, str], tmp_path: Path) -> Iterator[str]:
    with served(environment, tmp_path) as base_url:
        yield urlsplit(base_url).netloc


def ask(server: str, path: str, key: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(server, timeout=30)
    connection.request("GET", f"/api/v1{path}", headers={"Authorization": f"Bearer {key}"})
    return connection.getresponse()


def test_a_file_that_fails_on_the_way_is_broken_off(
    api: Api, workflow: Workflow, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, pieces = f"/workflows/{workflow.id}/runs/export", Export.pieces

    def fail(export: Export) -> Iterator[bytes]:
        yield next(pieces(export))
        raise RuntimeError("the database is gone")

    assert ask(server, path, api.key).read().count(b"\r\n") == 9
    with monkeypatch.context() as patch:
        patch.setattr(Export, "pieces", fail)
        for _ in range(3):
            answer = ask(server, path, api.key)
            assert answer.status == 200
            with pytest.raises(http.client.IncompleteRead) as broken:
                answer.read()
            assert broken.value.partial.startswith(b"workflow_id")
    # A slot is given back after the last byte is sent, so a client may be there first.
    wait_until(lambda: ask(server, path, api.key).read().count(b"\r\n") == 9, "a slot")


def test_a_third_one_waits_for_one_that_is_still_sent(
    api: Api, workflow: Workflow, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, pieces, go_on = f"/workflows/{workflow.id}/runs/export", Export.pieces, threading.Event()

    def wait(export: Export) -> Iterator[bytes]:
        found = pieces(export)
        yield next(found)
        assert go_on.wait(30)
        yield from found

    with monkeypatch.context() as patch:
        patch.setattr(Export, "pieces", wait)
        going_on = [ask(server, path, api.key) for _ in range(2)]
        third = ask(server, path, api.key)
        assert (third.status, third.getheader("Retry-After")) == (429, "10")
        assert b"exports going on" in third.read()
        going_on.append(ask(server, path, make_key(api.workspace, api.user)))
        go_on.set()
    assert [answer.read().count(b"\r\n") for answer in going_on] == [9, 9, 9]
    assert ask(server, path, api.key).read().count(b"\r\n") == 9


def test_the_description_names_the_files_and_every_filter(app: Flask) -> None:
    paths = app.test_client().get("/openapi.json").get_json()["paths"]
    for path in ("/api/v1/workflows/{workflow_id}/runs/export", "/api/v1/runs/export"):
        described = paths[path]["get"]
        assert list(described["responses"]["200"]["content"]) == [
            "text/csv; charset=utf-8",
            "application/x-ndjson",
        ]
        names = {each.get("name") for each in described["parameters"]}
        assert names >= {"format", "steps", "sort", "order", "status", "search", "from", "to", "outcome"}
        assert not names & {"limit", "offset"}
