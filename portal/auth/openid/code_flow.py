"""Sign-in at an OpenID provider: authorization code flow with PKCE, state and nonce in the browser's session.

Authlib implements the protocol. This module validates and caches the provider's metadata, bounds the pending
sign-ins of a browser, and reads the claims of the ID token.
"""

import json
import logging
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.flask_client import FlaskIntegration, FlaskOAuth2App, OAuth
from flask import Flask, current_app, request, session
from flask.sessions import SessionMixin
from joserfc.errors import JoseError

from portal.auth.openid.join_rules import JoinRule, Visitor, read_rules
from portal.auth.openid.tokens import LEEWAY, is_subject
from portal.config import OidcSettings, Settings
from portal.errors import PortalError
from portal.input.bounds import MAX_EMAIL, MAX_FIRST_OR_LAST_NAME
from portal.input.setting_values import is_loopback
from portal.web.proxy import absolute_url_for

NAME = "portal"
DISCOVERY = "/.well-known/openid-configuration"
TIMEOUT = 5
METADATA_LIFE = 600
"""Seconds for which metadata and keys are cached, so that a withdrawn key is soon rejected."""
SIGN_IN_LIFE = 900
"""Seconds that a user may take at the provider."""
MAX_SESSION = 2800
"""Characters of session data with pending sign-ins: a cookie is limited to 4,096 bytes."""
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")

log = logging.getLogger(__name__)

Metadata = dict[str, Any]
"""JSON of the provider, validated before use."""


class SignInFailed(PortalError):
    """Signing in at the provider failed. Start again."""

    status, code = 400, "SIGN_IN_FAILED"


class ProviderUnavailable(SignInFailed):
    """The sign-in provider cannot be reached. Try again in a moment."""

    status, code = 503, "SERVICE_UNAVAILABLE"


class _StateStore(FlaskIntegration):  # type: ignore[misc]
    """The pending sign-ins of a browser, in its session: each single-use, for 15 minutes."""

    expires_in = SIGN_IN_LIFE

    def get_state_data(self, session: SessionMixin, state: str | None) -> dict[str, str] | None:
        state_data = session.get(f"_state_{self.name}_{state}")
        return state_data["data"] if state_data and state_data["exp"] > time.time() else None

    def set_state_data(self, session: SessionMixin, state: str, data: dict[str, str | None]) -> None:
        self._clear_session_state(session)
        super().set_state_data(session, state, data)
        latest = f"_state_{self.name}_{state}"
        pending = [key for key in session if key.startswith(f"_state_{self.name}_") and key != latest]
        for key in sorted(pending, key=lambda key: float(session[key]["exp"])):
            if len(json.dumps(dict(session))) > MAX_SESSION:
                session.pop(key)


class _Client(FlaskOAuth2App):  # type: ignore[misc]
    """Authlib's client, with validated metadata that expires."""

    server_metadata: Metadata
    clock = staticmethod(time.monotonic)

    def load_server_metadata(self) -> Metadata:
        known = self.server_metadata
        if self.clock() - known.get("_loaded_at", float("-inf")) < METADATA_LIFE:
            return known
        with self._get_session() as http:
            answer = http.request("GET", self._server_metadata_url, withhold_token=True)
        self.server_metadata = check_metadata(_description(answer), self._server_metadata_url) | {
            "_loaded_at": self.clock()
        }
        return self.server_metadata


class _Registry(OAuth):  # type: ignore[misc]
    framework_integration_cls = _StateStore
    oauth2_client_cls = _Client


def init_app(app: Flask, settings: Settings) -> None:
    """Register the provider, if one is configured. Raises BadSetting for invalid join rules."""
    if settings.oidc is None:
        return
    rules = read_rules(settings.oidc.join)
    client = _Registry(app).register(
        NAME,
        client_id=settings.oidc.client_id,
        client_secret=settings.oidc.client_secret,
        server_metadata_url=settings.oidc.discovery_url,
        client_kwargs={
            "scope": settings.oidc.scopes,
            "code_challenge_method": "S256",
            "default_timeout": TIMEOUT,
            "max_redirects": 0,
        },
    )
    app.extensions["portal.oidc"] = (settings.oidc, rules, client)


def accounts_come_from_provider() -> bool:
    """Whether a sign-in provider is configured."""
    return "portal.oidc" in current_app.extensions


def provider() -> tuple[OidcSettings, tuple[JoinRule, ...], _Client]:
    """The settings, join rules and client of the configured provider."""
    found: tuple[OidcSettings, tuple[JoinRule, ...], _Client] = current_app.extensions["portal.oidc"]
    return found


def begin(wanted: str | None) -> str:
    """Begin a sign-in that returns to the page `wanted`: the provider's URL to redirect to."""
    client = provider()[2]
    back = absolute_url_for("auth.callback")
    try:
        made = client.create_authorization_url(back)
    except (AuthlibBaseError, JoseError, requests.RequestException, ValueError) as error:
        log.warning("the sign-in provider cannot be reached: %s", error)
        raise ProviderUnavailable from None
    session.pop("next", None)
    state_data = {
        "redirect_uri": back,
        "next": wanted,
        "nonce": made["nonce"],
        "verifier": made["code_verifier"],
    }
    client.framework.set_state_data(session, made["state"], state_data)
    session.permanent = True
    url: str = made["url"]
    return url


def finish() -> tuple[Visitor, str | None]:
    """Complete a sign-in: the visitor and the page they wanted. Raises SignInFailed."""
    settings, _, client = provider()
    state = request.args.get("state")
    state_data = client.framework.get_state_data(session, state)
    client.framework.clear_state_data(session, state)
    if state_data is None:
        raise SignInFailed("This sign-in was not started in this browser, or took too long. Start again.")
    _refuse_errors(client)
    try:
        token = client.fetch_access_token(
            redirect_uri=state_data["redirect_uri"],
            code=request.args.get("code"),
            code_verifier=state_data["verifier"],
        )
        claims = client.parse_id_token(
            token, nonce=state_data["nonce"], claims_options=_required_claims(client), leeway=LEEWAY
        )
        if claims is None:
            raise SignInFailed("The provider sent no ID token. Ask your operator to check the scopes.")
        claims = dict(claims)
        if not {"email", settings.groups_claim} <= claims.keys():
            claims = _add_userinfo(client, token, claims)
    except (AuthlibBaseError, JoseError) as error:
        log.warning("the provider's answer to a sign-in was refused: %s", type(error).__name__)
        raise SignInFailed from None
    except requests.RequestException as error:
        log.warning("the sign-in provider cannot be reached: %s", type(error).__name__)
        raise ProviderUnavailable from None
    except (ValueError, KeyError, TypeError) as error:
        log.warning("the sign-in provider sent an invalid response: %s", type(error).__name__)
        raise SignInFailed from None
    return visitor_of(claims, settings), state_data["next"]


def _required_claims(client: _Client) -> dict[str, dict[str, object]]:
    """The issuer and audience that an ID token must have, which Authlib does not check by default."""
    issuer = client.load_server_metadata()["issuer"]
    return {
        "iss": {"essential": True, "value": issuer},
        "aud": {"essential": True, "value": client.client_id},
    }


def check_metadata(metadata: object, url: str) -> Metadata:
    """Validate the provider's discovery document. Raises ValueError."""
    if not isinstance(metadata, dict):
        raise ValueError("the description is not a JSON object")
    issuer = metadata.get("issuer")
    if not isinstance(issuer, str) or issuer.rstrip("/") != url.removesuffix(DISCOVERY).rstrip("/"):
        raise ValueError("its issuer does not match the discovery URL")
    for name in _ENDPOINTS:
        if not _is_secure(metadata.get(name)):
            raise ValueError(f"its {name} is missing or not https")
    offered = metadata.get("id_token_signing_alg_values_supported", ["RS256"])
    metadata["id_token_signing_alg_values_supported"] = [name for name in ALGORITHMS if name in offered]
    methods = metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    if "client_secret_basic" not in methods and "client_secret_post" in methods:
        metadata["token_endpoint_auth_method"] = "client_secret_post"  # noqa: S105  (the name of a method)
    metadata.pop("jwks", None)
    return metadata


def visitor_of(claims: Mapping[str, object], settings: OidcSettings) -> Visitor:
    """The visitor that verified claims describe. Raises SignInFailed."""
    if not is_subject(claims.get("sub")):
        raise SignInFailed("The provider identifies you in a way that cannot be stored here.")
    groups = claims.get(settings.groups_claim)
    return Visitor(
        issuer=str(claims["iss"]),
        subject=str(claims["sub"]),
        email=_verified_email(claims, settings),
        first_name=_name(claims.get("given_name") or claims.get("name")),
        last_name=_name(claims.get("family_name")),
        groups=frozenset(group for group in groups if isinstance(group, str))
        if isinstance(groups, list)
        else frozenset(),
    )


def _verified_email(claims: Mapping[str, object], settings: OidcSettings) -> str | None:
    email = claims.get("email")
    verified = claims.get("email_verified") is True or settings.trust_email
    if not verified or not isinstance(email, str) or len(email) > MAX_EMAIL or "@" not in email:
        return None
    return email.lower() if email.isprintable() and " " not in email else None


def _name(value: object) -> str:
    text = value.strip() if isinstance(value, str) else ""
    return text[:MAX_FIRST_OR_LAST_NAME] if text.isprintable() else ""


def _add_userinfo(client: _Client, token: Mapping[str, object], claims: Metadata) -> Metadata:
    """Add claims of the userinfo endpoint, if they are about the same subject."""
    if "access_token" not in token or not _is_secure(client.load_server_metadata().get("userinfo_endpoint")):
        return claims
    more = dict(client.userinfo(token=token))
    return more | claims if more.get("sub") == claims["sub"] else claims


def _refuse_errors(client: _Client) -> None:
    """Raise SignInFailed for an error response; only a well-formed error code is repeated, no free text."""
    issuer = request.args.get("iss")
    if issuer is not None and issuer != client.load_server_metadata()["issuer"]:
        raise SignInFailed("The response came from another provider.")
    error = request.args.get("error")
    if error == "access_denied":
        raise SignInFailed("You did not sign in at the provider, or it does not let you in here.")
    if error is not None:
        code = (
            error if error.isascii() and error.replace("_", "").isalpha() and len(error) <= 40 else "unknown"
        )
        log.warning("the sign-in provider answered with the error %s", code)
        raise SignInFailed(f"The provider answered: {code}. Start again, or ask your operator.")
    if not request.args.get("code"):
        raise SignInFailed("The provider sent no code. Start again.")


def _description(answer: requests.Response) -> object:
    if answer.status_code != 200:
        raise ValueError(f"the description answers with status {answer.status_code}")
    metadata: object = answer.json()
    return metadata


def _is_secure(url: object) -> bool:
    parts = urlsplit(url) if isinstance(url, str) else None
    return parts is not None and (
        parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    )
