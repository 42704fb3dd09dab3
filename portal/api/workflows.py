"""Workflows (contract 3.13)."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from flask import Response, request
from pydantic import Field
from typing_extensions import TypedDict

from portal.api import bp
from portal.api.answers import FREE_FORM, Count, Status, StatusCountsJson, counted_list, one, status_counts
from portal.api.operations import FLAG, PAGING, SEARCH, operation
from portal.api.request_values import id_in_path
from portal.api.schemas import MOMENT_PARAMETER, described, list_of, text, words
from portal.auth.access import get_workflow
from portal.auth.gate import current_principal, requires
from portal.errors import NotFound
from portal.input import parameters
from portal.input.bodies import OneOf
from portal.input.bounds import MAX_WORKFLOW_NAME
from portal.input.parameters import Reader, single
from portal.runs.query import ORDERS
from portal.workflows.listing import WorkflowRow, describe_workflow, list_workflows
from portal.workflows.markdown import to_markdown
from portal.workflows.workflow_query import SORTS as WORKFLOW_SORTS
from portal.workflows.workflow_query import STATUSES as WORKFLOW_STATUSES
from portal.workflows.workflow_query import WorkflowQuery


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


class WorkflowRowJson(_WorkflowJson):
    """A workflow in a list."""

    definition: Annotated[dict[str, object] | None, Field(description="null unless include_definition=true.")]


class WorkflowJson(_WorkflowJson):
    """A workflow."""

    definition: Annotated[dict[str, object], Field(description=FREE_FORM)]


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


@bp.get("/workflows/<workflow_id>")
@requires("workflows:read")
@operation(tag="Workflows", summary="Get a workflow", answer=WorkflowJson)
def workflow(workflow_id: str) -> Response:
    return one(
        _whole(describe_workflow(get_workflow(current_principal(), id_in_path("workflow_id", workflow_id))))
    )


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
    query={"name": text(1, MAX_WORKFLOW_NAME)},
    required=frozenset({"name"}),
)
def workflow_name_availability() -> Response:
    reader = Reader(single(request.args))
    name = reader.require("name", parameters.workflow_name, "")
    reader.finish()
    answer: NameAvailabilityJson = {
        "name": name,
        "available": True,
    }  # names need not be unique (contract 3.13)
    return one(answer)


def _row(row: WorkflowRow) -> WorkflowRowJson:
    return {**_fields(row), "definition": row.definition}


def _whole(row: WorkflowRow) -> WorkflowJson:
    return {**_fields(row), "definition": row.definition or {}}


def _fields(row: WorkflowRow) -> _WorkflowJson:
    return {
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
