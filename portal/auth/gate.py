"""Access control before every view: denied unless the view says otherwise.

A `@public` view is open. Every other one needs a principal: a bearer token under `/api/`, a browser session
elsewhere. `@requires(permission)` needs a permission too. `@opened_by_signature` looks at neither.
`@takes_ingest_key(kind)` needs an ingest key and looks at nothing else.
"""

from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from flask import Flask, current_app, g, request, session

from portal import moments
from portal.auth import ingest_keys, limits
from portal.auth.api_keys import bearer
from portal.auth.ingest_keys import IngestCaller, IngestKeyKind
from portal.auth.origin import SAFE_METHODS, is_same_origin
from portal.auth.principals import Principal
from portal.auth.signin import principal_of_session
from portal.config import Settings
from portal.errors import BadRequest, Forbidden, NotFound, Unauthorized, is_api
from portal.input import parameters

View = TypeVar("View", bound=Callable[..., object])


def public(view: View) -> View:
    """Allow a view without authentication."""
    view.portal_public = True  # type: ignore[attr-defined]
    return view


def requires(permission: str) -> Callable[[View], View]:
    """Require a scope of the key, or a role that includes it."""

    def mark(view: View) -> View:
        view.portal_permission = permission  # type: ignore[attr-defined]
        return view

    return mark


def workspace_optional(view: View) -> View:
    """Accept a user's token without X-Workspace-Id: the view is about the user, or its path says it."""
    view.portal_workspace_optional = True  # type: ignore[attr-defined]
    return view


def count_attempts(view: View) -> View:
    """Rate-limit a view as a sign-in attempt, per client address."""
    view.portal_count_attempts = True  # type: ignore[attr-defined]
    return view


def opened_by_signature(view: View) -> View:
    """Open an unsafe method to whoever has its signed address, which the view verifies.

    No cookie is looked at, so a page of another origin can send nothing in somebody's name: no origin check.
    Every request is rate-limited per client address.
    """
    view.portal_opened_by_signature = True  # type: ignore[attr-defined]
    return view


def takes_ingest_key(kind: IngestKeyKind) -> Callable[[View], View]:
    """Open a view to ingest keys of this kind, and to nothing else; see `auth.ingest_keys`.

    A cookie is not looked at, so there is no origin check.
    """

    def mark(view: View) -> View:
        view.portal_ingest_key = kind  # type: ignore[attr-defined]
        return view

    return mark


def current_ingest_caller() -> IngestCaller:
    """The ingest key of the request, in a view that `@takes_ingest_key`."""
    caller: IngestCaller = g.ingest_caller
    return caller


def current_principal() -> Principal:
    """The principal of the request, in any view that is not public."""
    principal: Principal = g.principal
    return principal


def signed_in() -> Principal | None:
    """The principal of the request in a public view, if any."""
    principal: Principal | None = g.get("principal")
    return principal


def chosen_workspace() -> UUID | None:
    """The workspace selected in this browser, whichever the page shows."""
    chosen: UUID | None = g.get("chosen_workspace")
    return chosen


def init_app(app: Flask, settings: Settings) -> None:
    bearer.init_app(app, settings)
    limits.init_app(app, settings)

    @app.before_request
    def check() -> None:
        if request.endpoint is None:
            return
        view = current_app.view_functions[request.endpoint]
        if getattr(view, "portal_opened_by_signature", False):
            limits.count_attempt("signed", request)
            return
        kind: IngestKeyKind | None = getattr(view, "portal_ingest_key", None)
        if kind is not None:
            g.ingest_caller = ingest_keys.authenticate(request, kind, moments.now())
            return
        changes = request.method not in SAFE_METHODS and not is_api(request.path)
        if changes and not is_same_origin(request):
            raise Forbidden("This form was not sent from a page of this portal. Reload and try again.")
        if request.endpoint == "static":
            return
        if getattr(view, "portal_count_attempts", False):
            limits.count_attempt("sign-in", request)
        if getattr(view, "portal_public", False):
            if not is_api(request.path) and "Authorization" not in request.headers:
                g.principal = _session_principal()
            return
        g.principal = _authenticate()
        limits.count_request(g.principal)
        if is_api(request.path):
            g.principal = _select_from_header(g.principal, getattr(view, "portal_workspace_optional", False))
        else:
            g.principal = _select_from_path(g.principal, (request.view_args or {}).get("workspace_id"))
        permission = getattr(view, "portal_permission", None)
        if permission is not None:
            g.principal = g.principal.restricted_to(permission)


def _authenticate() -> Principal:
    """Authenticate by bearer token under `/api/`, by browser session elsewhere. Raises Unauthorized."""
    if not is_api(request.path):
        return _require_session()
    try:
        return bearer.principal_of_request(request, moments.now())
    except Unauthorized:
        limits.count_attempt("refused", request)
        raise


def _session_principal() -> Principal | None:
    token = session.get("token")
    return principal_of_session(token, moments.now()) if isinstance(token, str) else None


def _require_session() -> Principal:
    principal = None if "Authorization" in request.headers else _session_principal()
    if principal is None:
        raise Unauthorized("Sign in to see this page.")
    return principal


def _select_from_path(principal: Principal, workspace_id: str | None) -> Principal:
    """On pages, the workspace in the path takes precedence over the selected one."""
    g.chosen_workspace = principal.chosen
    if workspace_id is None:
        return principal
    try:
        return principal.in_workspace(parameters.uuid(workspace_id))
    except parameters.Refused:
        raise NotFound("There is no such workspace here.") from None


def _select_from_header(principal: Principal, optional: bool) -> Principal:
    """Apply X-Workspace-Id (contract 2.3): a key is bound to its workspace, a token needs the header.

    A view marked `@workspace_optional` accepts a token without it, and so does a user with one workspace.
    """
    named = request.headers.get("X-Workspace-Id", "")
    if not named:
        return principal if principal.kind == "api_key" else _select_only_workspace(principal, optional)
    try:
        wanted = parameters.uuid(named)
    except parameters.Refused:
        wanted = None
    if principal.kind == "api_key" and wanted != principal.chosen:
        raise Forbidden("X-Workspace-Id is not the workspace of this key.")
    if wanted is None:
        raise BadRequest("X-Workspace-Id must be the UUID of a workspace.")
    return principal.in_workspace(wanted)


def _select_only_workspace(principal: Principal, optional: bool) -> Principal:
    if len(principal.workspaces) == 1:
        return principal.in_workspace(principal.workspaces[0].id)
    if optional:
        return principal
    raise BadRequest("Name the workspace: send its id as X-Workspace-Id.")
