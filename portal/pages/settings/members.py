"""The members of a workspace: seen by all, invited, changed and removed by admins."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from portal import moments
from portal.auth.gate import current_principal, requires
from portal.auth.principals import ROLE_ALLOWS
from portal.errors import InvalidQuery
from portal.input.parameters import single
from portal.pages import bp, one_time_secrets
from portal.pages.confirmation import confirm
from portal.pages.forms import Form, id_in_path
from portal.pages.pager import PageQuery, Pager
from portal.paging import Page
from portal.web.proxy import absolute_url_for
from portal.web.rendering import render
from portal.workspaces import invitations, members
from portal.workspaces.workspaces import workspace_id_of

ROLES = tuple(ROLE_ALLOWS)


@dataclass(frozen=True, kw_only=True)
class MembersPage:
    """What `settings/members.html` shows."""

    page: Page[members.RosterRow]
    pager: Pager
    query: PageQuery
    invited: Sequence[members.RosterRow]
    """Open invitations."""
    form: Form
    link: str | None
    """The link of an invitation that was just made. It is shown this once."""
    roles: Sequence[str] = ROLES


@bp.get("/settings/workspaces/<workspace_id>/members")
@requires("workspace:read")
def members_page(workspace_id: str) -> Response:
    return _list(Form({"role": "viewer"}))


@bp.post("/settings/workspaces/<workspace_id>/invitations")
@requires("members:manage")
def invite(workspace_id: str) -> Response:
    email, role = request.form.get("email", "").strip(), request.form.get("role", "")
    try:
        _, token = invitations.invite(current_principal(), email, role, moments.now())
    except InvalidQuery as refusal:
        return _list(
            Form(single(request.form), {error.field: error.message for error in refusal.errors}), 422
        )
    except invitations.AlreadyIn as refusal:
        return _list(Form(single(request.form), {"email": refusal.complaint}), refusal.status)
    one_time_secrets.store(workspace_id, absolute_url_for("pages.invitation", token=token))
    return _to_members(workspace_id)


@bp.post("/settings/workspaces/<workspace_id>/invitations/<invitation_id>/withdraw")
@requires("members:manage")
def withdraw_invitation(workspace_id: str, invitation_id: str) -> Response:
    invitations.withdraw(current_principal(), id_in_path(invitation_id), moments.now())
    return _to_members(workspace_id)


@bp.post("/settings/workspaces/<workspace_id>/members/<user_id>/role")
@requires("members:manage")
def change_role(workspace_id: str, user_id: str) -> Response:
    members.change_role(current_principal(), id_in_path(user_id), request.form.get("role", ""), moments.now())
    return _to_members(workspace_id)


@bp.get("/settings/workspaces/<workspace_id>/members/<user_id>/remove")
@requires("members:manage")
def confirm_removal(workspace_id: str, user_id: str) -> str:
    member = members.get_member(current_principal(), id_in_path(user_id))
    return _confirm(workspace_id, f"Remove {member.display_name}?", _consequence(member.id), "Remove")


@bp.post("/settings/workspaces/<workspace_id>/members/<user_id>/remove")
@requires("members:manage")
def remove_member(workspace_id: str, user_id: str) -> Response:
    members.remove_member(current_principal(), id_in_path(user_id), moments.now())
    return _to_members(workspace_id)


@bp.get("/settings/workspaces/<workspace_id>/leave")
@requires("workspace:read")
def confirm_leaving(workspace_id: str) -> str:
    consequence = _consequence(current_principal().user.id)
    return _confirm(workspace_id, "Leave this workspace?", consequence, "Leave workspace")


@bp.post("/settings/workspaces/<workspace_id>/leave")
@requires("workspace:read")
def leave(workspace_id: str) -> Response:
    members.remove_member(current_principal(), current_principal().user.id, moments.now())
    return redirect(url_for(".workspaces_page"), code=303)


def _list(form: Form, status: int = 200) -> Response:
    principal, query = current_principal(), PageQuery.parse(single(request.args))
    page = members.list_members(workspace_id_of(principal), principal.user.id, query.slice)
    found = MembersPage(
        page=page,
        pager=Pager(page),
        query=query,
        invited=members.list_invited(workspace_id_of(principal), moments.now()),
        form=form,
        link=one_time_secrets.take(str(workspace_id_of(principal))),
    )
    return one_time_secrets.uncached(render("settings/members.html", found), status)


def _consequence(user_id: UUID) -> str:
    number = members.count_keys(current_principal(), user_id)
    kept = "What they did stays in the history."
    if not number:
        return f"Access ends at once. {kept}"
    return f"Access ends at once, and {number} API {'key is' if number == 1 else 'keys are'} revoked. {kept}"


def _confirm(workspace_id: str, question: str, consequence: str, button: str) -> str:
    back = url_for(".members_page", workspace_id=workspace_id)
    return confirm(question, consequence, button, back)


def _to_members(workspace_id: str) -> Response:
    return redirect(url_for(".members_page", workspace_id=workspace_id), code=303)
