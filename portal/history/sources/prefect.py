"""Prefect: flows, flow runs and task runs as the REST API gives them, each after what it refers to."""

import re
from collections.abc import Iterator, Mapping

from portal.history.parsing.readers import BadField
from portal.history.sources.reading.documents import read_json
from portal.history.sources.reading.reader import Input, Line, Made, Source
from portal.history.sources.reading.record import Record
from portal.history.sources.reading.values import person, workflow

SYSTEM = "prefect"

_TYPES: Mapping[str, tuple[str, str | None]] = {
    "SCHEDULED": ("pending", None),
    "PENDING": ("pending", None),
    "RUNNING": ("running", None),
    "CANCELLING": ("running", None),
    "PAUSED": ("paused", None),
    "COMPLETED": ("completed", "succeeded"),
    "FAILED": ("failed", "failed"),
    "CRASHED": ("failed", "crashed"),
    "CANCELLED": ("cancelled", "aborted"),
}
_NAMES: Mapping[tuple[str, str], tuple[str, str]] = {
    ("COMPLETED", "Skipped"): ("cancelled", "skipped"),
    ("COMPLETED", "Cached"): ("completed", "cached"),
    ("FAILED", "TimedOut"): ("failed", "timed_out"),
    ("PENDING", "NotReady"): ("failed", "upstream_failed"),
}
"""Names that say more than the type. A task that is not ready waits for what has failed."""
_WAITING_FOR = {
    "AwaitingRetry": "its next try",
    "AwaitingConcurrencySlot": "a concurrency slot",
    "Late": "a worker",
    "Suspended": "being resumed",
    "Paused": "being resumed",
}
_TASK_KEY = re.compile(r"(?:.*\.)?(.+)-[0-9a-f]{8}")
_STATE_READ = ("id", "type", "name", "data", "state_details", "timestamp", "message")


class _Known:
    """What one answer says and others leave out: names of flows, flows of runs, parents of subflows."""

    def __init__(self) -> None:
        self.flows: dict[str, str] = {}
        self.flow_of: dict[str, str] = {}
        self.parents: dict[str, Line] = {}
        """Of a subflow's run, once its task run has been read."""
        self.subflows: dict[str, Line] = {}
        """Runs of subflows whose task run has not been read."""

    def workflow(self, flow: str | None) -> dict[str, object] | None:
        return workflow(self.flows.get(flow, flow), external_id=flow) if flow else None


def read(source: Input) -> Iterator[Made]:
    known = source.remembered(_Known)

    def make(record: Record) -> Iterator[Line]:
        return _lines(record, source.source(SYSTEM), known)

    return read_json(source, make, lists=("results",))


def _lines(record: Record, source: str, known: _Known) -> Iterator[Line]:
    if "task_key" in record:
        yield from _task_run(record, source, known)
    elif "flow_id" in record and "state_type" in record:
        yield _flow_run(record, source, known)
    elif "name" in record and "id" in record and "state_type" not in record:
        yield _flow(record, source, known)
    elif "detail" in record or "exception_message" in record:
        said = record.value("exception_message") or record.value("detail")
        raise BadField(record.path, f"is an error of Prefect: {said}.")
    else:
        raise BadField(record.path, "is no flow, flow run or task run of Prefect.")


def _flow(flow: Record, source: str, known: _Known) -> Line:
    identifier, name = flow.need("id"), flow.need("name")
    known.flows[identifier] = name
    return {
        "type": "workflow",
        "source": source,
        **workflow(name, external_id=identifier),
        "created_at": flow.moment("created"),
        "prefect": flow.rest("updated"),
    }


def _flow_run(run: Record, source: str, known: _Known) -> Line:
    identifier, flow = run.need("id"), run.need("flow_id")
    task_run = run.text("parent_task_run_id")
    known.flow_of[identifier] = flow
    state = run.record("state")
    status, outcome, word = _state(run)
    line: Line = {
        "type": "run",
        "source": source,
        "external_id": identifier,
        "workflow": known.workflow(flow),
        "title": run.text("name"),
        "status": status,
        "outcome": outcome,
        "source_status": word,
        "waiting_for": _WAITING_FOR.get(word),
        "created_at": run.moment("created"),
        "started_at": run.moment("start_time"),
        "completed_at": run.moment("end_time"),
        "updated_at": run.moment("updated"),
        "scheduled_for": run.moment("expected_start_time") if run.flag("auto_scheduled") else None,
        **_cause(run, task_run),
        "parameters": run.mapping("parameters"),
        "error": state.text("message") if state and status == "failed" else None,
        "parent": known.parents.pop(identifier, None),
        "prefect": _rest(run, state, status),
    }
    if task_run and line["parent"] is None:
        known.subflows[identifier] = line
    return line


def _cause(run: Record, task_run: str | None) -> Line:
    """What began a run; Prefect says so of runs of deployments only."""
    created_by = run.record("created_by")
    kind = created_by.text("type") if created_by else None
    name = created_by.text("display_value") if created_by else None
    if task_run:
        return {"trigger": "upstream"}
    if run.flag("auto_scheduled") or kind == "SCHEDULE":
        return {"trigger": "schedule", "trigger_name": name}
    if kind == "AUTOMATION":
        return {"trigger": "event", "trigger_name": name}
    if kind == "USER" and name and created_by:
        return {
            "trigger": "person",
            "triggered_by": person(SYSTEM, name, created_by.text("id"), kind="person"),
        }
    return {"trigger": "other", "trigger_name": kind} if kind else {}


def _task_run(run: Record, source: str, known: _Known) -> Iterator[Line]:
    """A task run as a step, and the parent of the subflow that it stands for, if it does."""
    flow_run, name = run.text("flow_run_id"), run.need("name")
    if flow_run is None:
        raise run.fault("flow_run_id", "is missing: a task that ran outside of a flow belongs to no run.")
    labels = run.record("labels")
    flow = known.flow_of.get(flow_run) or (labels.text("prefect.flow.id") if labels else None)
    if flow is None:
        raise run.fault("flow_run_id", "is of a flow run that no file before has: name flow_runs first.")
    state = run.record("state")
    status, outcome, word = _state(run)
    key = run.text("task_key") or ""
    yield {
        "type": "step",
        "source": source,
        "external_id": flow_run,
        "workflow": known.workflow(flow),
        "at": run.moment("updated"),
        "node_id": name,
        "node_type": found[1] if (found := _TASK_KEY.fullmatch(key)) else key or None,
        "name": name,
        "status": status,
        "outcome": outcome,
        "source_status": word,
        "error": state.text("message") if state and status == "failed" else None,
        "created_at": run.moment("created"),
        "started_at": run.moment("start_time"),
        "completed_at": run.moment("end_time"),
        "prefect": _rest(run, state, status, "flow_run_id", "labels"),
    }
    details = state.record("state_details") if state else None
    child = details.text("child_flow_run_id") if details else None
    if child:
        parent: Line = {"external_id": flow_run, "step": name}
        if child in known.subflows:
            yield known.subflows.pop(child) | {"parent": parent}
        else:
            known.parents[child] = parent


def _rest(run: Record, state: Record | None, status: str, *left_out: str) -> Line | None:
    kept = run.rest("state", "state_id", "estimated_run_time", "estimated_start_time_delta", *left_out) or {}
    message = state.text("message") if state and status != "failed" else None
    return kept | {"state_message": message}


def _state(run: Record) -> tuple[str, str | None, str]:
    """Status and outcome by type and name of the state, and its name."""
    kind = run.text("state_type") or "PENDING"
    name = run.text("state_name") or kind.capitalize()
    if kind not in _TYPES:
        raise run.fault("state_type", f"is {kind[:50]}, which this reader does not know.")
    return *_NAMES.get((kind, name), _TYPES[kind]), name


READER = Source(
    name=SYSTEM,
    title="Prefect",
    reads="Flows, flow runs and task runs as the REST API gives them, best in this order.",
    commands=(
        "for each in flows flow_runs task_runs; do curl -X POST -H 'Content-Type: application/json' "
        "-d '{}' $PREFECT_API_URL/$each/filter > $each.json; done",
        "flask import --from prefect flows.json flow_runs.json task_runs.json",
    ),
    read=read,
)
