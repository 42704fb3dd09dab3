"""Parses the results of a run: results of steps, lines of output with takes and scores, files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any
from uuid import UUID, uuid5

from portal.database.models import TakeStatus
from portal.history.parsing.decoding import canonical
from portal.history.parsing.readers import (
    BadField,
    Fields,
    Reader,
    Values,
    boolean,
    count,
    fraction,
    items,
    locale,
    node,
    object_,
    object_of,
    pause_reason,
    sha256,
    text,
    text_of,
    texts,
    word,
)
from portal.input.folding import fold

AUDIO_TYPES: Mapping[str, str] = {
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".webm": "audio/webm",
}
"""Types that a browser may play; every other file is served as a download."""
OTHER_TYPE = "application/octet-stream"
MAX_PATH = 500

_held_node = object_of({"node_id": node, "locales": texts}, needed=("node_id",))
_segment = object_of(
    {"text": text, "status": text, "start": count, "end": count}, needed=("text", "status", "start", "end")
)
_edits = ("substitutions", "insertions", "deletions", "reference_units")
_error_counts = object_of(dict.fromkeys(_edits, count), needed=_edits)
_take_status = word({str(status): str(status) for status in TakeStatus})
path = text_of(1, MAX_PATH)


@dataclass
class File:
    """A file that a line names; its artifact gets size and digest when the file is read."""

    field: str
    path: str
    sha256: str | None
    artifact: Values


@dataclass
class RunResults:
    """Rows of the results of one run."""

    run: Values | None = None
    steps: list[Values] = field(default_factory=list)
    lines: list[Values] = field(default_factory=list)
    takes: list[Values] = field(default_factory=list)
    validations: list[Values] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)
    """Of the lists `output_lines` and `files`, as far as the line has them."""
    kept: frozenset[str] = frozenset()
    """Which of these lists stay as they are stored."""


LISTS = ("output_lines", "files")
RUN: Mapping[str, Reader] = {
    "token_cost": count,
    "credits_absorbed": fraction,
    "held_nodes": items(_held_node),
}
STEP: Mapping[str, Reader] = {
    "active_ports": texts,
    "locales": texts,
    "pause_reason": pause_reason,
    "pause_error": text,
    "result": object_,
}
RUN_KEYS = RUN.keys() | {*LISTS}
STEP_KEYS = STEP.keys()
LINE: Mapping[str, Reader] = {
    "line_id": text,
    "source_line_id": text,
    "script": text,
    "auto_corrected": count,
}
TAKE: Mapping[str, Reader] = {
    "locale": locale,
    "output_node_id": node,
    "script": text,
    "status": _take_status,
    "retry_count": count,
    "normalized": boolean,
    "voice": text,
    "provider": text,
    "model": text,
    "duration_ms": count,
}
VALIDATION: Mapping[str, Reader] = {
    "node_id": node,
    "kind": text_of(1, 100),
    "label": text,
    "score": fraction,
    "threshold": fraction,
    "passed": boolean,
    "reason": text,
    "wer": fraction,
    "cer": fraction,
    "transcript": text,
    "scored_on": text_of(1, 100),
    "inherited_from_take": count,
    "segments": items(_segment),
    "error_counts": _error_counts,
}


def take_step_result(fields: Fields, run_id: UUID, position: int) -> Values:
    """The result of a step from the fields of the step. Raises BadField."""
    if not isinstance(fields.rest.get("result"), dict):
        found = fields.take_all({name: read for name, read in STEP.items() if name != "result"})
        return {"run_id": run_id, "position": position, **found, "result": None}  # only an object is a result
    return {"run_id": run_id, "position": position, **fields.take_all(STEP)}


def take_results(fields: Fields, run_id: UUID, steps: list[Values]) -> RunResults:
    """All results of a run from the fields of the run. Raises BadField."""
    results = RunResults(steps=steps)
    own = fields.take_all(RUN)
    if any(value is not None for value in own.values()):
        results.run = {"run_id": run_id, **own}
    results.digests = {name: digest_of(fields.rest[name]) for name in LISTS if name in fields.rest}
    fields.take("output_lines", _each(lambda position, value: _line(results, run_id, position, value)))
    fields.take("files", _each(lambda position, value: _file(results, run_id, position, value)))
    return results


def digest_of(value: object) -> str:
    """A digest of the canonical JSON of a list."""
    return blake2b(canonical(value), digest_size=16).hexdigest()


def _each(read: Callable[[int, Any], None]) -> Callable[[Any], bool]:
    """A reader of a list that passes each item with its position."""

    def parse(value: object) -> bool:
        if not isinstance(value, list):
            raise ValueError("must be a list.")
        for position, item in enumerate(value):
            try:
                read(position, item)
            except ValueError as error:
                inner = f".{error.field}" if isinstance(error, BadField) and error.field else ""
                raise BadField(f"{position}{inner}", str(error)) from None
        return True

    return parse


def _line(results: RunResults, run_id: UUID, position: int, value: object) -> None:
    fields = Fields(object_(value))
    columns = fields.take_all(LINE)
    folded = fold(columns["script"] or "")
    results.lines.append({"run_id": run_id, "position": position, **columns, "script_folded": folded})
    fields.take("takes", _each(lambda number, take: _take(results, run_id, position, number, take)))


def _take(results: RunResults, run_id: UUID, line: int, number: int, value: object) -> None:
    fields = Fields(object_(value))
    columns = fields.take_all(TAKE)
    columns["locale_code"] = columns.pop("locale")
    columns["status"] = columns["status"] or TakeStatus.DELIVERED.value
    columns["retry_count"] = number if columns["retry_count"] is None else columns["retry_count"]
    place = f"output_lines.{line}.takes.{number}.audio"
    audio = fields.take("audio", lambda value: _artifact(value, run_id, place, OTHER_TYPE))
    if audio is not None:
        if audio.artifact["content_type"] == OTHER_TYPE:
            raise BadField("audio.path", f"must end with one of {', '.join(AUDIO_TYPES)}.")
        results.files.append(audio)
    audio_id = uuid5(run_id, f"take:{line}:{number}").hex[:16]
    where = {"run_id": run_id, "line": line}
    artifact_id = audio.artifact["id"] if audio else None
    results.takes.append(
        {**where, "position": number, "audio_id": audio_id, "artifact_id": artifact_id, **columns}
    )
    where |= {"take": number}
    fields.take("validations", _each(lambda n, value: _validation(results, {**where, "position": n}, value)))


def _validation(results: RunResults, where: Values, value: object) -> None:
    columns = Fields(object_(value)).take_all(VALIDATION)
    if columns["kind"] is None:
        raise BadField("kind", "is missing.")
    results.validations.append(where | columns)


def _file(results: RunResults, run_id: UUID, position: int, value: object) -> None:
    results.files.append(_artifact(value, run_id, f"files.{position}", OTHER_TYPE))


def extension_of(name: str) -> str:
    """The file name extension with its dot, in lower case; empty if there is none."""
    dot, extension = name.rpartition(".")[1:]
    return f"{dot}{extension.lower()}" if dot else ""


def _artifact(value: object, run_id: UUID, place: str, default: str) -> File:
    fields = Fields(object_(value))
    where = fields.need("path", path)
    name = where.rpartition("/")[2]
    artifact = {
        "id": uuid5(run_id, place),
        "run_id": run_id,
        "node_id": fields.take("node_id", node),
        "name": fields.take("name", text_of(1, 255)) or name,
        "content_type": AUDIO_TYPES.get(extension_of(name), default),
    }
    return File(f"{place}.path", where, fields.take("sha256", sha256), artifact)
