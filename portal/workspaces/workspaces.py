"""Creating, listing, changing and deleting workspaces (contract 2.7)."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from itertools import count
from typing import Annotated, Literal, Self
from uuid import UUID, uuid4

import sqlalchemy as sa
from pydantic import AfterValidator, ConfigDict, Field
from sqlalchemy.orm import Session

from portal.auth.audit import trail
from portal.auth.memberships import memberships_of
from portal.auth.principals import Principal, PrincipalUser
from portal.database.engine import db
from portal.database.models import Member, Role
from portal.database.models import Workspace as Workspace
from portal.database.transactions import writing
from portal.errors import Conflict, NotFound
from portal.input import bodies
from portal.input.parameters import Reader
from portal.paging import Page, Slice

MAX_NAME, MAX_SLUG, MAX_COLOR = 200, 50, 6
SLUG = "[a-z0-9]+(-[a-z0-9]+)*"
RESERVED_SLUGS = frozenset({"invites", "slug-available"})
"""Words that stand in the place of a workspace in addresses of the API."""


NOT_HERE = "There is no such workspace here."
SlugRefusal = Literal["invalid", "reserved", "taken"]


class SlugTaken(Conflict):
    """There is a workspace with this slug already."""

    code = "WORKSPACE_SLUG_TAKEN"


def _unreserved(slug: str) -> str:
    if slug in RESERVED_SLUGS:
        raise bodies.refused("is reserved. Choose another one.")
    return slug


_Name = Annotated[str, bodies.Text(1, MAX_NAME)]
_Color = Annotated[int, bodies.Whole(0, MAX_COLOR)]
_Slug = Annotated[
    str,
    bodies.Matching(
        SLUG, MAX_SLUG, f"must be 1 to {MAX_SLUG} of a-z and 0-9, with single hyphens between them."
    ),
    AfterValidator(_unreserved),
]


class WorkspaceSpec(bodies.Body):
    """A workspace to make."""

    model_config = ConfigDict(title="NewWorkspace")

    name: _Name
    slug: Annotated[_Slug | None, Field(description="Made from the name unless given.")] = None
    color_idx: _Color = 0

    @classmethod
    def parse(cls, body: Mapping[str, object]) -> Self:
        """Parse a request body, a form or the options of a command. Raises InvalidQuery."""
        return cls.read(body)


class WorkspaceChanges(bodies.Changes):
    """What to change."""

    name: _Name = bodies.absent()
    slug: _Slug = bodies.absent()
    color_idx: _Color = bodies.absent()
    routing_price_sensitivity: Annotated[float, bodies.Fraction()] = bodies.absent()
    routing_llm_fit: Annotated[bool, bodies.Boolean()] = bodies.absent()


def create_workspace(spec: WorkspaceSpec, founder: PrincipalUser | None, now: datetime) -> Workspace:
    """Create a workspace with its founder as admin; an operator's has no members. Raises SlugTaken."""
    by = trail.Actor(founder.id, founder.email) if founder else trail.OPERATOR
    with _translate_conflict(spec.slug), writing() as session:
        if spec.slug is not None:
            _refuse_taken(session, spec.slug)
        workspace = Workspace(
            id=uuid4(),
            name=spec.name,
            slug=spec.slug or _free_slug(session, spec.name),
            color_idx=spec.color_idx,
            created_by=founder.id if founder else None,
            created_at=now,
            updated_at=now,
        )
        session.add(workspace)
        session.flush()
        if founder is not None:
            session.add(
                Member(workspace_id=workspace.id, user_id=founder.id, role=Role.ADMIN, created_at=now)
            )
        trail.record(session, "workspace.created", by, now, workspace_id=workspace.id, subject=workspace.name)
    return workspace


def list_workspaces(principal: Principal, slice_: Slice) -> Page[Workspace]:
    """The workspaces of a user in the order of joining; of a key the one it is bound to."""
    ids = list(_roles(principal))
    shown = ids[slice_.sql_offset : slice_.sql_offset + slice_.limit]
    found = {row.id: row for row in db.session.scalars(sa.select(Workspace).where(Workspace.id.in_(shown)))}
    return Page([found[workspace_id] for workspace_id in shown], len(ids), slice_)


def get_workspace(principal: Principal, workspace_id: UUID) -> Workspace:
    """A workspace of the principal. Raises NotFound, also for a foreign or deleted one."""
    if workspace_id not in _roles(principal):
        raise NotFound(NOT_HERE)
    return db.session.get_one(Workspace, workspace_id)


def change_workspace(
    principal: Principal, workspace_id: str, body: Mapping[str, object], now: datetime
) -> Workspace:
    """Change the fields that the body names. Raises InvalidQuery, SlugTaken, NotFound unless an admin."""
    reader = Reader({"workspace_id": workspace_id})
    found_id = reader.uuid("workspace_id")
    changes = WorkspaceChanges.read(body, *reader.errors).named()
    if _roles(principal).get(found_id) != Role.ADMIN:
        raise NotFound(NOT_HERE)
    slug = changes.get("slug")
    slug = slug if isinstance(slug, str) else None
    with _translate_conflict(slug), writing() as session:
        workspace = lock_workspace(session, found_id)
        changed = {name: value for name, value in changes.items() if getattr(workspace, name) != value}
        if slug is not None and "slug" in changed:
            _refuse_taken(session, slug)
        for name, value in changed.items():
            setattr(workspace, name, value)
        if changed:
            workspace.updated_at = now
            by = trail.actor_of(principal)
            trail.record(
                session,
                "workspace.changed",
                by,
                now,
                workspace_id=found_id,
                subject=workspace.name,
                **changed,
            )
    return workspace


def delete_workspace(principal: Principal, workspace_id: UUID, now: datetime) -> Workspace:
    """Delete a workspace and everything in it. Raises NotFound unless the principal owns it."""
    if _roles(principal).get(workspace_id) != Role.ADMIN:
        raise NotFound(NOT_HERE)
    with writing() as session:
        workspace = lock_workspace(session, workspace_id)
        if owner_id(session, workspace) != principal.user.id:
            raise NotFound(NOT_HERE)
        workspace.deleted_at = workspace.updated_at = now
        by = trail.actor_of(principal)
        trail.record(session, "workspace.deleted", by, now, workspace_id=workspace.id, subject=workspace.name)
    return workspace


def in_workspace(principal: Principal, workspace_id: UUID, permission: str) -> Principal:
    """A person as a member of this one of their workspaces, whichever the request names beside its path.

    Raises NotFound for a stranger, Forbidden if the role does not include the permission.
    """
    found = next((each for each in memberships_of(principal.user.id) if each.id == workspace_id), None)
    if found is None:
        raise NotFound(NOT_HERE)
    return replace(principal, workspaces=(found,), chosen=workspace_id).restricted_to(permission)


def slug_refusal(principal: Principal, text: str) -> SlugRefusal | None:
    """Why the principal's workspace cannot have this slug; None if it can, or has it."""
    slug = text.strip().lower()
    if len(slug) > MAX_SLUG or not re.fullmatch(SLUG, slug):
        return "invalid"
    if slug in RESERVED_SLUGS:
        return "reserved"
    holder = db.session.scalar(_holder(slug))
    return None if holder in (None, workspace_id_of(principal)) else "taken"


def is_owner(principal: Principal, workspace: Workspace) -> bool:
    return owner_id(db.session(), workspace) == principal.user.id


def owner_id(session: Session, workspace: Workspace) -> UUID | None:
    """The user who may delete it: its creator while an admin of it, else the longest-serving admin."""
    admins = session.scalars(
        sa.select(Member.user_id)
        .where(Member.workspace_id == workspace.id, Member.role == Role.ADMIN)
        .order_by(Member.created_at, Member.user_id)
    ).all()
    if workspace.created_by in admins:
        return workspace.created_by
    return admins[0] if admins else None


def lock_workspace(session: Session, workspace_id: UUID) -> Workspace:
    """Lock a live workspace and its members against changes until this transaction ends."""
    live = sa.select(Workspace).where(Workspace.id == workspace_id, Workspace.deleted_at.is_(None))
    workspace = session.scalar(live.with_for_update())
    if workspace is None:
        raise NotFound(NOT_HERE)
    return workspace


def workspace_id_of(principal: Principal) -> UUID:
    """The id of the principal's current workspace. Raises NotFound without one."""
    if principal.workspace is None:
        raise NotFound(NOT_HERE)
    return principal.workspace.id


def _roles(principal: Principal) -> dict[UUID, str | None]:
    """The role in every workspace of the principal, including those the request excludes."""
    if principal.kind == "api_key":
        return {found.id: None for found in principal.workspaces}
    return {found.id: found.role for found in memberships_of(principal.user.id)}


def _free_slug(session: Session, name: str) -> str:
    base = "-".join(re.findall(r"[a-z0-9]+", name.lower()))[: MAX_SLUG - 8].strip("-") or "workspace"
    candidates = (base if number == 1 else f"{base}-{number}" for number in count(1))
    free = (slug for slug in candidates if slug not in RESERVED_SLUGS and not _is_taken(session, slug))
    return next(free)


def _is_taken(session: Session, slug: str) -> bool:
    return session.scalar(_holder(slug)) is not None


def _holder(slug: str) -> sa.Select[UUID]:
    """The live workspace that has a slug."""
    return sa.select(Workspace.id).where(Workspace.slug == slug, Workspace.deleted_at.is_(None))


def _refuse_taken(session: Session, slug: str) -> None:
    if _is_taken(session, slug):
        raise SlugTaken(f"There is a workspace {slug} already.")


@contextmanager
def _translate_conflict(slug: str | None) -> Iterator[None]:
    """Turn the unique violation of two concurrent writers into SlugTaken."""
    try:
        yield
    except sa.exc.IntegrityError:
        raise SlugTaken(f"There is a workspace {slug or 'of that name'} already.") from None
