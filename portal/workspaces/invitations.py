"""Invitations: single-use links that make their holder a member, valid for two weeks.

The portal sends no mail: an admin passes the link on. A user with an account signs in before joining, so a
link never opens another person's account. Joining creates an account for a new user, unless a sign-in
provider is configured: then the account comes from there. Over the API only the addressee accepts.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID, uuid4

import sqlalchemy as sa
from pydantic import ConfigDict
from sqlalchemy.orm import Session

from portal.auth.audit import trail
from portal.auth.principals import Principal
from portal.auth.signin import start_session
from portal.database.engine import db
from portal.database.models import Invitation, Member, User, Workspace
from portal.database.transactions import writing
from portal.errors import Conflict, FieldError, Forbidden, Gone, InvalidQuery, NotFound
from portal.input import bodies
from portal.input.bounds import MAX_EMAIL
from portal.workspaces.accounts import EMAIL, EMAIL_ALLOWED, check_email
from portal.workspaces.members import ROLES, add_member, check_role
from portal.workspaces.workspaces import lock_workspace, workspace_id_of

LIFE = timedelta(days=14)
MAX_OPEN = 200
"""Open invitations per workspace."""
NOT_HERE = "There is no such invitation here."


class AlreadyIn(Conflict):
    """They are a member already, or invited."""

    def __init__(self, complaint: str) -> None:
        super().__init__(f"This e-mail {complaint}")
        self.complaint = complaint
        """What is wrong with the e-mail, as the end of a sentence."""


class InvitationSpec(bodies.Body):
    """Whom to invite."""

    model_config = ConfigDict(title="NewInvitation")

    email: Annotated[str, bodies.Matching(EMAIL, MAX_EMAIL, EMAIL_ALLOWED)]
    role: Annotated[str, bodies.OneOf(ROLES)]


@dataclass(frozen=True)
class Offer:
    """What an invitation offers, as its page shows it."""

    workspace: str
    email: str
    role: str
    has_account: bool
    """Whether a user with its e-mail exists, who then must sign in."""


@dataclass(frozen=True, kw_only=True)
class OpenInvitation:
    """An invitation that nobody has accepted yet, as an admin sees it."""

    id: UUID
    email: str
    role: str
    expires_at: datetime
    created_by: UUID | None
    created_at: datetime


def invite(principal: Principal, email: str, role: str, now: datetime) -> tuple[OpenInvitation, str]:
    """Create an invitation, and the token of its link. Raises InvalidQuery; Conflict if it is needless."""
    errors: list[FieldError] = []
    for check, text in ((check_email, email), (check_role, role)):
        try:
            check(text)
        except InvalidQuery as refusal:
            errors += refusal.errors
    if errors:
        raise InvalidQuery(errors)
    token, email = secrets.token_urlsafe(32), email.lower()
    with writing() as session:
        workspace = lock_workspace(session, workspace_id_of(principal))
        _refuse_needless(session, workspace.id, email, now)
        invitation = Invitation(
            id=uuid4(),
            token_hash=_hash(token),
            workspace_id=workspace.id,
            email=email,
            role=role,
            created_by=principal.user.id,
            created_at=now,
            expires_at=now + LIFE,
        )
        session.add(invitation)
        by = trail.actor_of(principal)
        trail.record(
            session, "invitation.created", by, now, workspace_id=workspace.id, subject=email, role=role
        )
    return _opened(invitation), token


def change_role(principal: Principal, invitation_id: UUID, role: str, now: datetime) -> OpenInvitation:
    """Change the role that an invitation gives. Raises InvalidQuery, NotFound, Conflict if it is closed."""
    check_role(role)
    with writing() as session:
        invitation = _lock(session, principal, invitation_id)
        if not _is_open(invitation, now):
            raise Conflict("This invitation was accepted or withdrawn, or has expired.")
        if invitation.role != role:
            before, invitation.role = invitation.role, role
            by, workspace_id, email = trail.actor_of(principal), invitation.workspace_id, invitation.email
            about = {"role": role, "before": before}
            trail.record(
                session, "invitation.changed", by, now, workspace_id=workspace_id, subject=email, **about
            )
    return _opened(invitation)


def withdraw(principal: Principal, invitation_id: UUID, now: datetime) -> None:
    """Withdraw an open invitation. Raises NotFound."""
    with writing() as session:
        invitation = _lock(session, principal, invitation_id)
        if not _is_open(invitation, now):
            raise NotFound(NOT_HERE)
        invitation.closed_at = now
        by, workspace_id = trail.actor_of(principal), invitation.workspace_id
        trail.record(
            session, "invitation.withdrawn", by, now, workspace_id=workspace_id, subject=invitation.email
        )


def find_offer(token: str, now: datetime) -> Offer | None:
    """The offer of a link; None if it is unknown, used, withdrawn or expired. Does not use it up."""
    row = db.session.execute(
        sa.select(Invitation, Workspace.name)
        .join(Workspace, Workspace.id == Invitation.workspace_id)
        .where(Invitation.token_hash == _hash(token), *_open(now), Workspace.deleted_at.is_(None))
    ).first()
    if row is None:
        return None
    invitation, name = row
    known = db.session.scalar(sa.select(User.id).where(User.email == invitation.email)) is not None
    return Offer(name, invitation.email, invitation.role, known)


def accept(token: str, principal: Principal, now: datetime) -> UUID:
    """Join the workspace as the signed-in user: its id. Raises NotFound."""
    with writing() as session:
        invitation = _use_up(session, token, now)
        _join(session, invitation, principal.user.id, trail.actor_of(principal), now)
        return invitation.workspace_id


def accept_as_addressee(token: str, principal: Principal, now: datetime) -> UUID:
    """Join the workspace as whom the invitation addresses: its id.

    Raises NotFound for an unknown token, Forbidden for another e-mail, Gone for a closed invitation.
    """
    with writing() as session:
        invitation = session.scalar(
            sa.select(Invitation).where(Invitation.token_hash == _hash(token)).with_for_update()
        )
        if invitation is None:
            raise NotFound(NOT_HERE)
        if invitation.email != principal.user.email:
            raise Forbidden("This invitation is for another e-mail address.")
        if not _is_open(invitation, now):
            raise Gone("This invitation was accepted or withdrawn, or has expired. Ask for a new one.")
        _close(session, invitation, now)
        _join(session, invitation, principal.user.id, trail.actor_of(principal), now)
        return invitation.workspace_id


def accept_as_new(token: str, now: datetime, browser: str | None) -> tuple[UUID, str]:
    """Join with a new account: the workspace's id and a session token. Raises NotFound, Conflict."""
    with writing() as session:
        invitation = _use_up(session, token, now)
        if session.scalar(sa.select(User.id).where(User.email == invitation.email)) is not None:
            raise Conflict("An account with this e-mail exists. Sign in, then open the link again.")
        user = User(id=uuid4(), email=invitation.email, first_name="", last_name="", created_at=now)
        session.add(user)
        session.flush()
        by = trail.Actor(user.id, user.email)
        trail.record(session, "user.created", by, now, subject=user.email)
        _join(session, invitation, user.id, by, now)
        return invitation.workspace_id, start_session(session, user.id, now, browser, "invitation")


def _use_up(session: Session, token: str, now: datetime) -> Invitation:
    invitation = session.scalar(
        sa.select(Invitation).where(Invitation.token_hash == _hash(token), *_open(now)).with_for_update()
    )
    if invitation is None:
        raise NotFound("This invitation no longer works.")
    _close(session, invitation, now)
    return invitation


def _close(session: Session, invitation: Invitation, now: datetime) -> None:
    lock_workspace(session, invitation.workspace_id)
    invitation.closed_at = now


def _join(session: Session, invitation: Invitation, user_id: UUID, by: trail.Actor, now: datetime) -> None:
    if add_member(session, invitation.workspace_id, user_id, invitation.role, now):
        workspace_id, role = invitation.workspace_id, invitation.role
        trail.record(session, "member.joined", by, now, workspace_id=workspace_id, subject=by.name, role=role)


def _refuse_needless(session: Session, workspace_id: UUID, email: str, now: datetime) -> None:
    member = sa.select(User.id).join(Member, Member.user_id == User.id)
    if session.scalar(member.where(User.email == email, Member.workspace_id == workspace_id)) is not None:
        raise AlreadyIn("is already a member's.")
    open_ones = sa.select(sa.func.count()).where(Invitation.workspace_id == workspace_id, *_open(now))
    if session.scalar(open_ones.where(Invitation.email == email)):
        raise AlreadyIn("has an open invitation. Withdraw that first to make a new link.")
    if (session.scalar(open_ones) or 0) >= MAX_OPEN:
        raise Conflict(f"{MAX_OPEN} invitations are open. Withdraw some first.")


def _open(now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return Invitation.closed_at.is_(None), Invitation.expires_at > now


def _is_open(invitation: Invitation, now: datetime) -> bool:
    return invitation.closed_at is None and invitation.expires_at > now


def _lock(session: Session, principal: Principal, invitation_id: UUID) -> Invitation:
    """Lock an invitation of the principal's workspace, open or closed. Raises NotFound."""
    here = Invitation.workspace_id == workspace_id_of(principal)
    found = sa.select(Invitation).where(Invitation.id == invitation_id, here)
    invitation = session.scalar(found.with_for_update())
    if invitation is None:
        raise NotFound(NOT_HERE)
    return invitation


def _opened(invitation: Invitation) -> OpenInvitation:
    return OpenInvitation(
        id=invitation.id,
        email=invitation.email,
        role=invitation.role,
        expires_at=invitation.expires_at,
        created_by=invitation.created_by,
        created_at=invitation.created_at,
    )


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
