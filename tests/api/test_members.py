"""Invitations and members over the API, by the session token of an admin (contract part 2, 10)."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask import Flask

from portal import moments
from portal.database.engine import db
from portal.database.models import ApiKey, AuditEntry, Invitation, Member, User, Workspace
from tests.factories import make_key, make_member, make_user, make_workspace
from tests.session_tokens import TokenCaller, let_in, portal_with_tokens

FIELDS = {
    "id", "email", "role", "status", "expires_at", "invited_by", "created_at", "token", "url",
}  # fmt: skip


@pytest.fixture
def token_app(environment: dict[str, str], tmp_path: Path) -> Iterator[Flask]:
    with portal_with_tokens(environment, tmp_path) as app:
        yield app


@pytest.fixture
def workspace(token_app: Flask) -> Workspace:
    return make_workspace()


def somebody(app: Flask, email: str, workspace: Workspace | None = None, role: str = "viewer") -> TokenCaller:
    user = let_in(make_user(email))
    if workspace is not None:
        make_member(workspace, user, role)
    return TokenCaller(app, user)


@pytest.fixture
def admin(token_app: Flask, workspace: Workspace) -> TokenCaller:
    return somebody(token_app, "ada@acme.example", workspace, "admin")


def invite(admin: TokenCaller, workspace: Workspace, email: str, role: str = "editor") -> Any:
    return admin.ask("POST", f"/workspaces/{workspace.id}/invites", json={"email": email, "role": role})


def accept(caller: TokenCaller, token: str) -> Any:
    return caller.ask("POST", f"/workspaces/invites/{token}/accept")


def codes(*answers: Any) -> list[int]:
    return [answer.status_code for answer in answers]


def roles(workspace: Workspace) -> dict[str, str]:
    db.session.rollback()
    rows = sa.select(User.email, Member.role).join(User, User.id == Member.user_id)
    found = db.session.execute(rows.where(Member.workspace_id == workspace.id))
    return {email: role for email, role in found}  # noqa: C416


def audited() -> list[str]:
    db.session.rollback()
    kinds = sa.select(AuditEntry.kind).order_by(AuditEntry.at, AuditEntry.id)
    return sorted(kind for kind in db.session.scalars(kinds) if kind.startswith(("invitation", "member")))


def test_an_invitation_is_made_changed_and_accepted_by_whom_it_names(
    admin: TokenCaller, workspace: Workspace, token_app: Flask
) -> None:
    made = invite(admin, workspace, "Grace@Acme.example")
    assert made.status_code == 200
    invitation = made.get_json()["data"]
    assert set(invitation) == FIELDS
    assert (invitation["email"], invitation["role"]) == ("grace@acme.example", "editor")
    assert (invitation["status"], invitation["invited_by"]) == ("pending", str(admin.user.id))
    lasts = datetime.fromisoformat(invitation["expires_at"]) - datetime.fromisoformat(
        invitation["created_at"]
    )
    assert lasts == timedelta(days=14)
    assert token_app.test_client().get(urlsplit(invitation["url"]).path).status_code == 200
    path = f"/workspaces/{workspace.id}/invites/{invitation['id']}"
    changed = admin.ask("PATCH", path, json={"role": "viewer"}).get_json()["data"]
    assert changed == invitation | {"role": "viewer", "token": None, "url": None}
    other, grace = somebody(token_app, "eve@acme.example"), somebody(token_app, "grace@acme.example")
    assert accept(other, invitation["token"]).status_code == 403
    joined = accept(grace, invitation["token"])
    assert (joined.status_code, joined.get_json()["data"]) == (200, {"workspace_id": str(workspace.id)})
    assert roles(workspace) == {"ada@acme.example": "admin", "grace@acme.example": "viewer"}
    assert codes(accept(grace, invitation["token"]), accept(grace, "unknown")) == [410, 404]
    assert admin.ask("PATCH", path, json={"role": "admin"}).status_code == 409
    assert admin.ask("DELETE", path).status_code == 404
    assert audited() == ["invitation.changed", "invitation.created", "member.joined"]


def test_a_second_invitation_and_one_of_a_member_are_409(
    admin: TokenCaller, workspace: Workspace, token_app: Flask
) -> None:
    first = invite(admin, workspace, "grace@acme.example").get_json()["data"]
    again = invite(admin, workspace, "GRACE@acme.example")
    member = invite(admin, workspace, admin.user.email)
    for refused in (again, member):
        assert (refused.status_code, refused.get_json()["error"]["code"]) == (409, "CONFLICT")
    assert invite(admin, make_workspace("other"), "grace@acme.example").status_code == 404
    path = f"/workspaces/{workspace.id}/invites/{first['id']}"
    withdrawn = admin.ask("DELETE", path)
    assert withdrawn.get_json()["data"] == {"id": first["id"], "deleted": True}
    assert codes(admin.ask("DELETE", path), invite(admin, workspace, "grace@acme.example")) == [404, 200]
    grace = somebody(token_app, "grace@acme.example")
    assert accept(grace, first["token"]).status_code == 410


def test_an_expired_invitation_is_over(admin: TokenCaller, workspace: Workspace, token_app: Flask) -> None:
    made = invite(admin, workspace, "grace@acme.example").get_json()["data"]
    with db.engine.begin() as connection:
        connection.execute(sa.update(Invitation).values(expires_at=moments.now()))
    path = f"/workspaces/{workspace.id}/invites/{made['id']}"
    assert accept(somebody(token_app, "grace@acme.example"), made["token"]).status_code == 410
    assert codes(admin.ask("PATCH", path, json={"role": "viewer"}), admin.ask("DELETE", path)) == [409, 404]
    assert invite(admin, workspace, "grace@acme.example").status_code == 200


@pytest.mark.slow
def test_who_is_a_member_already_keeps_their_role_when_they_accept(
    admin: TokenCaller, workspace: Workspace, token_app: Flask
) -> None:
    made = invite(admin, workspace, "grace@acme.example", "viewer").get_json()["data"]
    grace = somebody(token_app, "grace@acme.example", workspace, "editor")
    assert accept(grace, made["token"]).get_json()["data"] == {"workspace_id": str(workspace.id)}
    assert roles(workspace)["grace@acme.example"] == "editor"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["email", "role"]),
        ({"email": "nobody", "role": "owner"}, ["email", "role"]),
        ({"email": 5, "role": None}, ["email", "role"]),
        ({"email": "a@b\0", "role": "viewer"}, ["email"]),
        ({"email": " a@b.example", "role": "viewer"}, ["email"]),
        ({"email": "a" * 250 + "@b.cd", "role": "viewer"}, ["email"]),
    ],
)
def test_every_bad_field_is_named(
    admin: TokenCaller, workspace: Workspace, body: dict[str, Any], fields: list[str]
) -> None:
    for place, named in ((str(workspace.id), fields), ("x", [*fields, "workspace_id"])):
        answer = admin.ask("POST", f"/workspaces/{place}/invites", json=body)
        assert answer.status_code == 422
        assert sorted(detail["field"] for detail in answer.get_json()["error"]["details"]) == named


def test_members_get_other_roles_and_are_removed_with_their_keys(
    admin: TokenCaller, workspace: Workspace, token_app: Flask
) -> None:
    grace = somebody(token_app, "grace@acme.example", workspace)
    make_key(workspace, grace.user)
    listed = admin.ask("GET", f"/workspaces/{workspace.id}/members").get_json()["data"]
    rows = {row["email"]: row["id"] for row in listed}
    path = f"/workspaces/{workspace.id}/members"
    hers = f"{path}/{rows['grace@acme.example']}"
    for _ in range(2):
        changed = admin.ask("PATCH", hers, json={"role": "editor"})
        assert changed.get_json()["data"] == {
            "id": rows["grace@acme.example"],
            "user_id": str(grace.user.id),
            "role": "editor",
        }
    assert roles(workspace)["grace@acme.example"] == "editor"
    mine = f"{path}/{rows['ada@acme.example']}"
    last = admin.ask("PATCH", mine, json={"role": "viewer"}), admin.ask("DELETE", mine)
    assert codes(*last) == [409, 409]
    removed = admin.ask("DELETE", hers)
    assert removed.get_json()["data"] == {"id": rows["grace@acme.example"], "deleted": True}
    assert codes(admin.ask("DELETE", hers), admin.ask("PATCH", hers, json={"role": "admin"})) == [404, 404]
    assert codes(admin.ask("DELETE", f"{path}/{grace.user.id}"), admin.ask("DELETE", f"{path}/x")) == [
        404,
        422,
    ]
    assert roles(workspace) == {"ada@acme.example": "admin"}
    [key] = db.session.scalars(sa.select(ApiKey))
    assert key.revoked_at is not None
    assert audited() == ["member.removed", "member.role_changed"]


def test_the_role_in_the_workspace_of_the_path_decides(
    admin: TokenCaller, workspace: Workspace, token_app: Flask
) -> None:
    other = make_workspace("other")
    make_member(other, admin.user, "viewer")
    for named in (None, workspace.id):
        admin.workspace_id = named
        assert invite(admin, workspace, f"{uuid4().hex}@acme.example").status_code == 200
        unknown = make_workspace(uuid4().hex)
        tried = [invite(admin, place, "x@y.example") for place in (other, unknown)]
        assert codes(*tried) == [403, 404]
    editor = somebody(token_app, "editor@acme.example", workspace, "editor")
    assert invite(editor, workspace, "x@y.example").status_code == 403


def test_no_key_manages_members(admin: TokenCaller, workspace: Workspace, token_app: Flask) -> None:
    made = invite(admin, workspace, "grace@acme.example").get_json()["data"]
    headers = {"Authorization": f"Bearer {make_key(workspace, admin.user, ('workspace:read',))}"}
    place = f"/api/v1/workspaces/{workspace.id}"
    tried = [
        ("POST", f"{place}/invites"),
        ("PATCH", f"{place}/invites/{made['id']}"),
        ("DELETE", f"{place}/invites/{made['id']}"),
        ("PATCH", f"{place}/members/{uuid4()}"),
        ("DELETE", f"{place}/members/{uuid4()}"),
        ("POST", f"/api/v1/workspaces/invites/{made['token']}/accept"),
    ]
    for method, path in tried:
        answer = token_app.test_client().open(path, method=method, headers=headers, json={})
        assert (answer.status_code, answer.get_json()["error"]["code"]) == (403, "FORBIDDEN"), path
