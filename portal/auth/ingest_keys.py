"""Ingest keys: authentication of requests that bring history in.

An ingest key only adds history, to one workspace; it is no API key and opens nothing else. The kinds:

- `op_ing_…` (history) is sent as `Authorization: Bearer op_ing_…`.
- `op_ping_…` (ping) is part of a ping address. As addresses end up in logs, it opens pings only.

A view that takes one says so, and asks the gate which key it was:

    @bp.post("/history")
    @takes_ingest_key(IngestKeyKind.HISTORY)
    def history() -> Response:
        caller = current_ingest_caller()
        ... caller.workspace_id, caller.key_id, caller.source ...

Both functions are in `portal.auth.gate`, which calls `authenticate` before the view. It refuses: 401 without
a key, or with one that is unknown, revoked or of another kind; 403 if `X-Workspace-Id` names another;
429 with Retry-After over the key's own limit. Refused keys count per client address, so guessing ends in 429.
A ping address with a bad key is one that is not there: 404.
"""

import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from flask import Request

from portal.auth import limits
from portal.auth.api_keys.authentication import SECRET_LENGTH, hash_key
from portal.auth.api_keys.ingest_management import PREFIXES
from portal.database.models import IngestKey, Workspace
from portal.database.models import IngestKeyKind as IngestKeyKind
from portal.database.transactions import read, write_best_effort
from portal.errors import Forbidden, InvalidApiKey, NotFound, Unauthorized
from portal.input import parameters

PING_SOURCE = "ping"
"""The source of runs that pings made, unless their key names another."""
PINGS_PER_MIN = 1_200
"""The limit of a ping key without one of its own, unless the portal's is lower: its addresses may leak."""
HEARD_EVERY = timedelta(minutes=1)
"""Minimum interval between writes of `last_heard_at`."""

_BEARER = re.compile(r"bearer +([!-+\--~]+)", re.IGNORECASE)
_KEYS = {kind: re.compile(rf"{prefix}[0-9A-Za-z]{{{SECRET_LENGTH}}}") for kind, prefix in PREFIXES.items()}


@dataclass(frozen=True, kw_only=True)
class IngestCaller:
    """The ingest key that a request came with."""

    key_id: UUID
    kind: IngestKeyKind
    workspace_id: UUID
    source: str | None
    """What the sources of its runs must begin with, None for any; of a ping key, the source of its runs."""
    slug: str | None
    """The one workflow that a ping key is for."""


def authenticate(request: Request, kind: IngestKeyKind, now: datetime) -> IngestCaller:
    """The ingest key of a request, within its rate limit.

    Raises Unauthorized or InvalidApiKey, for a ping NotFound instead; Forbidden, TooManyRequests.
    """
    try:
        token = _token(request, kind)
        digest = hash_key(token)
        key = read(_FIND, key_hash=digest, kind=kind).first() if _KEYS[kind].fullmatch(token) else None
        if key is None or not hmac.compare_digest(key.key_hash, digest):
            raise _unknown(kind)
    except (Unauthorized, NotFound):
        limits.count_attempt("refused", request)
        raise
    limits.count_client(key.id, _limit(kind, key.rate_limit_per_min))
    _refuse_another_workspace(request, key.workspace_id)
    _touch(key.id, key.last_heard_at, now)
    return IngestCaller(
        key_id=key.id, kind=kind, workspace_id=key.workspace_id, source=key.source, slug=key.slug
    )


def _limit(kind: IngestKeyKind, own: int | None) -> int | None:
    """Requests per minute; None for the portal's limit."""
    of_portal = limits.rate_limiter().settings.per_min
    if own is not None or kind is not IngestKeyKind.PING or of_portal == limits.UNLIMITED:
        return own
    return min(PINGS_PER_MIN, of_portal)


def _token(request: Request, kind: IngestKeyKind) -> str:
    if kind is IngestKeyKind.PING:
        return str((request.view_args or {})["ping_key"])
    match = _BEARER.fullmatch(request.headers.get("Authorization", ""))
    if match is None:
        raise Unauthorized("Send an ingest key as a bearer token.")
    return match[1]


def _unknown(kind: IngestKeyKind) -> Unauthorized | NotFound:
    if kind is IngestKeyKind.PING:
        return NotFound()
    return InvalidApiKey("This is no ingest key, or one that is unknown or revoked.")


_FIND = (
    sa.select(
        IngestKey.id,
        IngestKey.workspace_id,
        IngestKey.key_hash,
        IngestKey.source,
        IngestKey.slug,
        IngestKey.rate_limit_per_min,
        IngestKey.last_heard_at,
    )
    .join(Workspace, IngestKey.workspace_id == Workspace.id)
    .where(
        IngestKey.key_hash == sa.bindparam("key_hash"),
        IngestKey.kind == sa.bindparam("kind"),
        IngestKey.revoked_at.is_(None),
        Workspace.deleted_at.is_(None),
    )
)


def _refuse_another_workspace(request: Request, workspace_id: UUID) -> None:
    named = request.headers.get("X-Workspace-Id", "")
    if not named:
        return
    try:
        wanted = parameters.uuid(named)
    except parameters.Refused:
        wanted = None
    if wanted != workspace_id:
        raise Forbidden("X-Workspace-Id is not the workspace of this key.")


def _touch(key_id: UUID, last_heard_at: datetime | None, now: datetime) -> None:
    """Note that the key was heard, at most once per interval, also after a clock that was set back."""
    if last_heard_at is not None and abs(now - last_heard_at) < HEARD_EVERY:
        return
    write_best_effort(sa.update(IngestKey).where(IngestKey.id == key_id).values(last_heard_at=now))
