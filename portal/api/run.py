"""One run: with its definition, and as its status (contract 3.2 to 3.4)."""

from datetime import datetime
from typing import Annotated, NotRequired
from uuid import UUID

from flask import Response
from pydantic import Field
from typing_extensions import TypedDict

from portal.api import bp
from portal.api.answers import FREE_FORM, Count, Status, TriggeredByJson, one, triggered_by
from portal.api.facts import RunFactsJson, run_facts
from portal.api.operations import operation
from portal.auth.access import get_workflow
from portal.auth.gate import current_principal, requires
from portal.runs.address import RunAddress
from portal.runs.detail.run import RunDetailView, RunView, get_run, get_run_status
from portal.runs.facts.relations import Relations, read_relations


class RunJson(TypedDict):
    """A run, as its status says it."""

    id: UUID
    workflow_id: UUID
    status: Status
    run_number: Annotated[int, Field(ge=1, description="Counts up in its workflow.")]
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    total_nodes: Count | None
    finished_nodes: Count | None
    total_steps: Count
    finished_steps: Count
    held_nodes: Annotated[
        list[dict[str, object]] | None, Field(description="Nodes that a paused run waits in front of.")
    ]
    token_cost: Annotated[Count, Field(description="A count of units, not of credits.")]
    usage_summary: Annotated[dict[str, object] | None, Field(description=FREE_FORM)]
    triggered_by: TriggeredByJson | None
    credits: int | None
    pause_requested_at: datetime | None
    paused_at: datetime | None
    paused_ms: Count | None
    pause_reason: str | None
    pause_error: str | None
    error: str | None
    has_export: Annotated[bool, Field(description="Whether there are files to download.")]


class _Beside(TypedDict):
    x_portal: NotRequired[RunFactsJson]


class RunDetailJson(RunJson, _Beside):
    """A run with the definition it ran."""

    definition_snapshot: Annotated[
        dict[str, object] | None, Field(description="The graph and its settings, as they were at the start.")
    ]
    credits_absorbed: float
    public_share_id: str | None
    shared_at: datetime | None


@bp.get("/workflows/<workflow_id>/runs/<run_id>")
@requires("workflows:read")
@operation(tag="Runs", summary="Get a run", answer=RunDetailJson)
def run(workflow_id: str, run_id: str) -> Response:
    address = RunAddress.parse(workflow_id, run_id)
    workflow = get_workflow(current_principal(), address.workflow_id)
    found = get_run(workflow, address.run_id)
    return one(_detail(found, read_relations(workflow.workspace_id, found.id)))


@bp.get("/workflows/<workflow_id>/runs/<run_id>/status")
@requires("workflows:read")
@operation(tag="Runs", summary="Get the status of a run", answer=RunJson)
def run_status(workflow_id: str, run_id: str) -> Response:
    address = RunAddress.parse(workflow_id, run_id)
    workflow = get_workflow(current_principal(), address.workflow_id)
    return one(run_object(get_run_status(workflow, address.run_id)))


def run_object(run: RunView) -> RunJson:
    """The run object, which Get Run Status answers."""
    return {
        "id": run.id,
        "workflow_id": run.workflow_id,
        "status": run.status,
        "run_number": run.run_number,
        "total_nodes": run.total_nodes,
        "total_steps": run.total_steps,
        "finished_steps": run.finished_steps,
        "finished_nodes": run.finished_nodes,
        "held_nodes": run.held_nodes,
        "token_cost": run.token_cost,
        "usage_summary": run.usage_summary,
        "started_at": run.started_at,
        "completed_at": run.completed_at,
        "pause_requested_at": run.pause_requested_at,
        "paused_at": run.paused_at,
        "paused_ms": run.paused_ms,
        "pause_reason": run.pause_reason,
        "pause_error": run.pause_error,
        "created_at": run.created_at,
        "updated_at": run.updated_at,
        "error": run.error,
        "has_export": run.has_export,
        "credits": run.credits,
        "triggered_by": triggered_by(run),
    }


def _detail(run: RunDetailView, relations: Relations) -> RunDetailJson:
    facts = run_facts(run, relations)
    beside: _Beside = {"x_portal": facts} if facts else {}
    return {
        **run_object(run),
        "definition_snapshot": run.definition_snapshot,
        "credits_absorbed": run.credits_absorbed,
        "public_share_id": None,
        "shared_at": None,
        **beside,
    }
