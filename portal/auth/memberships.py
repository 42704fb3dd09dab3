"""The memberships of a user, read on every request so that a revoked role takes effect at once."""

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa

from portal.auth.principals import Membership
from portal.database.models import Member, Workspace
from portal.database.transactions import read

_OF_USER = (
    sa.select(Workspace.id, Workspace.name, Workspace.slug, Member.role)
    .join(Member, Member.workspace_id == Workspace.id)
    .where(Member.user_id == sa.bindparam("user_id"), Workspace.deleted_at.is_(None))
    .order_by(Member.created_at, Workspace.id)
)


def memberships_of(user_id: UUID) -> tuple[Membership, ...]:
    """The live workspaces of a user with the role in each, in the order of joining."""
    return tuple(Membership(*row) for row in read(_OF_USER, user_id=user_id))


def choose_workspace_id(memberships: Sequence[Membership], wanted: UUID | None) -> UUID | None:
    """The selected workspace if the user is still a member, else the first one."""
    ids = [membership.id for membership in memberships]
    if wanted in ids:
        return wanted
    return ids[0] if ids else None
