"""One line of history: what it says, or which field is wrong and why."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Any, TypeVar
from uuid import UUID

import orjson

from portal import parameters, people
from portal.models import PauseReason, RunStatus
from portal.moments import parse_moment
from portal.people import Identity, identify

MAX_NUMBER = 2**53 - 1
"""Whole numbers up to here mean the same to every reader of JSON."""
MAX_DEPTH = 64
"""Levels of nesting; more than this is no history, and would not fit every reader's stack."""
MAX_NAME, MAX_DESCRIPTION = 200, 5000

Value = TypeVar("Value")

_STATUSES = {str(status): str(status) for status in RunStatus}
_REASONS = {str(reason): str(reason) for reason in PauseReason}
_FINISHED = (RunStatus.COMPLETED, RunStatus.FAILED)
_ABSENT = object()
_LONG_NUMBER = re.compile(rb"[0-9]{16}")
_canonical = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
).encode


class BadField(ValueError):
    """A line that cannot go in: the field (empty for the whole line) and the reason."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


@dataclass(frozen=True, slots=True)
class WorkflowLine:
    id: UUID
    name: str
    description: str | None
    definition: dict[str, Any] | None
    created_at: datetime | None
    source: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RunLine:
    id: UUID
    workflow_id: UUID
    number: int | None
    ordinal: int | None
    columns: dict[str, Any]
    """Columns of the run, but for its number and its person."""
    identity: Identity | None
    definition_snapshot: dict[str, Any] | None
    source: dict[str, Any]
    steps: list[dict[str, Any]]
    digest: bytes
    """Of what the line says, whatever the order of its keys."""


def parse_line(text: bytes) -> WorkflowLine | RunLine:
    """Read one line. Raises BadField."""
    values, digest = _decode(text)
    kind = values.get("type")
    if kind == "run":
        return _run(values, digest)
    if kind == "workflow":
        return _workflow(values)
    raise BadField("type", "must be workflow or run.")


def _decode(text: bytes) -> tuple[dict[str, Any], bytes]:
    """What the line says and the digest of that."""
    values = _read_quickly(text)
    quick = values is not None
    if not quick:
        values = _read(text)
    if not isinstance(values, dict):
        raise BadField("", "is not a JSON object.")
    # Only an escape can bring NUL or half a surrogate pair in, and only brackets can nest.
    if b"\\u" in text or text.count(b"{") + text.count(b"[") > MAX_DEPTH:
        _inspect(values)
    try:
        canonical = (
            orjson.dumps(values, option=orjson.OPT_SORT_KEYS) if quick else _canonical(values).encode()
        )
    except ValueError:
        _inspect(values)
        raise
    return values, blake2b(canonical, digest_size=16).digest()


def _read_quickly(text: bytes) -> object | None:
    """What most lines say; None for one that takes the reader of long numbers, or is wrong."""
    if _LONG_NUMBER.search(text):
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


def _inspect(values: dict[str, Any]) -> None:
    """Refuse what no database and no reader of JSON takes."""
    for field, value in values.items():
        _inspect_value(str(field), field, 1)
        _inspect_value(field, value, 2)


def _inspect_value(field: str, value: object, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise BadField(_printable(field), f"is nested deeper than {MAX_DEPTH} levels.")
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise BadField(_printable(field), "must be text without NUL or broken characters.")
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


class _Fields:
    """Takes known fields out of an object; what is left has no column."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.rest = {key: value for key, value in values.items() if value is not None}

    def take(self, name: str, read: Callable[[Any], Value]) -> Value | None:
        """The field's value; None where it is absent or null. Raises BadField."""
        value = self.rest.pop(name, _ABSENT)
        if value is _ABSENT:
            return None
        try:
            return read(value)
        except ValueError as error:
            reason = str(error)
            inner = f".{error.field}" if isinstance(error, BadField) and error.field else ""
            raise BadField(f"{name}{inner}", reason) from None

    def take_all(self, readers: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
        """All these fields, None for the absent ones. Raises BadField."""
        found: dict[str, Any] = dict.fromkeys(readers)
        for name in readers.keys() & self.rest.keys():
            try:
                found[name] = readers[name](self.rest.pop(name))
            except ValueError as error:
                raise BadField(name, str(error)) from None
        return found

    def need(self, name: str, read: Callable[[Any], Value]) -> Value:
        value = self.take(name, read)
        if value is None:
            raise BadField(name, "is missing.")
        return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be text.")
    return value


def _text_of(least: int, most: int) -> Callable[[Any], str]:
    def read(value: object) -> str:
        if not isinstance(value, str) or not least <= len(value) <= most:
            raise ValueError(f"must be text of {least} to {most} characters.")
        return value

    return read


def _whole(least: int) -> Callable[[Any], int]:
    def read(value: object) -> int:
        if type(value) is not int or not least <= value <= MAX_NUMBER:
            raise ValueError(f"must be a whole number from {least} to {MAX_NUMBER}.")
        return value

    return read


def _moment(value: object) -> datetime:
    try:
        return parse_moment(_text(value))
    except ValueError:
        raise ValueError(
            "must be a date and time with Z or an offset, such as 2026-01-31T14:00:00Z."
        ) from None


def _uuid(value: object) -> UUID:
    return parameters.uuid(_text(value))


@lru_cache(maxsize=1000)  # the runs of one workflow follow each other
def _known_uuid(text: str) -> UUID:
    return parameters.uuid(text)


def _workflow_id(value: object) -> UUID:
    return _known_uuid(_text(value))


def _word(words: Mapping[str, str]) -> Callable[[Any], str]:
    def read(value: object) -> str:
        if not isinstance(value, str) or value not in words:
            raise ValueError(f"must be one of {', '.join(words)}.")
        return words[value]

    return read


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("must be an object.")
    return value


_count, _number = _whole(0), _whole(1)
_status, _reason = _word(_STATUSES), _word(_REASONS)
_node = _text_of(1, 1000)

_RUN_COLUMNS: Mapping[str, Callable[[Any], Any]] = {
    "status": _status,
    "created_at": _moment,
    "started_at": _moment,
    "completed_at": _moment,
    "updated_at": _moment,
    "total_nodes": _count,
    "finished_nodes": _count,
    "total_steps": _count,
    "finished_steps": _count,
    "usage_summary": _object,
    "credits": _count,
    "pause_requested_at": _moment,
    "paused_at": _moment,
    "paused_ms": _count,
    "pause_reason": _reason,
    "pause_error": _text,
    "output_line_count": _count,
    "delivered_audio_ms": _count,
    "error": _text,
}
_STEP_COLUMNS: Mapping[str, Callable[[Any], Any]] = {
    "node_id": _node,
    "node_type": _node,
    "name": _text,
    "status": _status,
    "iteration": _number,
    "created_at": _moment,
    "started_at": _moment,
    "completed_at": _moment,
    "error": _text,
}


def _workflow(values: dict[str, Any]) -> WorkflowLine:
    fields = _Fields(values)
    del fields.rest["type"]
    return WorkflowLine(
        id=fields.need("id", _uuid),
        name=fields.need("name", _text_of(1, MAX_NAME)),
        description=fields.take("description", _text_of(0, MAX_DESCRIPTION)),
        definition=fields.take("definition", _object),
        created_at=fields.take("created_at", _moment),
        source=fields.rest,
    )


def _run(values: dict[str, Any], digest: bytes) -> RunLine:
    fields = _Fields(values)
    del fields.rest["type"]
    run_id = fields.need("id", _uuid)
    workflow_id = fields.need("workflow_id", _workflow_id)
    number, ordinal = fields.take("run_number", _number), fields.take("ordinal", _number)
    columns = fields.take_all(_RUN_COLUMNS)
    if columns["status"] is None:
        raise BadField("status", "is missing.")
    triggered_by = values.get("triggered_by")
    identity = fields.take("triggered_by", _identity)
    snapshot = fields.take("definition_snapshot", _object)
    steps = fields.take("steps", _steps(run_id)) or []
    source = fields.rest
    if ordinal is not None:
        source["ordinal"] = ordinal
    if isinstance(triggered_by, dict) and not triggered_by.keys() <= {"id", "name", "email"}:
        source["triggered_by"] = triggered_by
    _complete(columns, source, steps)
    return RunLine(run_id, workflow_id, number, ordinal, columns, identity, snapshot, source, steps, digest)


def _complete(columns: dict[str, Any], source: dict[str, Any], steps: list[dict[str, Any]]) -> None:
    """Fill the columns that no run is without from the others."""
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


def _identity(value: object) -> Identity | None:
    named = _object(value)
    parts = tuple(named.get(key) for key in ("id", "name", "email"))
    if all(part is None or type(part) is str for part in parts):
        return _named(*parts)
    return _read_identity(named)


@lru_cache(maxsize=10_000)  # history names few people, each many times
def _named(source_id: str | None, name: str | None, email: str | None) -> Identity | None:
    return _read_identity({"id": source_id, "name": name, "email": email})


def _read_identity(named: Mapping[str, Any]) -> Identity | None:
    fields = _Fields(named)
    source_id = fields.take("id", _source_id)
    name = fields.take("name", _text_of(0, people.MAX_NAME))
    email = fields.take("email", _text_of(0, people.MAX_EMAIL))
    return identify(*(text.strip() if text else None for text in (source_id, name, email)))


def _source_id(value: object) -> str:
    """An id as text; many sources number their people."""
    return _text_of(0, people.MAX_ID)(str(value) if type(value) is int else value)


def _steps(run_id: UUID) -> Callable[[Any], list[dict[str, Any]]]:
    def read(value: object) -> list[dict[str, Any]]:
        if not isinstance(value, list):
            raise ValueError("must be a list.")
        return [_step(run_id, position, step) for position, step in enumerate(value)]

    return read


def _step(run_id: UUID, position: int, value: object) -> dict[str, Any]:
    try:
        fields = _Fields(_object(value))
        columns = fields.take_all(_STEP_COLUMNS)
        for name in ("node_id", "status"):
            if columns[name] is None:
                raise BadField(name, "is missing.")
    except ValueError as error:
        inner = f".{error.field}" if isinstance(error, BadField) else ""
        raise BadField(f"{position}{inner}", str(error)) from None
    columns["node_type"] = columns["node_type"] or "unknown"
    columns["iteration"] = columns["iteration"] or 1
    return {"run_id": run_id, "position": position, **columns, "source": fields.rest or None}
