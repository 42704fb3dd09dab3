"""The API key as a credential: its form, its hash, and whom it stands for (contract 2.1)."""

import hashlib
import hmac
import re
import secrets
import string
from datetime import datetime, timedelta

import sqlalchemy as sa

from portal.auth.principals import Membership, Principal, PrincipalUser
from portal.db import db, leave_mark
from portal.errors import InvalidApiKey
from portal.models import ApiKey, User, Workspace

PREFIX = "op_live_"
SECRET_LENGTH = 32
SUFFIX_LENGTH = 4
TOUCH_EVERY = timedelta(minutes=1)
"""How often `last_used_at` is written at most, so that reading stays reading (contract 2.6)."""

_KEY = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{SECRET_LENGTH}}}")
_BASE62 = string.digits + string.ascii_letters


def new_secret() -> str:
    """A new key in plain text: shown once, kept nowhere."""
    return PREFIX + "".join(secrets.choice(_BASE62) for _ in range(SECRET_LENGTH))


def preview(suffix: str) -> str:
    """How a key is shown once its secret is gone."""
    return f"{PREFIX}…{suffix}"


def hash_key(token: str) -> bytes:
    """SHA-256 is enough: the secret has 190 random bits."""
    return hashlib.sha256(token.encode()).digest()


def is_usable(key: ApiKey, now: datetime) -> bool:
    """Whether the key opens anything: switched on, not revoked, not expired."""
    return key.active and key.revoked_at is None and (key.expires_at is None or key.expires_at > now)


def principal_of_key(token: str, now: datetime) -> Principal:
    """The principal that this key stands for. Raises InvalidApiKey, with one text for every reason."""
    if not _KEY.fullmatch(token):
        raise InvalidApiKey
    digest = hash_key(token)
    row = db.session.execute(
        sa.select(ApiKey, User, Workspace)
        .join(User, ApiKey.created_by == User.id)
        .join(Workspace, ApiKey.workspace_id == Workspace.id)
        .where(ApiKey.key_hash == digest, Workspace.deleted_at.is_(None))
    ).first()
    if row is None:
        raise InvalidApiKey
    key, user, workspace = row
    if not hmac.compare_digest(key.key_hash, digest) or not is_usable(key, now):
        raise InvalidApiKey
    principal = Principal(
        kind="api_key",
        user=PrincipalUser(user.id, user.email, user.display_name),
        workspaces=(Membership(workspace.id, workspace.name, workspace.slug, None),),
        chosen=workspace.id,
        scopes=frozenset(key.scopes),
        api_key_id=key.id,
        rate_limit_per_min=key.rate_limit_per_min,
    )
    _touch(key, now)
    return principal


def _touch(key: ApiKey, now: datetime) -> None:
    if key.last_used_at is not None and now - key.last_used_at < TOUCH_EVERY:
        return
    stale = ApiKey.last_used_at.is_(None) | (ApiKey.last_used_at <= now - TOUCH_EVERY)
    leave_mark(sa.update(ApiKey).where(ApiKey.id == key.id, stale).values(last_used_at=now))
