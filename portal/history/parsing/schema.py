"""The import format as a JSON Schema, generated from the readers of the import."""

from collections.abc import Mapping, Sequence
from typing import Any

from portal.history.parsing import readers
from portal.history.parsing.fields.known import STEP_FACTS, WORKFLOW_FACTS, expected
from portal.history.parsing.fields.people import read_kind
from portal.history.parsing.readers import ZERO_TIME, record_schema, schema_of, text_of
from portal.history.parsing.results import AUDIO_TYPES, LINE, RUN, STEP, TAKE, VALIDATION, path
from portal.history.parsing.runs import KEPT, MOMENTS, RUN_COLUMNS
from portal.history.parsing.steps import STEP_COLUMNS
from portal.history.parsing.uploads import UPLOAD
from portal.input import bounds

Schema = dict[str, Any]

OF_THE_LINE: Mapping[str, readers.Reader] = {"at": readers.moment, "replace": readers.boolean}

_ABOUT = (
    "One line of the files that `flask import` reads; docs/import.md says what the fields mean. A line may "
    "say more than is named here. What only an import or `flask import --check` tells: whether ids are free "
    "and the workflow is known, whether files are there, whether a day is in the calendar, a cron expression "
    "comes and a time zone exists. It refuses "
    "lines over 16 MiB or nested deeper than 64 levels, NUL and broken characters, and 1.0 as a whole number."
)


def import_schema() -> Schema:
    """What one line may be, in JSON Schema 2020-12: what `parse_line` takes, but for what _ABOUT lists."""
    kinds = {"workflow": _workflow(), "upload": _upload(), "run": _run(), "step": _step_line()}
    branches = [
        {"if": {"properties": {"type": {"const": kind}}}, "then": {"$ref": f"#/$defs/{kind}"}}
        for kind in kinds
    ]
    parts = {"step_of_a_run": _step(), "output_line": _output_line(), "take": _take(), "person": _person()}
    parts["named_workflow"] = _named_workflow()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of run history",
        "description": _ABOUT,
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"enum": list(kinds)}},
        "allOf": branches,
        "$defs": kinds | parts,
    }


def _workflow() -> Schema:
    own = {
        "id": readers.uuid,
        "name": text_of(1, bounds.MAX_WORKFLOW_NAME),
        "description": text_of(0, bounds.MAX_DESCRIPTION),
        "definition": readers.object_,
        "created_at": readers.moment,
    }
    own |= {"expected": expected, **WORKFLOW_FACTS}
    identity = {"anyOf": [_has("id"), _has("source")]}
    return record_schema(_fields(own), needed=("name",)) | identity


def _upload() -> Schema:
    own = {"id": readers.uuid, "workflow_id": readers.workflow_id, "path": path, "sha256": readers.sha256}
    schema = record_schema(
        _fields(own) | _fields(UPLOAD) | {"uploaded_by": _ref("person")},
        needed=("id", "workflow_id", "category"),
    )
    return schema | {"anyOf": [_has("filename"), _has("path", pattern="[^/]$")]}


def _run() -> Schema:
    own = {
        "id": readers.uuid,
        "workflow_id": readers.workflow_id,
        "run_number": readers.number,
        "ordinal": readers.number,
        "definition_snapshot": readers.object_,
    }
    lists = {
        "steps": _list(_ref("step_of_a_run")),
        "output_lines": _list(_ref("output_line")),
        "files": _list(_file(schema_of(path))),
    }
    fields = _fields(own) | _fields(RUN_COLUMNS) | _fields(KEPT) | _fields(RUN) | _fields(OF_THE_LINE)
    schema = record_schema(fields | {"triggered_by": _ref("person")} | lists, needed=("status",))
    schema["properties"]["title"] = {"description": "Text that says what the run is about."}
    schema["properties"]["labels"] = {"description": "Texts, numbers, true or false by name."}
    return schema | {"allOf": [*_identity("id"), _dated(MOMENTS)]}


def _step_line() -> Schema:
    own = {"run_id": readers.uuid, "workflow_id": readers.workflow_id, "source": RUN_COLUMNS["source"]}
    of_the_run: dict[str, readers.Reader] = {name: KEPT[name] for name in ("external_id", "attempt")}
    schema = record_schema(_fields({**own, **of_the_run, **OF_THE_LINE}))
    schema["properties"] |= _step()["properties"]
    return schema | {"required": ["node_id", "status"], "allOf": [*_identity("run_id"), _dated(MOMENTS[:3])]}


def _dated(moments: Sequence[str]) -> Schema:
    return {"anyOf": [_has(name, pattern=f"^(?!{ZERO_TIME}$)") for name in ("at", *moments)]}


def _identity(id_field: str) -> list[Schema]:
    """A line names its run by an id or in its source, and its workflow so too, or in a source of its own."""
    workflow = {"required": ["workflow"], "properties": {"workflow": _ref("named_workflow")}}
    of_its_own = {"required": ["workflow"], "properties": {"workflow": _has("source")}}
    named = {"allOf": [workflow, {"anyOf": [_has("source"), of_its_own]}]}
    needs_source = {"if": _has("external_id"), "then": _has("source")}
    return [
        needs_source,
        {"anyOf": [_has(id_field), _has("external_id")]},
        {"anyOf": [_has("workflow_id"), named]},
    ]


def _named_workflow() -> Schema:
    own = {"name": text_of(1, bounds.MAX_WORKFLOW_NAME), **WORKFLOW_FACTS}
    return record_schema(_fields(own), needed=("name",))


def _step() -> Schema:
    own = {name: read for name, read in STEP.items() if name != "result"}  # of any kind
    return record_schema(
        _fields(STEP_COLUMNS) | _fields(STEP_FACTS) | _fields(own), needed=("node_id", "status")
    )


def _output_line() -> Schema:
    return record_schema(_fields(LINE) | {"takes": _list(_ref("take"))})


def _take() -> Schema:
    endings = "|".join(
        "".join(f"[{letter}{letter.upper()}]" if letter.isalpha() else letter for letter in ending[1:])
        for ending in AUDIO_TYPES
    )
    audio = _file(schema_of(path) | {"pattern": rf"\.({endings})$"})
    return record_schema(
        _fields(TAKE)
        | {"audio": audio, "validations": _list(record_schema(_fields(VALIDATION), needed=("kind",)))}
    )


def _file(where: Schema) -> Schema:
    own = {"sha256": readers.sha256, "node_id": readers.node, "name": text_of(1, 255)}
    return record_schema({"path": where} | _fields(own), needed=("path",))


def _person() -> Schema:
    named = _fields({"name": text_of(0, bounds.MAX_PERSON_NAME), "email": text_of(0, bounds.MAX_EMAIL)})
    number = {"minimum": -bounds.MAX_BIGINT, "maximum": bounds.MAX_BIGINT}
    source_id = {"type": ["string", "integer"], "maxLength": bounds.MAX_PERSON_ID, **number}
    return record_schema({"id": source_id} | named | _fields({"kind": read_kind}))


def _fields(table: Mapping[str, readers.Reader]) -> dict[str, Schema]:
    return {name: schema_of(read) for name, read in table.items()}


def _has(name: str, **more: str) -> Schema:
    return {"required": [name], "properties": {name: {"type": "string", **more}}}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}
