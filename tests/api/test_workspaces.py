"""Workspaces and their members over the API (contract 2.7)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask

from portal.database.models import User, Workspace
from tests.factories import make_key, make_member, make_user, make_workflow, make_workspace
from tests.session_tokens import TokenCaller, let_in, portal_with_tokens

FIELDS = {
    "id", "name", "slug", "color_idx", "created_by", "organization_id", "created_at", "updated_at",
    "routing_price_sensitivity", "routing_llm_fit",
}  # fmt: skip


@pytest.fixture
def token_app(environment: dict[str, str], tmp_path: Path) -> Iterator[Flask]:
    with portal_with_tokens(environment, tmp_path) as app:
        yield app


@pytest.fixture
def ada(token_app: Flask) -> User:
    return let_in(make_user(first_name="Ada"))


@pytest.fixture
def caller(token_app: Flask, ada: User) -> TokenCaller:
    return TokenCaller(token_app, ada)


@pytest.fixture
def own(caller: TokenCaller) -> dict[str, Any]:
    answer = caller.ask("POST", "/workspaces", json={"name": "Own place"})
    assert answer.status_code == 201
    made: dict[str, Any] = answer.get_json()["data"]
    return made


def member(app: Flask, workspace: Workspace | dict[str, Any], role: str, email: str) -> TokenCaller:
    user = let_in(make_user(email))
    found = workspace if isinstance(workspace, Workspace) else Workspace(id=_uuid(workspace["id"]))
    make_member(found, user, role)
    return TokenCaller(app, user)


def _uuid(text: str) -> Any:
    from portal.input.parameters import uuid

    return uuid(text)


def test_a_workspace_is_made_with_its_maker_as_admin(
    caller: TokenCaller, own: dict[str, Any], ada: User
) -> None:
    assert set(own) == FIELDS
    assert (own["slug"], own["color_idx"], own["created_by"]) == ("own-place", 0, str(ada.id))
    assert (own["routing_price_sensitivity"], own["routing_llm_fit"]) == (0.5, False)
    assert caller.ask("GET", f"/workspaces/{own['id']}").get_json()["data"] == own
    listed = caller.ask("GET", "/workspaces").get_json()
    assert listed["data"] == [own]
    assert set(listed["pagination"]) == {"limit", "next", "prev"}
    members = caller.ask("GET", f"/workspaces/{own['id']}/members").get_json()
    assert members["pagination"] == {"limit": 1, "next": None, "prev": None}
    [me] = members["data"]
    assert (me["role"], me["status"], me["user_id"]) == ("admin", "active", str(ada.id))


def test_a_slug_that_is_taken_is_409_and_one_made_from_the_name_evades(
    caller: TokenCaller, own: dict[str, Any]
) -> None:
    answer = caller.ask("POST", "/workspaces", json={"name": "x", "slug": own["slug"]})
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (409, "WORKSPACE_SLUG_TAKEN")
    again = caller.ask("POST", "/workspaces", json={"name": "Own place"}).get_json()["data"]
    assert again["slug"] == "own-place-2"
    assert caller.ask("POST", "/workspaces", json={"name": "日本"}).get_json()["data"]["slug"] == "workspace"
    renamed = caller.ask("PATCH", f"/workspaces/{own['id']}", json={"slug": again["slug"]})
    assert renamed.get_json()["error"]["code"] == "WORKSPACE_SLUG_TAKEN"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["name"]),
        ({"name": "x" * 201, "slug": "A", "color_idx": 7}, ["color_idx", "name", "slug"]),
        ({"name": "x", "slug": "a--b", "color_idx": "1"}, ["color_idx", "slug"]),
        ({"name": "x", "slug": "a" * 51}, ["slug"]),
        ({"name": "x", "slug": ""}, ["slug"]),
    ],
)
def test_every_bad_field_is_named(caller: TokenCaller, body: dict[str, Any], fields: list[str]) -> None:
    answer = caller.ask("POST", "/workspaces", json=body)
    assert answer.status_code == 422
    assert sorted(detail["field"] for detail in answer.get_json()["error"]["details"]) == fields


def test_admins_change_it_and_to_others_it_is_not_there(
    caller: TokenCaller, own: dict[str, Any], token_app: Flask
) -> None:
    path = f"/workspaces/{own['id']}"
    body = {"name": "New", "color_idx": 3, "routing_price_sensitivity": 1, "routing_llm_fit": True}
    changed = caller.ask("PATCH", path, json=body).get_json()["data"]
    assert {name: changed[name] for name in body} == body
    for role in ("viewer", "editor"):
        other = member(token_app, own, role, f"{role}@acme.example")
        assert other.ask("GET", path).status_code == 200
        assert [other.ask(method, path, json={}).status_code for method in ("PATCH", "DELETE")] == [404, 404]
    stranger = TokenCaller(token_app, let_in(make_user("stranger@acme.example")))
    assert [stranger.ask(m, path, json={}).status_code for m in ("GET", "PATCH", "DELETE")] == [404] * 3
    assert stranger.ask("GET", "/workspaces").get_json()["data"] == []


def test_only_its_owner_deletes_it_and_then_everything_in_it_is_gone(
    caller: TokenCaller, own: dict[str, Any], token_app: Flask, ada: User
) -> None:
    path = f"/workspaces/{own['id']}"
    workspace = Workspace(id=_uuid(own["id"]), slug=own["slug"])
    other_admin = member(token_app, own, "admin", "second@acme.example")
    key, workflow = make_key(workspace, ada), make_workflow(workspace)
    assert other_admin.ask("DELETE", path).status_code == 404
    deleted = caller.ask("DELETE", path)
    assert (deleted.status_code, deleted.get_json()["data"]) == (200, {"id": own["id"], "deleted": True})
    bearer = {"Authorization": f"Bearer {key}"}
    assert token_app.test_client().get("/api/v1/auth/whoami", headers=bearer).status_code == 401
    for gone in (path, f"{path}/members"):
        assert caller.ask("GET", gone).status_code == 404
    caller.workspace_id = own["id"]
    assert caller.ask("GET", f"/workflows/{workflow.id}").status_code == 404
    caller.workspace_id = None
    assert caller.ask("GET", "/workspaces").get_json()["data"] == []
    assert caller.ask("POST", "/workspaces", json={"name": "x", "slug": own["slug"]}).status_code == 201


@pytest.mark.slow
def test_a_key_sees_the_one_workspace_it_is_bound_to(token_app: Flask, ada: User) -> None:
    bound, other = make_workspace(), make_workspace("other")
    for workspace in (bound, other):
        make_member(workspace, ada)
    headers = {"Authorization": f"Bearer {make_key(bound, ada, ('workspace:read',))}"}
    browser = token_app.test_client()
    listed = browser.get("/api/v1/workspaces", headers=headers).get_json()["data"]
    assert [row["id"] for row in listed] == [str(bound.id)]
    statuses = [
        browser.get(f"/api/v1/workspaces/{some}{rest}", headers=headers).status_code
        for some in (bound.id, other.id, uuid4(), "x")
        for rest in ("", "/members")
    ]
    assert statuses == [200, 200, 404, 404, 404, 404, 422, 422]
    for method, path in (("POST", ""), ("PATCH", f"/{bound.id}"), ("DELETE", f"/{bound.id}")):
        answer = browser.open(f"/api/v1/workspaces{path}", method=method, headers=headers, json={"name": "x"})
        assert answer.status_code == 403
    narrow = {"Authorization": f"Bearer {make_key(bound, ada)}"}
    assert browser.get("/api/v1/workspaces", headers=narrow).status_code == 403


def test_the_roster_begins_with_the_caller_then_admins_then_others(
    caller: TokenCaller, own: dict[str, Any], token_app: Flask
) -> None:
    viewer = member(token_app, own, "viewer", "v@acme.example")
    member(token_app, own, "admin", "b@acme.example")
    rows = viewer.ask("GET", f"/workspaces/{own['id']}/members").get_json()["data"]
    assert [row["email"] for row in rows] == ["v@acme.example", "b@acme.example", "ada@acme.example"] or [
        row["email"] for row in rows
    ] == ["v@acme.example", "ada@acme.example", "b@acme.example"]
    assert set(rows[0]) == {
        "id", "user_id", "email", "first_name", "last_name", "image_url", "role", "last_active_at", "status",
    }  # fmt: skip
