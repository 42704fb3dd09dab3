"""What each view of the API does, takes and answers: one entry for each view, under its name.

A new view needs an entry here; tests compare this table with the routes and with real answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from portal.api.api_keys import ApiKeyJson, CreatedApiKeyJson, RotatedApiKeyJson
from portal.api.auth import WhoamiJson
from portal.api.components import Model
from portal.api.data import RunDataJson
from portal.api.downloads import DownloadJson
from portal.api.outputs import RunAnalysisJson, RunOutputsJson
from portal.api.overview import RunOverviewJson
from portal.api.run import RunDetailJson, RunJson
from portal.api.runs import RunRowJson, RunsSummaryJson
from portal.api.schemas import MOMENT_PARAMETER, Schema, described, list_of, text, words
from portal.api.steps import StepJson
from portal.api.uploads import UploadJson
from portal.api.workflows import NameAvailabilityJson, WorkflowJson, WorkflowMarkdownJson, WorkflowRowJson
from portal.api.workspaces import DeletedJson, MemberJson, WorkspaceJson
from portal.auth.api_keys.management import KEY_STATUSES, KeyChanges, KeySpec
from portal.definitions.graph import NODE_TYPES
from portal.input.bodies import Body
from portal.input.bounds import MAX_WORKFLOW_NAME
from portal.input.parameters import MAX_SEARCH, MAX_TEXT
from portal.input.text import STORABLE_PATTERN
from portal.paging import DEFAULT_LIMIT, MAX_LIMIT
from portal.runs.filters.created import CREATED
from portal.runs.filters.filter import Filter
from portal.runs.filters.registry import FILTERS
from portal.runs.query import ORDERS, SORTS
from portal.workflows.workflow_query import SORTS as WORKFLOW_SORTS
from portal.workflows.workflow_query import STATUSES as WORKFLOW_STATUSES
from portal.workspaces.workspaces import WorkspaceChanges, WorkspaceSpec

Shape = Literal["one", "paged", "counted", "uncounted", "whole"]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """A method of an address. Its permission, path and method are read off the view itself."""

    tag: str
    summary: str
    answer: Model
    """The object that is answered, alone or in a list."""
    shape: Shape = "one"
    status: int = 200
    query: Mapping[str, Mapping[str, Any]] | None = None
    filters: Sequence[Filter] = ()
    """Whose parameters it takes too."""
    required: frozenset[str] = frozenset()
    """Which query parameters must be there."""
    body: type[Body] | None = None
    description: str = ""
    conflicts: bool = False
    """Whether the present state may forbid it (409)."""

    @property
    def parameters(self) -> dict[str, Schema]:
        """All parameters of the query with their schemas."""
        filters = {name: schema for each in self.filters for name, schema in each.schemas.items()}
        return {name: dict(schema) for name, schema in {**(self.query or {}), **filters}.items()}


_PAGING: dict[str, Schema] = {
    "offset": {"type": "integer", "minimum": 0, "default": 0, "description": "How many to skip."},
    "limit": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
}
_SEARCH: Schema = {"type": "string", "maxLength": MAX_SEARCH, "pattern": STORABLE_PATTERN}
_TEXT: Schema = {"type": "string", "maxLength": MAX_TEXT, "pattern": STORABLE_PATTERN}
_FLAG = words("true", "false", "1", "0")

OPERATIONS: dict[str, Operation] = {
    "whoami": Operation(tag="Account", summary="Who am I?", answer=WhoamiJson),
    "workflows": Operation(
        tag="Workflows",
        summary="List workflows",
        answer=WorkflowRowJson,
        shape="counted",
        query=_PAGING
        | {
            "status": described(words(*WORKFLOW_STATUSES), "By the latest run."),
            "search": described(_SEARCH, "Part of the name or the description, in any case."),
            "sort": list_of(words(*WORKFLOW_SORTS)),
            "order": described(list_of(words(*ORDERS)), "One for each sort, at most."),
            "last_run_after": MOMENT_PARAMETER,
            "last_run_before": MOMENT_PARAMETER,
            "has_failed_run": _FLAG,
            "include_definition": _FLAG,
        },
    ),
    "workflow": Operation(tag="Workflows", summary="Get a workflow", answer=WorkflowJson),
    "workflow_markdown": Operation(
        tag="Workflows", summary="Get a workflow as Markdown", answer=WorkflowMarkdownJson
    ),
    "workflow_name_availability": Operation(
        tag="Workflows",
        summary="Ask whether a name may be used",
        answer=NameAvailabilityJson,
        description="Always: names need not be unique.",
        query={"name": text(1, MAX_WORKFLOW_NAME)},
        required=frozenset({"name"}),
    ),
    "runs": Operation(
        tag="Runs",
        summary="List the runs of a workflow",
        answer=RunRowJson,
        shape="counted",
        description="Ties are broken by id, ascending in both directions; runs without the time that is "
        "sorted by come last.",
        query=_PAGING
        | {
            "sort": {**words(*SORTS), "default": "created_at"},
            "order": {**words(*ORDERS), "default": "desc"},
        },
        filters=FILTERS,
    ),
    "runs_summary": Operation(
        tag="Runs",
        summary="Sum up the runs of a workflow",
        answer=RunsSummaryJson,
        query=CREATED.schemas,
    ),
    "run": Operation(tag="Runs", summary="Get a run", answer=RunDetailJson),
    "run_status": Operation(tag="Runs", summary="Get the status of a run", answer=RunJson),
    "steps": Operation(
        tag="Runs",
        summary="List the steps of a run",
        answer=StepJson,
        shape="whole",
        description="In the order of execution, one for each attempt at a node.",
        query={
            "include_result": _FLAG,
            "node_type": words(*NODE_TYPES),
            "node_id": _TEXT,
        },
    ),
    "run_overview": Operation(tag="Runs", summary="See a run at a glance", answer=RunOverviewJson),
    "run_data": Operation(
        tag="Results",
        summary="Get the lines of a run with their takes",
        answer=RunDataJson,
        shape="paged",
        query=_PAGING
        | {
            "search": described(_SEARCH, "Part of the source text, in any case."),
            "language": described(_TEXT, "Only the takes in this language; _ is read as -."),
            "include_dropped": _FLAG,
        },
    ),
    "run_outputs": Operation(tag="Results", summary="Get what a run delivered", answer=RunOutputsJson),
    "run_analysis": Operation(tag="Results", summary="Get what a run adds up to", answer=RunAnalysisJson),
    "run_download": Operation(
        tag="Results", summary="Get the address of a run's files", answer=DownloadJson, conflicts=True
    ),
    "node_download": Operation(
        tag="Results", summary="Get the address of a node's files", answer=DownloadJson, conflicts=True
    ),
    "audio_url": Operation(
        tag="Results", summary="Get the address of a take's audio", answer=DownloadJson, conflicts=True
    ),
    "uploads": Operation(
        tag="Workflows",
        summary="List the uploads of a workflow",
        answer=UploadJson,
        shape="uncounted",
        query=_PAGING,
    ),
    "workspaces": Operation(
        tag="Workspaces",
        summary="List my workspaces",
        answer=WorkspaceJson,
        shape="uncounted",
        query=_PAGING,
        description="A key sees the one that it is bound to.",
    ),
    "create_workspace": Operation(
        tag="Workspaces",
        summary="Make a workspace",
        answer=WorkspaceJson,
        status=201,
        body=WorkspaceSpec,
        conflicts=True,
    ),
    "workspace": Operation(tag="Workspaces", summary="Get a workspace", answer=WorkspaceJson),
    "change_workspace": Operation(
        tag="Workspaces",
        summary="Change a workspace",
        answer=WorkspaceJson,
        body=WorkspaceChanges,
        conflicts=True,
        description="For its admins; to others it is not there.",
    ),
    "delete_workspace": Operation(
        tag="Workspaces",
        summary="Delete a workspace",
        answer=DeletedJson,
        description="For its owner; to others it is not there.",
    ),
    "members": Operation(
        tag="Workspaces",
        summary="List the members of a workspace",
        answer=MemberJson,
        shape="uncounted",
        description="All of them, on one page.",
    ),
    "api_keys": Operation(
        tag="API keys",
        summary="List API keys",
        answer=ApiKeyJson,
        shape="counted",
        query=_PAGING
        | {
            "status": {
                **words(*KEY_STATUSES),
                "default": "active",
                "description": "revoked: those that open nothing, for whatever reason.",
            }
        },
    ),
    "create_api_key": Operation(
        tag="API keys", summary="Make an API key", answer=CreatedApiKeyJson, status=201, body=KeySpec
    ),
    "api_key": Operation(tag="API keys", summary="Get an API key", answer=ApiKeyJson),
    "change_api_key": Operation(
        tag="API keys", summary="Change an API key", answer=ApiKeyJson, body=KeyChanges, conflicts=True
    ),
    "revoke_api_key": Operation(
        tag="API keys", summary="Revoke an API key", answer=ApiKeyJson, description="At once and for good."
    ),
    "rotate_api_key": Operation(
        tag="API keys",
        summary="Rotate an API key",
        answer=RotatedApiKeyJson,
        conflicts=True,
        description="The old key is revoked at once; the new one has an id of its own.",
    ),
}
