"""Parses one line of history, or says which field is wrong and why."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple
from uuid import UUID

import orjson

from portal.database.models import RunStatus
from portal.history.parsing import readers
from portal.history.parsing.readers import BadField, Fields, Reader, Values
from portal.history.parsing.results import (
    RUN_KEYS,
    STEP_KEYS,
    RunResults,
    take_results,
    take_step_result,
)
from portal.history.parsing.uploads import UploadLine, take_upload
from portal.input import bounds, sentences
from portal.input.text import is_storable
from portal.workspaces.people import SourcePerson, identify

MAX_DEPTH = 64
"""Levels of nesting; deeper JSON is no history, and would overflow the stack of some parsers."""

_FINISHED = (RunStatus.COMPLETED, RunStatus.FAILED)
_LONG_NUMBER = b"0" * 16
_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_canonical = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
).encode


@dataclass(frozen=True, slots=True)
class WorkflowLine:
    id: UUID
    name: str
    description: str | None
    definition: Values | None
    created_at: datetime | None
    source: Values


class ParsedRun(NamedTuple):
    """A run as its line describes it, every field checked."""

    id: UUID
    workflow_id: UUID
    number: int | None
    ordinal: int | None
    identity: SourcePerson | None
    definition_snapshot: Values | None
    source: Values
    """Fields without a column."""
    steps: list[Values]
    digest: bytes
    """Of the content of the line, independent of the order of its keys."""
    results: RunResults | None
    """None where the line has no results."""
    columns: Values
    """Columns of the run's row except its number, person, digest and version."""


ParsedLine = WorkflowLine | UploadLine | ParsedRun


def parse_line(text: bytes) -> ParsedLine:
    """Parse one line. Raises BadField."""
    values, digest = _decode(text)
    kind = values.get("type")
    if kind == "run":
        return _run(values, digest)
    if kind == "workflow":
        return _workflow(values)
    if kind == "upload":
        return _upload(values)
    raise BadField("type", "must be workflow, upload or run.")


def _decode(text: bytes) -> tuple[Values, bytes]:
    """The values of a line and their digest."""
    values = _read_fast(text)
    fast = values is not None
    if not fast:
        values = _read(text)
    if not isinstance(values, dict):
        raise BadField("", "is not a JSON object.")
    # Only an escape can bring NUL or half a surrogate pair in, and only brackets can nest.
    if (b"\\" in text and b"\\u" in text) or text.count(b"{") + text.count(b"[") > MAX_DEPTH:
        _inspect(values)
    try:
        canonical = orjson.dumps(values, option=orjson.OPT_SORT_KEYS) if fast else _canonical(values).encode()
    except ValueError:
        _inspect(values)
        raise
    return values, blake2b(canonical, digest_size=16).digest()


def _read_fast(text: bytes) -> object | None:
    """Parse most lines; None for a line with long numbers, or a wrong one, which need the slow parser."""
    if _LONG_NUMBER in text.translate(_ZEROS):  # far faster than a regular expression
        return None
    try:
        found: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found


def _read(text: bytes) -> object:
    try:
        found: object = json.loads(text.decode())
    except UnicodeDecodeError as error:
        raise BadField("", f"is not UTF-8 (byte {error.start + 1}).") from None
    except json.JSONDecodeError as error:
        raise BadField("", f"is not JSON: {error.msg} (column {error.colno}).") from None
    except RecursionError:
        raise BadField("", f"is nested deeper than {MAX_DEPTH} levels.") from None
    except ValueError:
        raise BadField("", "holds a number with too many digits.") from None
    return found


def _inspect(values: Values) -> None:
    """Refuse what databases or JSON parsers do not accept."""
    for field, value in values.items():
        _inspect_value(str(field), field, 1)
        _inspect_value(field, value, 2)


def _inspect_value(field: str, value: object, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise BadField(_printable(field), f"is nested deeper than {MAX_DEPTH} levels.")
    if isinstance(value, str):
        if not is_storable(value):
            raise BadField(_printable(field), sentences.STORABLE)
    elif isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise BadField(_printable(field), "must not be NaN or infinite.")
    elif isinstance(value, dict):
        for key, inner in value.items():
            _inspect_value(field, key, depth)
            _inspect_value(field, inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _inspect_value(field, inner, depth + 1)


def _printable(field: str) -> str:
    return field.encode("ascii", "backslashreplace").decode().replace("\0", "\\x00")


RUN_COLUMNS: Mapping[str, Reader] = {
    "status": readers.status,
    "created_at": readers.moment,
    "started_at": readers.moment,
    "completed_at": readers.moment,
    "updated_at": readers.moment,
    "total_nodes": readers.count,
    "finished_nodes": readers.count,
    "total_steps": readers.count,
    "finished_steps": readers.count,
    "usage_summary": readers.object_,
    "credits": readers.count,
    "pause_requested_at": readers.moment,
    "paused_at": readers.moment,
    "paused_ms": readers.count,
    "pause_reason": readers.pause_reason,
    "pause_error": readers.text,
    "output_line_count": readers.count,
    "delivered_audio_ms": readers.count,
    "error": readers.text,
}
STEP_COLUMNS: Mapping[str, Reader] = {
    "node_id": readers.node,
    "node_type": readers.node,
    "name": readers.text,
    "status": readers.status,
    "iteration": readers.number,
    "created_at": readers.moment,
    "started_at": readers.moment,
    "completed_at": readers.moment,
    "error": readers.text,
}


def _workflow(values: Values) -> WorkflowLine:
    fields = Fields(values)
    del fields.rest["type"]
    return WorkflowLine(
        id=fields.need("id", readers.uuid),
        name=fields.need("name", readers.text_of(1, bounds.MAX_WORKFLOW_NAME)),
        description=fields.take("description", readers.text_of(0, bounds.MAX_DESCRIPTION)),
        definition=fields.take("definition", readers.object_),
        created_at=fields.take("created_at", readers.moment),
        source=fields.rest,
    )


def _upload(values: Values) -> UploadLine:
    fields = Fields(values)
    return take_upload(fields, fields.take("uploaded_by", _identity))


def _run(values: Values, digest: bytes) -> ParsedRun:
    fields = Fields(values)
    del fields.rest["type"]
    run_id = fields.need("id", readers.uuid)
    workflow_id = fields.need("workflow_id", readers.workflow_id)
    number, ordinal = fields.take("run_number", readers.number), fields.take("ordinal", readers.number)
    columns = fields.take_all(RUN_COLUMNS)
    columns["id"], columns["workflow_id"], columns["imported"] = run_id, workflow_id, True
    if columns["status"] is None:
        raise BadField("status", "is missing.")
    triggered_by = values.get("triggered_by")
    identity = fields.take("triggered_by", _identity)
    snapshot = fields.take("definition_snapshot", readers.object_)
    steps = fields.take("steps", _steps(run_id)) or []
    gave = [step.pop("gave") for step in steps if "gave" in step]
    results = take_results(fields, run_id, gave) if gave or RUN_KEYS & fields.rest.keys() else None
    source = fields.rest
    if ordinal is not None:
        source["ordinal"] = ordinal
    if isinstance(triggered_by, dict) and not triggered_by.keys() <= {"id", "name", "email"}:
        source["triggered_by"] = triggered_by
    _complete(columns, source, steps)
    return ParsedRun(
        run_id, workflow_id, number, ordinal, identity, snapshot, source, steps, digest, results, columns
    )


def _complete(columns: Values, source: Values, steps: list[Values]) -> None:
    """Fill required columns from others."""
    if columns["created_at"] is None:
        stand_in = next((name for name in ("started_at", "completed_at") if columns[name] is not None), None)
        if stand_in is None:
            raise BadField("created_at", "is missing, and so are started_at and completed_at.")
        columns["created_at"] = columns[stand_in]
        source["created_at_from"] = stand_in
    if columns["updated_at"] is None:
        known = (columns["created_at"], columns["started_at"], columns["completed_at"], columns["paused_at"])
        columns["updated_at"] = max(moment for moment in known if moment is not None)
    if columns["total_steps"] is None:
        columns["total_steps"] = len(steps)
    if columns["finished_steps"] is None:
        columns["finished_steps"] = sum(step["status"] in _FINISHED for step in steps)


def _identity(value: object) -> SourcePerson | None:
    named = readers.object_(value)
    parts = tuple(named.get(key) for key in ("id", "name", "email"))
    if all(part is None or type(part) is str for part in parts):
        return _named(*parts)
    return _read_identity(named)


@lru_cache(maxsize=10_000)  # history names few people, each in many lines
def _named(source_id: str | None, name: str | None, email: str | None) -> SourcePerson | None:
    return _read_identity({"id": source_id, "name": name, "email": email})


def _read_identity(named: Mapping[str, object]) -> SourcePerson | None:
    fields = Fields(named)
    source_id = fields.take("id", _source_id)
    name = fields.take("name", readers.text_of(0, bounds.MAX_PERSON_NAME))
    email = fields.take("email", readers.text_of(0, bounds.MAX_EMAIL))
    return identify(*(text.strip() if text else None for text in (source_id, name, email)))


def _source_id(value: object) -> str:
    """An id as text; many sources number people, with more digits than other numbers may have."""
    if type(value) is not int:
        return readers.text_of(0, bounds.MAX_PERSON_ID)(value)
    if abs(value) > bounds.MAX_BIGINT:
        raise ValueError(f"must be a whole number of at most {bounds.MAX_BIGINT}, or text.")
    return str(value)


def _steps(run_id: UUID) -> Callable[[object], list[Values]]:
    def read(value: object) -> list[Values]:
        if not isinstance(value, list):
            raise ValueError("must be a list.")
        return [_step(run_id, position, step) for position, step in enumerate(value)]

    return read


def _step(run_id: UUID, position: int, value: object) -> Values:
    try:
        fields = Fields(readers.object_(value))
        columns = fields.take_all(STEP_COLUMNS)
        for name in ("node_id", "status"):
            if columns[name] is None:
                raise BadField(name, "is missing.")
        gave = {}
        if STEP_KEYS & fields.rest.keys():
            gave = {"gave": take_step_result(fields, run_id, position)}
    except ValueError as error:
        inner = f".{error.field}" if isinstance(error, BadField) else ""
        raise BadField(f"{position}{inner}", str(error)) from None
    columns["node_type"] = columns["node_type"] or "unknown"
    columns["iteration"] = columns["iteration"] or 1
    row = {"run_id": run_id, "position": position, **columns, "source": fields.rest or None}
    return row | gave
