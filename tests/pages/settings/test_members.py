"""Members and invitations: who may do what, and that somebody can always manage."""

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from portal import moments
from portal.auth.api_keys import management
from portal.database.engine import db
from portal.database.models import BrowserSession, Invitation, Member, User, Workspace
from portal.workspaces import invitations
from tests.factories import make_key, make_user
from tests.pages.settings.conftest import SAME, Visitor


def invite(admin: Visitor, email: str = "new@acme.example", role: str = "editor") -> str:
    """The path of the invitation's link."""
    assert admin.send("invitations", email=email, role=role).status_code == 303
    link = admin.soup("members").select_one("#secret")
    assert link is not None
    assert admin.soup("members").select_one("#secret") is None
    return urlsplit(link.get_text()).path


def roles() -> dict[str, str]:
    db.session.rollback()
    rows = db.session.execute(sa.select(User.email, Member.role).join(Member, Member.user_id == User.id))
    return {row.email: row.role for row in rows}


@pytest.mark.slow
def test_a_new_person_joins_by_a_link_once_and_is_signed_in(admin: Visitor, client: FlaskClient) -> None:
    path = invite(admin)
    for _ in range(2):
        assert "new@acme.example" in client.get(path).text
    assert roles() == {"ada@acme.example": "admin"}
    joined = client.post(path, headers=SAME)
    assert joined.status_code == 303
    assert client.get(joined.headers["Location"]).status_code == 200
    assert roles() == {"ada@acme.example": "admin", "new@acme.example": "editor"}
    assert client.get(path).status_code == 404
    assert client.post(path, headers=SAME).status_code == 404


def test_an_invitation_to_somebody_elses_address_opens_nobodys_account(
    admin: Visitor, client: FlaskClient
) -> None:
    victim = make_user("victim@acme.example")
    path = invite(admin, victim.email)
    assert "Sign in first" in client.get(path).text
    assert client.post(path, headers=SAME).status_code == 409
    assert client.get("/settings").status_code == 302
    assert db.session.scalar(sa.select(sa.func.count()).select_from(BrowserSession)) == 1


def test_who_is_signed_in_joins_as_themselves(admin: Visitor, sign_in: Callable[[User], FlaskClient]) -> None:
    guest = make_user("guest@acme.example")
    browser = sign_in(guest)
    assert browser.post(invite(admin, "other@acme.example", "viewer"), headers=SAME).status_code == 303
    assert roles() == {"ada@acme.example": "admin", "guest@acme.example": "viewer"}


def test_signing_in_leads_back_to_the_invitation(admin: Visitor, app: Flask) -> None:
    from portal.auth import signin

    user = make_user("guest@acme.example")
    path, browser = invite(admin, user.email), app.test_client()
    browser.get(path)
    link = f"/signin/{signin.make_link_token(user.email, moments.now())}"
    assert browser.post(link, headers=SAME).headers["Location"] == path


@pytest.mark.slow
def test_an_invitation_ends_after_its_time_or_when_withdrawn(admin: Visitor, client: FlaskClient) -> None:
    first, second = invite(admin), invite(admin, "second@acme.example")
    with db.engine.begin() as connection:
        past = moments.now() - timedelta(seconds=1)
        old = sa.update(Invitation).where(Invitation.email == "new@acme.example")
        connection.execute(old.values(expires_at=past))
    assert client.get(first).status_code == 404
    form = admin.soup("members").select_one("form[action$=withdraw]")
    assert form is not None
    assert admin.send(str(form["action"])).status_code == 303
    assert client.post(second, headers=SAME).status_code == 404


@pytest.mark.parametrize(
    ("email", "role", "field", "status"),
    [
        ("nobody", "viewer", "email", 422),
        ("x@y.example", "owner", "role", 422),
        ("ada@acme.example", "admin", "email", 409),
        ("Invited@acme.example", "viewer", "email", 409),
    ],
)
def test_a_bad_invitation_is_refused_at_its_field(
    admin: Visitor, email: str, role: str, field: str, status: int
) -> None:
    invite(admin, "invited@acme.example")
    refused = admin.send("invitations", email=email, role=role)
    assert refused.status_code == status
    assert f'id="{field}-error"' in refused.text


def test_admins_change_roles_and_remove_members_with_their_keys(
    admin: Visitor, visit: Callable[..., Visitor], workspace: Workspace, app: Flask
) -> None:
    other = visit("viewer", "grace@acme.example")
    make_key(workspace, other.user)
    assert admin.send(f"members/{other.user.id}/role", role="editor").status_code == 303
    assert roles()["grace@acme.example"] == "editor"
    assert "1 API key is revoked" in admin.get(f"members/{other.user.id}/remove").text
    assert admin.send(f"members/{other.user.id}/remove").status_code == 303
    assert "grace@acme.example" not in roles()
    [(key, _)] = management.list_all_keys(None)
    assert key.revoked_at is not None
    assert other.get("members").status_code == 404


def test_the_last_admin_can_neither_leave_nor_be_demoted(
    admin: Visitor, visit: Callable[..., Visitor]
) -> None:
    assert admin.send("leave").status_code == 409
    assert admin.send(f"members/{admin.user.id}/role", role="viewer").status_code == 409
    second = visit("admin", "grace@acme.example")
    assert admin.send("leave").status_code == 303
    assert roles() == {"grace@acme.example": "admin"}
    assert second.send(f"members/{second.user.id}/remove").status_code == 409


@pytest.mark.parametrize("role", ["viewer", "editor"])
def test_others_see_the_roster_and_change_nothing(
    visit: Callable[..., Visitor], role: str, admin: Visitor
) -> None:
    other = visit(role, "grace@acme.example")
    assert "ada@acme.example" in other.get("members").text
    tries = [
        other.send("invitations", email="x@y.example", role="admin"),
        other.send(f"members/{other.user.id}/role", role="admin"),
        other.send(f"members/{admin.user.id}/remove"),
    ]
    assert [answer.status_code for answer in tries] == [403, 403, 403]
    assert roles() == {"ada@acme.example": "admin", "grace@acme.example": role}
    assert other.send("leave").status_code == 303
    assert roles() == {"ada@acme.example": "admin"}


def test_an_invitation_is_stored_as_a_hash_only(admin: Visitor) -> None:
    token = invite(admin).rsplit("/", 1)[-1]
    stored = str(db.session.execute(sa.text("SELECT * FROM invitations")).all())
    stored += str(db.session.execute(sa.text("SELECT * FROM audit_entries")).all())
    assert token not in stored
    assert invitations.find_offer(token, moments.now()) is not None
