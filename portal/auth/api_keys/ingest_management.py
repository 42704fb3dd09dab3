"""Managing ingest keys: create, list and revoke.

They belong to the workspace, whoever made them. A principal manages the keys of its own workspace; an
operator at the command line manages all.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID, uuid4

import sqlalchemy as sa
from pydantic import Field
from sqlalchemy.orm import Session

from portal.auth.api_keys.authentication import SUFFIX_LENGTH, hash_key, random_text
from portal.auth.api_keys.management import MAX_NAME, MAX_RATE_LIMIT
from portal.auth.audit import trail
from portal.auth.principals import Principal
from portal.database.engine import db
from portal.database.models import IngestKey as IngestKey
from portal.database.models import IngestKeyKind, Workspace
from portal.database.transactions import writing
from portal.errors import FieldError, InvalidQuery, NotFound
from portal.input import bodies
from portal.input.text import is_storable
from portal.paging import Page, Slice

PREFIXES = {IngestKeyKind.HISTORY: "op_ing_", IngestKeyKind.PING: "op_ping_"}
KIND_LABELS = {"history": "Pushed runs (op_ing_…)", "ping": "Pings (op_ping_…)"}
MAX_SOURCE = 200
MAX_SLUG = 200
SLUG_SENTENCE = f"must be text of 1 to {MAX_SLUG} characters without slashes and line breaks."
_SLUG = re.compile(rf"[^/\x00-\x1f\x7f-\x9f]{{1,{MAX_SLUG}}}")


class IngestKeySpec(bodies.Body):
    """An ingest key to make."""

    kind: Annotated[str, bodies.OneOf(tuple(IngestKeyKind))]
    name: Annotated[str, bodies.Text(1, MAX_NAME)]
    source: Annotated[Annotated[str, bodies.Text(1, MAX_SOURCE)] | None, Field()] = None
    """What the sources of its runs must begin with; of a ping key, the source itself."""
    slug: Annotated[Annotated[str, bodies.Text(1, MAX_SLUG)] | None, Field()] = None
    """The one workflow that a ping key is for."""
    rate_limit_per_min: Annotated[int, bodies.Whole(1, MAX_RATE_LIMIT)] | None = None

    @classmethod
    def parse(cls, body: Mapping[str, object]) -> Self:
        """Parse a form or the options of a command. Raises InvalidQuery."""
        spec = cls.read(body)
        if spec.slug is not None and spec.kind != IngestKeyKind.PING:
            raise InvalidQuery([FieldError("slug", "is for ping keys only.")])
        if spec.slug is not None and not is_slug(spec.slug):
            raise InvalidQuery([FieldError("slug", SLUG_SENTENCE)])
        return spec


@dataclass(frozen=True)
class CreatedIngestKey:
    row: IngestKey
    plain: str
    """The key in plain text: shown once, never stored."""


def is_slug(text: str) -> bool:
    """Whether the text can name a workflow in a ping address."""
    return _SLUG.fullmatch(text) is not None and text == text.strip() and is_storable(text)


def preview(key: IngestKey) -> str:
    """The display form of a stored key."""
    return f"{PREFIXES[IngestKeyKind(key.kind)]}…{key.key_suffix}"


def list_keys(principal: Principal, slice_: Slice) -> Page[IngestKey]:
    """A page of the workspace's ingest keys: those in use, newest first, then the revoked ones."""
    mine = IngestKey.workspace_id == _workspace_id(principal)
    total = db.session.scalar(sa.select(sa.func.count()).select_from(IngestKey).where(mine)) or 0
    in_use_first = (sa.case((IngestKey.revoked_at.is_(None), 0), else_=1), IngestKey.created_at.desc())
    rows = sa.select(IngestKey).where(mine).order_by(*in_use_first, IngestKey.id)
    return Page(db.session.scalars(rows.offset(slice_.sql_offset).limit(slice_.limit)).all(), total, slice_)


def get_key(principal: Principal, key_id: UUID) -> IngestKey:
    """A key of the workspace, possibly revoked. Raises NotFound, also for a key of another workspace."""
    return _found(db.session.scalar(_mine(principal, key_id)))


def create_key(principal: Principal, spec: IngestKeySpec, now: datetime) -> CreatedIngestKey:
    """Create a key for the principal's workspace."""
    with writing() as session:
        return _add(
            session, _workspace_id(principal), principal.user.id, spec, trail.actor_of(principal), now
        )


def revoke_key(principal: Principal, key_id: UUID, now: datetime) -> IngestKey:
    """Revoke a key for good; revoking it again changes nothing. Raises NotFound."""
    with writing() as session:
        key = _found(session.scalar(_mine(principal, key_id).with_for_update()))
        _revoke(session, key, trail.actor_of(principal), now)
    return key


def create_key_as_operator(workspace: Workspace, spec: IngestKeySpec, now: datetime) -> CreatedIngestKey:
    """Create a key for any workspace."""
    with writing() as session:
        return _add(session, workspace.id, None, spec, trail.OPERATOR, now)


def list_all_keys(workspace: Workspace | None) -> Sequence[tuple[IngestKey, Workspace]]:
    """The ingest keys of one workspace or of all, oldest first."""
    query = sa.select(IngestKey, Workspace).join(Workspace, IngestKey.workspace_id == Workspace.id)
    if workspace is not None:
        query = query.where(Workspace.id == workspace.id)
    rows = db.session.execute(query.order_by(IngestKey.created_at, IngestKey.id))
    return [(key, found) for key, found in rows]


def revoke_key_as_operator(key_id: UUID, now: datetime) -> IngestKey | None:
    """Revoke a key of any workspace; None if there is no ingest key of this id."""
    with writing() as session:
        key = session.get(IngestKey, key_id)
        if key is not None:
            _revoke(session, key, trail.OPERATOR, now)
    return key


def _workspace_id(principal: Principal) -> UUID:
    if principal.workspace is None:
        raise NotFound("There is no such workspace here.")
    return principal.workspace.id


def _mine(principal: Principal, key_id: UUID) -> sa.Select[IngestKey]:
    return sa.select(IngestKey).where(
        IngestKey.id == key_id, IngestKey.workspace_id == _workspace_id(principal)
    )


def _found(key: IngestKey | None) -> IngestKey:
    if key is None:
        raise NotFound("There is no such key here.")
    return key


def _add(
    session: Session,
    workspace_id: UUID,
    user_id: UUID | None,
    spec: IngestKeySpec,
    by: trail.Actor,
    now: datetime,
) -> CreatedIngestKey:
    plain = PREFIXES[IngestKeyKind(spec.kind)] + random_text()
    key = IngestKey(
        id=uuid4(),
        workspace_id=workspace_id,
        kind=spec.kind,
        name=spec.name,
        key_hash=hash_key(plain),
        key_suffix=plain[-SUFFIX_LENGTH:],
        source=spec.source,
        slug=spec.slug,
        rate_limit_per_min=spec.rate_limit_per_min,
        created_by=user_id,
        created_at=now,
    )
    session.add(key)
    _record(session, "key.created", key, by, now)
    return CreatedIngestKey(key, plain)


def _revoke(session: Session, key: IngestKey, by: trail.Actor, now: datetime) -> None:
    if key.revoked_at is None:
        key.revoked_at = now
        _record(session, "key.revoked", key, by, now)


def _record(session: Session, kind: str, key: IngestKey, by: trail.Actor, now: datetime) -> None:
    opens = {"opens": key.kind, "source": key.source, "slug": key.slug}
    details = {name: value for name, value in opens.items() if value is not None}
    trail.record(
        session, kind, by, now, workspace_id=key.workspace_id, subject=key.name, key_id=str(key.id), **details
    )
