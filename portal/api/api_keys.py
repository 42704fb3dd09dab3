"""API keys of a workspace (contract 2.6). No key may call these: `keys:manage` is no scope."""

from typing import Any

from flask import Response, request

from portal import moments
from portal.api import bp
from portal.api.answers import counted_list, fields, one
from portal.api.asked import id_in_path, sent_body
from portal.auth.api_keys import authentication, management
from portal.auth.api_keys.management import KeyQuery, KeySpec
from portal.auth.gate import current_principal, requires
from portal.input.parameters import single

FIELDS = (
    "id",
    "workspace_id",
    "created_by",
    "name",
    "key_suffix",
    "scopes",
    "active",
    "rate_limit_per_min",
    "last_used_at",
    "expires_at",
    "revoked_at",
    "created_at",
    "updated_at",
)


@bp.get("/api-keys")
@requires("keys:manage")
def api_keys() -> Response:
    query = KeyQuery.parse(single(request.args))
    page = management.list_keys(current_principal(), query, moments.now())
    return counted_list(page, _row, lambda slice_: query.at(slice_).to_api_args())


@bp.post("/api-keys")
@requires("keys:manage")
def create_api_key() -> Response:
    spec = KeySpec.parse(sent_body(), moments.now())
    created = management.create_key(current_principal(), spec, moments.now())
    return one(_created(created), status=201)


@bp.get("/api-keys/<key_id>")
@requires("keys:manage")
def api_key(key_id: str) -> Response:
    return one(_row(management.get_key(current_principal(), id_in_path("key_id", key_id))))


@bp.patch("/api-keys/<key_id>")
@requires("keys:manage")
def change_api_key(key_id: str) -> Response:
    body = sent_body()
    return one(_row(management.change_key(current_principal(), key_id, body, moments.now())))


@bp.delete("/api-keys/<key_id>")
@requires("keys:manage")
def revoke_api_key(key_id: str) -> Response:
    found_id = id_in_path("key_id", key_id)
    return one(_row(management.revoke_key(current_principal(), found_id, moments.now())))


@bp.patch("/api-keys/<key_id>/rotate")
@requires("keys:manage")
def rotate_api_key(key_id: str) -> Response:
    found_id = id_in_path("key_id", key_id)
    old, new = management.rotate_key(current_principal(), found_id, moments.now())
    return one({"old_key": _row(old), "new_key": _created(new)})


def _row(key: Any) -> dict[str, Any]:
    constants = {
        "key_type": "live",
        "key_prefix": authentication.PREFIX,
        "preview": authentication.preview(key.key_suffix),
    }
    return fields(key, FIELDS) | constants


def _created(created: management.CreatedKey) -> dict[str, Any]:
    return _row(created.row) | {"api_key": created.plain}
