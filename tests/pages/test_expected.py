"""Expected runs: said by editors or by history, and what pages say where they are late."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from portal import moments
from portal.database.engine import db
from portal.database.models import AuditEntry, User, Workflow, Workspace
from tests.factories import make_member, make_run, make_user, make_workflow, make_workspace

SAME = {"Sec-Fetch-Site": "same-origin"}
DAILY: dict[str, Any] = {"period": 86_400, "grace": 3600}


@pytest.fixture
def workspace(app: Flask) -> Workspace:
    return make_workspace()


@pytest.fixture
def workflow(workspace: Workspace) -> Workflow:
    return make_workflow(workspace, "Backup")


@pytest.fixture
def visit(workspace: Workspace, sign_in: Callable[[User], FlaskClient]) -> Callable[[str], FlaskClient]:
    def visit(role: str) -> FlaskClient:
        user = make_user(f"{role}@acme.example")
        make_member(workspace, user, role)
        return sign_in(user)

    return visit


@pytest.fixture
def editor(visit: Callable[[str], FlaskClient]) -> FlaskClient:
    return visit("editor")


def stored(workflow: Workflow) -> Any:
    db.session.rollback()
    return db.session.scalar(sa.select(Workflow.expected).where(Workflow.id == workflow.id))


def expect(workflow: Workflow, expected: dict[str, Any] | None) -> None:
    with db.engine.connect().execution_options(portal_writes=True) as connection, connection.begin():
        connection.execute(sa.update(Workflow).where(Workflow.id == workflow.id).values(expected=expected))


def save(browser: FlaskClient, workflow: Workflow, **form: str) -> int:
    return browser.post(f"/workflows/{workflow.id}/expected", data=form, headers=SAME).status_code


def said(browser: FlaskClient, path: str) -> str:
    answer = browser.get(path)
    assert answer.status_code == 200
    return " ".join(BeautifulSoup(answer.text, "html.parser").main.get_text(" ").split())


@pytest.mark.parametrize(
    ("form", "wanted"),
    [
        (
            {"cron": "0 2 * * mon", "zone": "Europe/Berlin", "grace": "30", "grace_unit": "minutes"},
            {"cron": "0 2 * * MON", "zone": "Europe/Berlin", "grace": 1800},
        ),
        (
            {"cron": "", "zone": "UTC", "period": "2", "period_unit": "hours", "grace": ""},
            {"period": 7200, "grace": 0},
        ),
    ],
)
def test_an_editor_says_when_runs_are_expected_changes_it_and_takes_it_back(
    editor: FlaskClient, workflow: Workflow, form: dict[str, str], wanted: dict[str, object]
) -> None:
    assert save(editor, workflow, **form) == 303
    assert stored(workflow) == wanted
    page = BeautifulSoup(editor.get(f"/workflows/{workflow.id}/expected").text, "html.parser")
    assert page.select_one("#cron")["value"] == wanted.get("cron", "")
    assert "Expected every 2 hours" in page.text or "Expected every Monday at 02:00" in page.text
    assert save(editor, workflow, remove="1") == 303
    assert stored(workflow) is None
    kinds = db.session.scalars(sa.select(AuditEntry.kind).where(AuditEntry.kind.startswith("workflow"))).all()
    assert kinds == ["workflow.changed"] * 2


@pytest.mark.parametrize(
    ("form", "bad"),
    [
        ({"cron": ""}, "cron"),
        ({"cron": "0 2 * *"}, "cron"),
        ({"cron": "0 2 * * *", "zone": "Mars/Base"}, "zone"),
        ({"cron": "0 2 * * *", "period": "5"}, "cron"),
        ({"period": "0"}, "period"),
        ({"period": "many"}, "period"),
        ({"period": "999999999", "period_unit": "days"}, "period"),
        ({"cron": "0 2 * * *", "grace": "-1"}, "grace"),
        ({"cron": "0 2 * * *", "grace": "<b>"}, "grace"),
    ],
)
def test_a_refused_form_keeps_what_was_said_and_names_the_bad_field(
    editor: FlaskClient, workflow: Workflow, form: dict[str, str], bad: str
) -> None:
    answer = editor.post(f"/workflows/{workflow.id}/expected", data=form, headers=SAME)
    assert answer.status_code == 422
    page = BeautifulSoup(answer.text, "html.parser")
    assert page.select_one(f"#{bad}-error") is not None
    for name in ("cron", "period", "grace"):
        assert page.select_one(f"#{name}")["value"] == form.get(name, "")
    assert stored(workflow) is None


def test_a_viewer_sees_it_and_cannot_change_it(
    visit: Callable[[str], FlaskClient], workflow: Workflow
) -> None:
    viewer = visit("viewer")
    expect(workflow, DAILY)
    make_run(workflow, created_at=moments.now())
    page = said(viewer, f"/workflows/{workflow.id}/expected")
    assert "Expected every day. Nothing is late." in page
    assert "Save" not in page
    assert save(viewer, workflow, cron="0 2 * * *") == 403


@pytest.mark.slow
def test_the_list_of_runs_and_home_say_what_is_late(editor: FlaskClient, workflow: Workflow) -> None:
    runs = f"/workflows/{workflow.id}/runs"
    make_run(workflow, created_at=moments.now() - timedelta(days=2))
    for path in ("/", runs):
        assert "not heard of" not in said(editor, path)
    expect(workflow, {"cron": "0 2 * * *", "zone": "Europe/Berlin", "grace": 60})
    for path in ("/", runs, f"/workflows/{workflow.id}/expected"):
        assert "Expected every day at 02:00 (Europe/Berlin): not heard of since " in said(editor, path)
    make_run(workflow, created_at=moments.now())
    for path in ("/", runs):
        assert "not heard of" not in said(editor, path)


def test_one_that_never_came_is_said_too(editor: FlaskClient, workflow: Workflow) -> None:
    expect(workflow, DAILY)
    assert "Expected every day: not heard of yet" in said(editor, "/")
    assert "Expected every day: not heard of yet" in said(editor, f"/workflows/{workflow.id}/runs")


@pytest.mark.parametrize("path", ["/", "/workflows/{}/runs"])
def test_a_page_that_the_browser_has_is_sent_again_once_a_run_is_late(
    editor: FlaskClient, workflow: Workflow, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(workflow, created_at=moments.now() - timedelta(hours=24))
    expect(workflow, DAILY)
    path = path.format(workflow.id)
    etag = editor.get(path).headers["ETag"]
    later = moments.now() + timedelta(hours=1.1)
    monkeypatch.setattr(moments, "now", lambda: later)
    again = editor.get(path, headers={"If-None-Match": etag})
    assert again.status_code == 200
    assert "not heard of since" in again.text


@pytest.mark.slow
def test_what_cannot_be_read_is_not_shown(editor: FlaskClient, workflow: Workflow) -> None:
    for broken in ({"cron": "x"}, {"period": 10**15}, {"cron": "0 2 * * *", "zone": "Mars/Base"}, {}):
        expect(workflow, broken)
        for path in ("/", f"/workflows/{workflow.id}/runs", f"/workflows/{workflow.id}/expected"):
            assert "not heard of" not in said(editor, path)
