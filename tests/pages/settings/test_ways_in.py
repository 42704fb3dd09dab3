"""The page of ways in: ingest keys made, shown once and revoked, and what each of them brought."""

import json
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.auth.api_keys import ingest_management
from portal.database.engine import db
from portal.database.models import IngestKey, Workspace
from tests.factories import make_ingest_key, make_workspace
from tests.history.lines import run_line, workflow_line
from tests.pages.settings.conftest import Visitor


def make(admin: Visitor, **form: object) -> tuple[str, str]:
    """The page of a new key and the key."""
    made = admin.send("ways-in", **({"kind": "history", "name": "CI"} | form))
    assert made.status_code == 303
    page = made.headers["Location"]
    secret = admin.soup(page).select_one("#secret")
    assert secret is not None
    return page, secret.get_text()


def push(app: Flask, key: str, *lines: object) -> int:
    headers = {"Authorization": f"Bearer {key}"}
    return app.test_client().post("/api/v1/history", json={"lines": lines}, headers=headers).status_code


@pytest.mark.parametrize(("kind", "prefix"), [("history", "op_ing_"), ("ping", "op_ping_")])
def test_a_key_is_shown_once_with_how_to_use_it(admin: Visitor, kind: str, prefix: str) -> None:
    made = admin.send("ways-in", kind=kind, name="CI", source="", slug="", rate_limit_per_min="")
    page = admin.get(made.headers["Location"])
    assert page.headers["Cache-Control"] == "no-store"
    [key] = db.session.scalars(sa.select(IngestKey)).all()
    assert (key.name, key.kind, key.source, key.rate_limit_per_min) == ("CI", kind, None, None)
    secret = admin.soup(made.headers["Location"]).select_one("#secret")
    assert secret is None
    assert f"http://127.0.0.1:8000/{'api/v1/history' if kind == 'history' else f'ping/{prefix}'}" in page.text
    again = admin.get(made.headers["Location"]).text
    assert f"{prefix}…{key.key_suffix}" in again
    assert "curl" not in again


def test_a_key_works_until_it_is_revoked(admin: Visitor, app: Flask) -> None:
    page, secret = make(admin, source="github:acme/", rate_limit_per_min="100")
    assert push(app, secret) == 200
    assert "Revoke the key CI?" in admin.get(f"{page}/revoke").text
    assert admin.send(f"{page}/revoke").status_code == 303
    assert push(app, secret) == 401
    assert "Revoked" in admin.get("ways-in").text
    assert "Revoke…" not in admin.get(page).text


def test_a_refused_form_keeps_what_was_said_and_names_each_bad_field(admin: Visitor) -> None:
    refused = admin.send("ways-in", kind="x", name=" ", source="s" * 201, rate_limit_per_min="many")
    assert refused.status_code == 422
    for field in ("kind", "name", "source", "rate_limit_per_min"):
        assert f'id="{field}-error"' in refused.text
    assert 'value="many"' in refused.text
    bad = admin.send("ways-in", kind="history", name="x", slug="backup")
    assert 'id="slug-error"' in bad.text
    assert ingest_management.list_all_keys(None) == []


@pytest.mark.slow
def test_it_is_said_what_a_key_took_and_refused_and_why(
    admin: Visitor, app: Flask, workspace: Workspace
) -> None:
    unused = make_ingest_key(workspace)
    page, secret = make(admin)
    lines = [workflow_line(), run_line("a"), run_line("b", status="<b>wrong</b>"), run_line("c", id=7)]
    assert push(app, secret, *lines) == 200
    assert push(app, secret, *lines[:1]) == 200
    rows = {
        row.select_one("th").get_text(strip=True): [
            cell.get_text(strip=True) for cell in row.select("td.num")
        ]
        for row in admin.soup("ways-in").select("tbody tr")
    }
    assert rows == {"CI": ["3", "2"], "test": ["0", "0"]}
    shown = admin.soup(page)
    refused = [[cell.get_text(strip=True) for cell in row.select("td")] for row in shown.select("tbody tr")]
    assert [row[:2] for row in refused] == [["4", "id"], ["3", "status"]]
    assert "must be one of" in refused[1][2]
    assert "1 of them said nothing new" in shown.get_text()
    assert unused not in str(shown)


def test_only_the_last_fifty_refusals_are_kept(admin: Visitor, app: Flask) -> None:
    page, secret = make(admin)
    for begin in (0, 40):
        push(app, secret, *(run_line(str(n), status=f"x{n}", id=None) for n in range(begin, begin + 40)))
    rows = admin.soup(page).select("tbody tr")
    assert len(rows) == 50


def test_long_texts_of_refusals_are_cut(admin: Visitor, app: Flask) -> None:
    page, secret = make(admin)
    assert push(app, secret, {"type": "run", "x" * 5000: 1}, json.loads('{"a": "\\ud800\\u0000"}')) == 422
    assert len(admin.get(page).text) < 20_000


@pytest.mark.parametrize("role", ["editor", "viewer", None])
def test_it_is_for_admins(visit: Callable[..., Visitor], admin: Visitor, role: str | None) -> None:
    page, _ = make(admin)
    other = visit(role, "grace@acme.example")
    wanted = 404 if role is None else 403
    for path in ("ways-in", page, f"{page}/revoke"):
        assert other.get(path).status_code == wanted
    assert other.send("ways-in", kind="history", name="x").status_code == wanted
    assert other.send(f"{page}/revoke").status_code == wanted


def test_keys_of_other_workspaces_are_not_there(admin: Visitor, workspace: Workspace) -> None:
    make_ingest_key(make_workspace("other"), name="Theirs")
    [(key, _)] = ingest_management.list_all_keys(None)
    assert admin.get(f"ways-in/{key.id}").status_code == 404
    assert admin.send(f"ways-in/{key.id}/revoke").status_code == 404
    assert "Theirs" not in admin.get("ways-in").text
