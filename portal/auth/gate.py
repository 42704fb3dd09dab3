"""The gate before every view: closed unless a view says otherwise.

A view marked `@public` is open. Every other one needs a principal: a bearer token under `/api/`, a signed-in
browser elsewhere. `@requires(permission)` asks for more.
"""

import re
from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, current_app, g, request, session

from portal import moments, parameters
from portal.auth.keys import principal_of_key
from portal.auth.origin import SAFE_METHODS, is_same_origin
from portal.auth.principals import Principal
from portal.auth.signin import principal_of_session
from portal.config import Settings
from portal.errors import Forbidden, InvalidApiKey, NotFound, Unauthorized, is_api

View = TypeVar("View", bound=Callable[..., Any])

_BEARER = re.compile(r"bearer +([!-+\--~]+)", re.IGNORECASE)
_RESERVED_KINDS = ("op_test_", "op_pub_")


def public(view: View) -> View:
    """Open a view to everybody."""
    view.portal_public = True  # type: ignore[attr-defined]
    return view


def requires(permission: str) -> Callable[[View], View]:
    """Ask for a scope of the key, or for a role that includes it."""

    def mark(view: View) -> View:
        view.portal_permission = permission  # type: ignore[attr-defined]
        return view

    return mark


def current_principal() -> Principal:
    """Who is asking. Only to be called behind the gate."""
    principal: Principal = g.principal
    return principal


def signed_in() -> Principal | None:
    """Who is asking, on pages that are open to all."""
    principal: Principal | None = g.get("principal")
    return principal


def init_app(app: Flask, settings: Settings) -> None:
    @app.before_request
    def check() -> None:
        if request.endpoint is None:
            return
        view = current_app.view_functions[request.endpoint]
        changes = request.method not in SAFE_METHODS and not is_api(request.path)
        if changes and not is_same_origin(request, settings.base_url):
            raise Forbidden("This form was not sent from a page of this portal. Reload and try again.")
        if request.endpoint == "static":
            return
        if getattr(view, "portal_public", False):
            if not is_api(request.path) and "Authorization" not in request.headers:
                g.principal = _browser()
            return
        g.principal = _bearer() if is_api(request.path) else _signed_in_browser()
        _check_workspace_header(g.principal)
        if not is_api(request.path):
            g.principal = _within_address(g.principal, (request.view_args or {}).get("workspace_id"))
        permission = getattr(view, "portal_permission", None)
        if permission is not None:
            g.principal = g.principal.needing(permission)


def _bearer() -> Principal:
    """The principal of the Authorization header, and of nothing else (contract 2.1)."""
    match = _BEARER.fullmatch(request.headers.get("Authorization", ""))
    if match is None:
        raise Unauthorized
    token = match[1]
    if token.startswith(_RESERVED_KINDS):
        raise InvalidApiKey
    if not token.startswith("op_"):
        raise Unauthorized("This bearer token cannot be verified here. Send an API key.")
    return principal_of_key(token, moments.now())


def _browser() -> Principal | None:
    token = session.get("token")
    return principal_of_session(token, moments.now()) if isinstance(token, str) else None


def _signed_in_browser() -> Principal:
    principal = None if "Authorization" in request.headers else _browser()
    if principal is None:
        raise Unauthorized("Sign in to see this page.")
    return principal


def _within_address(principal: Principal, workspace_id: str | None) -> Principal:
    """On pages, the workspace that the address names is the one that counts, not the one chosen."""
    if workspace_id is None:
        return principal
    try:
        return principal.within(parameters.uuid(workspace_id))
    except parameters.Refused:
        raise NotFound("There is no such workspace here.") from None


def _check_workspace_header(principal: Principal) -> None:
    """A key is bound to its workspace: any other one named is refused (contract 2.3)."""
    named = request.headers.get("X-Workspace-Id", "")
    if principal.kind != "api_key" or not named:
        return
    try:
        matches = parameters.uuid(named) in principal.workspace_ids
    except parameters.Refused:
        matches = False
    if not matches:
        raise Forbidden("X-Workspace-Id is not the workspace of this key.")
