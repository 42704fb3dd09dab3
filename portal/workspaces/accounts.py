"""Users and members, as an operator manages them."""

import re
from datetime import datetime
from uuid import uuid4

import sqlalchemy as sa

from portal.auth.audit import trail
from portal.database.engine import db
from portal.database.models import Member, Role, User, Workspace
from portal.database.transactions import writing
from portal.errors import Conflict, FieldError, InvalidQuery, NotFound
from portal.input.bounds import MAX_EMAIL, MAX_FIRST_OR_LAST_NAME
from portal.input.text import is_storable
from portal.workspaces.members import check_role

EMAIL = r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+"
EMAIL_ALLOWED = "must be an e-mail address such as ada@example.com."
_LIVE = Workspace.deleted_at.is_(None)

ROLES = tuple(role.value for role in Role)


def add_user(email: str, first_name: str, last_name: str, now: datetime) -> User:
    """Create a user. Raises InvalidQuery, Conflict."""
    errors = [*_email_errors(email)]
    for field, text in (("first_name", first_name), ("last_name", last_name)):
        if len(text) > MAX_FIRST_OR_LAST_NAME or not is_storable(text):
            errors.append(FieldError(field, f"must have at most {MAX_FIRST_OR_LAST_NAME} characters."))
    if errors:
        raise InvalidQuery(errors)
    user = User(
        id=uuid4(),
        email=email.lower(),
        first_name=first_name.strip(),
        last_name=last_name.strip(),
        created_at=now,
    )
    with writing() as session:
        if session.scalar(sa.select(User.id).where(User.email == user.email)):
            raise Conflict(f"There is already a user {user.email}.")
        session.add(user)
        trail.record(session, "user.created", trail.OPERATOR, now, subject=user.email)
    return user


def check_email(email: str) -> None:
    """Validate an e-mail address. Raises InvalidQuery."""
    if errors := _email_errors(email):
        raise InvalidQuery(errors)


def _email_errors(email: str) -> list[FieldError]:
    if len(email) <= MAX_EMAIL and re.fullmatch(EMAIL, email):
        return []
    return [FieldError("email", EMAIL_ALLOWED)]


def set_member(slug: str, email: str, role: str, now: datetime) -> Member:
    """Add a member or change a member's role. Raises InvalidQuery, NotFound."""
    check_role(role)
    workspace = workspace_by_slug(slug)
    with writing() as session:
        user_id = session.scalar(sa.select(User.id).where(User.email == email.lower()))
        if user_id is None:
            raise NotFound(f"There is no user {email}. Add one with: flask users add {email}")
        member = session.get(Member, (workspace.id, user_id))
        if member is None:
            member = Member(workspace_id=workspace.id, user_id=user_id, role=role, created_at=now)
            session.add(member)
            before = None
        else:
            before, member.role = member.role, role
        if before != role:
            kind = "member.added" if before is None else "member.role_changed"
            about = {"role": role} if before is None else {"role": role, "before": before}
            trail.record(
                session, kind, trail.OPERATOR, now, workspace_id=workspace.id, subject=email.lower(), **about
            )
    return member


def workspace_by_slug(slug: str | None) -> Workspace:
    """The workspace with this slug, or the only one. Raises NotFound, InvalidQuery."""
    slugs = db.session.scalars(
        sa.select(Workspace.slug).where(_LIVE).order_by(Workspace.slug).limit(20)
    ).all()
    if not slugs:
        raise NotFound("There is no workspace yet. Add one with: flask workspaces add NAME")
    if slug is None and len(slugs) > 1:
        raise InvalidQuery([FieldError("workspace", f"must name one of {', '.join(slugs)}.")])
    workspace = db.session.scalar(sa.select(Workspace).where(Workspace.slug == (slug or slugs[0]), _LIVE))
    if workspace is None:
        raise NotFound(f"There is no workspace {slug}. There are: {', '.join(slugs)}")
    return workspace
