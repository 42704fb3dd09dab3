"""Workspaces and their members (contract 2.7). A key sees only the workspace it is bound to."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID, uuid5

from flask import Response, request
from pydantic import Field
from typing_extensions import TypedDict

from portal import moments
from portal.api import bp
from portal.api.answers import DeletedJson, Fraction, deleted, one, uncounted_list, whole_list
from portal.api.operations import PAGING, TEXT, operation
from portal.api.request_values import id_in_path, json_body
from portal.auth.gate import current_principal, requires, workspace_optional
from portal.auth.principals import PERSON, ROLE_ALLOWS
from portal.input import parameters
from portal.input.bodies import OneOf
from portal.input.parameters import Reader, single
from portal.paging import Slice
from portal.workspaces import workspaces as service
from portal.workspaces.members import RosterRow, roster
from portal.workspaces.workspaces import WorkspaceChanges, WorkspaceSpec


class WorkspaceJson(TypedDict):
    """A workspace."""

    id: UUID
    name: str
    slug: str
    color_idx: int
    created_by: Annotated[
        UUID, Field(description="Who made it; an id that is nobody's where an operator did.")
    ]
    organization_id: UUID | None
    routing_price_sensitivity: Fraction
    routing_llm_fit: bool
    created_at: datetime
    updated_at: datetime


class SlugAvailabilityJson(TypedDict):
    """Whether a workspace can have a slug."""

    available: bool
    reason: Literal["invalid", "reserved", "taken"] | None


class WorkspaceSettingsJson(TypedDict):
    """What the members of a workspace share; null where nobody chose."""

    default_language: str | None
    theme: str | None


class MemberJson(TypedDict):
    """Somebody in a workspace, or invited into it."""

    id: UUID
    user_id: UUID | None
    email: str
    first_name: str | None
    last_name: str | None
    image_url: str | None
    role: Annotated[str, OneOf(tuple(ROLE_ALLOWS))]
    last_active_at: datetime | None
    status: Annotated[str, OneOf(("active", "invited"))]


@bp.get("/workspaces")
@requires("workspace:read")
@workspace_optional
@operation(
    tag="Workspaces",
    summary="List my workspaces",
    answer=WorkspaceJson,
    shape="uncounted",
    query=PAGING,
    description="A key sees the one that it is bound to.",
)
def workspaces() -> Response:
    reader = Reader(single(request.args))
    slice_ = reader.slice()
    reader.finish()
    return uncounted_list(service.list_workspaces(current_principal(), slice_), _row, _link_args)


@bp.post("/workspaces")
@requires(PERSON)
@workspace_optional
@operation(
    tag="Workspaces",
    summary="Make a workspace",
    answer=WorkspaceJson,
    status=201,
    body=WorkspaceSpec,
    refusals=(409,),
)
def create_workspace() -> Response:
    spec = WorkspaceSpec.parse(json_body())
    return one(_row(service.create_workspace(spec, current_principal().user, moments.now())), status=201)


@bp.get("/workspaces/slug-available")
@requires("workspace:manage")
@operation(
    tag="Workspaces",
    summary="Ask whether this workspace can have a slug",
    answer=SlugAvailabilityJson,
    query={"slug": TEXT},
    required=frozenset({"slug"}),
    description="For its admins; its own slug is available.",
)
def slug_available() -> Response:
    reader = Reader(single(request.args))
    slug = reader.require("slug", parameters.text, "")
    reader.finish()
    reason = service.slug_refusal(current_principal(), slug)
    answer: SlugAvailabilityJson = {"available": reason is None, "reason": reason}
    return one(answer)


@bp.get("/workspaces/<workspace_id>")
@requires("workspace:read")
@workspace_optional
@operation(tag="Workspaces", summary="Get a workspace", answer=WorkspaceJson)
def workspace(workspace_id: str) -> Response:
    return one(_row(service.get_workspace(current_principal(), id_in_path("workspace_id", workspace_id))))


@bp.patch("/workspaces/<workspace_id>")
@requires(PERSON)
@workspace_optional
@operation(
    tag="Workspaces",
    summary="Change a workspace",
    answer=WorkspaceJson,
    body=WorkspaceChanges,
    refusals=(409,),
    description="For its admins; to others it is not there.",
)
def change_workspace(workspace_id: str) -> Response:
    body = json_body()
    return one(_row(service.change_workspace(current_principal(), workspace_id, body, moments.now())))


@bp.delete("/workspaces/<workspace_id>")
@requires(PERSON)
@workspace_optional
@operation(
    tag="Workspaces",
    summary="Delete a workspace",
    answer=DeletedJson,
    description="For its owner; to others it is not there.",
)
def delete_workspace(workspace_id: str) -> Response:
    found_id = id_in_path("workspace_id", workspace_id)
    service.delete_workspace(current_principal(), found_id, moments.now())
    return deleted(found_id)


@bp.get("/workspaces/<workspace_id>/settings")
@requires("workspace:read")
@workspace_optional
@operation(tag="Workspaces", summary="Get the settings of a workspace", answer=WorkspaceSettingsJson)
def workspace_settings(workspace_id: str) -> Response:
    found = service.get_workspace(current_principal(), id_in_path("workspace_id", workspace_id))
    answer: WorkspaceSettingsJson = {"default_language": found.default_language, "theme": found.theme}
    return one(answer)


@bp.get("/workspaces/<workspace_id>/members")
@requires("workspace:read")
@workspace_optional
@operation(
    tag="Workspaces",
    summary="List the members of a workspace",
    answer=MemberJson,
    shape="uncounted",
    description="All of them, on one page.",
)
def members(workspace_id: str) -> Response:
    principal = current_principal()
    found = service.get_workspace(principal, id_in_path("workspace_id", workspace_id))
    return whole_list(roster(found.id, principal.user.id, moments.now()), _member)


def _row(row: service.Workspace) -> WorkspaceJson:
    return {
        "id": row.id,
        "name": row.name,
        "slug": row.slug,
        "color_idx": row.color_idx,
        "created_by": row.created_by or uuid5(row.id, "operator"),  # clients up to 0.13 refuse null
        "organization_id": row.organization_id,
        "routing_price_sensitivity": row.routing_price_sensitivity,
        "routing_llm_fit": row.routing_llm_fit,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def _member(row: RosterRow) -> MemberJson:
    return {
        "id": row.id,
        "user_id": row.user_id,
        "email": row.email,
        "first_name": row.first_name,
        "last_name": row.last_name,
        "image_url": row.image_url,
        "role": row.role,
        "last_active_at": row.last_active_at,
        "status": row.status,
    }


def _link_args(slice_: Slice) -> dict[str, str]:
    return {"offset": str(slice_.offset), "limit": str(slice_.limit)}
