"""Workflows (contract 3.13)."""

from datetime import datetime
from typing import Annotated, NotRequired
from uuid import UUID

from flask import Response, request
from pydantic import Field
from typing_extensions import TypedDict

from portal import moments
from portal.api import bp
from portal.api.answers import (
    FREE_FORM,
    Count,
    DeletedJson,
    Status,
    StatusCountsJson,
    counted_list,
    deleted,
    one,
    status_counts,
)
from portal.api.facts import WorkflowFactsJson, workflow_facts
from portal.api.operations import FLAG, PAGING, SEARCH, operation
from portal.api.request_values import id_in_path, json_body
from portal.api.schemas import MOMENT_PARAMETER, Schema, described, list_of, words
from portal.auth.access import get_workflow
from portal.auth.gate import current_principal, requires
from portal.definitions.structure import Finding
from portal.definitions.summary import Summary
from portal.engine.preparing.abilities import site
from portal.errors import MAX_ERRORS, NotFound
from portal.input.bodies import OneOf
from portal.input.bounds import MAX_WORKFLOW_NAME
from portal.input.parameters import Reader, single
from portal.runs.query import ORDERS
from portal.workflows import writing
from portal.workflows.listing import WorkflowRow, describe_workflow, list_workflows
from portal.workflows.markdown import to_markdown
from portal.workflows.names import NAME_PATTERN, workflow_name
from portal.workflows.validation import Candidate, validate
from portal.workflows.workflow_query import SORTS as WORKFLOW_SORTS
from portal.workflows.workflow_query import STATUSES as WORKFLOW_STATUSES
from portal.workflows.workflow_query import WorkflowQuery
from portal.workflows.writing import NewWorkflow, WorkflowChanges, WorkflowReplacement

_NAME: Schema = {"type": "string", "minLength": 1, "pattern": NAME_PATTERN}
_IF_MATCH = "With If-Match, only if the ETag is still the same."


class _WorkflowJson(TypedDict):
    id: UUID
    user_id: UUID
    name: str
    name_source: Annotated[str, OneOf(("placeholder", "generated", "user"))]
    description: str | None
    created_at: datetime
    updated_at: datetime
    runs_count: Count
    last_run_at: Annotated[datetime | None, Field(description="When the latest run was created.")]
    last_run_status: Status | None
    run_status_counts: StatusCountsJson
    x_portal: NotRequired[WorkflowFactsJson]


class WorkflowRowJson(_WorkflowJson):
    """A workflow in a list."""

    definition: Annotated[dict[str, object] | None, Field(description="null unless include_definition=true.")]


class WorkflowJson(_WorkflowJson):
    """A workflow."""

    definition: Annotated[dict[str, object], Field(description=FREE_FORM)]


class FindingJson(TypedDict):
    """A broken rule of a definition, or a warning."""

    rule: str
    node_id: str | None
    node_name: str | None
    message: str


class ValidatorSettingsJson(TypedDict):
    """What a validator would ask for."""

    node_id: str
    type: str
    threshold: Annotated[object, Field(description="As the definition says it, or the default.")]
    max_retries: Annotated[object, Field(description="As the definition says it, or the default.")]


class DefinitionSummaryJson(TypedDict):
    """What a definition is made of."""

    nodes: Count
    edges: Count
    node_types: dict[str, Count]
    languages: list[str]
    validators: list[ValidatorSettingsJson]


class BlockedJson(TypedDict):
    """Something that a plan does not allow."""

    code: str
    message: str


class DefinitionValidationJson(TypedDict):
    """Whether a definition could run here."""

    valid: Annotated[bool, Field(description="Whether there are no errors.")]
    summary: DefinitionSummaryJson
    errors: list[FindingJson]
    warnings: list[FindingJson]
    blocked: list[BlockedJson]


class WorkflowMarkdownJson(TypedDict):
    """A workflow as Markdown."""

    workflow_id: UUID
    name: str
    markdown: str


class NameAvailabilityJson(TypedDict):
    """Whether a name may be used."""

    name: str
    available: bool


@bp.get("/workflows")
@requires("workflows:read")
@operation(
    tag="Workflows",
    summary="List workflows",
    answer=WorkflowRowJson,
    shape="counted",
    query=PAGING
    | {
        "status": described(words(*WORKFLOW_STATUSES), "By the latest run."),
        "search": described(SEARCH, "Part of the name or the description, in any case."),
        "sort": list_of(words(*WORKFLOW_SORTS)),
        "order": described(list_of(words(*ORDERS)), "One for each sort, at most."),
        "last_run_after": MOMENT_PARAMETER,
        "last_run_before": MOMENT_PARAMETER,
        "has_failed_run": FLAG,
        "include_definition": FLAG,
    },
)
def workflows() -> Response:
    query = WorkflowQuery.parse(request.args.to_dict(flat=False))
    workspace = current_principal().workspace
    if workspace is None:
        raise NotFound
    page = list_workflows(workspace.id, query)
    return counted_list(page, _row, lambda slice_: query.at(slice_).to_api_args())


@bp.post("/workflows")
@requires("workflows:write")
@operation(tag="Workflows", summary="Create a workflow", answer=WorkflowJson, status=201, body=NewWorkflow)
def create_workflow() -> Response:
    return workflow_answer(
        writing.create_workflow(current_principal(), json_body(), moments.now()), status=201
    )


@bp.get("/workflows/<workflow_id>")
@requires("workflows:read")
@operation(tag="Workflows", summary="Get a workflow", answer=WorkflowJson)
def workflow(workflow_id: str) -> Response:
    found = get_workflow(current_principal(), id_in_path("workflow_id", workflow_id))
    return workflow_answer(describe_workflow(found))


@bp.put("/workflows/<workflow_id>")
@requires("workflows:write")
@operation(
    tag="Workflows",
    summary="Replace a workflow",
    answer=WorkflowJson,
    body=WorkflowReplacement,
    refusals=(412,),
    description=f"Runs keep the definition that they ran. {_IF_MATCH}",
)
def replace_workflow(workflow_id: str) -> Response:
    body, now = json_body(), moments.now()
    return workflow_answer(writing.replace_workflow(current_principal(), workflow_id, body, now, _tags()))


@bp.patch("/workflows/<workflow_id>")
@requires("workflows:write")
@operation(
    tag="Workflows",
    summary="Change a workflow",
    answer=WorkflowJson,
    body=WorkflowChanges,
    refusals=(412,),
    description=f"What is left out stays as it is. {_IF_MATCH}",
)
def change_workflow(workflow_id: str) -> Response:
    body, now = json_body(), moments.now()
    return workflow_answer(writing.change_workflow(current_principal(), workflow_id, body, now, _tags()))


@bp.delete("/workflows/<workflow_id>")
@requires("workflows:write")
@operation(
    tag="Workflows",
    summary="Delete a workflow",
    answer=DeletedJson,
    refusals=(412,),
    description=f"With its runs; those that this portal runs are cancelled. {_IF_MATCH}",
)
def delete_workflow(workflow_id: str) -> Response:
    found_id = id_in_path("workflow_id", workflow_id)
    writing.delete_workflow(current_principal(), found_id, moments.now(), _tags())
    return deleted(found_id)


@bp.post("/workflows/<workflow_id>/duplicate")
@requires("workflows:write")
@operation(
    tag="Workflows",
    summary="Duplicate a workflow",
    answer=WorkflowJson,
    status=201,
    description="The copy has the same definition and no runs. A body is ignored.",
)
def duplicate_workflow(workflow_id: str) -> Response:
    found_id = id_in_path("workflow_id", workflow_id)
    return workflow_answer(
        writing.duplicate_workflow(current_principal(), found_id, moments.now()), status=201
    )


@bp.post("/workflows/validate")
@requires("workflows:write")
@operation(
    tag="Workflows",
    summary="Validate a definition",
    answer=DefinitionValidationJson,
    body=Candidate,
    description="Says whether the definition could run here, and saves nothing.",
)
def validate_workflow() -> Response:
    found = validate(current_principal(), json_body(), site)
    answer: DefinitionValidationJson = {
        "valid": not found.preflight.errors,
        "summary": _summary(found.summary),
        "errors": [_finding(error) for error in found.preflight.errors[:MAX_ERRORS]],
        "warnings": [_finding(warning) for warning in found.preflight.warnings[:MAX_ERRORS]],
        "blocked": [],
    }
    return one(answer)


@bp.get("/workflows/<workflow_id>/markdown")
@requires("workflows:read")
@operation(tag="Workflows", summary="Get a workflow as Markdown", answer=WorkflowMarkdownJson)
def workflow_markdown(workflow_id: str) -> Response:
    found = describe_workflow(get_workflow(current_principal(), id_in_path("workflow_id", workflow_id)))
    answer: WorkflowMarkdownJson = {
        "workflow_id": found.id,
        "name": found.name,
        "markdown": to_markdown(found.name, found.description, found.definition or {}),
    }
    return one(answer)


@bp.get("/workflows/name-availability")
@requires("workflows:read")
@operation(
    tag="Workflows",
    summary="Ask whether a name may be used",
    answer=NameAvailabilityJson,
    description="Always: names need not be unique.",
    query={
        "name": described(_NAME, f"At most {MAX_WORKFLOW_NAME} characters, blanks around it not counted.")
    },
    required=frozenset({"name"}),
)
def workflow_name_availability() -> Response:
    reader = Reader(single(request.args))
    name = reader.require("name", workflow_name, "")
    reader.finish()
    answer: NameAvailabilityJson = {
        "name": name,
        "available": True,
    }  # names need not be unique (contract 3.13)
    return one(answer)


def workflow_answer(row: WorkflowRow, status: int = 200) -> Response:
    """A workflow object, with its ETag."""
    answer = one({**_fields(row), "definition": row.definition or {}}, status)
    answer.set_etag(writing.entity_tag(row.updated_at))
    return answer


def _summary(found: Summary) -> DefinitionSummaryJson:
    return {
        "nodes": found.nodes,
        "edges": found.edges,
        "node_types": dict(found.node_types),
        "languages": found.languages,
        "validators": [
            {
                "node_id": each.node_id,
                "type": each.type,
                "threshold": each.threshold,
                "max_retries": each.max_retries,
            }
            for each in found.validators
        ],
    }


def _tags() -> list[str] | None:
    """The tags of If-Match, one of which must be the workflow's; None for any, and without the header."""
    wanted = request.if_match
    return None if wanted.star_tag or "If-Match" not in request.headers else list(wanted.as_set())


def _finding(found: Finding) -> FindingJson:
    return {
        "rule": found.rule,
        "node_id": found.node_id,
        "node_name": found.node_name,
        "message": found.message,
    }


def _row(row: WorkflowRow) -> WorkflowRowJson:
    return {**_fields(row), "definition": row.definition}


def _fields(row: WorkflowRow) -> _WorkflowJson:
    found: _WorkflowJson = {
        "id": row.id,
        "user_id": row.user_id,
        "name": row.name,
        "name_source": row.name_source,
        "description": row.description,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "runs_count": row.runs_count,
        "last_run_at": row.last_run_at,
        "last_run_status": row.last_run_status,
        "run_status_counts": status_counts(row.run_status_counts),
    }
    if facts := workflow_facts(row.facts):
        found["x_portal"] = facts
    return found
