"""Authentication by API key: format, hash and principal (contract 2.1)."""

import hashlib
import hmac
import re
import secrets
import string
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import sqlalchemy as sa

from portal.auth.principals import Membership, Principal, PrincipalUser
from portal.database.models import ApiKey, User, Workspace
from portal.database.models.accounts import full_name
from portal.database.transactions import read, write_best_effort
from portal.errors import InvalidApiKey

PREFIX = "op_live_"
SECRET_LENGTH = 32
SUFFIX_LENGTH = 4
TOUCH_EVERY = timedelta(minutes=1)
"""Minimum interval between writes of `last_used_at`, so that reads stay reads (contract 2.6)."""

_KEY = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{SECRET_LENGTH}}}")
_BASE62 = string.digits + string.ascii_letters


def new_secret() -> str:
    """Generate a key in plain text: shown once, never stored."""
    return PREFIX + random_text()


def random_text() -> str:
    """The secret part of a key: 190 random bits."""
    return "".join(secrets.choice(_BASE62) for _ in range(SECRET_LENGTH))


def preview(suffix: str) -> str:
    """The display form of a stored key."""
    return f"{PREFIX}…{suffix}"


def hash_key(token: str) -> bytes:
    """A plain SHA-256 suffices for a secret of 190 random bits."""
    return hashlib.sha256(token.encode()).digest()


class _Key(Protocol):
    @property
    def active(self) -> bool: ...
    @property
    def expires_at(self) -> datetime | None: ...
    @property
    def revoked_at(self) -> datetime | None: ...


def is_usable(key: _Key, now: datetime) -> bool:
    """Whether the key is active, not revoked and not expired."""
    return key.active and key.revoked_at is None and (key.expires_at is None or key.expires_at > now)


_FIND = (
    sa.select(
        ApiKey.id,
        ApiKey.key_hash,
        ApiKey.scopes,
        ApiKey.active,
        ApiKey.rate_limit_per_min,
        ApiKey.last_used_at,
        ApiKey.expires_at,
        ApiKey.revoked_at,
        User.id.label("user_id"),
        User.email,
        User.first_name,
        User.last_name,
        Workspace.id.label("workspace_id"),
        Workspace.name,
        Workspace.slug,
    )
    .join(User, ApiKey.created_by == User.id)
    .join(Workspace, ApiKey.workspace_id == Workspace.id)
    .where(ApiKey.key_hash == sa.bindparam("key_hash"), Workspace.deleted_at.is_(None))
)


def principal_of_key(token: str, now: datetime) -> Principal:
    """Authenticate a key. Raises InvalidApiKey, with the same message for every reason."""
    if not _KEY.fullmatch(token):
        raise InvalidApiKey
    digest = hash_key(token)
    key = read(_FIND, key_hash=digest).first()
    if key is None:
        raise InvalidApiKey
    if not hmac.compare_digest(key.key_hash, digest) or not is_usable(key, now):
        raise InvalidApiKey
    principal = Principal(
        kind="api_key",
        user=PrincipalUser(key.user_id, key.email, full_name(key.first_name, key.last_name, key.email)),
        workspaces=(Membership(key.workspace_id, key.name, key.slug, None),),
        chosen=key.workspace_id,
        scopes=frozenset(key.scopes),
        api_key_id=key.id,
        rate_limit_per_min=key.rate_limit_per_min,
    )
    _touch(key.id, key.last_used_at, now)
    return principal


def _touch(key_id: UUID, last_used_at: datetime | None, now: datetime) -> None:
    """Record the use, at most once per interval; one in the future predates a clock that was set back."""
    if last_used_at is not None and abs(now - last_used_at) < TOUCH_EVERY:
        return
    stale = sa.or_(
        ApiKey.last_used_at.is_(None),
        ApiKey.last_used_at <= now - TOUCH_EVERY,
        ApiKey.last_used_at >= now + TOUCH_EVERY,
    )
    write_best_effort(sa.update(ApiKey).where(ApiKey.id == key_id, stale).values(last_used_at=now))
