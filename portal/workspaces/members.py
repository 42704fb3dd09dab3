"""The members of a workspace and their roles. The last admin cannot leave or change role."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID, uuid5

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.auth.api_keys.management import revoke_keys_of
from portal.auth.audit import trail
from portal.auth.principals import Principal
from portal.database.engine import db
from portal.database.models import ApiKey, BrowserSession, Invitation, Member, Role, User
from portal.database.transactions import writing
from portal.errors import Conflict, FieldError, InvalidQuery, NotFound
from portal.input import bodies, sentences
from portal.paging import Page, Slice
from portal.workspaces.workspaces import lock_workspace, workspace_id_of

ROLES = tuple(role.value for role in Role)
NOT_HERE = "There is no such member here."


class RoleChange(bodies.Body):
    """The role to give."""

    role: Annotated[str, bodies.OneOf(ROLES)]


@dataclass(frozen=True, kw_only=True)
class RosterRow:
    """A member, or the addressee of an open invitation."""

    id: UUID
    user_id: UUID | None
    email: str
    first_name: str | None
    last_name: str | None
    role: str
    last_active_at: datetime | None
    joined_at: datetime
    status: str
    image_url: None = None

    @property
    def display_name(self) -> str:
        return f"{self.first_name or ''} {self.last_name or ''}".strip() or self.email


def roster(workspace_id: UUID, caller: UUID, now: datetime) -> Sequence[RosterRow]:
    """All members and open invitations: the caller, then admins, then others by date of joining."""
    rows = db.session.execute(_in_order(workspace_id, caller))
    return [*(_member_row(*row) for row in rows), *list_invited(workspace_id, now)]


def list_members(workspace_id: UUID, caller: UUID, slice_: Slice) -> Page[RosterRow]:
    """A page of the members, in the same order."""
    counted = sa.select(sa.func.count()).select_from(Member).where(Member.workspace_id == workspace_id)
    total = db.session.scalar(counted) or 0
    page = _in_order(workspace_id, caller).offset(slice_.sql_offset).limit(slice_.limit)
    return Page([_member_row(*row) for row in db.session.execute(page)], total, slice_)


def list_invited(workspace_id: UUID, now: datetime) -> Sequence[RosterRow]:
    """The open invitations, at most `invitations.MAX_OPEN`."""
    return [_invited_row(found) for found in _open(workspace_id, now)]


def _in_order(workspace_id: UUID, caller: UUID) -> sa.Select[Member, User, datetime | None]:
    """The members with their users and the time of their last activity."""
    seen = sa.select(BrowserSession.user_id, sa.func.max(BrowserSession.seen_at).label("at"))
    seen_at = seen.group_by(BrowserSession.user_id).subquery()
    return (
        sa.select(Member, User, seen_at.c.at)
        .join(User, User.id == Member.user_id)
        .outerjoin(seen_at, seen_at.c.user_id == Member.user_id)
        .where(Member.workspace_id == workspace_id)
        .order_by(
            sa.case((Member.user_id == caller, 0), (Member.role == Role.ADMIN, 1), else_=2),
            Member.created_at,
            Member.user_id,
        )
    )


def get_member(principal: Principal, user_id: UUID) -> User:
    """A member of the principal's workspace. Raises NotFound."""
    user = db.session.scalar(
        sa.select(User)
        .join(Member, Member.user_id == User.id)
        .where(Member.workspace_id == workspace_id_of(principal), Member.user_id == user_id)
    )
    if user is None:
        raise NotFound(NOT_HERE)
    return user


def count_keys(principal: Principal, user_id: UUID) -> int:
    """The number of keys that removing this member would revoke."""
    made = (ApiKey.workspace_id == workspace_id_of(principal), ApiKey.created_by == user_id)
    unrevoked = sa.select(sa.func.count()).select_from(ApiKey).where(*made, ApiKey.revoked_at.is_(None))
    return db.session.scalar(unrevoked) or 0


def user_id_of(principal: Principal, member_id: UUID) -> UUID:
    """The user behind the id of a member in the roster. Raises NotFound."""
    workspace_id = workspace_id_of(principal)
    members = db.session.scalars(sa.select(Member.user_id).where(Member.workspace_id == workspace_id))
    user_id = next((each for each in members if roster_id(workspace_id, each) == member_id), None)
    if user_id is None:
        raise NotFound(NOT_HERE)
    return user_id


def roster_id(workspace_id: UUID, user_id: UUID) -> UUID:
    """The id of a member in the roster: that of the membership, which no other workspace has."""
    return uuid5(workspace_id, user_id.hex)


def check_role(role: str) -> str:
    """Validate a role. Raises InvalidQuery."""
    if role not in ROLES:
        raise InvalidQuery([FieldError("role", sentences.one_of(ROLES))])
    return role


def change_role(principal: Principal, user_id: UUID, role: str, now: datetime) -> None:
    """Change a member's role. Raises InvalidQuery, NotFound, and Conflict for the last admin."""
    check_role(role)
    with writing() as session:
        member, email = _find(session, workspace_id_of(principal), user_id)
        if member.role == role:
            return
        if role != Role.ADMIN:
            _keep_an_admin(session, member)
        before, member.role = member.role, role
        _record(session, "member.role_changed", principal, member, email, now, role=role, before=before)


def remove_member(principal: Principal, user_id: UUID, now: datetime) -> None:
    """End a membership, possibly one's own, and revoke the member's keys, whose secrets they know.

    Raises NotFound, and Conflict for the last admin.
    """
    with writing() as session:
        member, email = _find(session, workspace_id_of(principal), user_id)
        _keep_an_admin(session, member)
        revoked = revoke_keys_of(session, member.workspace_id, user_id, now)
        session.delete(member)
        kind = "member.left" if user_id == principal.user.id else "member.removed"
        _record(session, kind, principal, member, email, now, revoked_keys=revoked)


def add_member(session: Session, workspace_id: UUID, user_id: UUID, role: str, now: datetime) -> bool:
    """Add a member in this transaction; returns False for an existing one."""
    if session.get(Member, (workspace_id, user_id)) is not None:
        return False
    session.add(Member(workspace_id=workspace_id, user_id=user_id, role=role, created_at=now))
    return True


def _find(session: Session, workspace_id: UUID, user_id: UUID) -> tuple[Member, str]:
    lock_workspace(session, workspace_id)
    member = session.get(Member, (workspace_id, user_id))
    if member is None:
        raise NotFound(NOT_HERE)
    return member, session.get_one(User, user_id).email


def _keep_an_admin(session: Session, member: Member) -> None:
    if member.role != Role.ADMIN:
        return
    others = sa.select(sa.func.count()).where(
        Member.workspace_id == member.workspace_id,
        Member.role == Role.ADMIN,
        Member.user_id != member.user_id,
    )
    if not session.scalar(others):
        raise Conflict("The last admin must remain one. Make another member an admin first.")


def _open(workspace_id: UUID, now: datetime) -> Sequence[Invitation]:
    usable = (Invitation.closed_at.is_(None), Invitation.expires_at > now)
    invited = sa.select(Invitation).where(Invitation.workspace_id == workspace_id, *usable)
    return db.session.scalars(invited.order_by(Invitation.created_at, Invitation.id)).all()


def _member_row(member: Member, user: User, seen_at: datetime | None) -> RosterRow:
    return RosterRow(
        id=roster_id(member.workspace_id, user.id),
        user_id=user.id,
        email=user.email,
        first_name=user.first_name or None,
        last_name=user.last_name or None,
        role=member.role,
        last_active_at=seen_at,
        joined_at=member.created_at,
        status="active",
    )


def _invited_row(invitation: Invitation) -> RosterRow:
    return RosterRow(
        id=invitation.id,
        user_id=None,
        email=invitation.email,
        first_name=None,
        last_name=None,
        role=invitation.role,
        last_active_at=None,
        joined_at=invitation.created_at,
        status="invited",
    )


def _record(
    session: Session,
    kind: str,
    principal: Principal,
    member: Member,
    email: str,
    now: datetime,
    **details: object,
) -> None:
    by, workspace_id = trail.actor_of(principal), member.workspace_id
    trail.record(session, kind, by, now, workspace_id=workspace_id, subject=email, **details)
