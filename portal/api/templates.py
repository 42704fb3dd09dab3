"""Templates (contract part 2, 10)."""

import hashlib
import json
from datetime import datetime
from typing import Annotated, Literal, TypeVar
from uuid import UUID

from flask import Response, request
from pydantic import Field
from typing_extensions import TypedDict

from portal import moments
from portal.api import bp
from portal.api.answers import FREE_FORM, Count, NoFavoriteJson, linked_by, one, uncounted_list
from portal.api.operations import FLAG, PAGING, SEARCH, operation
from portal.api.preview import NodeEstimateJson, breakdown
from portal.api.request_values import json_body
from portal.api.schemas import Schema, described, list_of, words
from portal.api.workflows import WorkflowJson, workflow_answer
from portal.auth.gate import current_principal, requires, workspace_optional
from portal.engine.pricing.units import quote_unit
from portal.input.bodies import Body, OneOf
from portal.input.parameters import Reader
from portal.workflows.templates import reading, writing
from portal.workflows.templates.bodies import (
    CATEGORIES,
    SORTS,
    Clone,
    NewTemplate,
    TemplateChanges,
    TemplateQuery,
)
from portal.workflows.templates.bodies import (
    template_id as parse_id,
)
from portal.workflows.templates.reading import TemplateRow
from portal.workspaces.workspaces import workspace_id_of


class TemplateJson(TypedDict):
    """A definition to begin a workflow with."""

    id: str
    name: str
    description: str | None
    category: Annotated[str, OneOf(CATEGORIES)] | None
    definition: Annotated[dict[str, object], Field(description=FREE_FORM)]
    is_starter: Annotated[bool, Field(description="Whether it is part of the portal, for everybody.")]
    is_public: bool
    is_favorite: Annotated[bool, Field(description="Of the user, in every workspace.")]
    uses_count: Annotated[Count, Field(description="How many workflows were made from it here.")]
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime


class DeletedTemplateJson(TypedDict):
    """The template that was deleted."""

    id: str
    deleted: Literal[True]


_VARIABLE = "Grows with the script."
_FIXED = "Always 0: no price of the portal is the same for every length of script."


class TemplateEstimateJson(TypedDict):
    """What a run of a template would cost for each `unit_chars` characters of its scripts."""

    unit_chars: Annotated[Count, Field(description="1,000 for each script.")]
    variable_min_credits_per_unit: Annotated[Count, Field(description=_VARIABLE)]
    variable_expected_credits_per_unit: Annotated[Count, Field(description=_VARIABLE)]
    variable_max_credits_per_unit: Annotated[Count, Field(description=_VARIABLE)]
    fixed_min_credits: Annotated[Count, Field(description=_FIXED)]
    fixed_expected_credits: Annotated[Count, Field(description=_FIXED)]
    fixed_max_credits: Annotated[Count, Field(description=_FIXED)]
    total_min_credits_per_unit: Count
    total_expected_credits_per_unit: Count
    total_max_credits_per_unit: Count
    breakdown: list[NodeEstimateJson]
    source_snapshot: Annotated[
        str, OneOf(("draft", "published")), Field(description="`published` if it is part of the portal.")
    ]
    source_node_ids: list[str]
    definition_fingerprint: Annotated[str, Field(description="Another one if the definition changes.")]
    rate_fingerprint: Annotated[str, Field(description="Another one if the prices change.")]
    cache_status: Annotated[Literal["miss"], Field(description="Each is computed anew.")]
    computed_at: datetime


SomeBody = TypeVar("SomeBody", bound=Body)

_LIST: dict[str, Schema] = PAGING | {
    "category": list_of(words(*CATEGORIES)),
    "search": described(SEARCH, "Part of the name or the description, in any case."),
    "sort": words(*SORTS),
    "favorites_only": FLAG,
}


@bp.get("/templates")
@requires("templates:read")
@workspace_optional
@operation(
    tag="Templates",
    summary="List templates",
    answer=TemplateJson,
    shape="uncounted",
    query=_LIST,
    description="Those that are part of the portal, and those of the workspace.",
)
def templates() -> Response:
    query = TemplateQuery.parse(request.args.to_dict(flat=False))
    return uncounted_list(reading.list_templates(current_principal(), query), _template, linked_by(_LIST))


@bp.get("/users/me/templates")
@requires("templates:read")
@operation(
    tag="Templates",
    summary="List the templates that I made",
    answer=TemplateJson,
    shape="uncounted",
    query=_LIST,
)
def my_templates() -> Response:
    query = TemplateQuery.parse(request.args.to_dict(flat=False))
    return uncounted_list(reading.list_my_templates(current_principal(), query), _template, linked_by(_LIST))


@bp.post("/templates")
@requires("workflows:write")
@operation(tag="Templates", summary="Create a template", answer=TemplateJson, status=201, body=NewTemplate)
def create_template() -> Response:
    spec = NewTemplate.read(json_body())
    return one(_template(writing.create_template(current_principal(), spec, moments.now())), 201)


@bp.get("/templates/<template_id>")
@requires("templates:read")
@workspace_optional
@operation(tag="Templates", summary="Get a template", answer=TemplateJson)
def template(template_id: str) -> Response:
    return one(_template(reading.get_template(current_principal(), _id(template_id))))


@bp.patch("/templates/<template_id>")
@requires("workflows:write")
@operation(
    tag="Templates",
    summary="Change a template",
    answer=TemplateJson,
    body=TemplateChanges,
    description="What is left out stays as it is. 403 for one that is part of the portal.",
)
def change_template(template_id: str) -> Response:
    changes = _body(TemplateChanges, template_id)
    return one(_template(writing.change_template(current_principal(), template_id, changes, moments.now())))


@bp.delete("/templates/<template_id>")
@requires("workflows:write")
@operation(
    tag="Templates",
    summary="Delete a template",
    answer=DeletedTemplateJson,
    description="Workflows made from it stay. 403 for one that is part of the portal.",
)
def delete_template(template_id: str) -> Response:
    found_id = _id(template_id)
    writing.delete_template(current_principal(), found_id, moments.now())
    answer: DeletedTemplateJson = {"id": found_id, "deleted": True}
    return one(answer)


@bp.post("/templates/<template_id>/clone")
@requires("workflows:write")
@operation(
    tag="Templates", summary="Make a workflow of a template", answer=WorkflowJson, status=201, body=Clone
)
def clone_template(template_id: str) -> Response:
    clone = _body(Clone, template_id)
    made = writing.clone_template(current_principal(), template_id, clone, moments.now())
    return workflow_answer(made, status=201)


@bp.get("/templates/<template_id>/estimate")
@requires("templates:read")
@operation(
    tag="Templates",
    summary="Estimate a run of a template",
    answer=TemplateEstimateJson,
    description="For a certain length of script, since a template has none of its own. Without metering all "
    "credits are 0. 422 if no run of it is possible anywhere.",
)
def template_estimate(template_id: str) -> Response:
    principal, now = current_principal(), moments.now()
    found = reading.get_template(principal, _id(template_id))
    quote = quote_unit(workspace_id_of(principal), found.definition)
    credits = quote.estimate.credits
    answer: TemplateEstimateJson = {
        "unit_chars": sum(quote.characters.values()),
        "variable_min_credits_per_unit": credits.least,
        "variable_expected_credits_per_unit": credits.expected,
        "variable_max_credits_per_unit": credits.most,
        "fixed_min_credits": 0,
        "fixed_expected_credits": 0,
        "fixed_max_credits": 0,
        "total_min_credits_per_unit": credits.least,
        "total_expected_credits_per_unit": credits.expected,
        "total_max_credits_per_unit": credits.most,
        "breakdown": breakdown(quote.estimate),
        "source_snapshot": "published" if found.is_starter else "draft",
        "source_node_ids": list(quote.characters),
        "definition_fingerprint": _fingerprint(found.definition),
        "rate_fingerprint": _fingerprint(
            {slug: [str(price.credits), price.unit] for slug, price in quote.prices.items()}
        ),
        "cache_status": "miss",
        "computed_at": now,
    }
    return one(answer)


@bp.post("/templates/<template_id>/favorite")
@requires("templates:read")
@workspace_optional
@operation(tag="Templates", summary="Make a template a favourite of mine", answer=TemplateJson)
def favorite_template(template_id: str) -> Response:
    liked = writing.like_template(current_principal(), _id(template_id), moments.now())
    return one(_template(liked))


@bp.delete("/templates/<template_id>/favorite")
@requires("templates:read")
@workspace_optional
@operation(
    tag="Templates",
    summary="Take a template from my favourites",
    answer=NoFavoriteJson,
    description="Whether it is one, or there at all, or not.",
)
def unfavorite_template(template_id: str) -> Response:
    found_id = _id(template_id)
    writing.unlike_template(current_principal(), found_id)
    answer: NoFavoriteJson = {"id": found_id, "is_favorite": False}
    return one(answer)


def _fingerprint(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _id(text: str) -> str:
    """The id in the path. Raises InvalidQuery."""
    reader = Reader({"template_id": text})
    found = reader.read("template_id", parse_id, "")
    reader.finish()
    return found


def _body(model: type[SomeBody], text: str) -> SomeBody:
    """The validated body. Raises InvalidQuery with every bad field, the id in the path among them."""
    reader = Reader({"template_id": text})
    reader.read("template_id", parse_id, "")
    return model.read(json_body(), *reader.errors)


def _template(row: TemplateRow) -> TemplateJson:
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "category": row.category,
        "definition": row.definition,
        "is_starter": row.is_starter,
        "is_public": row.is_starter,
        "is_favorite": row.is_favorite,
        "uses_count": row.uses_count,
        "created_by": row.created_by,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }
