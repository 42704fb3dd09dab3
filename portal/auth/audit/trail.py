"""The audit log: who changed accounts, keys and settings, when and from which address.

An entry is written in the transaction of the change it records.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID, uuid4

import sqlalchemy as sa
from flask import has_request_context, request
from sqlalchemy.orm import Session

from portal.auth.principals import Principal
from portal.database.columns import JsonObject
from portal.database.engine import db
from portal.database.models import AuditEntry, Member
from portal.database.sql.excerpts import json_excerpt, json_members
from portal.input import parameters
from portal.input.parameters import Reader
from portal.paging import DEFAULT_LIMIT, Page, Slice

KINDS = {
    "session.started": "Signed in",
    "session.ended": "Signed out",
    "session.others_ended": "Ended other sessions",
    "session.refused": "Sign-in refused",
    "identity.linked": "Connected an account of the provider",
    "signin_link.created": "Made a sign-in link",
    "user.created": "Added a user",
    "workspace.created": "Created the workspace",
    "workspace.changed": "Changed the workspace",
    "workspace.deleted": "Deleted the workspace",
    "member.added": "Added a member",
    "member.joined": "Joined",
    "member.role_changed": "Changed a role",
    "member.removed": "Removed a member",
    "member.left": "Left",
    "invitation.created": "Invited",
    "invitation.changed": "Changed an invitation",
    "invitation.withdrawn": "Withdrew an invitation",
    "workflow.created": "Created a workflow",
    "workflow.changed": "Changed a workflow",
    "workflow.deleted": "Deleted a workflow",
    "workflow.restored": "Restored a workflow",
    "view.created": "Made a view of the team",
    "view.changed": "Changed a view of the team",
    "view.deleted": "Deleted a view of the team",
    "credits.granted": "Granted credits",
    "schedule.created": "Set a schedule",
    "schedule.changed": "Changed a schedule",
    "schedule.removed": "Removed a schedule",
    "schedule.stopped": "Stopped a schedule",
    "mirror.added": "Added a mirror",
    "mirror.removed": "Removed a mirror",
    "key.created": "Created a key",
    "key.changed": "Changed a key",
    "key.rotated": "Rotated a key",
    "key.revoked": "Revoked a key",
    "hook.created": "Added a hook",
    "hook.rotated": "Rotated the secret of a hook",
    "hook.removed": "Removed a hook",
}
"""Every kind of entry with its label."""

MAX_REFUSALS = 20
"""Refused sign-ins recorded per address and hour: a flood must not fill the table."""
MAX_REFUSALS_IN_ALL = 1000
"""The same for all addresses together."""
DETAILS_EXCERPT = 600
"""Characters of an entry's details, as JSON, on the page."""
BATCH = 500
"""Entries that an export reads at a time."""
_AN_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Actor:
    """Who did it: a user, an operator at the command line, or the portal itself."""

    id: UUID | None
    name: str


OPERATOR = Actor(None, "command line")
NOBODY = Actor(None, "somebody")
PORTAL = Actor(None, "portal")


def actor_of(principal: Principal) -> Actor:
    return Actor(principal.user.id, principal.user.email)


def record(
    session: Session,
    kind: str,
    by: Actor,
    now: datetime,
    *,
    workspace_id: UUID | None = None,
    subject: str = "",
    **details: object,
) -> None:
    """Add an entry to the transaction of the change."""
    assert kind in KINDS, kind  # noqa: S101  (a programming error)
    entry = AuditEntry(
        id=uuid4(),
        at=now,
        kind=kind,
        workspace_id=workspace_id,
        actor_id=by.id,
        actor=by.name[:254],
        address=from_address(),
        subject=subject[:254],
        details=details,
    )
    session.add(entry)


def record_refusal(session: Session, now: datetime, reason: str) -> None:
    """Record a refused sign-in, unless the limits per hour are reached."""
    recent = sa.select(sa.func.count()).where(
        AuditEntry.kind == "session.refused", AuditEntry.at.between(now - _AN_HOUR, now)
    )
    here = recent.where(AuditEntry.address == from_address())
    if (session.scalar(recent) or 0) < MAX_REFUSALS_IN_ALL and (session.scalar(here) or 0) < MAX_REFUSALS:
        record(session, "session.refused", NOBODY, now, reason=reason)


def from_address() -> str | None:
    """The client's address; None at the command line."""
    return (request.remote_addr or "")[:45] or None if has_request_context() else None


@dataclass(frozen=True)
class AuditQuery:
    """The parameters of the list of entries."""

    slice: Slice = Slice()
    kind: str | None = None
    actor: str = ""
    """Part of the actor's e-mail."""

    @classmethod
    def parse(cls, args: Mapping[str, str]) -> Self:
        """Parse query parameters. Raises InvalidQuery."""
        reader = Reader(args)
        query = cls(
            slice=reader.slice(),
            kind=reader.read("kind", parameters.one_of(tuple(KINDS)), None),
            actor=reader.read("actor", parameters.search, ""),
        )
        reader.finish()
        return query

    def at(self, slice_: Slice) -> Self:
        """The same list, another page."""
        return replace(self, slice=slice_)

    def to_args(self) -> dict[str, str]:
        """The canonical query parameters, defaults left out."""
        texts = {
            "kind": self.kind or "",
            "actor": self.actor,
            "limit": "" if self.slice.limit == DEFAULT_LIMIT else str(self.slice.limit),
            "offset": str(self.slice.offset or ""),
        }
        return {name: text for name, text in texts.items() if text}


@dataclass(frozen=True, kw_only=True)
class AuditRow:
    """An entry as shown on the page."""

    at: datetime
    kind: str
    actor: str
    address: str | None
    subject: str
    details: Mapping[str, object]
    """The members that fit `DETAILS_EXCERPT`."""
    more_details: bool


def list_entries(workspace_id: UUID, query: AuditQuery) -> Page[AuditRow]:
    """A page of the entries of a workspace and the sign-ins of its members, newest first."""
    of_members = sa.select(Member.user_id).where(Member.workspace_id == workspace_id)
    signins = AuditEntry.workspace_id.is_(None) & AuditEntry.actor_id.in_(of_members)
    matching: list[sa.ColumnElement[bool]] = [(AuditEntry.workspace_id == workspace_id) | signins]
    if query.kind is not None:
        matching.append(AuditEntry.kind == query.kind)
    if query.actor:
        matching.append(sa.func.lower(AuditEntry.actor).contains(query.actor.lower(), autoescape=True))
    total = db.session.scalar(sa.select(sa.func.count()).select_from(AuditEntry).where(*matching)) or 0
    newest_first = sa.select(*_ROW).where(*matching).order_by(AuditEntry.at.desc(), AuditEntry.id)
    page = newest_first.offset(query.slice.sql_offset).limit(query.slice.limit)
    return Page([_row(dict(row._mapping)) for row in db.session.execute(page)], total, query.slice)


_ROW = (
    AuditEntry.at,
    AuditEntry.kind,
    AuditEntry.actor,
    AuditEntry.address,
    AuditEntry.subject,
    json_excerpt(AuditEntry.details, DETAILS_EXCERPT).label("details"),
)


def _row(values: JsonObject) -> AuditRow:
    details, whole = json_members(values.pop("details"), DETAILS_EXCERPT)
    return AuditRow(**values, details=details or {}, more_details=not whole)


def iterate_entries(since: datetime | None = None) -> Iterator[AuditEntry]:
    """All entries, oldest first, read in batches."""
    query = sa.select(AuditEntry).order_by(AuditEntry.at, AuditEntry.id).limit(BATCH)
    batch = query if since is None else query.where(AuditEntry.at >= since)
    while entries := db.session.scalars(batch).all():
        yield from entries
        last = entries[-1]
        later = sa.and_(AuditEntry.at == last.at, AuditEntry.id > last.id)
        batch = query.where((AuditEntry.at > last.at) | later)
