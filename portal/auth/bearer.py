"""Bearer authentication: an API key or, where an issuer is configured, a JWT (contract 2.1)."""

import logging
import re
from datetime import datetime

import sqlalchemy as sa
from flask import Flask, Request, current_app

from portal.auth.api_keys.authentication import principal_of_key
from portal.auth.memberships import memberships_of
from portal.auth.openid.jwks import KeyCache
from portal.auth.openid.tokens import BadToken, subject_of_token
from portal.auth.principals import Principal, PrincipalUser
from portal.config import Settings, TokenSettings
from portal.database.engine import db
from portal.database.models import Identity, User
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
    user = db.session.scalar(
        sa.select(User)
        .join(Identity, Identity.user_id == User.id)
        .where(Identity.issuer == settings.issuer, Identity.subject == subject)
    )
    if user is None:
        raise Unauthorized("Nobody here has this identity. Sign in to the portal in a browser once.")
    person = PrincipalUser(user.id, user.email, user.display_name)
    return Principal(kind="jwt", user=person, workspaces=memberships_of(user.id))
