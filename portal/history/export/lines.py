"""Workflows and runs as lines of the import format: what an import makes of them is what is stored here.

Where the import derives an id from a source and an id there, it comes out right in any workspace.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from portal.database.columns import JsonObject
from portal.history import identity
from portal.history.export.people import triggered_by
from portal.history.export.stored import Row, StoredRun
from portal.history.parsing.fields.known import STEP_FACTS, WORKFLOW_FACTS
from portal.history.parsing.fields.said import RUN_BITS, STEP_BITS
from portal.history.parsing.readers import Reader, Values
from portal.history.parsing.runs import FIRST_ATTEMPT, KEPT, RUN_COLUMNS, related_runs
from portal.moments import format_moment

ELSEWHERE = "origin"
"""The field of what a source calls something, where that is not its identity here."""
_NOT_KEPT = ("run_number", "triggered_by")
"""What stands apart from where it stands in a line."""
_OF_RESULTS = ("token_cost", "credits_absorbed", "held_nodes")
_FIRST = ("status", "run_number", "created_at", "started_at", "completed_at", "updated_at")
_OF_RUNS = (*_FIRST, *(name for name in RUN_COLUMNS if name not in (*_FIRST, "source")), *_OF_RESULTS)
_OF_STEPS = (
    *("node_id", "node_type", "name", "status", "iteration", "created_at", "started_at", "completed_at"),
    *("error", "active_ports", "locales", "pause_reason", "pause_error", "result"),
)

_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_APPEND_NEWLINE


def workflow_line(row: Row) -> tuple[bytes, Mapping[str, object]]:
    """The line of a workflow, and the fields by which lines of its runs name it.

    From its columns `id`, `workspace_id`, `name`, `description`, `definition`, `source`, `expected` and
    `created_at`.
    """
    source, name = _checked(row["source"] or {}, WORKFLOW_FACTS), row["name"]
    named = {"name": name} | {key: source[key] for key in WORKFLOW_FACTS if key in source}
    here: Values = {"id": row["id"]}
    if "source" in source:
        derived = str(source.get("external_id", name))
        if identity.workflow_id(row["workspace_id"], source["source"], derived) == row["id"]:
            here = {}
        elif "external_id" in source:
            source[ELSEWHERE] = {"external_id": source.pop("external_id")}
    line: Values = {"type": "workflow", **here, "name": name, "description": row["description"]}
    line |= {"created_at": row["created_at"], "expected": row["expected"]}
    known = {key: value for key, value in line.items() if value is not None}
    content = _encode({**source, **known, "definition": row["definition"]})
    return content, {"workflow_id": row["id"]} if here else {"workflow": named}


def run_line(stored: StoredRun, workflow: Mapping[str, object], *, emails: bool) -> bytes:
    """The line of a run, whose workflow these fields name; without steps and definition if not read."""
    row, provenance = stored.run, stored.run["provenance"]
    source, said = _checked(row["source"] or {}, KEPT), row["said"]
    line: Values = {"type": "run", "id": row["id"], **_origin(row, source), **workflow}
    line |= _said({name: row[name] for name in _OF_RUNS}, said, RUN_BITS)
    if row["as_of"] is not None:
        line["at"] = row["as_of"]
    if stored.person is not None or (said and said & RUN_BITS["triggered_by"]):
        line["triggered_by"] = triggered_by(stored.person, source.get("triggered_by"), emails)
    line |= _related(row, source)
    _add_unknown(line, source, provenance)
    if stored.steps is not None:
        line |= _said({"definition_snapshot": row["definition_snapshot"]}, said, RUN_BITS)
        line["steps"] = [_step(step) for step in stored.steps]
    return _encode(line)


def _origin(row: Row, source: Values) -> Values:
    """Its source and what that calls it; an id there that it has not its id from goes elsewhere."""
    found = {} if row["source_system"] is None else {"source": row["source_system"]}
    external_id = source.get("external_id")
    if external_id is None:
        return found
    attempt = source.get("attempt", FIRST_ATTEMPT)
    if found and identity.run_id(row["workspace_id"], found["source"], external_id, attempt) == row["id"]:
        return {**found, "external_id": external_id}
    source[ELSEWHERE] = {"external_id": source.pop("external_id"), **(source.get(ELSEWHERE) or {})}
    return found


def _related(row: Row, source: Values) -> Values:
    """The runs that it belongs to by their ids, where what its source says does not tell."""
    told = related_runs(source, row["source_system"], row["workspace_id"])
    stored = {"parent": row["parent_id"], "rerun_of": row["rerun_of_id"]}
    return {
        name: {"id": run_id}
        for (name, run_id), known in zip(stored.items(), told, strict=True)
        if run_id is not None and run_id != known
    }


def _step(row: Row) -> Values:
    step = _said({name: row[name] for name in _OF_STEPS}, row["said"], STEP_BITS)
    _add_unknown(step, _checked(row["source"] or {}, STEP_FACTS), row["provenance"])
    return step


def _said(values: Mapping[str, object], said: int | None, bits: Mapping[str, int]) -> Values:
    """The fields that have a value, and those that history cleared."""
    return {
        name: value
        for name, value in values.items()
        if value is not None or (said is not None and said & bits.get(name, 0))
    }


def _add_unknown(line: Values, source: Mapping[str, object], provenance: JsonObject | None) -> None:
    """Add what is stored without a column, and what of that was cleared."""
    for name, value in source.items():
        if line.get(name) is None and name not in _NOT_KEPT:
            line[name] = value
    for name in (provenance or {}).get("cleared", ()):
        line.setdefault(name, None)


def _checked(source: Mapping[str, Any], readers: Mapping[str, Reader]) -> Values:
    """What is stored, without values of earlier releases that the import refuses today."""
    return {
        name: value for name, value in source.items() if name not in readers or _is_read(readers[name], value)
    }


def _is_read(read: Reader, value: object) -> bool:
    try:
        read(value)
    except ValueError:
        return False
    return True


def _encode(line: Mapping[str, object]) -> bytes:
    try:
        return orjson.dumps(line, default=_default, option=_OPTIONS)
    except TypeError:  # integers over 64 bits
        return json.dumps(line, default=_default, ensure_ascii=False).encode() + b"\n"


def _default(value: object) -> str:
    if isinstance(value, datetime):
        return format_moment(value)
    if isinstance(value, UUID):
        return str(value)
    raise TypeError
