"""Whoami: whose credential a request carries (contract 2.5)."""

from typing import Annotated
from uuid import UUID

from flask import Response
from typing_extensions import TypedDict

from portal.api import bp
from portal.api.answers import Scopes, one
from portal.api.operations import operation
from portal.auth.gate import current_principal, workspace_optional
from portal.auth.principals import SCOPES
from portal.input.bodies import OneOf

AUTH_KINDS = {"api_key": "api_key", "jwt": "clerk"}


class WhoamiJson(TypedDict):
    """Whose credential this is."""

    auth_kind: Annotated[str, OneOf(tuple(AUTH_KINDS.values()))]
    user_id: UUID
    workspace_id: UUID | None
    api_key_id: UUID | None
    scopes: Scopes


@bp.get("/auth/whoami")
@workspace_optional
@operation(tag="Account", summary="Who am I?", answer=WhoamiJson)
def whoami() -> Response:
    principal = current_principal()
    workspace = principal.workspace
    answer: WhoamiJson = {
        "auth_kind": AUTH_KINDS[principal.kind],
        "user_id": principal.user.id,
        "workspace_id": workspace.id if workspace else None,
        "api_key_id": principal.api_key_id,
        "scopes": sorted(principal.scopes if principal.kind == "api_key" else SCOPES),
    }
    return one(answer)
