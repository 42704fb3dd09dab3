"""Credits, limits, e-mails, settings and slugs over the API (contract part 2, 2 and 10)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.database.engine import db
from portal.database.models import Workspace
from portal.engine.pricing.credits import grant
from tests.api.conftest import Api
from tests.factories import NOON, make_key, make_member, make_user, make_workspace
from tests.session_tokens import TokenCaller, let_in, portal_with_tokens

LIMITS = (
    "monthly_credits",
    "workspaces_per_owner",
    "concurrent_runs_per_user",
    "concurrent_runs_per_workspace",
    "storage_bytes_per_workspace",
)
NO_LIMIT = 2147483647


@pytest.fixture
def token_app(environment: dict[str, str], tmp_path: Path) -> Iterator[Flask]:
    with portal_with_tokens(
        environment | {"PORTAL_STORAGE_BYTES_PER_WORKSPACE": "5000000000", "PORTAL_RUNS_PER_WORKSPACE": "0"},
        tmp_path,
    ) as app:
        yield app


@pytest.fixture
def admin(token_app: Flask) -> TokenCaller:
    user, workspace = let_in(make_user()), make_workspace()
    make_member(workspace, user)
    return TokenCaller(token_app, user, workspace.id)


def data(caller: TokenCaller | Api, method: str, path: str, **options: Any) -> Any:
    ask = caller.ask if isinstance(caller, TokenCaller) else caller.request
    answer = ask(method, path, **options)
    assert answer.status_code == 200, answer.text
    return answer.get_json()["data"]


def test_without_metering_the_balance_is_0_and_limits_are_those_of_the_settings(admin: TokenCaller) -> None:
    credits = data(admin, "GET", "/users/me/credits")
    assert (credits["balance"], credits["remaining"], credits["plan_grant"]) == (0, 0, 0)
    assert (credits["plan_tier"], credits["quota"], credits["used"]) == ("custom", None, None)
    limits = data(admin, "GET", "/users/me/limits")
    assert [limits[name] for name in LIMITS] == [0, NO_LIMIT, 20, NO_LIMIT, 5_000_000_000]
    assert data(admin, "GET", f"/workspaces/{admin.workspace_id}/plan") == limits


def test_a_granted_balance_is_that_of_the_workspace(api: Api) -> None:
    grant(api.workspace.slug, 70, "root", NOON)
    credits = data(api, "GET", "/users/me/credits")
    assert (credits["balance"], credits["remaining"], credits["plan_grant"]) == (70, 70, 0)


def test_any_key_asks_for_credits_and_limits(api: Api) -> None:
    assert data(api, "GET", "/users/me/credits")["balance"] == 0
    limits = data(api, "GET", "/users/me/limits")
    assert limits["storage_bytes_per_workspace"] == NO_LIMIT
    assert data(api, "GET", f"/workspaces/{api.workspace.id}/plan") == limits
    assert api.get(f"/workspaces/{make_workspace('other').id}/plan").status_code == 404
    assert api.get("/workspaces/x/plan").status_code == 422


def test_each_person_chooses_their_own_emails(admin: TokenCaller, token_app: Flask) -> None:
    path = "/users/me/notification-preferences"
    never = {"weekly_usage_summary_email": False, "product_updates_email": False}
    both = {"completed_generation_email": True, "failed_generation_email": True} | never
    assert data(admin, "GET", path) == both
    assert data(admin, "PATCH", path, json={"completed_generation_email": False}) == both | {
        "completed_generation_email": False
    }
    assert data(admin, "PATCH", path, json={"failed_generation_email": False, "other": 1}) == dict.fromkeys(
        both, False
    )
    assert data(admin, "PATCH", path, json={}) == dict.fromkeys(both, False)
    for bad in (None, "true", 1):
        refused = admin.ask("PATCH", path, json=dict.fromkeys(both.keys() - never.keys(), bad))
        assert refused.status_code == 422
        assert sorted(each["field"] for each in refused.get_json()["error"]["details"]) == sorted(
            both.keys() - never.keys()
        )
    assert data(admin, "GET", path) == dict.fromkeys(both, False)
    alone = TokenCaller(token_app, let_in(make_user("alone@acme.example")))
    assert data(alone, "GET", path) == both


def test_a_key_reads_the_emails_of_its_person_and_changes_none(api: Api) -> None:
    path = "/users/me/notification-preferences"
    assert data(api, "GET", path)["failed_generation_email"] is True
    assert api.request("PATCH", path, json={"failed_generation_email": False}).status_code == 403
    assert data(api, "GET", path)["failed_generation_email"] is True


def test_settings_are_those_that_are_stored(api: Api) -> None:
    path = f"/workspaces/{api.workspace.id}/settings"
    assert api.get(path).status_code == 403
    reader = api.with_key(make_key(api.workspace, api.user, ("workspace:read",)))
    assert data(reader, "GET", path) == {"default_language": None, "theme": None}
    with db.engine.begin() as connection:
        connection.execute(sa.update(Workspace).values(default_language="de-de", theme="dark"))
    assert data(reader, "GET", path) == {"default_language": "de-de", "theme": "dark"}
    assert reader.get(f"/workspaces/{make_workspace('other').id}/settings").status_code == 404


@pytest.mark.parametrize(
    ("slug", "reason"),
    [
        ("new-one", None),
        ("  New-One ", None),
        ("acme", None),
        ("other", "taken"),
        ("gone", None),
        ("invites", "reserved"),
        ("slug-available", "reserved"),
        ("", "invalid"),
        ("a--b", "invalid"),
        ("ä", "invalid"),
        ("a\n", None),
        ("a" * 51, "invalid"),
    ],
)
def test_a_slug_is_available_or_says_why_not(admin: TokenCaller, slug: str, reason: str | None) -> None:
    make_workspace("other")
    with db.engine.begin() as connection:
        gone = sa.update(Workspace).where(Workspace.id == make_workspace("gone").id)
        connection.execute(gone.values(deleted_at=Workspace.created_at))
    found = data(admin, "GET", "/workspaces/slug-available", query_string={"slug": slug})
    assert found == {"available": reason is None, "reason": reason}


def test_a_reserved_slug_is_given_to_nobody(admin: TokenCaller) -> None:
    refused = admin.ask("POST", "/workspaces", json={"name": "x", "slug": "invites"})
    assert (refused.status_code, refused.get_json()["error"]["details"][0]["field"]) == (422, "slug")
    made = admin.ask("POST", "/workspaces", json={"name": "Invites"}).get_json()["data"]
    assert made["slug"] == "invites-2"
    refused = admin.ask("PATCH", f"/workspaces/{made['id']}", json={"slug": "slug-available"})
    assert refused.status_code == 422


def test_the_slug_check_is_for_admins_of_the_workspace_that_is_named(
    admin: TokenCaller, token_app: Flask
) -> None:
    path = "/workspaces/slug-available?slug=new"
    viewer = let_in(make_user("viewer@acme.example"))
    other = make_workspace("other")
    make_member(Workspace(id=admin.workspace_id), viewer, "viewer")
    assert TokenCaller(token_app, viewer, admin.workspace_id).ask("GET", path).status_code == 403
    assert TokenCaller(token_app, viewer, other.id).ask("GET", path).status_code == 404
    make_member(other, admin.user)
    for named in (None, "x"):
        assert TokenCaller(token_app, admin.user, named).ask("GET", path).status_code == 400
    assert admin.ask("GET", "/workspaces/slug-available").status_code == 422
    key = {"Authorization": f"Bearer {make_key(other, admin.user, ('workspace:read',))}"}
    assert token_app.test_client().get(f"/api/v1{path}", headers=key).status_code == 403


def test_a_fixed_address_has_the_methods_that_it_has(admin: TokenCaller) -> None:
    for method in ("PATCH", "DELETE", "POST"):
        refused = admin.ask(method, "/workspaces/slug-available", json={"name": "x"})
        assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")
        assert refused.get_json()["error"]["code"] == "METHOD_NOT_ALLOWED"
