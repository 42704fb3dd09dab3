"""What each view of the API does, takes and answers: one entry a view, under its name.

A new view needs an entry here; tests compare this table with the routes and with real answers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from portal.api.schemas import ASKED_MOMENT, Schema, described, list_of, text, words
from portal.auth.api_keys.management import KEY_STATUSES
from portal.definitions.graph import NODE_TYPES
from portal.input.bounds import MAX_WORKFLOW_NAME
from portal.input.parameters import MAX_SEARCH, MAX_TEXT
from portal.paging import DEFAULT_LIMIT, MAX_LIMIT
from portal.runs.query import ORDERS, SORTS, STATUSES
from portal.workflows.workflow_query import SORTS as WORKFLOW_SORTS
from portal.workflows.workflow_query import STATUSES as WORKFLOW_STATUSES

Shape = Literal["one", "paged", "counted", "uncounted", "whole"]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """A method of an address. Its permission, path and method are read off the view itself."""

    tag: str
    summary: str
    answer: str
    """The component that is answered, alone or in a list."""
    shape: Shape = "one"
    status: int = 200
    query: Mapping[str, Schema] | None = None
    required: frozenset[str] = frozenset()
    """Which query parameters must be there."""
    body: str | None = None
    description: str = ""
    conflicts: bool = False
    """Whether the present state may forbid it (409)."""


_PAGING: dict[str, Schema] = {
    "offset": {"type": "integer", "minimum": 0, "default": 0, "description": "How many to skip."},
    "limit": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
}
_SEARCH: Schema = {"type": "string", "maxLength": MAX_SEARCH, "pattern": r"^[^\x00]*$"}
_TEXT: Schema = {"type": "string", "maxLength": MAX_TEXT, "pattern": r"^[^\x00]*$"}
_FLAG = words("true", "false", "1", "0")
_FROM = described(ASKED_MOMENT, "Created at this moment or later; with Z or an offset.")
_TO = described(ASKED_MOMENT, "Created at this moment or earlier.")

OPERATIONS: dict[str, Operation] = {
    "whoami": Operation(tag="Account", summary="Who am I?", answer="Whoami"),
    "workflows": Operation(
        tag="Workflows",
        summary="List workflows",
        answer="WorkflowRow",
        shape="counted",
        query=_PAGING
        | {
            "status": described(words(*WORKFLOW_STATUSES), "By the latest run."),
            "search": described(_SEARCH, "Part of the name or the description, in any case."),
            "sort": list_of(words(*WORKFLOW_SORTS)),
            "order": described(list_of(words(*ORDERS)), "One for each sort, at most."),
            "last_run_after": ASKED_MOMENT,
            "last_run_before": ASKED_MOMENT,
            "has_failed_run": _FLAG,
            "include_definition": _FLAG,
        },
    ),
    "workflow": Operation(tag="Workflows", summary="Get a workflow", answer="Workflow"),
    "workflow_markdown": Operation(
        tag="Workflows", summary="Get a workflow as Markdown", answer="WorkflowMarkdown"
    ),
    "workflow_name_availability": Operation(
        tag="Workflows",
        summary="Ask whether a name may be used",
        answer="NameAvailability",
        description="Always: names need not be unique.",
        query={"name": text(1, MAX_WORKFLOW_NAME)},
        required=frozenset({"name"}),
    ),
    "runs": Operation(
        tag="Runs",
        summary="List the runs of a workflow",
        answer="RunRow",
        shape="counted",
        description="Ties are broken by id, ascending in both directions; runs without the time that is "
        "sorted by come last.",
        query=_PAGING
        | {
            "status": {
                **list_of(words(*STATUSES), minItems=1),
                "description": "One or more, separated by commas.",
            },
            "search": described(_SEARCH, "Part of the name or e-mail of who triggered the run, in any case."),
            "sort": {**words(*SORTS), "default": "created_at"},
            "order": {**words(*ORDERS), "default": "desc"},
            "from": _FROM,
            "to": _TO,
        },
    ),
    "runs_summary": Operation(
        tag="Runs",
        summary="Sum up the runs of a workflow",
        answer="RunsSummary",
        query={"from": _FROM, "to": _TO},
    ),
    "run": Operation(tag="Runs", summary="Get a run", answer="RunDetail"),
    "run_status": Operation(tag="Runs", summary="Get the status of a run", answer="Run"),
    "steps": Operation(
        tag="Runs",
        summary="List the steps of a run",
        answer="Step",
        shape="whole",
        description="In the order of execution, one for each attempt at a node.",
        query={
            "include_result": _FLAG,
            "node_type": words(*NODE_TYPES),
            "node_id": _TEXT,
        },
    ),
    "run_overview": Operation(tag="Runs", summary="See a run at a glance", answer="RunOverview"),
    "run_data": Operation(
        tag="Results",
        summary="Get the lines of a run with their takes",
        answer="RunData",
        shape="paged",
        query=_PAGING
        | {
            "search": described(_SEARCH, "Part of the source text, in any case."),
            "language": described(_TEXT, "Only the takes in this language; _ is read as -."),
            "include_dropped": _FLAG,
        },
    ),
    "run_outputs": Operation(tag="Results", summary="Get what a run delivered", answer="RunOutputs"),
    "run_analysis": Operation(tag="Results", summary="Get what a run adds up to", answer="RunAnalysis"),
    "run_download": Operation(
        tag="Results", summary="Get the address of a run's files", answer="Download", conflicts=True
    ),
    "node_download": Operation(
        tag="Results", summary="Get the address of a node's files", answer="Download", conflicts=True
    ),
    "audio_url": Operation(
        tag="Results", summary="Get the address of a take's audio", answer="Download", conflicts=True
    ),
    "uploads": Operation(
        tag="Workflows",
        summary="List the uploads of a workflow",
        answer="Upload",
        shape="uncounted",
        query=_PAGING,
    ),
    "workspaces": Operation(
        tag="Workspaces",
        summary="List my workspaces",
        answer="Workspace",
        shape="uncounted",
        query=_PAGING,
        description="A key sees the one that it is bound to.",
    ),
    "create_workspace": Operation(
        tag="Workspaces",
        summary="Make a workspace",
        answer="Workspace",
        status=201,
        body="NewWorkspace",
        conflicts=True,
    ),
    "workspace": Operation(tag="Workspaces", summary="Get a workspace", answer="Workspace"),
    "change_workspace": Operation(
        tag="Workspaces",
        summary="Change a workspace",
        answer="Workspace",
        body="WorkspaceChanges",
        conflicts=True,
        description="For its admins; to others it is not there.",
    ),
    "delete_workspace": Operation(
        tag="Workspaces",
        summary="Delete a workspace",
        answer="Deleted",
        description="For its owner; to others it is not there.",
    ),
    "members": Operation(
        tag="Workspaces",
        summary="List the members of a workspace",
        answer="Member",
        shape="uncounted",
        description="All of them, on one page.",
    ),
    "api_keys": Operation(
        tag="API keys",
        summary="List API keys",
        answer="ApiKey",
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
        tag="API keys", summary="Make an API key", answer="CreatedApiKey", status=201, body="NewApiKey"
    ),
    "api_key": Operation(tag="API keys", summary="Get an API key", answer="ApiKey"),
    "change_api_key": Operation(
        tag="API keys", summary="Change an API key", answer="ApiKey", body="ApiKeyChanges", conflicts=True
    ),
    "revoke_api_key": Operation(
        tag="API keys", summary="Revoke an API key", answer="ApiKey", description="At once and for good."
    ),
    "rotate_api_key": Operation(
        tag="API keys",
        summary="Rotate an API key",
        answer="RotatedApiKey",
        conflicts=True,
        description="The old key is revoked at once; the new one has an id of its own.",
    ),
}
