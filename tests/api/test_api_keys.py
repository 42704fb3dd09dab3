"""Keys over the API: by people only, as the contract writes it (2.6), and audited."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask import Flask

from portal import moments
from portal.auth.principals import SCOPES
from portal.database.engine import db
from portal.database.models import ApiKey, AuditEntry, Workspace
from tests.factories import make_key, make_member, make_user, make_workspace
from tests.session_tokens import TokenCaller, let_in, portal_with_tokens

KEY_FIELDS = {
    "id", "workspace_id", "created_by", "name", "key_type", "key_prefix", "key_suffix", "scopes", "active",
    "last_used_at", "rate_limit_per_min", "revoked_at", "created_at", "updated_at", "preview", "expires_at",
}  # fmt: skip


@pytest.fixture
def token_app(environment: dict[str, str], tmp_path: Path) -> Iterator[Flask]:
    with portal_with_tokens(environment, tmp_path) as app:
        yield app


@pytest.fixture
def workspace(token_app: Flask) -> Workspace:
    return make_workspace()


@pytest.fixture
def admin(token_app: Flask, workspace: Workspace) -> TokenCaller:
    user = let_in(make_user())
    make_member(workspace, user)
    return TokenCaller(token_app, user, workspace.id)


def create(admin: TokenCaller, **body: Any) -> dict[str, Any]:
    answer = admin.ask("POST", "/api-keys", json={"name": "nightly"} | body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.get_json()["data"]
    return made


def works(app: Flask, key: str) -> bool:
    headers = {"Authorization": f"Bearer {key}"}
    return app.test_client().get("/api/v1/auth/whoami", headers=headers).status_code == 200


def ids(admin: TokenCaller, query: str = "") -> list[str]:
    return [row["id"] for row in admin.ask("GET", f"/api-keys{query}").get_json()["data"]]


def test_a_key_is_made_shown_once_and_works(admin: TokenCaller, token_app: Flask) -> None:
    made = create(admin, scopes=["workflows:run", "workflows:read"], rate_limit_per_min=7)
    plain = made.pop("api_key")
    assert set(made) == KEY_FIELDS
    assert (made["key_prefix"], made["key_suffix"], made["key_type"]) == ("op_live_", plain[-4:], "live")
    assert (made["scopes"], made["rate_limit_per_min"]) == (["workflows:read", "workflows:run"], 7)
    assert (made["active"], made["revoked_at"], made["last_used_at"]) == (True, None, None)
    shown = admin.ask("GET", f"/api-keys/{made['id']}").get_json()["data"]
    assert shown == made
    assert works(token_app, plain)


def test_without_scopes_a_key_may_look_at_history(admin: TokenCaller) -> None:
    assert create(admin)["scopes"] == ["workflows:read"]


@pytest.mark.parametrize("scope", [None, *SCOPES])
def test_no_key_whatever_its_scopes_may_manage_keys(
    admin: TokenCaller, workspace: Workspace, token_app: Flask, scope: str | None
) -> None:
    scopes = SCOPES if scope is None else (scope,)
    headers = {"Authorization": f"Bearer {make_key(workspace, admin.user, scopes)}"}
    for method, path in (("GET", ""), ("POST", ""), ("DELETE", f"/{uuid4()}"), ("PATCH", "/x/rotate")):
        answer = token_app.test_client().open(f"/api/v1/api-keys{path}", method=method, headers=headers)
        assert (answer.status_code, answer.get_json()["error"]["code"]) == (403, "FORBIDDEN")


@pytest.mark.parametrize("role", ["viewer", "editor"])
def test_only_admins_manage_keys(token_app: Flask, workspace: Workspace, role: str) -> None:
    user = let_in(make_user())
    make_member(workspace, user, role)
    assert TokenCaller(token_app, user, workspace.id).ask("GET", "/api-keys").status_code == 403


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["name"]),
        ({"name": " "}, ["name"]),
        ({"name": "x" * 121}, ["name"]),
        ({"name": None, "scopes": "workflows:read"}, ["name", "scopes"]),
        ({"name": "a\0", "scopes": []}, ["name", "scopes"]),
        ({"name": "\ud800", "scopes": [{}]}, ["name", "scopes"]),
        ({"name": "x", "scopes": ["workflows:all"], "key_type": "test"}, ["key_type", "scopes"]),
        ({"name": "x", "rate_limit_per_min": 0}, ["rate_limit_per_min"]),
        ({"name": "x", "rate_limit_per_min": 1.5}, ["rate_limit_per_min"]),
        ({"name": "x", "rate_limit_per_min": True}, ["rate_limit_per_min"]),
        ({"name": "x", "expires_at": "2020-01-01T00:00:00Z"}, ["expires_at"]),
        ({"name": "x", "expires_at": "2099-01-01T00:00:00"}, ["expires_at"]),
        ({"name": "x", "expires_at": 7}, ["expires_at"]),
    ],
)
def test_every_bad_field_of_a_body_is_named_at_once(
    admin: TokenCaller, body: dict[str, Any], fields: list[str]
) -> None:
    answer = admin.ask("POST", "/api-keys", json=body)
    assert answer.status_code == 422
    assert sorted(detail["field"] for detail in answer.get_json()["error"]["details"]) == fields
    assert db.session.scalar(sa.select(sa.func.count()).select_from(ApiKey)) == 0


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'"x"', "application/json", 400),
        (b"null", "application/json", 400),
        (b'{"name": NaN}', "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"name": "x"}', "text/plain", 415),
        (b"name=x", "application/x-www-form-urlencoded", 415),
        (b"", "application/json", 422),
        (b"", "", 422),
        (b'{"name": "x", "unknown": 1}', "Application/JSON; charset=utf-8", 201),
        (b'{"name": "x"}', "", 201),
    ],
)
def test_a_body_is_a_json_object_or_absent(
    admin: TokenCaller, body: bytes, content_type: str, status: int
) -> None:
    answer = admin.ask("POST", "/api-keys", data=body, content_type=content_type or None)
    assert answer.status_code == status


def test_what_a_change_names_is_changed_and_the_rest_stays(admin: TokenCaller, token_app: Flask) -> None:
    made = create(admin, rate_limit_per_min=7)
    path = f"/api-keys/{made['id']}"
    changed = admin.ask("PATCH", path, json={"name": "new", "active": False}).get_json()["data"]
    assert (changed["name"], changed["active"], changed["rate_limit_per_min"]) == ("new", False, 7)
    assert changed["updated_at"] > made["updated_at"]
    assert not works(token_app, made["api_key"])
    assert admin.ask("PATCH", path, json={"active": True, "rate_limit_per_min": None}).status_code == 200
    assert works(token_app, made["api_key"])
    same = admin.ask("PATCH", path, data=b"", content_type="application/json")
    assert same.get_json()["data"]["rate_limit_per_min"] is None
    bad = admin.ask("PATCH", "/api-keys/x", json={"name": "", "active": 1, "scopes": []})
    assert sorted(d["field"] for d in bad.get_json()["error"]["details"]) == [
        "active",
        "key_id",
        "name",
        "scopes",
    ]


def test_a_revoked_key_is_dead_at_once_and_for_good(admin: TokenCaller, token_app: Flask) -> None:
    made = create(admin)
    path = f"/api-keys/{made['id']}"
    revoked = admin.ask("DELETE", path).get_json()["data"]
    assert (revoked["active"], set(revoked)) == (False, KEY_FIELDS)
    assert not works(token_app, made["api_key"])
    assert admin.ask("DELETE", path).get_json()["data"] == revoked
    for method, rest in (("PATCH", ""), ("PATCH", "/rotate")):
        answer = admin.ask(method, path + rest, json={"active": True})
        assert (answer.status_code, answer.get_json()["error"]["code"]) == (409, "CONFLICT")


def test_rotating_makes_a_new_key_with_a_new_id_and_ends_the_old_one(
    admin: TokenCaller, token_app: Flask
) -> None:
    old = create(admin, scopes=["workflows:read", "workspace:read"], rate_limit_per_min=9)
    both = admin.ask("PATCH", f"/api-keys/{old['id']}/rotate").get_json()["data"]
    assert set(both) == {"old_key", "new_key"}
    assert (both["old_key"]["id"], both["old_key"]["active"]) == (old["id"], False)
    new = both["new_key"]
    assert new["id"] != old["id"]
    assert (new["scopes"], new["rate_limit_per_min"], new["name"]) == (old["scopes"], 9, "nightly")
    assert (works(token_app, old["api_key"]), works(token_app, new["api_key"])) == (False, True)


def test_lists_show_keys_in_use_unless_asked_for_others(admin: TokenCaller) -> None:
    used, off, gone = (create(admin)["id"] for _ in range(3))
    admin.ask("PATCH", f"/api-keys/{off}", json={"active": False})
    admin.ask("DELETE", f"/api-keys/{gone}")
    assert ids(admin) == ids(admin, "?status=active") == [used]
    assert sorted(ids(admin, "?status=revoked")) == sorted([off, gone])
    assert ids(admin, "?status=all") == [gone, off, used]
    page = admin.ask("GET", "/api-keys?status=all&limit=1").get_json()["pagination"]
    assert (page["total"], page["limit"], page["prev"]) == (3, 1, None)
    assert page["next"].endswith("/api/v1/api-keys?offset=1&limit=1&status=all")
    assert admin.ask("GET", "/api-keys?status=&limit=0").status_code == 422


def test_an_expired_key_opens_nothing(admin: TokenCaller, token_app: Flask) -> None:
    soon = moments.format_moment(moments.now() + timedelta(days=1))
    made = create(admin, expires_at=soon)
    assert made["expires_at"] == soon
    assert works(token_app, made["api_key"])
    with db.engine.begin() as connection:
        connection.execute(sa.update(ApiKey).values(expires_at=moments.now()))
    assert not works(token_app, made["api_key"])
    assert ids(admin, "?status=revoked") == [made["id"]]
    assert admin.ask("PATCH", f"/api-keys/{made['id']}/rotate").status_code == 409


def test_another_workspaces_key_and_an_absent_one_answer_alike(admin: TokenCaller, token_app: Flask) -> None:
    other, stranger = make_workspace("other"), let_in(make_user("other@acme.example"))
    make_member(other, stranger)
    theirs = create(TokenCaller(token_app, stranger, other.id))["id"]
    for method, rest in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("PATCH", "/rotate")):
        answers = [
            admin.ask(method, f"/api-keys/{some}{rest}", json={}).get_json()["error"]
            for some in (theirs, uuid4())
        ]
        assert answers[0] == answers[1]
        assert answers[0]["code"] == "NOT_FOUND"


def test_what_happens_to_a_key_is_written_into_the_audit_log_without_the_key(admin: TokenCaller) -> None:
    made = create(admin)
    path = f"/api-keys/{made['id']}"
    admin.ask("PATCH", path, json={"name": "renamed"})
    new = admin.ask("PATCH", f"{path}/rotate").get_json()["data"]["new_key"]
    admin.ask("DELETE", f"/api-keys/{new['id']}")
    entries = db.session.scalars(sa.select(AuditEntry).order_by(AuditEntry.at)).all()
    keyed = [entry for entry in entries if entry.kind.startswith("key.")]
    assert [entry.kind for entry in keyed] == ["key.created", "key.changed", "key.rotated", "key.revoked"]
    assert {entry.actor_id for entry in keyed} == {admin.user.id}
    assert {entry.address for entry in keyed} == {"127.0.0.1"}
    written = str(db.session.execute(sa.text("SELECT * FROM audit_entries")).all())
    assert made["api_key"] not in written
    assert new["api_key"] not in written
