"""API keys of a workspace (contract 2.6). No key may call these routes: `keys:manage` is not a scope."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from flask import Response, request
from pydantic import Field
from typing_extensions import TypedDict

from portal import moments
from portal.api import bp
from portal.api.answers import Scopes, counted_list, one
from portal.api.operations import PAGING, operation
from portal.api.request_values import id_in_path, json_body
from portal.api.schemas import words
from portal.auth.api_keys import authentication, management
from portal.auth.api_keys.management import KEY_STATUSES, KeyChanges, KeyQuery, KeySpec
from portal.auth.gate import current_principal, requires
from portal.input.bodies import OneOf
from portal.input.parameters import single


class ApiKeyJson(TypedDict):
    """An API key, without its secret."""

    id: UUID
    workspace_id: UUID
    created_by: UUID | None
    name: str
    key_type: Annotated[str, OneOf(("live",))]
    key_prefix: str
    key_suffix: Annotated[str, Field(description="The last characters of the key.")]
    preview: str | None
    scopes: Scopes
    active: Annotated[bool, Field(description="False once it is switched off or revoked.")]
    rate_limit_per_min: Annotated[int | None, Field(description="null: the portal's own limit.")]
    last_used_at: Annotated[datetime | None, Field(description="Written at most once a minute.")]
    expires_at: Annotated[
        datetime | None, Field(description="After this moment the key opens nothing. null: never.")
    ]
    revoked_at: datetime | None
    created_at: datetime
    updated_at: datetime


class CreatedApiKeyJson(ApiKeyJson):
    """A new API key."""

    api_key: Annotated[str, Field(description="The key itself: only here, only now.")]


class RotatedApiKeyJson(TypedDict):
    """A key and its successor."""

    old_key: ApiKeyJson
    new_key: CreatedApiKeyJson


@bp.get("/api-keys")
@requires("keys:manage")
@operation(
    tag="API keys",
    summary="List API keys",
    answer=ApiKeyJson,
    shape="counted",
    query=PAGING
    | {
        "status": {
            **words(*KEY_STATUSES),
            "default": "active",
            "description": "revoked: those that open nothing, for whatever reason.",
        }
    },
)
def api_keys() -> Response:
    query = KeyQuery.parse(single(request.args))
    page = management.list_keys(current_principal(), query, moments.now())
    return counted_list(page, _row, lambda slice_: query.at(slice_).to_api_args())


@bp.post("/api-keys")
@requires("keys:manage")
@operation(tag="API keys", summary="Make an API key", answer=CreatedApiKeyJson, status=201, body=KeySpec)
def create_api_key() -> Response:
    spec = KeySpec.parse(json_body(), moments.now())
    created = management.create_key(current_principal(), spec, moments.now())
    return one(_created(created), status=201)


@bp.get("/api-keys/<key_id>")
@requires("keys:manage")
@operation(tag="API keys", summary="Get an API key", answer=ApiKeyJson)
def api_key(key_id: str) -> Response:
    return one(_row(management.get_key(current_principal(), id_in_path("key_id", key_id))))


@bp.patch("/api-keys/<key_id>")
@requires("keys:manage")
@operation(tag="API keys", summary="Change an API key", answer=ApiKeyJson, body=KeyChanges, refusals=(409,))
def change_api_key(key_id: str) -> Response:
    body = json_body()
    return one(_row(management.change_key(current_principal(), key_id, body, moments.now())))


@bp.delete("/api-keys/<key_id>")
@requires("keys:manage")
@operation(
    tag="API keys", summary="Revoke an API key", answer=ApiKeyJson, description="At once and for good."
)
def revoke_api_key(key_id: str) -> Response:
    found_id = id_in_path("key_id", key_id)
    return one(_row(management.revoke_key(current_principal(), found_id, moments.now())))


@bp.patch("/api-keys/<key_id>/rotate")
@requires("keys:manage")
@operation(
    tag="API keys",
    summary="Rotate an API key",
    answer=RotatedApiKeyJson,
    refusals=(409,),
    description="The old key is revoked at once; the new one has an id of its own.",
)
def rotate_api_key(key_id: str) -> Response:
    found_id = id_in_path("key_id", key_id)
    old, new = management.rotate_key(current_principal(), found_id, moments.now())
    answer: RotatedApiKeyJson = {"old_key": _row(old), "new_key": _created(new)}
    return one(answer)


def _row(key: management.ApiKey) -> ApiKeyJson:
    return {
        "id": key.id,
        "workspace_id": key.workspace_id,
        "created_by": key.created_by,
        "name": key.name,
        "key_suffix": key.key_suffix,
        "scopes": key.scopes,
        "active": key.active,
        "rate_limit_per_min": key.rate_limit_per_min,
        "last_used_at": key.last_used_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "created_at": key.created_at,
        "updated_at": key.updated_at,
        "key_type": "live",
        "key_prefix": authentication.PREFIX,
        "preview": authentication.preview(key.key_suffix),
    }


def _created(created: management.CreatedKey) -> CreatedApiKeyJson:
    return {**_row(created.row), "api_key": created.plain}
