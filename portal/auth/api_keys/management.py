"""Managing API keys: create, list, change, rotate and revoke (contract 2.6).

A principal manages the keys of its own workspace; an operator at the command line manages all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Self
from uuid import UUID, uuid4

import sqlalchemy as sa
from pydantic import ConfigDict, Field, PlainValidator, ValidationInfo, WithJsonSchema
from sqlalchemy.orm import Session

from portal.auth.api_keys import authentication
from portal.auth.audit import trail
from portal.auth.principals import SCOPES, Principal
from portal.database.engine import db
from portal.database.models import ApiKey as ApiKey
from portal.database.models import Member, User, Workspace
from portal.database.transactions import writing
from portal.errors import Conflict, NotFound
from portal.input import bodies, parameters
from portal.input.parameters import Reader, Refused, optional_moment
from portal.paging import Page, Slice

MAX_NAME = 120
MAX_RATE_LIMIT = 100_000
KEY_STATUSES = ("active", "revoked", "all")
DEFAULT_SCOPES = ("workflows:read",)
"""The scopes of a key created without any: read-only."""

_Name = Annotated[str, bodies.Text(1, MAX_NAME)]
_Scopes = Annotated[tuple[str, ...], bodies.SomeOf(SCOPES)]
_RateLimit = Annotated[int, bodies.Whole(1, MAX_RATE_LIMIT)] | None


def _expiry(value: object, info: ValidationInfo) -> datetime:
    """A moment in the future; a day alone means its end in UTC."""
    if isinstance(value, datetime):
        return value
    text = value if isinstance(value, str) else ""
    try:
        moment = optional_moment(f"{text}T23:59:59Z" if len(text) == len("2026-01-31") else text)
    except Refused as refusal:
        raise bodies.refused(str(refusal)) from None
    if moment is None or moment <= (info.context or {})["now"].astimezone(UTC):
        raise bodies.refused("must lie in the future.")
    return moment


class KeySpec(bodies.Body):
    """A key to make."""

    model_config = ConfigDict(title="NewApiKey")

    name: _Name
    scopes: Annotated[_Scopes, Field(description="workflows:read unless given.")] = DEFAULT_SCOPES
    rate_limit_per_min: Annotated[_RateLimit, Field(description="null: the portal's own limit.")] = None
    expires_at: Annotated[
        Annotated[datetime, PlainValidator(_expiry), WithJsonSchema(bodies.MOMENT_SCHEMA)] | None,
        Field(description="In the future; null: never."),
    ] = None
    key_type: Annotated[str, bodies.OneOf(("live",))] = "live"

    @classmethod
    def parse(cls, body: Mapping[str, object], now: datetime) -> Self:
        """Parse a request body, a form or the options of a command. Raises InvalidQuery."""
        return cls.read(body, now=now)


class KeyChanges(bodies.Changes):
    """What to change."""

    model_config = ConfigDict(title="ApiKeyChanges")

    name: _Name = bodies.absent()
    scopes: _Scopes = bodies.absent()
    rate_limit_per_min: _RateLimit = bodies.absent()
    active: Annotated[bool, bodies.Boolean()] = bodies.absent()


@dataclass(frozen=True)
class KeyQuery:
    """The parameters of the list of keys."""

    slice: Slice = Slice()
    status: str = "active"
    named: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, args: Mapping[str, str]) -> Self:
        reader = Reader(args)
        query = cls(
            reader.slice(), reader.read("status", parameters.one_of(KEY_STATUSES), "active"), frozenset(args)
        )
        reader.finish()
        return query

    def at(self, slice_: Slice) -> Self:
        return replace(self, slice=slice_)

    def to_args(self) -> dict[str, str]:
        """The canonical query parameters, defaults left out."""
        texts = {"offset": str(self.slice.offset or ""), "status": self.status}
        return {name: text for name, text in texts.items() if text and text != "active"}

    def to_api_args(self) -> dict[str, str]:
        paging = {"offset": str(self.slice.offset), "limit": str(self.slice.limit)}
        return paging | ({"status": self.status} if "status" in self.named else {})


@dataclass(frozen=True)
class CreatedKey:
    row: ApiKey
    plain: str
    """The key in plain text: shown once, never stored."""


def list_keys(principal: Principal, query: KeyQuery, now: datetime) -> Page[ApiKey]:
    """One page of the workspace's keys, newest first."""
    usable = ApiKey.active & ApiKey.revoked_at.is_(None)
    usable &= ApiKey.expires_at.is_(None) | (ApiKey.expires_at > now)
    wanted = {"active": usable, "revoked": sa.not_(usable), "all": sa.true()}[query.status]
    matching = (ApiKey.workspace_id == _workspace_id(principal), wanted)
    total = db.session.scalar(sa.select(sa.func.count()).select_from(ApiKey).where(*matching)) or 0
    rows = sa.select(ApiKey).where(*matching).order_by(ApiKey.created_at.desc(), ApiKey.id.asc())
    page = rows.offset(query.slice.sql_offset).limit(query.slice.limit)
    return Page(db.session.scalars(page).all(), total, query.slice)


def get_key(principal: Principal, key_id: UUID) -> ApiKey:
    """A key of the workspace, possibly revoked. Raises NotFound, also for a key of another workspace."""
    return _found(db.session.scalar(_mine(principal, key_id)))


def create_key(principal: Principal, spec: KeySpec, now: datetime) -> CreatedKey:
    """Create a key that acts for the principal's user."""
    workspace_id = _workspace_id(principal)
    with writing() as session:
        return _add(session, workspace_id, principal.user.id, spec, trail.actor_of(principal), now)


def change_key(principal: Principal, key_id: str, body: Mapping[str, object], now: datetime) -> ApiKey:
    """Change the fields that the body names. Raises InvalidQuery, NotFound, Conflict."""
    reader = Reader({"key_id": key_id})
    found_id = reader.uuid("key_id")
    changes = KeyChanges.read(body, *reader.errors).named()
    with writing() as session:
        key = _find(session, principal, found_id)
        _refuse_revoked(key)
        stored = {name: list(value) if isinstance(value, tuple) else value for name, value in changes.items()}
        changed = {name: value for name, value in stored.items() if getattr(key, name) != value}
        for name, value in changed.items():
            setattr(key, name, value)
        if changed:
            key.updated_at = now
            _record(session, "key.changed", key, trail.actor_of(principal), now, **changed)
    return key


def rotate_key(principal: Principal, key_id: UUID, now: datetime) -> tuple[ApiKey, CreatedKey]:
    """Revoke a key and create a successor with the same properties. Raises NotFound, Conflict."""
    by = trail.actor_of(principal)
    with writing() as session:
        old = _find(session, principal, key_id)
        _refuse_revoked(old)
        if not authentication.is_usable(old, now):
            raise Conflict("This key is switched off or has expired. Create a new one instead.")
        spec = KeySpec(
            name=old.name,
            scopes=tuple(old.scopes),
            rate_limit_per_min=old.rate_limit_per_min,
            expires_at=old.expires_at,
        )
        _revoke(old, now)
        new = _add(session, old.workspace_id, principal.user.id, spec, by, now, kind="key.rotated")
    return old, new


def revoke_key(principal: Principal, key_id: UUID, now: datetime) -> ApiKey:
    """Revoke a key for good; revoking it again changes nothing. Raises NotFound."""
    with writing() as session:
        key = _find(session, principal, key_id)
        if key.revoked_at is None:
            _revoke(key, now)
            _record(session, "key.revoked", key, trail.actor_of(principal), now)
    return key


def revoke_keys_of(session: Session, workspace_id: UUID, user_id: UUID, now: datetime) -> int:
    """Revoke the keys that a leaving member created, since they know the secrets; returns the count."""
    made = (ApiKey.workspace_id == workspace_id, ApiKey.created_by == user_id, ApiKey.revoked_at.is_(None))
    found = session.scalars(sa.select(ApiKey).where(*made)).all()
    for key in found:
        _revoke(key, now)
    return len(found)


def create_key_as_operator(workspace: Workspace, email: str, spec: KeySpec, now: datetime) -> CreatedKey:
    """Create a key for a member. Raises NotFound if the e-mail is not a member's."""
    with writing() as session:
        user_id = session.scalar(
            sa.select(User.id)
            .join(Member, Member.user_id == User.id)
            .where(User.email == email.lower(), Member.workspace_id == workspace.id)
        )
        if user_id is None:
            raise NotFound(f"{email} is not a member of {workspace.slug}.")
        return _add(session, workspace.id, user_id, spec, trail.OPERATOR, now)


def list_all_keys(workspace: Workspace | None) -> Sequence[tuple[ApiKey, Workspace]]:
    """The keys of one workspace or of all, oldest first."""
    query = sa.select(ApiKey, Workspace).join(Workspace, ApiKey.workspace_id == Workspace.id)
    if workspace is not None:
        query = query.where(Workspace.id == workspace.id)
    rows = db.session.execute(query.order_by(ApiKey.created_at, ApiKey.id))
    return [(key, found) for key, found in rows]


def revoke_key_as_operator(key_id: UUID, now: datetime) -> ApiKey:
    """Revoke a key of any workspace. Raises NotFound."""
    with writing() as session:
        key = session.get(ApiKey, key_id)
        if key is None:
            raise NotFound(f"There is no key {key_id}.")
        if key.revoked_at is None:
            _revoke(key, now)
            _record(session, "key.revoked", key, trail.OPERATOR, now)
    return key


def _workspace_id(principal: Principal) -> UUID:
    if principal.workspace is None:
        raise NotFound("There is no such workspace here.")
    return principal.workspace.id


def _mine(principal: Principal, key_id: UUID) -> sa.Select[ApiKey]:
    return sa.select(ApiKey).where(ApiKey.id == key_id, ApiKey.workspace_id == _workspace_id(principal))


def _find(session: Session, principal: Principal, key_id: UUID) -> ApiKey:
    """The key, locked for an update."""
    return _found(session.scalar(_mine(principal, key_id).with_for_update()))


def _found(key: ApiKey | None) -> ApiKey:
    if key is None:
        raise NotFound("There is no such key here.")
    return key


def _add(
    session: Session,
    workspace_id: UUID,
    user_id: UUID,
    spec: KeySpec,
    by: trail.Actor,
    now: datetime,
    kind: str = "key.created",
) -> CreatedKey:
    plain = authentication.new_secret()
    key = ApiKey(
        id=uuid4(),
        workspace_id=workspace_id,
        created_by=user_id,
        name=spec.name,
        key_hash=authentication.hash_key(plain),
        key_suffix=plain[-authentication.SUFFIX_LENGTH :],
        scopes=list(spec.scopes),
        active=True,
        rate_limit_per_min=spec.rate_limit_per_min,
        expires_at=spec.expires_at,
        created_at=now,
        updated_at=now,
    )
    session.add(key)
    _record(session, kind, key, by, now, scopes=spec.scopes)
    return CreatedKey(key, plain)


def _revoke(key: ApiKey, now: datetime) -> None:
    key.revoked_at = key.updated_at = now
    key.active = False


def _refuse_revoked(key: ApiKey) -> None:
    if key.revoked_at is not None:
        raise Conflict("This key is revoked for good. Create a new one instead.")


def _record(
    session: Session, kind: str, key: ApiKey, by: trail.Actor, now: datetime, **details: object
) -> None:
    trail.record(
        session, kind, by, now, workspace_id=key.workspace_id, subject=key.name, key_id=str(key.id), **details
    )
