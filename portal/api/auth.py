"""Who am I (contract 2.5)."""

from flask import Response

from portal.api import bp
from portal.api.answers import one
from portal.auth.gate import current_principal, workspace_optional
from portal.auth.principals import SCOPES

AUTH_KINDS = {"api_key": "api_key", "jwt": "clerk"}


@bp.get("/auth/whoami")
@workspace_optional
def whoami() -> Response:
    principal = current_principal()
    workspace = principal.workspace
    return one(
        {
            "auth_kind": AUTH_KINDS[principal.kind],
            "user_id": str(principal.user.id),
            "workspace_id": str(workspace.id) if workspace else None,
            "api_key_id": str(principal.api_key_id) if principal.api_key_id else None,
            "scopes": sorted(principal.scopes if principal.kind == "api_key" else SCOPES),
        }
    )
