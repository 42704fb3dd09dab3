"""Who gets in: keys, scopes, the workspace header, the order of checks (contract 1.4, 2.1 to 2.5)."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from portal import moments
from portal.auth.api_keys import authentication, management
from portal.auth.principals import SCOPES
from portal.database.engine import db
from portal.database.models import ApiKey, User, Workflow
from portal.errors import is_api, is_ping
from tests.api.conftest import Api
from tests.authorization.table import TABLE
from tests.factories import make_key, make_user, make_workflow, make_workspace


def code(api: Api, **headers: str) -> tuple[int, str]:
    answer = api.get("/auth/whoami", headers={name.replace("_", "-"): text for name, text in headers.items()})
    return answer.status_code, answer.get_json().get("error", {}).get("code", "")


def test_whoami_says_whose_key_it_is(api: Api) -> None:
    key = api.with_key(
        make_key(api.workspace, api.user, ("workflows:write", "workflows:read", "workflows:read"))
    )
    me = key.get("/auth/whoami").get_json()["data"]
    assert UUID(me.pop("api_key_id"))
    assert me == {
        "auth_kind": "api_key",
        "user_id": str(api.user.id),
        "workspace_id": str(api.workspace.id),
        "scopes": ["workflows:read", "workflows:write"],
    }


def test_a_key_has_the_documented_form_and_is_stored_as_a_hash_only(api: Api) -> None:
    assert authentication._KEY.fullmatch(api.key)
    assert len(api.key) == 40
    stored = db.session.execute(sa.select(ApiKey.__table__)).one()
    assert api.key[8:] not in str(stored)
    assert stored.key_suffix == api.key[-4:]


def test_the_scheme_is_case_insensitive_and_the_key_is_not(api: Api) -> None:
    assert code(api, Authorization=f"bEARER {api.key}") == (200, "")
    assert code(api, Authorization=f"Bearer {api.key.swapcase()}")[0] == 401
    assert code(api, Authorization=f"Bearer OP_LIVE_{api.key[8:]}")[0] == 401


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        "{key}",
        "Token {key}",
        "Bearer {key} x",
        "Bearer {key}, Bearer {key}",
    ],
)
def test_without_one_usable_bearer_token_it_is_401(api: Api, header: str) -> None:
    assert code(api, Authorization=header.format(key=api.key)) == (401, "UNAUTHORIZED")


@pytest.mark.parametrize("token", ["abc.def.ghi", "pk_live_123", "x"])
def test_a_token_that_cannot_be_verified_is_401(api: Api, token: str) -> None:
    assert code(api, Authorization=f"Bearer {token}") == (401, "UNAUTHORIZED")


@pytest.mark.parametrize(
    "change", [lambda k: k[:-1], lambda k: k + "0", lambda k: k[:-1] + "_", lambda k: "op_live_" + "0" * 32]
)
def test_a_key_that_is_not_exactly_one_of_ours_is_refused(api: Api, change: Callable[[str], str]) -> None:
    assert code(api, Authorization=f"Bearer {change(api.key)}") == (401, "INVALID_API_KEY")


@pytest.mark.parametrize("kind", ["op_test_", "op_pub_"])
def test_reserved_kinds_are_refused_even_if_the_rest_would_match(api: Api, kind: str) -> None:
    assert code(api, Authorization=f"Bearer {kind}{api.key[8:]}") == (401, "INVALID_API_KEY")


def test_a_revoked_key_is_refused_at_once_with_the_same_text_as_an_unknown_one(api: Api) -> None:
    key_id = UUID(api.get("/auth/whoami").get_json()["data"]["api_key_id"])
    management.revoke_key_as_operator(key_id, moments.now())
    db.session.rollback()
    revoked = api.get("/auth/whoami")
    unknown = api.with_key("op_live_" + "0" * 32).get("/auth/whoami")
    assert revoked.status_code == unknown.status_code == 401
    assert revoked.get_json()["error"] == unknown.get_json()["error"]


def test_a_401_says_how_to_authenticate(client: FlaskClient) -> None:
    assert client.get("/api/v1/auth/whoami").headers["WWW-Authenticate"] == "Bearer"


def test_a_key_in_the_query_or_in_a_cookie_is_not_read(api: Api, client: FlaskClient) -> None:
    client.set_cookie("Authorization", api.key)
    answer = client.get(f"/api/v1/auth/whoami?api_key={api.key}&token={api.key}")
    assert answer.status_code == 401


def test_a_browsers_session_does_not_open_the_api(api: Api, sign_in: Callable[[User], FlaskClient]) -> None:
    assert sign_in(api.user).get("/api/v1/workflows").status_code == 401


def test_a_missing_scope_is_403_before_any_lookup(api: Api, workflow: Workflow) -> None:
    narrow = api.with_key(
        make_key(api.workspace, api.user, tuple(s for s in SCOPES if s != "workflows:read"))
    )
    for path in (
        "/workflows",
        f"/workflows/{workflow.id}",
        f"/workflows/{workflow.id}/runs",
        "/workflows/x/runs?limit=0",
    ):
        answer = narrow.get(path)
        assert (answer.status_code, answer.get_json()["error"]["code"]) == (403, "FORBIDDEN")
        assert "workflows:read" in answer.get_json()["error"]["message"]
    assert narrow.get("/auth/whoami").status_code == 200


def test_the_workspace_header_must_name_the_keys_workspace(api: Api) -> None:
    own = str(api.workspace.id)
    assert code(api, X_Workspace_Id=own)[0] == 200
    assert code(api, X_Workspace_Id=own.upper())[0] == 200
    assert code(api, X_Workspace_Id="")[0] == 200
    for bad in (str(uuid4()), "garbage", own.replace("-", ""), f"{{{own}}}"):
        assert code(api, X_Workspace_Id=bad) == (403, "FORBIDDEN")


def test_foreign_deleted_and_absent_workflows_answer_alike(api: Api, other_workflow: Workflow) -> None:
    deleted = make_workflow(api.workspace, deleted_at=moments.now())
    for suffix in ("", "/runs"):
        answers = [api.get(f"/workflows/{some}{suffix}") for some in (other_workflow.id, deleted.id, uuid4())]
        assert [answer.status_code for answer in answers] == [404, 404, 404]
        assert len({str(answer.get_json()["error"]) for answer in answers}) == 1


def test_checks_come_in_the_order_of_the_contract(api: Api, other_workflow: Workflow) -> None:
    bad = f"/workflows/{other_workflow.id}/runs?limit=0"
    narrow = api.with_key(make_key(api.workspace, api.user, ("workflows:run",)))
    assert api.with_key("op_live_" + "0" * 32).get(bad, headers={"X-Workspace-Id": "x"}).status_code == 401
    assert (
        narrow.get(bad, headers={"X-Workspace-Id": "x"})
        .get_json()["error"]["message"]
        .startswith("X-Workspace-Id")
    )
    assert narrow.get(bad).status_code == 403
    assert api.get(bad).status_code == 422
    assert api.get(f"/workflows/{other_workflow.id}/runs").status_code == 404


def test_last_used_is_written_at_most_once_a_minute(api: Api) -> None:
    def last_used() -> datetime | None:
        db.session.rollback()
        return db.session.scalar(sa.select(ApiKey.last_used_at))

    start = moments.now()
    assert last_used() is None
    authentication.principal_of_key(api.key, start)
    authentication.principal_of_key(api.key, start + timedelta(seconds=59))
    assert last_used() == start
    authentication.principal_of_key(api.key, start + timedelta(seconds=60))
    assert last_used() == start + timedelta(seconds=60)


@pytest.mark.slow
def test_every_view_is_closed_unless_it_says_public(app: Flask) -> None:
    client = app.test_client()
    open_views = set()
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        signed = getattr(view, "portal_opened_by_signature", False)
        if signed or getattr(view, "portal_public", False) or rule.endpoint == "static":
            open_views.add(rule.endpoint)
            continue
        path = rule.build(dict.fromkeys(rule.arguments, str(uuid4())))[1]  # type: ignore[index]
        for method in (rule.methods or set()) - {"OPTIONS"}:
            answer = client.open(path, method=method, headers={"Sec-Fetch-Site": "same-origin"})
            pings = 404 if is_ping(path) else 302
            assert answer.status_code == (401 if is_api(path) else pings), rule
    assert open_views == {
        "api.node_types",
        "auth.callback",
        "auth.confirm",
        "auth.login",
        "auth.logout",
        "auth.start",
        "auth.use",
        "documentation.command",
        "documentation.docs",
        "documentation.llms",
        "documentation.openapi",
        "files.fetch",
        "metrics.metrics",
        "health.process",
        "health.readiness",
        "hooks.github",
        "hooks.gitlab",
        "pages.accept_invitation",
        "pages.choose_theme",
        "pages.invitation",
        "sent_files.send",
        "static",
    }


def test_a_key_is_made_for_members_only_and_every_bad_field_is_named(app: Flask) -> None:
    from portal.errors import InvalidQuery, NotFound

    workspace, stranger = make_workspace(), make_user("stranger@acme.example")
    with pytest.raises(NotFound):
        management.create_key_as_operator(
            workspace,
            stranger.email,
            management.KeySpec(name="nightly", scopes=("workflows:read",)),
            moments.now(),
        )
    with pytest.raises(InvalidQuery) as refusal:
        management.KeySpec.parse({"name": " ", "scopes": ["workflows:all"]}, moments.now())
    assert [error.field for error in refusal.value.errors] == ["name", "scopes"]
    assert db.session.scalar(sa.select(sa.func.count()).select_from(ApiKey)) == 0
    assert db.session.scalar(sa.select(sa.func.count()).select_from(User)) == 1


@pytest.mark.slow
def test_many_first_uses_of_a_key_at_once_do_not_wait_for_each_others_connections(api: Api) -> None:
    barrier = threading.Barrier(24)

    def first_use(_: int) -> int:
        barrier.wait()
        return api.get("/workflows").status_code

    with ThreadPoolExecutor(24) as threads:
        assert set(threads.map(first_use, range(24))) == {200}


def test_every_route_has_a_row_in_the_table_of_who_may_do_what_and_every_row_a_route(
    sqlite_app: Flask,
) -> None:
    routes = {
        f"{method} {rule.rule}"
        for rule in sqlite_app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert routes == set(TABLE)
