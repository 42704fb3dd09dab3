"""Pages of a deleted workflow say so to members of its workspace, and to nobody else."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from portal import moments
from portal.auth.principals import Membership, Principal, PrincipalUser
from portal.database.models import User
from portal.workflows import writing
from tests.factories import make_member, make_run, make_user, make_workspace
from tests.pages.conftest import HTMX, Browser, parsed


@pytest.mark.slow
def test_members_learn_that_it_was_deleted_when_and_by_whom(
    browser: Browser, sign_in: Callable[[User], FlaskClient]
) -> None:
    run = make_run(browser.workflow)
    membership = Membership(browser.workspace.id, "Acme", "acme", "admin")
    who = PrincipalUser(browser.user.id, browser.user.email, browser.user.display_name)
    principal = Principal(kind="session", user=who, workspaces=(membership,), chosen=browser.workspace.id)
    writing.delete_workflow(principal, browser.workflow.id, moments.now())
    pages = (browser.list_path, f"{browser.list_path}/{run.id}", f"/runs/{run.id}")
    for path in (
        *pages,
        f"/workflows/{browser.workflow.id}/summary",
        f"{browser.list_path}/{run.id}/compare",
    ):
        answer = browser.open(path)
        assert answer.status_code == 410, path
        said = " ".join(parsed(answer).main.text.split())  # type: ignore[union-attr]
        assert f"{browser.workflow.name} was deleted on" in said
        assert "by Ada Lovelace." in said
    fragment = browser.open(f"{browser.list_path}/table", headers=HTMX)
    assert (fragment.status_code, "was deleted" in fragment.text) == (410, True)
    stranger = make_user("eve@other.example")
    make_member(make_workspace("other", "Other"), stranger)
    client = sign_in(stranger)
    for path in pages:
        answer = client.get(path)
        assert answer.status_code == 404
        assert browser.workflow.name not in answer.text
