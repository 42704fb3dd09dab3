"""The import format as a JSON Schema, generated from the readers of the import."""

from collections.abc import Mapping
from typing import Any

from portal.history.parsing import readers
from portal.history.parsing.lines import RUN_COLUMNS, STEP_COLUMNS
from portal.history.parsing.readers import ZERO_TIME, record_schema, schema_of, text_of
from portal.history.parsing.results import AUDIO_TYPES, LINE, RUN, STEP, TAKE, VALIDATION, path
from portal.history.parsing.uploads import UPLOAD
from portal.input import bounds

Schema = dict[str, Any]

_ABOUT = (
    "One line of the files that `flask import` reads; docs/import.md says what the fields mean. A line may "
    "say more than is named here. What only an import or `flask import --check` tells: whether ids are free "
    "and the workflow is known, whether files are there, whether a day is in the calendar. It refuses "
    "lines over 16 MiB or nested deeper than 64 levels, NUL and broken characters, and 1.0 as a whole number."
)


def import_schema() -> Schema:
    """What one line may be, in JSON Schema 2020-12: what `parse_line` takes, but for what _ABOUT lists."""
    kinds = {"workflow": _workflow(), "upload": _upload(), "run": _run()}
    branches = [
        {"if": {"properties": {"type": {"const": kind}}}, "then": {"$ref": f"#/$defs/{kind}"}}
        for kind in kinds
    ]
    parts = {"step": _step(), "output_line": _output_line(), "take": _take(), "person": _person()}
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
    return record_schema(_fields(own), needed=("id", "name"))


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
        "steps": _list(_ref("step")),
        "output_lines": _list(_ref("output_line")),
        "files": _list(_file(schema_of(path))),
    }
    schema = record_schema(
        _fields(own) | _fields(RUN_COLUMNS) | _fields(RUN) | {"triggered_by": _ref("person")} | lists,
        needed=("id", "workflow_id", "status"),
    )
    moments = ("created_at", "started_at", "completed_at")
    return schema | {"anyOf": [_has(name, pattern=f"^(?!{ZERO_TIME}$)") for name in moments]}


def _step() -> Schema:
    own = {name: read for name, read in STEP.items() if name != "result"}  # of any kind
    return record_schema(_fields(STEP_COLUMNS) | _fields(own), needed=("node_id", "status"))


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
    return record_schema({"id": source_id} | named)


def _fields(table: Mapping[str, readers.Reader]) -> dict[str, Schema]:
    return {name: schema_of(read) for name, read in table.items()}


def _has(name: str, **more: str) -> Schema:
    return {"required": [name], "properties": {name: {"type": "string", **more}}}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}
