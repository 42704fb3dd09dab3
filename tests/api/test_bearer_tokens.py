"""The API with a session token of the identity provider: who, in which workspace, with which role."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from flask import Flask
from werkzeug.test import TestResponse

from portal import create_app, moments
from portal.auth.principals import SCOPES
from portal.database.engine import db
from portal.database.models import Identity, User
from portal.database.transactions import writing
from tests.auth.provider_keys import (
    ISSUER,
    PARTY,
    KeyServer,
    claims,
    header,
    key_server,
    key_set,
    rsa_key,
    sign,
)
from tests.conftest import OutsideClient
from tests.factories import make_key, make_member, make_user, make_workflow, make_workspace

KEY = rsa_key("a")


@dataclass
class Caller:
    """A script with a session token of a user, and what that user may see."""

    app: Flask
    server: KeyServer
    user: User

    def get(self, path: str, workspace: object = None, token: str | None = None) -> TestResponse:
        named = {} if workspace is None else {"X-Workspace-Id": str(workspace)}
        headers = {"Authorization": f"Bearer {token or sign(KEY, claims())}"} | named
        return self.app.test_client().get(f"/api/v1{path}", headers=headers)

    def status(self, path: str, workspace: object = None) -> int:
        return self.get(path, workspace).status_code


@pytest.fixture
def caller(environment: dict[str, str], tmp_path: Path) -> Iterator[Caller]:
    with key_server() as server:
        server.serve(key_set(KEY))
        tokens = {
            "PORTAL_JWT_ISSUER": ISSUER,
            "PORTAL_JWT_JWKS_URL": server.url,
            "PORTAL_JWT_AUTHORIZED_PARTIES": f"https://other.acme.example {PARTY}",
        }
        app = create_app(environment | tokens, instance=tmp_path)
        app.test_client_class = OutsideClient
        with app.app_context():
            user = make_user(first_name="Ada")
            with writing() as session:
                identity = {"issuer": ISSUER, "subject": "user_2x", "created_at": user.created_at}
                session.add(Identity(user_id=user.id, **identity))
            yield Caller(app, server, user)
            db.session.remove()
            db.engine.dispose()


def test_whoami_says_whose_token_it_is(caller: Caller) -> None:
    workspace = make_workspace()
    make_member(workspace, caller.user, "viewer")
    expected: dict[str, Any] = {
        "auth_kind": "clerk",
        "user_id": str(caller.user.id),
        "workspace_id": str(workspace.id),
        "api_key_id": None,
        "scopes": sorted(SCOPES),
    }
    for named in (None, workspace.id, str(workspace.id).upper()):
        assert caller.get("/auth/whoami", named).get_json()["data"] == expected
    make_member(make_workspace("other", "Other"), caller.user)
    assert caller.get("/auth/whoami").get_json()["data"] == expected | {"workspace_id": None}
    assert caller.get("/auth/whoami", workspace.id).get_json()["data"] == expected


def test_the_workspace_must_be_named_unless_there_is_only_one(caller: Caller) -> None:
    assert caller.status("/workflows") == 400
    mine = make_workspace()
    make_member(mine, caller.user)
    make_workflow(mine, "Nightly dub")
    assert [row["name"] for row in caller.get("/workflows").get_json()["data"]] == ["Nightly dub"]
    second = make_workspace("second", "Second")
    make_member(second, caller.user)
    make_workflow(second, "Other")
    missing = caller.get("/workflows")
    assert (missing.status_code, missing.get_json()["error"]["code"]) == (400, "BAD_REQUEST")
    assert "X-Workspace-Id" in missing.get_json()["error"]["message"]
    assert [row["name"] for row in caller.get("/workflows", second.id).get_json()["data"]] == ["Other"]


def test_a_garbled_workspace_is_400_and_a_foreign_one_404_like_an_absent_one(caller: Caller) -> None:
    mine, foreign = make_workspace(), make_workspace("foreign", "Foreign")
    make_member(mine, caller.user)
    garbled = ["x", mine.id.hex, f"{{{mine.id}}}", f"urn:uuid:{mine.id}"]
    assert [caller.status("/workflows", text) for text in garbled] == [400] * 4
    answers = [caller.get("/workflows", some) for some in (foreign.id, uuid4())]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].get_json()["error"] == answers[1].get_json()["error"]


def test_a_token_reaches_nothing_outside_the_workspace_it_names(caller: Caller) -> None:
    one, two = make_workspace(), make_workspace("two", "Two")
    make_member(one, caller.user)
    make_member(two, caller.user)
    workflow = make_workflow(two)
    assert caller.status(f"/workflows/{workflow.id}/runs", two.id) == 200
    assert caller.status(f"/workflows/{workflow.id}/runs", one.id) == 404


def test_checks_come_in_the_order_of_the_contract(caller: Caller) -> None:
    make_member(make_workspace(), caller.user)
    bad = caller.get("/workflows?limit=0", "x", token=sign(KEY, claims(sub="user_other")))
    assert bad.status_code == 401
    assert caller.status("/workflows?limit=0", "x") == 400
    assert caller.status("/workflows?limit=0", uuid4()) == 404
    assert caller.status("/workflows?limit=0") == 422


def test_only_the_identity_counts_and_never_the_e_mail(caller: Caller) -> None:
    for strange in (
        claims(sub="user_3", email=caller.user.email, email_verified=True),
        claims(sub="USER_2X"),
    ):
        refused = caller.get("/auth/whoami", token=sign(KEY, strange))
        assert (refused.status_code, refused.get_json()["error"]["code"]) == (401, "UNAUTHORIZED")


@pytest.mark.slow
def test_a_bad_token_is_401_without_a_reason_and_the_log_has_the_reason_without_the_token(
    caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    expired = sign(KEY, claims(exp=moments.now().timestamp() - 120))
    foreign = sign(rsa_key("a"), claims())
    answers = [caller.get("/auth/whoami", token=token) for token in (expired, foreign)]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].get_json()["error"] == answers[1].get_json()["error"]
    assert answers[0].headers["WWW-Authenticate"] == "Bearer"
    assert "expired 120 s ago" in caplog.text
    assert "not signed as it must be" in caplog.text
    assert not any(token in caplog.text for token in (expired, foreign))


@pytest.mark.parametrize(("seconds", "status"), [(-20, 200), (20, 200), (-120, 401), (120, 401)])
def test_the_machines_clock_may_be_off_by_less_than_half_a_minute(
    caller: Caller, seconds: int, status: int
) -> None:
    token = sign(KEY, claims(exp=moments.now().timestamp() + 1))
    with time_machine.travel(moments.now() + timedelta(seconds=seconds)):
        assert caller.get("/auth/whoami", token=token).status_code == status


@pytest.mark.slow
def test_a_rotated_key_works_at_once_and_a_flood_of_unknown_ones_asks_the_provider_once(
    caller: Caller,
) -> None:
    assert caller.status("/auth/whoami") == 200
    new = rsa_key("b")
    caller.server.serve(key_set(KEY, new))
    rotated = sign(new, claims(), header(kid="b"))
    assert caller.get("/auth/whoami", token=rotated).status_code == 200
    for number in range(60):
        unknown = sign(new, claims(), header(kid=f"unknown-{number}"))
        assert caller.get("/auth/whoami", token=unknown).status_code == 401
    assert caller.server.asked <= 3
    assert caller.get("/auth/whoami", token=rotated).status_code == 200


def test_a_token_opens_no_page_and_a_key_still_opens_the_api(caller: Caller) -> None:
    workspace = make_workspace()
    make_member(workspace, caller.user)
    page = caller.app.test_client().get("/", headers={"Authorization": f"Bearer {sign(KEY, claims())}"})
    assert page.status_code == 302
    key = make_key(workspace, caller.user)
    assert caller.get("/workflows", token=key).status_code == 200
