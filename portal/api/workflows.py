"""Workflows (contract 3.13)."""

from dataclasses import fields
from typing import Any
from uuid import UUID

from flask import Response, request

from portal.api import bp
from portal.api.answers import counted_list, one
from portal.auth.access import get_workflow
from portal.auth.gate import current_principal, requires
from portal.errors import NotFound
from portal.input import parameters
from portal.input.parameters import Reader, single
from portal.workflows.listing import WorkflowRow, describe_workflow, list_workflows
from portal.workflows.markdown import to_markdown
from portal.workflows.workflow_query import WorkflowQuery


@bp.get("/workflows")
@requires("workflows:read")
def workflows() -> Response:
    query = WorkflowQuery.parse(request.args.to_dict(flat=False))
    workspace = current_principal().workspace
    if workspace is None:
        raise NotFound
    page = list_workflows(workspace.id, query)
    return counted_list(page, _row, lambda slice_: query.at(slice_).to_api_args())


@bp.get("/workflows/<workflow_id>")
@requires("workflows:read")
def workflow(workflow_id: str) -> Response:
    return one(_row(describe_workflow(get_workflow(current_principal(), _id(workflow_id)))))


@bp.get("/workflows/<workflow_id>/markdown")
@requires("workflows:read")
def workflow_markdown(workflow_id: str) -> Response:
    found = describe_workflow(get_workflow(current_principal(), _id(workflow_id)))
    text = to_markdown(found.name, found.description, found.definition or {})
    return one({"workflow_id": str(found.id), "name": found.name, "markdown": text})


@bp.get("/workflows/name-availability")
@requires("workflows:read")
def workflow_name_availability() -> Response:
    reader = Reader(single(request.args))
    name = reader.require("name", parameters.workflow_name, "")
    reader.finish()
    return one({"name": name, "available": True})  # names need not be unique (contract 3.13)


def _id(workflow_id: str) -> UUID:
    reader = Reader({"workflow_id": workflow_id})
    found_id = reader.read("workflow_id", parameters.uuid, UUID(int=0))
    reader.finish()
    return found_id


def _row(row: WorkflowRow) -> dict[str, Any]:
    return {field.name: getattr(row, field.name) for field in fields(row)}
