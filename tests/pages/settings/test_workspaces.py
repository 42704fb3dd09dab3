"""Choosing, making, renaming and deleting workspaces; and links into another one of mine."""

from collections.abc import Callable

import pytest
from bs4 import BeautifulSoup

from portal.database.models import Workspace
from tests.factories import make_member, make_workflow, make_workspace
from tests.pages.settings.conftest import Visitor


def place(soup: BeautifulSoup) -> str:
    """The workspace that the header names."""
    found = soup.select_one("#places summary")
    assert found is not None
    return found.get_text(strip=True)


def test_switching_is_kept_on_the_server_for_this_browser(admin: Visitor, workspace: Workspace) -> None:
    other = make_workspace("other", "Other place")
    make_member(other, admin.user, "viewer")
    make_workflow(other, "Theirs")
    assert place(admin.soup("/")) == "Acme Voice"
    form = admin.soup("/").select_one(f'form[action$="{other.id}/choose"]')
    assert form is not None
    assert admin.send(str(form["action"])).headers["Location"] == "/"
    assert place(admin.soup("/")) == "Other place"
    assert "Theirs" in admin.get("/").text


def test_a_link_into_another_workspace_of_mine_works_and_says_which_it_is(admin: Visitor) -> None:
    other = make_workspace("other", "Other place")
    make_member(other, admin.user, "viewer")
    workflow = make_workflow(other, "Theirs")
    page = admin.soup(f"/workflows/{workflow.id}/runs")
    assert place(page) == "Other place"
    crumb = page.select_one("nav.crumbs a")
    assert crumb is not None
    assert crumb["href"] == f"/workspaces/{other.id}"
    listed = admin.soup(str(crumb["href"]))
    assert (place(listed), "Theirs" in listed.get_text()) == ("Other place", True)
    assert place(admin.soup("/")) == "Acme Voice"


def test_a_role_counts_in_its_own_workspace_only(admin: Visitor) -> None:
    other = make_workspace("other", "Other place")
    make_member(other, admin.user, "viewer")
    theirs = f"/settings/workspaces/{other.id}"
    assert admin.get(theirs).status_code == 200
    assert admin.get(f"{theirs}/keys").status_code == 403
    assert admin.send(theirs, name="Mine now", slug="mine").status_code == 403
    assert admin.get("keys").status_code == 200


@pytest.mark.slow
def test_a_workspace_is_made_chosen_renamed_and_deleted(visit: Callable[..., Visitor]) -> None:
    me = visit(None)
    assert "You are not in a workspace yet" in me.get("/settings/workspaces").text
    made = me.send("/settings/workspaces", name="My team")
    home = made.headers["Location"]
    assert place(me.soup("/")) == "My team"
    assert me.send(home, name="Our team", slug="acme").status_code == 409
    assert me.send(home, name="", slug="A").status_code == 422
    assert me.send(home, name="Our team", slug="our-team").status_code == 303
    assert place(me.soup(home)) == "Our team"
    assert "deleted at once" in me.get(f"{home}/delete").text
    assert me.send(f"{home}/delete").status_code == 303
    assert me.get(home).status_code == 404
    assert place(me.soup("/")) == "No workspace"


def test_an_admin_who_is_not_the_owner_does_not_delete(visit: Callable[..., Visitor]) -> None:
    owner, second = visit("admin"), visit("admin", "grace@acme.example")
    del owner
    assert "Delete workspace" not in second.get("").text
    assert second.send("delete").status_code == 404


def test_settings_of_nobodys_workspace_are_not_there(visit: Callable[..., Visitor]) -> None:
    stranger = visit(None)
    for page in ("", "members", "keys", "audit", "delete", "leave"):
        assert stranger.get(page).status_code == 404
    assert stranger.get("/settings/workspaces/x").status_code == 404
    assert stranger.get("/settings").headers["Location"] == "/settings/workspaces"


@pytest.mark.slow
def test_a_deleted_workspace_takes_its_pages_along(admin: Visitor, workspace: Workspace) -> None:
    workflow = make_workflow(workspace)
    runs = f"/workflows/{workflow.id}/runs"
    assert admin.get(runs).status_code == 200
    admin.send("delete")
    assert admin.get(runs).status_code == 404
