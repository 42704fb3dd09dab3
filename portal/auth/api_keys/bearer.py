"""Bearer authentication: an API key or, where an issuer is configured, a JWT (contract 2.1)."""

import logging
import re
from datetime import datetime

import sqlalchemy as sa
from flask import Flask, Request, current_app

from portal.auth.api_keys.authentication import principal_of_key
from portal.auth.memberships import memberships_in, with_memberships
from portal.auth.openid.jwks import KeyCache
from portal.auth.openid.tokens import BadToken, subject_of_token
from portal.auth.principals import Principal, PrincipalUser
from portal.config import Settings, TokenSettings
from portal.database.models import Identity, User
from portal.database.models.accounts import full_name
from portal.database.transactions import read
from portal.errors import InvalidApiKey, Unauthorized

_BEARER = re.compile(r"bearer +([!-+\--~]+)", re.IGNORECASE)
_RESERVED_KINDS = ("op_test_", "op_pub_")

log = logging.getLogger(__name__)


def init_app(app: Flask, settings: Settings) -> None:
    if settings.tokens is not None:
        app.extensions["portal.tokens"] = (settings.tokens, KeyCache(settings.tokens.jwks_url))


def principal_of_request(request: Request, now: datetime) -> Principal:
    """The principal of the Authorization header. Raises Unauthorized, InvalidApiKey."""
    match = _BEARER.fullmatch(request.headers.get("Authorization", ""))
    if match is None:
        raise Unauthorized
    token = match[1]
    if token.startswith(_RESERVED_KINDS):
        raise InvalidApiKey
    if token.startswith("op_"):
        return principal_of_key(token, now)
    return _principal_of_token(token, now)


def _principal_of_token(token: str, now: datetime) -> Principal:
    accepted: tuple[TokenSettings, KeyCache] | None = current_app.extensions.get("portal.tokens")
    if accepted is None:
        raise Unauthorized("This bearer token cannot be verified here. Send an API key.")
    settings, keys = accepted
    try:
        subject = subject_of_token(token, settings, keys, now)
    except BadToken as reason:
        log.info("a bearer token was refused: %s", reason)
        raise Unauthorized("This bearer token is not valid, or not any more.") from None
    rows = read(_FIND, issuer=settings.issuer, subject=subject).all()
    if not rows:
        raise Unauthorized("Nobody here has this identity. Sign in to the portal in a browser once.")
    user = rows[0]
    person = PrincipalUser(user.id, user.email, full_name(user.first_name, user.last_name, user.email))
    return Principal(kind="jwt", user=person, workspaces=memberships_in(rows))


_FIND = with_memberships(
    sa.select(User.id, User.email, User.first_name, User.last_name)
    .join(Identity, Identity.user_id == User.id)
    .where(Identity.issuer == sa.bindparam("issuer"), Identity.subject == sa.bindparam("subject"))
)
