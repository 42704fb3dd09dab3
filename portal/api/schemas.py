"""What the objects of the API look like, as JSON Schema 2020-12; tests hold real answers against them."""

from typing import Any

from portal.auth.api_keys.management import MAX_NAME, MAX_RATE_LIMIT
from portal.auth.principals import ROLE_ALLOWS, SCOPES
from portal.runs.query import STATUSES
from portal.workspaces.workspaces import MAX_COLOR, MAX_SLUG, SLUG
from portal.workspaces.workspaces import MAX_NAME as MAX_WORKSPACE_NAME

Schema = dict[str, Any]

UUID_PATTERN = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
STRING: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
ANYTHING: Schema = {"description": "Whatever was recorded."}
COUNT: Schema = {"type": "integer", "minimum": 0}
BOOLEAN: Schema = {"type": "boolean"}
OBJECT: Schema = {"type": "object"}
UUID: Schema = {"type": "string", "format": "uuid", "pattern": f"^{UUID_PATTERN}$"}
MOMENT: Schema = {"type": "string", "format": "date-time", "description": "RFC 3339 in UTC, with Z."}
_DATE, _TIME, _OFFSET = "[0-9]{4}-[0-9]{2}-[0-9]{2}", "[0-9]{2}:[0-9]{2}:[0-9]{2}", "[+-][0-9]{2}:[0-9]{2}"
ASKED_MOMENT: Schema = {
    "type": "string",
    "format": "date-time",
    "pattern": rf"^{_DATE}[Tt]{_TIME}(\.[0-9]{{1,9}})?([Zz]|{_OFFSET})$",
    "description": "RFC 3339 with Z or an offset.",
}
FREE = "A free-form object, as it was recorded."


def text(least: int, most: int, description: str = "") -> Schema:
    """Text that counts without the blanks around it."""
    schema: Schema = {"type": "string", "minLength": least, "maxLength": most}
    if least:
        schema["pattern"] = r"^[^\x00]*[^\s\x00][^\x00]*$"
    return described(schema, description)


def words(*allowed: str) -> Schema:
    return {"type": "string", "enum": list(allowed)}


def list_of(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


def described(schema: Schema, description: str) -> Schema:
    return {**schema, "description": description} if description else schema


def optional(schema: Schema) -> Schema:
    """The same, or null."""
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    nullable = {**schema, "type": [schema["type"], "null"]}
    return {**nullable, "enum": [*schema["enum"], None]} if "enum" in schema else nullable


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def record(description: str, /, **fields: Schema) -> Schema:
    """An object that always has all of these fields; later releases may add others."""
    return {
        "type": "object",
        "description": description,
        "properties": fields,
        "required": list(fields),
    }


def changes(description: str, /, **fields: Schema) -> Schema:
    """A body of which every field may be left out; unknown ones are ignored."""
    return {"type": "object", "description": description, "properties": fields}


_SCOPES = list_of(words(*SCOPES), uniqueItems=True)
_ASKED_SCOPES = list_of(words(*SCOPES), minItems=1)
_RATE = {"type": "integer", "minimum": 1, "maximum": MAX_RATE_LIMIT}
_KEY_NAME = text(1, MAX_NAME)
_COLOR = {"type": "integer", "minimum": 0, "maximum": MAX_COLOR}
_FRACTION: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_SLUG = {"type": "string", "minLength": 1, "maxLength": MAX_SLUG, "pattern": rf"^{SLUG}$"}
_STATUS = words(*STATUSES)

_KEY_FIELDS = {
    "id": UUID,
    "workspace_id": UUID,
    "created_by": optional(UUID),
    "name": STRING,
    "key_type": words("live"),
    "key_prefix": STRING,
    "key_suffix": described(STRING, "The last characters of the key."),
    "preview": optional(STRING),
    "scopes": _SCOPES,
    "active": described(BOOLEAN, "False once it is switched off or revoked."),
    "rate_limit_per_min": described(optional(INTEGER), "null: the portal's own limit."),
    "last_used_at": described(optional(MOMENT), "Written at most once a minute."),
    "expires_at": described(optional(MOMENT), "After this moment the key opens nothing. null: never."),
    "revoked_at": optional(MOMENT),
    "created_at": MOMENT,
    "updated_at": MOMENT,
}

_RUN_ROW = {
    "id": UUID,
    "status": _STATUS,
    "run_number": described({"type": "integer", "minimum": 1}, "Counts up in its workflow."),
    "created_at": MOMENT,
    "started_at": optional(MOMENT),
    "completed_at": optional(MOMENT),
    "total_nodes": optional(COUNT),
    "finished_nodes": optional(COUNT),
    "total_steps": COUNT,
    "finished_steps": COUNT,
    "usage_summary": described(optional(OBJECT), FREE),
    "triggered_by": optional(ref("TriggeredBy")),
    "credits": optional(INTEGER),
    "pause_requested_at": optional(MOMENT),
    "paused_at": optional(MOMENT),
    "paused_ms": optional(COUNT),
    "pause_reason": optional(STRING),
    "pause_error": optional(STRING),
}

_RUN = _RUN_ROW | {
    "workflow_id": UUID,
    "updated_at": MOMENT,
    "token_cost": described(COUNT, "A count of units, not of credits."),
    "held_nodes": described(optional(list_of(OBJECT)), "Nodes that a paused run waits in front of."),
    "has_export": described(BOOLEAN, "Whether there are files to download."),
    "error": optional(STRING),
}

_WORKFLOW = {
    "id": UUID,
    "user_id": UUID,
    "name": STRING,
    "name_source": words("placeholder", "generated", "user"),
    "description": optional(STRING),
    "created_at": MOMENT,
    "updated_at": MOMENT,
    "runs_count": COUNT,
    "last_run_at": described(optional(MOMENT), "When the latest run was created."),
    "last_run_status": optional(_STATUS),
    "run_status_counts": record("Runs by status.", **dict.fromkeys(STATUSES, COUNT)),
}

COMPONENTS: dict[str, Schema] = {
    "Meta": record(
        "Said with every answer.",
        request_id=described(UUID, "Also the header X-Request-Id; say it when you ask for help."),
        timestamp=MOMENT,
    ),
    "Pagination": record(
        "Where this page stands in the whole list.",
        limit=INTEGER,
        total=described(COUNT, "How many match, whatever the page."),
        next=described(optional(STRING), "Link to the next page."),
        prev=described(optional(STRING), "Link to the previous page."),
    ),
    "UncountedPagination": record(
        "Where this page stands.",
        limit={"type": "integer", "minimum": 1},
        next=optional(STRING),
        prev=optional(STRING),
    ),
    "Error": {
        "type": "object",
        "description": "What went wrong, for programs (code) and for people (message).",
        "required": ["code", "message"],
        "properties": {
            "code": STRING,
            "message": STRING,
            "details": list_of(record("One bad field.", field=STRING, message=STRING)),
        },
    },
    "Failure": record("Every refusal looks like this.", error=ref("Error"), meta=ref("Meta")),
    "Whoami": record(
        "Whose credential this is.",
        auth_kind=words("api_key", "clerk"),
        user_id=UUID,
        workspace_id=optional(UUID),
        api_key_id=optional(UUID),
        scopes=_SCOPES,
    ),
    "TriggeredBy": record("Who triggered a run.", user_id=UUID, user_name=STRING),
    "RunRow": record(
        "A run in a list.",
        **_RUN_ROW,
        output_line_count=optional(COUNT),
        delivered_audio_ms=optional(COUNT),
    ),
    "Run": record("A run, as its status says it.", **_RUN),
    "RunDetail": record(
        "A run with the definition it ran.",
        **_RUN,
        definition_snapshot=described(
            optional(OBJECT), "The graph and its settings, as they were at the start."
        ),
        credits_absorbed={"type": "number"},
        public_share_id=optional(STRING),
        shared_at=optional(MOMENT),
    ),
    "RunsSummary": record(
        "The runs created in a window.",
        total_runs=COUNT,
        **dict.fromkeys(STATUSES, COUNT),
        pass_rate=described(optional(_FRACTION), "Completed among completed and failed."),
        average_duration_seconds=described(
            optional({"type": "number"}), "Of completed runs, pauses left out."
        ),
        delivered_audio_ms=COUNT,
    ),
    "Step": record(
        "An attempt at a node.",
        id=UUID,
        node_id=STRING,
        node_type=STRING,
        node_display_name=optional(STRING),
        status=STRING,
        iteration=COUNT,
        started_at=optional(MOMENT),
        completed_at=optional(MOMENT),
        result=described(optional(OBJECT), "null unless include_result=true."),
        has_result=BOOLEAN,
        active_ports=optional(list_of(STRING)),
        locales=optional(list_of(STRING)),
        pause_reason=optional(STRING),
        pause_error=optional(STRING),
        error=optional(STRING),
    ),
    "WorkflowRow": record(
        "A workflow in a list.",
        **_WORKFLOW,
        definition=described(optional(OBJECT), "null unless include_definition=true."),
    ),
    "Workflow": record("A workflow.", **_WORKFLOW, definition=described(OBJECT, FREE)),
    "WorkflowMarkdown": record("A workflow as Markdown.", workflow_id=UUID, name=STRING, markdown=STRING),
    "NameAvailability": record("Whether a name may be used.", name=STRING, available=BOOLEAN),
    "Workspace": record(
        "A workspace.",
        id=UUID,
        name=STRING,
        slug=STRING,
        color_idx=INTEGER,
        created_by=described(UUID, "Who made it; an id that is nobody's where an operator did."),
        organization_id=optional(UUID),
        routing_price_sensitivity=_FRACTION,
        routing_llm_fit=BOOLEAN,
        created_at=MOMENT,
        updated_at=MOMENT,
    ),
    "NewWorkspace": {
        **changes(
            "A workspace to make.",
            name=text(1, MAX_WORKSPACE_NAME),
            slug=described(optional(_SLUG), "Made from the name unless given."),
            color_idx=_COLOR,
        ),
        "required": ["name"],
    },
    "WorkspaceChanges": changes(
        "What to change.",
        name=text(1, MAX_WORKSPACE_NAME),
        slug=_SLUG,
        color_idx=_COLOR,
        routing_price_sensitivity=_FRACTION,
        routing_llm_fit=BOOLEAN,
    ),
    "Deleted": record("What was deleted.", id=UUID, deleted={"type": "boolean", "const": True}),
    "Member": record(
        "Somebody in a workspace, or invited into it.",
        id=UUID,
        user_id=optional(UUID),
        email=STRING,
        first_name=optional(STRING),
        last_name=optional(STRING),
        image_url=optional(STRING),
        role=words(*ROLE_ALLOWS),
        last_active_at=optional(MOMENT),
        status=words("active", "invited"),
    ),
    "ApiKey": record("An API key, without its secret.", **_KEY_FIELDS),
    "CreatedApiKey": record(
        "A new API key.", **_KEY_FIELDS, api_key=described(STRING, "The key itself: only here, only now.")
    ),
    "RotatedApiKey": record("A key and its successor.", old_key=ref("ApiKey"), new_key=ref("CreatedApiKey")),
    "NewApiKey": {
        **changes(
            "A key to make.",
            name=_KEY_NAME,
            scopes=described(_ASKED_SCOPES, "workflows:read unless given."),
            rate_limit_per_min=described(optional(_RATE), "null: the portal's own limit."),
            expires_at=described(optional(ASKED_MOMENT), "In the future; null: never."),
            key_type=words("live"),
        ),
        "required": ["name"],
    },
    "ApiKeyChanges": changes(
        "What to change.",
        name=_KEY_NAME,
        scopes=_ASKED_SCOPES,
        rate_limit_per_min=optional(_RATE),
        active=BOOLEAN,
    ),
}
