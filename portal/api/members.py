"""Invitations to a workspace and changes of its members, by its admins (contract 2.7, contract part 2, 10).

The portal sends no mail: who invites passes the link on, which only the answer to the invitation says.
"""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID, uuid5

from flask import Response
from pydantic import Field
from typing_extensions import TypedDict

from portal import moments
from portal.api import bp
from portal.api.answers import DeletedJson, deleted, one
from portal.api.operations import operation
from portal.api.request_values import body_and_ids, ids_in_path
from portal.auth.gate import current_principal, requires, workspace_optional
from portal.auth.principals import PERSON, ROLE_ALLOWS
from portal.input.bodies import OneOf
from portal.web.proxy import absolute_url_for
from portal.workspaces import invitations
from portal.workspaces import members as service
from portal.workspaces.invitations import InvitationSpec, OpenInvitation
from portal.workspaces.members import RoleChange
from portal.workspaces.workspaces import in_workspace

MANAGE = "members:manage"

Role = Annotated[str, OneOf(tuple(ROLE_ALLOWS))]


class InvitationJson(TypedDict):
    """An invitation that nobody has accepted yet."""

    id: UUID
    email: str
    role: Role
    status: Literal["pending"]
    expires_at: datetime
    invited_by: Annotated[
        UUID, Field(description="Who made it; an id that is nobody's where an operator did.")
    ]
    created_at: datetime
    token: Annotated[
        str | None, Field(description="Accepts the invitation. Said only when it is made; pass it on.")
    ]
    url: Annotated[str | None, Field(description="The page that does the same, said only then.")]


class MemberRoleJson(TypedDict):
    """A member's role."""

    id: UUID
    user_id: UUID
    role: Role


class JoinedJson(TypedDict):
    """The workspace that was joined."""

    workspace_id: UUID


@bp.post("/workspaces/<workspace_id>/invites")
@requires(MANAGE)
@workspace_optional
@operation(
    tag="Workspaces",
    summary="Invite somebody into a workspace",
    answer=InvitationJson,
    body=InvitationSpec,
    refusals=(409,),
    description="For 14 days. No mail is sent: pass the token or the address on.",
)
def create_invite(workspace_id: str) -> Response:
    spec, [found_id] = body_and_ids(InvitationSpec, workspace_id=workspace_id)
    principal = in_workspace(current_principal(), found_id, MANAGE)
    made, token = invitations.invite(principal, spec.email, spec.role, moments.now())
    return one(_invitation(made, token))


@bp.patch("/workspaces/<workspace_id>/invites/<invite_id>")
@requires(MANAGE)
@workspace_optional
@operation(
    tag="Workspaces",
    summary="Change the role that an invitation gives",
    answer=InvitationJson,
    body=RoleChange,
    refusals=(409,),
)
def change_invite(workspace_id: str, invite_id: str) -> Response:
    change, [found_id, invitation_id] = body_and_ids(
        RoleChange, workspace_id=workspace_id, invite_id=invite_id
    )
    principal = in_workspace(current_principal(), found_id, MANAGE)
    return one(_invitation(invitations.change_role(principal, invitation_id, change.role, moments.now())))


@bp.delete("/workspaces/<workspace_id>/invites/<invite_id>")
@requires(MANAGE)
@workspace_optional
@operation(tag="Workspaces", summary="Withdraw an invitation", answer=DeletedJson)
def withdraw_invite(workspace_id: str, invite_id: str) -> Response:
    found_id, invitation_id = ids_in_path(workspace_id=workspace_id, invite_id=invite_id)
    principal = in_workspace(current_principal(), found_id, MANAGE)
    invitations.withdraw(principal, invitation_id, moments.now())
    return deleted(invitation_id)


@bp.post("/workspaces/invites/<token>/accept")
@requires(PERSON)
@workspace_optional
@operation(
    tag="Workspaces",
    summary="Accept an invitation",
    answer=JoinedJson,
    refusals=(410,),
    description="For the person whose e-mail it names.",
)
def accept_invite(token: str) -> Response:
    joined: JoinedJson = {
        "workspace_id": invitations.accept_as_addressee(token, current_principal(), moments.now())
    }
    return one(joined)


@bp.patch("/workspaces/<workspace_id>/members/<member_id>")
@requires(MANAGE)
@workspace_optional
@operation(
    tag="Workspaces",
    summary="Change the role of a member",
    answer=MemberRoleJson,
    body=RoleChange,
    refusals=(409,),
    description="The last admin stays one.",
)
def change_member(workspace_id: str, member_id: str) -> Response:
    change, [found_id, row_id] = body_and_ids(RoleChange, workspace_id=workspace_id, member_id=member_id)
    principal = in_workspace(current_principal(), found_id, MANAGE)
    user_id = service.user_id_of(principal, row_id)
    service.change_role(principal, user_id, change.role, moments.now())
    answer: MemberRoleJson = {"id": row_id, "user_id": user_id, "role": change.role}
    return one(answer)


@bp.delete("/workspaces/<workspace_id>/members/<member_id>")
@requires(MANAGE)
@workspace_optional
@operation(
    tag="Workspaces",
    summary="Remove a member",
    answer=DeletedJson,
    refusals=(409,),
    description="Their keys of this workspace are revoked. The last admin stays.",
)
def remove_member(workspace_id: str, member_id: str) -> Response:
    found_id, row_id = ids_in_path(workspace_id=workspace_id, member_id=member_id)
    principal = in_workspace(current_principal(), found_id, MANAGE)
    service.remove_member(principal, service.user_id_of(principal, row_id), moments.now())
    return deleted(row_id)


def _invitation(found: OpenInvitation, token: str | None = None) -> InvitationJson:
    return {
        "id": found.id,
        "email": found.email,
        "role": found.role,
        "status": "pending",
        "expires_at": found.expires_at,
        "invited_by": found.created_by or uuid5(found.id, "operator"),
        "created_at": found.created_at,
        "token": token,
        "url": absolute_url_for("pages.invitation", token=token) if token else None,
    }
