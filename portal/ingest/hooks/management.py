"""Managing hooks: add, list, rotate the secret of, and remove them, as an operator at the command line."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.auth.audit import trail
from portal.config import current_settings
from portal.database.engine import db
from portal.database.models import Hook as Hook
from portal.database.models import HookKind, Workspace
from portal.database.transactions import writing
from portal.errors import FieldError, InvalidQuery, NotFound
from portal.input import sentences

MAX_REPOSITORIES = 100
MAX_OVERLAP_DAYS = 90
_REPOSITORY = re.compile(r"[\w.-]{1,100}(?:/[\w.-]{1,100}){0,18}/(?:[\w.-]{1,100}|\*)")


@dataclass(frozen=True)
class HookSpec:
    """A hook to add."""

    kind: str
    repositories: tuple[str, ...]
    """Full names, such as `acme/web`, or `acme/*` for all of an owner or group."""

    @classmethod
    def parse(cls, kind: str, repositories: Sequence[str]) -> Self:
        """Raises InvalidQuery."""
        errors = []
        if kind not in tuple(HookKind):
            errors.append(FieldError("kind", sentences.one_of(HookKind)))
        if not 1 <= len(repositories) <= MAX_REPOSITORIES:
            errors.append(FieldError("repository", f"must be given 1 to {MAX_REPOSITORIES} times."))
        elif wrong := [name for name in repositories if not _REPOSITORY.fullmatch(name)]:
            errors.append(
                FieldError("repository", f"must be a full name such as acme/web or acme/*, not {wrong[0]}.")
            )
        if errors:
            raise InvalidQuery(errors)
        return cls(kind, tuple(dict.fromkeys(repositories)))


@dataclass(frozen=True)
class HookWithSecret:
    row: Hook
    secret: str
    """What the other system is to be told; it is not stored."""


def add(workspace: Workspace, spec: HookSpec, now: datetime) -> HookWithSecret:
    with writing() as session:
        hook = Hook(
            id=uuid4(),
            workspace_id=workspace.id,
            kind=spec.kind,
            address=secrets.token_urlsafe(24),
            repositories=list(spec.repositories),
            generation=1,
            created_at=now,
        )
        session.add(hook)
        _record(session, "hook.created", hook, now, repositories=list(spec.repositories))
    return HookWithSecret(hook, _secret(current_settings().secret_key, hook.id, hook.generation))


def list_hooks(workspace: Workspace | None) -> Sequence[tuple[Hook, Workspace]]:
    """The hooks of one workspace or of all, oldest first."""
    query = sa.select(Hook, Workspace).join(Workspace, Hook.workspace_id == Workspace.id)
    if workspace is not None:
        query = query.where(Workspace.id == workspace.id)
    rows = db.session.execute(query.order_by(Hook.created_at, Hook.id))
    return [(hook, owner) for hook, owner in rows]


def rotate(hook_id: UUID, overlap_days: int, now: datetime) -> HookWithSecret:
    """Give a hook a new secret; the last one stays good for so many days. Raises NotFound, InvalidQuery."""
    if not 0 <= overlap_days <= MAX_OVERLAP_DAYS:
        raise InvalidQuery([FieldError("overlap_days", sentences.whole_number(0, MAX_OVERLAP_DAYS))])
    with writing() as session:
        hook = _find(session, hook_id)
        hook.generation += 1
        hook.last_secret_until = now + timedelta(days=overlap_days)
        _record(session, "hook.rotated", hook, now, overlap_days=overlap_days)
    return HookWithSecret(hook, _secret(current_settings().secret_key, hook.id, hook.generation))


def remove(hook_id: UUID, now: datetime) -> Hook:
    """Remove a hook; what it brought in stays. Raises NotFound."""
    with writing() as session:
        hook = _find(session, hook_id)
        _record(session, "hook.removed", hook, now)
        session.delete(hook)
    return hook


def good_secrets(hook: Hook, now: datetime) -> list[str]:
    """What opens a hook: its secret and, while that is good, the last one, by each key of the portal."""
    settings = current_settings()
    generations = [hook.generation]
    if hook.last_secret_until is not None and now < hook.last_secret_until:
        generations.append(hook.generation - 1)
    keys = (settings.secret_key, *settings.secret_key_fallbacks)
    return [_secret(key, hook.id, generation) for key in keys for generation in generations]


def _secret(key: str, hook_id: UUID, generation: int) -> str:
    """A secret is derived from the portal's own key, so that no copy of the database holds it."""
    text = f"portal.hooks\n{hook_id}\n{generation}"
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def _find(session: Session, hook_id: UUID) -> Hook:
    hook = session.get(Hook, hook_id, with_for_update=True)
    if hook is None:
        raise NotFound(f"There is no hook {hook_id}.")
    return hook


def _record(session: Session, kind: str, hook: Hook, now: datetime, **details: object) -> None:
    trail.record(
        session,
        kind,
        trail.OPERATOR,
        now,
        workspace_id=hook.workspace_id,
        subject=str(HookKind(hook.kind).label),
        hook_id=str(hook.id),
        **details,
    )


def is_allowed(repository: str, allowed: Sequence[str]) -> bool:
    """Whether a hook takes events of a repository; names differ by more than their case."""
    name = repository.lower()
    return any(
        name == each.lower() or (each.endswith("/*") and name.startswith(each[:-1].lower()))
        for each in allowed
    )


def to_json(hook: Hook) -> Mapping[str, object]:
    return {"id": str(hook.id), "kind": hook.kind, "repositories": hook.repositories}
