"""The pages of API keys: made, shown once, changed, rotated, revoked."""

from collections.abc import Callable

import pytest
from flask import Flask

from portal.auth.api_keys import management
from tests.pages.settings.conftest import Visitor


def works(app: Flask, key: str) -> bool:
    headers = {"Authorization": f"Bearer {key}"}
    return app.test_client().get("/api/v1/auth/whoami", headers=headers).status_code == 200


def make(admin: Visitor, **form: object) -> tuple[str, str]:
    """The page of a new key and the key."""
    made = admin.send("keys", **({"name": "nightly", "scopes": ["workflows:read"]} | form))
    assert made.status_code == 303
    page = made.headers["Location"]
    secret = admin.soup(page).select_one("#secret")
    assert secret is not None
    return page, secret.get_text()


def test_a_key_is_shown_once_and_no_cache_keeps_the_page(admin: Visitor, app: Flask) -> None:
    made = admin.send("keys", name="nightly", scopes=["workflows:read", "workspace:read"], expires_at="")
    page = admin.get(made.headers["Location"])
    assert page.headers["Cache-Control"] == "no-store"
    assert "op_live_" in page.text
    again = admin.soup(made.headers["Location"])
    assert again.select_one("#secret") is None
    [(key, _)] = management.list_all_keys(None)
    assert (key.name, key.scopes) == ("nightly", ["workflows:read", "workspace:read"])


def test_a_refused_form_keeps_what_was_said_and_names_each_bad_field(admin: Visitor) -> None:
    refused = admin.send("keys", name=" ", rate_limit_per_min="many", expires_at="2020-01-01")
    assert refused.status_code == 422
    for field in ("name", "scopes", "rate_limit_per_min", "expires_at"):
        assert f'id="{field}-error"' in refused.text
    assert 'value="many"' in refused.text
    assert management.list_all_keys(None) == []


def test_a_key_is_changed_switched_off_and_on(admin: Visitor, app: Flask) -> None:
    page, secret = make(admin)
    form = {"name": "renamed", "scopes": ["workspace:read"], "rate_limit_per_min": "5"}
    assert admin.send(page, **form).status_code == 303
    [(key, _)] = management.list_all_keys(None)
    assert (key.name, key.scopes, key.rate_limit_per_min, key.active) == (
        "renamed",
        ["workspace:read"],
        5,
        False,
    )
    assert not works(app, secret)
    admin.send(page, **form, active="on")
    assert works(app, secret)


@pytest.mark.parametrize("action", ["rotate", "revoke"])
def test_rotating_and_revoking_ask_first(admin: Visitor, app: Flask, action: str) -> None:
    page, secret = make(admin)
    asked = admin.soup(f"{page}/{action}")
    assert asked.select_one("main form[method=post] button") is not None
    assert works(app, secret)
    done = admin.send(f"{page}/{action}")
    assert done.status_code == 303
    assert not works(app, secret)
    if action == "rotate":
        new = admin.soup(done.headers["Location"]).select_one("#secret")
        assert new is not None
        assert works(app, new.get_text())


@pytest.mark.parametrize(("role", "status"), [("editor", 403), ("viewer", 403), (None, 404)])
def test_only_admins_see_keys(visit: Callable[..., Visitor], role: str | None, status: int) -> None:
    other = visit(role)
    assert other.get("keys").status_code == status
    assert other.send("keys", name="x", scopes=["workflows:read"]).status_code == status
    assert management.list_all_keys(None) == []
