"""Workspaces and who is in them (contract 2.7). A key sees the one that it is bound to."""

from typing import Any
from uuid import uuid5

from flask import Response, request

from portal import moments
from portal.api import bp
from portal.api.answers import fields, one, uncounted_list, whole_list
from portal.api.asked import id_in_path, sent_body
from portal.auth.gate import current_principal, requires, workspace_optional
from portal.auth.principals import PERSON
from portal.input.parameters import Reader, single
from portal.paging import Slice
from portal.workspaces import workspaces as service
from portal.workspaces.members import RosterRow, roster
from portal.workspaces.workspaces import WorkspaceSpec

FIELDS = (
    "id",
    "name",
    "slug",
    "color_idx",
    "created_by",
    "organization_id",
    "routing_price_sensitivity",
    "routing_llm_fit",
    "created_at",
    "updated_at",
)
MEMBER_FIELDS = (
    "id",
    "user_id",
    "email",
    "first_name",
    "last_name",
    "image_url",
    "role",
    "last_active_at",
    "status",
)


@bp.get("/workspaces")
@requires("workspace:read")
@workspace_optional
def workspaces() -> Response:
    reader = Reader(single(request.args))
    slice_ = reader.slice()
    reader.finish()
    return uncounted_list(service.list_workspaces(current_principal(), slice_), _row, _link_args)


@bp.post("/workspaces")
@requires(PERSON)
@workspace_optional
def create_workspace() -> Response:
    spec = WorkspaceSpec.parse(sent_body())
    return one(_row(service.create_workspace(spec, current_principal().user, moments.now())), status=201)


@bp.get("/workspaces/<workspace_id>")
@requires("workspace:read")
@workspace_optional
def workspace(workspace_id: str) -> Response:
    return one(_row(service.get_workspace(current_principal(), id_in_path("workspace_id", workspace_id))))


@bp.patch("/workspaces/<workspace_id>")
@requires(PERSON)
@workspace_optional
def change_workspace(workspace_id: str) -> Response:
    body = sent_body()
    return one(_row(service.change_workspace(current_principal(), workspace_id, body, moments.now())))


@bp.delete("/workspaces/<workspace_id>")
@requires(PERSON)
@workspace_optional
def delete_workspace(workspace_id: str) -> Response:
    found_id = id_in_path("workspace_id", workspace_id)
    service.delete_workspace(current_principal(), found_id, moments.now())
    return one({"id": str(found_id), "deleted": True})


@bp.get("/workspaces/<workspace_id>/members")
@requires("workspace:read")
@workspace_optional
def members(workspace_id: str) -> Response:
    principal = current_principal()
    found = service.get_workspace(principal, id_in_path("workspace_id", workspace_id))
    return whole_list(roster(found.id, principal.user.id, moments.now()), _member)


def _row(row: Any) -> dict[str, Any]:
    made_by = row.created_by or uuid5(row.id, "operator")  # clients up to 0.13 refuse null
    return fields(row, FIELDS) | {"created_by": made_by}


def _member(row: RosterRow) -> dict[str, Any]:
    return fields(row, MEMBER_FIELDS)


def _link_args(slice_: Slice) -> dict[str, str]:
    return {"offset": str(slice_.offset), "limit": str(slice_.limit)}
