"""API keys: made, looked up, listed and revoked. Only a hash of a key is ever stored (contract 2.1)."""

import hashlib
import hmac
import re
import secrets
import string
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import sqlalchemy as sa

from portal import moments
from portal.auth.principals import SCOPES, Membership, Principal, PrincipalUser
from portal.db import db, leave_mark, writing
from portal.errors import FieldError, InvalidApiKey, InvalidQuery, NotFound
from portal.models import ApiKey, Member, User, Workspace

PREFIX = "op_live_"
SECRET_LENGTH = 32
MAX_NAME = 120
TOUCH_EVERY = timedelta(minutes=1)
"""How often `last_used_at` is written at most, so that reading stays reading (contract 2.6)."""

_KEY = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{SECRET_LENGTH}}}")
_BASE62 = string.digits + string.ascii_letters


@dataclass(frozen=True)
class CreatedKey:
    id: UUID
    api_key: str
    """The key in plain text: shown now, kept nowhere."""
    workspace_id: UUID
    scopes: tuple[str, ...]


def create_key(workspace: Workspace, email: str, name: str, scopes: Sequence[str]) -> CreatedKey:
    """Make a key for a member of the workspace.

    Raises InvalidQuery with every bad field, NotFound where the e-mail is no member's.
    """
    errors = []
    if not 1 <= len(name.strip()) <= MAX_NAME:
        errors.append(FieldError("name", f"must have 1 to {MAX_NAME} characters."))
    if not scopes or set(scopes) - set(SCOPES):
        errors.append(FieldError("scope", f"must be one or more of {', '.join(SCOPES)}."))
    if errors:
        raise InvalidQuery(errors)
    plain = PREFIX + "".join(secrets.choice(_BASE62) for _ in range(SECRET_LENGTH))
    with writing() as session:
        user = session.scalar(
            sa.select(User)
            .join(Member, Member.user_id == User.id)
            .where(User.email == email.lower(), Member.workspace_id == workspace.id)
        )
        if user is None:
            raise NotFound(f"{email} is not a member of {workspace.slug}.")
        key = ApiKey(
            id=uuid4(),
            workspace_id=workspace.id,
            created_by=user.id,
            name=name.strip(),
            key_hash=_hash(plain),
            key_suffix=plain[-4:],
            scopes=sorted(set(scopes)),
            created_at=moments.now(),
        )
        session.add(key)
    return CreatedKey(key.id, plain, workspace.id, tuple(key.scopes))


def list_keys(workspace: Workspace | None) -> Sequence[tuple[ApiKey, Workspace]]:
    """The keys of one workspace, or of all, oldest first."""
    query = sa.select(ApiKey, Workspace).join(Workspace, ApiKey.workspace_id == Workspace.id)
    if workspace is not None:
        query = query.where(Workspace.id == workspace.id)
    rows = db.session.execute(query.order_by(ApiKey.created_at, ApiKey.id))
    return [(key, found) for key, found in rows]


def revoke_key(key_id: UUID, now: datetime) -> ApiKey:
    """Revoke a key at once and for good; a key revoked before keeps its moment. Raises NotFound."""
    with writing() as session:
        key = session.get(ApiKey, key_id)
        if key is None:
            raise NotFound(f"There is no key {key_id}.")
        key.revoked_at = key.revoked_at or now
    return key


def principal_of_key(token: str, now: datetime) -> Principal:
    """The principal that this key stands for. Raises InvalidApiKey, with one text for every reason."""
    if not _KEY.fullmatch(token):
        raise InvalidApiKey
    digest = _hash(token)
    row = db.session.execute(
        sa.select(ApiKey, User, Workspace)
        .join(User, ApiKey.created_by == User.id)
        .join(Workspace, ApiKey.workspace_id == Workspace.id)
        .where(ApiKey.key_hash == digest)
    ).first()
    if row is None:
        raise InvalidApiKey
    key, user, workspace = row
    if not hmac.compare_digest(key.key_hash, digest) or key.revoked_at is not None:
        raise InvalidApiKey
    principal = Principal(
        kind="api_key",
        user=PrincipalUser(user.id, user.email, user.display_name),
        workspaces=(Membership(workspace.id, workspace.name, workspace.slug, None),),
        scopes=frozenset(key.scopes),
        api_key_id=key.id,
    )
    _touch(key, now)
    return principal


def _touch(key: ApiKey, now: datetime) -> None:
    if key.last_used_at is not None and now - key.last_used_at < TOUCH_EVERY:
        return
    stale = ApiKey.last_used_at.is_(None) | (ApiKey.last_used_at <= now - TOUCH_EVERY)
    leave_mark(sa.update(ApiKey).where(ApiKey.id == key.id, stale).values(last_used_at=now))


def _hash(token: str) -> bytes:
    """SHA-256 is enough: the secret has 190 random bits."""
    return hashlib.sha256(token.encode()).digest()
