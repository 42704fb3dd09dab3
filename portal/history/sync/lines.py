"""What the API says of workflows, runs and steps, as lines of history."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import orjson

from portal.history.parsing.readers import Values
from portal.moments import format_moment

_WORKFLOW = ("id", "name", "description", "definition", "created_at")
_RUN = (
    *("id", "status", "run_number", "created_at", "started_at", "completed_at", "updated_at"),
    *("total_nodes", "finished_nodes", "total_steps", "finished_steps", "usage_summary", "credits"),
    *("pause_requested_at", "paused_at", "paused_ms", "pause_reason", "pause_error"),
    *("output_line_count", "delivered_audio_ms", "error"),
    *("token_cost", "credits_absorbed", "held_nodes", "definition_snapshot"),
)
_STEP = (
    *("node_id", "node_type", "status", "iteration", "started_at", "completed_at", "error"),
    *("result", "active_ports", "locales", "pause_reason", "pause_error"),
)
EXTRA = "x_portal"
"""What a portal says of an object beside the fields of the contract."""
_WORKFLOW_EXTRAS = ("url", "path", "expected")
_RUN_EXTRAS = (
    *("rerun_of", "parent", "trigger", "trigger_name", "url", "log_url", "ref", "parameters"),
    *("environment", "title", "labels", "outcome", "source_status", "waiting_for", "scheduled_for"),
    *("artifacts", "last_heard_at", "duration_ms", "expires_after"),
)
_STEP_EXTRAS = (
    *("parent_node_id", "path", "outcome", "source_status", "url", "log_url", "exit_code", "worker"),
    *("map_index", "duration_ms", "allowed_to_fail"),
)
_ORIGIN = ("source", "external_id", "attempt")
"""Here these would be the run's identity, which is its id there."""


def workflow_line(values: Values, source: str, *, extras: bool = True) -> bytes:
    """The line of a workflow as Get Workflow describes it."""
    line = {"type": "workflow", "source": source}
    return orjson.dumps(line | _taken(values, _WORKFLOW) | _extras(values, _WORKFLOW_EXTRAS, extras))


def run_line(
    values: Values,
    workflow_id: UUID,
    source: str,
    at: datetime,
    steps: Sequence[Values] | None = None,
    *,
    updated_at: datetime | None = None,
    extras: bool = True,
) -> bytes:
    """The line of a run as List Runs or Get Run describes it, with its steps if these were fetched.

    `updated_at` is for List Runs, which does not say when a run changed.
    `extras` takes along what another portal says beyond the contract.
    """
    line: Values = {"type": "run", "workflow_id": str(workflow_id), "source": source, "at": format_moment(at)}
    line |= _taken(values, _RUN) | _extras(values, _RUN_EXTRAS, extras)
    if "triggered_by" in values:
        line["triggered_by"] = _person(values["triggered_by"])
    if updated_at is not None:
        line.setdefault("updated_at", format_moment(updated_at))
    if steps is not None:
        line["steps"] = [_step(step, extras) for step in steps]
    return orjson.dumps(line)


def comes_from(values: Values, workspace_id: UUID) -> bool:
    """Whether a portal says that it has a run from this very workspace."""
    source = _extra(values).get("source")
    return isinstance(source, str) and source.endswith(f"/{workspace_id}")


def _step(values: Values, extras: bool) -> Values:
    step = _taken(values, _STEP) | _extras(values, _STEP_EXTRAS, extras)
    return step | {"name": values.get("node_display_name")}


def _person(triggered_by: object) -> Values | None:
    if not isinstance(triggered_by, dict):
        return None
    return {"id": triggered_by.get("user_id"), "name": triggered_by.get("user_name")}


def _taken(values: Values, names: Collection[str]) -> Values:
    return {name: values[name] for name in names if name in values}


def _extra(values: Values) -> Mapping[str, object]:
    found = values.get(EXTRA)
    return found if isinstance(found, dict) else {}


def _extras(values: Values, names: Collection[str], wanted: bool) -> Values:
    """What a portal says beyond the contract; where the object came from keeps its own name."""
    if not wanted:
        return {}
    extra = _extra(values)
    found = {name: extra[name] for name in names if name in extra}
    origin = {name: extra[name] for name in _ORIGIN if extra.get(name) is not None}
    return found | ({"origin": origin} if origin else {})
