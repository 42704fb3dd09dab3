"""The audit log: what is written, who sees it, how it is filtered and exported."""

import csv
import io
import json
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from portal import moments
from portal.auth.audit import trail
from portal.database.engine import db
from portal.database.models import AuditEntry, User, Workspace
from portal.database.transactions import writing
from tests.factories import make_user
from tests.pages.settings.conftest import SAME, Visitor


def kinds(admin: Visitor, query: str = "") -> list[str]:
    """What the page says happened, newest first."""
    rows = admin.soup(f"audit{query}").select("tbody tr")
    return [row.select("td")[1].get_text(strip=True) for row in rows]


def test_what_people_do_is_written_with_who_where_and_when(admin: Visitor) -> None:
    admin.send("keys", name="nightly", scopes=["workflows:read"])
    admin.send("invitations", email="x@y.example", role="viewer")
    admin.send("", name="Acme", slug="acme-2")
    assert kinds(admin) == ["Changed the workspace", "Invited", "Created a key", "Signed in"]
    [row] = admin.soup("audit?kind=key.created").select("tbody tr")
    for part in ("ada@acme.example", "nightly", "127.0.0.1", "workflows:read"):
        assert part in row.get_text()


@pytest.mark.slow
def test_entries_are_filtered_paged_and_bad_filters_named(
    admin: Visitor, visit: Callable[..., Visitor]
) -> None:
    visit("viewer", "grace@acme.example")
    assert kinds(admin, "?actor=GRACE") == ["Signed in"]
    assert len(kinds(admin, "?limit=1&offset=1")) == 1
    assert kinds(admin, "?kind=&actor=") == ["Signed in", "Signed in"]
    bad = admin.get("audit?kind=odd&limit=0")
    assert bad.status_code == 422
    assert 'id="kind-error"' in bad.text


def test_admins_see_their_own_workspace_and_its_members_only(
    admin: Visitor, visit: Callable[..., Visitor], sign_in: Callable[[User], FlaskClient]
) -> None:
    sign_in(make_user("stranger@elsewhere.example"))
    assert "stranger@elsewhere.example" not in admin.get("audit").text
    for role in ("editor", "viewer"):
        assert visit(role, f"{role}@acme.example").get("audit").status_code == 403


@pytest.mark.slow
def test_refused_sign_ins_are_written_but_only_so_many(app: Flask, client: FlaskClient) -> None:
    for _ in range(trail.MAX_REFUSALS + 5):
        assert client.post("/signin/nonsense", headers=SAME).status_code == 404
    refused = sa.select(sa.func.count()).where(AuditEntry.kind == "session.refused")
    assert db.session.scalar(refused) == trail.MAX_REFUSALS
    later = moments.now() + timedelta(hours=1, seconds=1)
    with writing() as session:
        trail.record_refusal(session, later, "unknown")
    assert db.session.scalar(refused) == trail.MAX_REFUSALS + 1


def test_an_entry_is_undone_with_what_it_tells(app: Flask, workspace: Workspace) -> None:
    class Broken(Exception):
        pass

    try:
        with writing() as session:
            trail.record(session, "key.created", trail.OPERATOR, moments.now(), workspace_id=workspace.id)
            raise Broken
    except Broken:
        pass
    assert db.session.scalar(sa.select(sa.func.count()).select_from(AuditEntry)) == 0


def test_the_export_is_json_lines_or_csv_that_no_spreadsheet_runs(
    app: Flask, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trail, "BATCH", 3)
    with writing() as session:
        for subject in ("=1+1", "+1", "-1", "@x", "\tx", "plain", 'quote"d, and\nlines'):
            trail.record(session, "key.created", trail.OPERATOR, moments.now(), subject=subject)
    run = app.test_cli_runner()
    lines = [json.loads(line) for line in run.invoke(args=["audit", "export", "--json"]).output.splitlines()]
    assert sorted(line["subject"] for line in lines)[0] == "\tx"
    assert {line["actor"] for line in lines} == {"command line"}
    table = list(csv.DictReader(io.StringIO(run.invoke(args=["audit", "export"]).output)))
    assert len(table) == 7
    assert {row["subject"] for row in table} == {
        "'=1+1", "'+1", "'-1", "'@x", "'\tx", "plain", 'quote"d, and\nlines',
    }  # fmt: skip
