"""The memberships of a user, read on every request so that a revoked role takes effect at once."""

from collections.abc import Iterable, Sequence
from uuid import UUID

import sqlalchemy as sa

from portal.auth.principals import Membership
from portal.database.models import Member, User, Workspace
from portal.database.sql import statements
from portal.database.transactions import read

_COLUMNS = (
    Workspace.id.label("member_of"),
    Workspace.name.label("workspace_name"),
    Workspace.slug,
    Member.role,
)
_LIVE = sa.and_(Workspace.id == Member.workspace_id, Workspace.deleted_at.is_(None))


def with_memberships(users: statements.Columns) -> statements.Columns:
    """A row of each user for each workspace they joined, in that order; one row where there is none."""
    joined = users.outerjoin(Member, Member.user_id == User.id).outerjoin(Workspace, _LIVE)
    return joined.add_columns(*_COLUMNS).order_by(Member.created_at, Workspace.id)


def memberships_in(rows: Iterable[statements.Row]) -> tuple[Membership, ...]:
    """The live workspaces of a user with the role in each, of these rows."""
    return tuple(Membership(*row[-len(_COLUMNS) :]) for row in rows if row.member_of)


def memberships_of(user_id: UUID) -> tuple[Membership, ...]:
    """The same of the user with this id."""
    return memberships_in(read(_OF_USER, user_id=user_id))


_OF_USER = with_memberships(sa.select(User.id).where(User.id == sa.bindparam("user_id")))


def choose_workspace_id(memberships: Sequence[Membership], wanted: UUID | None) -> UUID | None:
    """The selected workspace if the user is still a member, else the first one."""
    ids = [membership.id for membership in memberships]
    if wanted in ids:
        return wanted
    return ids[0] if ids else None
