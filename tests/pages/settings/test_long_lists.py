"""Lists of settings are turned page by page, and the menu of every page stays short."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from portal import moments
from portal.database.models import AuditEntry, Invitation, User, Workspace
from portal.database.transactions import writing
from tests.factories import NOON, make_member, make_user, make_workspace
from tests.pages.conftest import text_of
from tests.pages.settings.conftest import Visitor


def names(visitor: Visitor, path: str) -> list[str]:
    return [cell.get_text(" ", strip=True) for cell in visitor.soup(path).select("main table th.c-name")]


def test_members_are_turned_page_by_page(admin: Visitor, workspace: Workspace) -> None:
    for number in range(6):
        make_member(workspace, make_user(f"m{number}@acme.example"), "viewer")
    first = admin.soup("members?limit=4")
    assert "7 in Acme Voice" in first.select_one(".title p").text
    assert len(names(admin, "members?limit=4")) == 4
    following = first.select_one("#pager-next")["href"]
    assert names(admin, following) == ["m3@acme.example", "m4@acme.example", "m5@acme.example"]


def test_invitations_stand_on_every_page_of_members(admin: Visitor, workspace: Workspace) -> None:
    for number in range(3):
        make_member(workspace, make_user(f"m{number}@acme.example"), "viewer")
    admin.send("invitations", email="guest@acme.example", role="viewer")
    for offset in (0, 2):
        assert names(admin, f"members?limit=2&offset={offset}")[-1] == "guest@acme.example"


def test_sessions_are_turned_page_by_page_and_this_one_comes_first(
    admin: Visitor, sign_in: Callable[[User], FlaskClient]
) -> None:
    for _ in range(4):
        sign_in(admin.user)
    shown = names(admin, "/settings/sessions?limit=3")
    assert "(this one)" in shown[0]
    assert len(shown) == 3
    assert len(names(admin, "/settings/sessions?limit=3&offset=3")) == 2


def test_workspaces_are_turned_page_by_page(admin: Visitor) -> None:
    for number in range(4):
        make_member(make_workspace(f"w{number}", f"Workspace {number}"), admin.user)
    assert names(admin, "/settings/workspaces?limit=3") == ["Acme Voice", "Workspace 0", "Workspace 1"]
    assert names(admin, "/settings/workspaces?limit=3&offset=3") == ["Workspace 2", "Workspace 3"]


@pytest.mark.parametrize("path", ["members", "/settings/sessions", "/settings/workspaces", "audit"])
def test_a_page_behind_the_last_one_leads_back(admin: Visitor, path: str) -> None:
    link = admin.soup(f"{path}?offset=500").select_one("main .notice .button")
    assert link.text == "Go to the last page"
    assert names(admin, link["href"])


@pytest.mark.parametrize("path", ["members", "/settings/sessions", "/settings/workspaces"])
def test_a_bad_page_is_refused(admin: Visitor, path: str) -> None:
    assert admin.get(f"{path}?offset=-1").status_code == 422


def test_the_menu_offers_ten_workspaces_and_the_way_to_all(admin: Visitor) -> None:
    for number in range(12):
        make_member(make_workspace(f"w{number}", f"Workspace {number}"), admin.user)
    menu = admin.soup("/").select_one("#places")
    assert [button.text for button in menu.select("form button")] == [f"Workspace {n}" for n in range(10)]
    assert text_of(menu.select("a")[-1]) == "All my 13 workspaces"
    assert menu.select("a")[-1]["href"] == "/settings/workspaces"


def test_the_menu_offers_all_where_they_are_few(admin: Visitor) -> None:
    for number in range(10):
        make_member(make_workspace(f"w{number}", f"Workspace {number}"), admin.user)
    menu = admin.soup("/").select_one("#places")
    assert len(menu.select("form button")) == 10
    assert menu.select("a")[-1].text == "My workspaces"


def test_long_details_of_the_audit_log_are_cut(admin: Visitor, workspace: Workspace) -> None:
    entry = {"kind": "key.changed", "actor": "ada@acme.example", "subject": "nightly"}
    details = {"role": "viewer", "reason": "x" * 100_000}
    with writing() as session:
        session.add(
            AuditEntry(id=workspace.id, at=moments.now(), workspace_id=workspace.id, details=details, **entry)
        )
    answer = admin.get("audit")
    assert "Role: viewer …" in answer.text or "role: viewer …" in answer.text
    assert len(answer.data) < 50_000


def test_an_expired_invitation_is_not_listed(admin: Visitor, workspace: Workspace) -> None:
    with writing() as session:
        session.add(
            Invitation(
                id=workspace.id,
                token_hash=b"x" * 32,
                workspace_id=workspace.id,
                email="late@acme.example",
                role="viewer",
                created_at=NOON,
                expires_at=NOON + timedelta(days=7),
            )
        )
    assert "late@acme.example" not in admin.get("members").text
