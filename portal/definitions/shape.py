"""The shape of a definition that is written (contract part 2, 4.1): what it must be to be read at all.

Imported definitions may have any shape; they are never checked here unless somebody writes them anew.
"""

import math
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic_core import CoreSchema, InitErrorDetails, core_schema

from portal.definitions.catalog import CATALOG, MAX_SCRIPT, OLD_SLUGS
from portal.errors import MAX_ERRORS, FieldError, InvalidQuery
from portal.input import sentences
from portal.input.bodies import refused
from portal.input.text import is_storable

MAX_NODES, MAX_EDGES = 200, 1000
MAX_LEVELS = 32
"""Objects and lists within each other, the definition itself included."""
MAX_NODE_ID, MAX_NODE_NAME = 128, 200
MAX_SEGMENT = 80
"""Characters of a key in the path of an error."""

Json = dict[str, Any]
Path = tuple[str | int, ...]
Offence = tuple[Path, str]
"""Where something is wrong in the definition, and what is allowed there."""

_OBJECT, _LIST, _TEXT = "must be an object.", "must be a list.", "must be text."
_UNSTORABLE = "must not have NUL or broken characters."


def offences(definition: object, *, any_type: bool = False) -> list[Offence]:
    """What is wrong with the shape of a definition: at most as many as one answer tells."""
    found: list[Offence] = []
    for offence in _offences(definition, any_type):
        found.append(offence)
        if len(found) == MAX_ERRORS:
            break
    return found


def complete(definition: Mapping[str, Any]) -> Json:
    """A well-shaped definition as it is stored: as sent, with its missing parts and today's type names."""
    graph = definition.get("graph") or {}
    execution = definition.get("execution") or {}
    return {
        **definition,
        "graph": {
            **graph,
            "nodes": [
                {**node, "type": OLD_SLUGS.get(node["type"], node["type"])}
                for node in graph.get("nodes") or []
            ],
            "edges": graph.get("edges") or [],
        },
        "execution": {
            **execution,
            "steps": execution.get("steps") or [],
            "params": execution.get("params") or {},
        },
    }


def read_stored(definition: object) -> Json:
    """A stored definition, complete. Raises InvalidQuery if it is not well-shaped.

    It may have nodes of any type: imported ones do, and a type may be missing now.
    """
    found = offences(definition, any_type=True)
    if found:
        raise InvalidQuery(
            [FieldError(".".join(map(segment, ("definition", *path))), allowed) for path, allowed in found]
        )
    assert isinstance(definition, dict)  # noqa: S101  (else there were offences)
    return complete(definition)


class DefinitionField:
    """Marks the field of a body that holds a definition; it is read complete."""

    def __get_pydantic_core_schema__(self, _source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(_read)

    def __get_pydantic_json_schema__(self, _core: CoreSchema, _handler: GetJsonSchemaHandler) -> Json:
        return _schema()


def _read(value: object) -> Json:
    found = offences(value)
    if found:
        errors = [InitErrorDetails(type=refused(allowed), loc=path, input=None) for path, allowed in found]
        raise ValidationError.from_exception_data("definition", errors)
    assert isinstance(value, dict)  # noqa: S101  (else there were offences)
    return complete(value)


def _offences(definition: object, any_type: bool) -> Iterator[Offence]:
    if not isinstance(definition, dict):
        yield (), _OBJECT
        return
    deep = list(_unstorable(definition, (), 1))
    yield from deep
    if any(allowed == _TOO_DEEP for _, allowed in deep):
        return
    yield from _graph(definition, any_type)
    execution = _part(definition, "execution", dict)
    yield from execution.wrong
    if execution.value:
        steps = _part(execution.value, "steps", list, "execution")
        yield from steps.wrong
        for number, step in enumerate(steps.value or ()):
            if not isinstance(step, str):
                yield ("execution", "steps", number), _TEXT
        yield from _part(execution.value, "params", dict, "execution").wrong


_TOO_DEEP = f"must not nest deeper than {MAX_LEVELS} levels."


def _unstorable(value: object, path: Path, level: int) -> Iterator[Offence]:
    """What no database or JSON parser takes, anywhere in a definition."""
    if isinstance(value, str):
        if not is_storable(value):
            yield path, _UNSTORABLE
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield path, "must be a finite number."
    elif isinstance(value, (dict, list)) and level > MAX_LEVELS:
        yield path, _TOO_DEEP
    elif isinstance(value, list):
        for number, member in enumerate(value):
            yield from _unstorable(member, (*path, number), level + 1)
    elif isinstance(value, dict):
        for key, member in value.items():
            if is_storable(key):
                yield from _unstorable(member, (*path, segment(key)), level + 1)
            else:
                yield path, "must not have keys with NUL or broken characters."


def _graph(definition: Json, any_type: bool) -> Iterator[Offence]:
    graph = _part(definition, "graph", dict)
    yield from graph.wrong
    if not graph.value:
        return
    node = partial(_node, any_type=any_type)
    for name, most, check in (("nodes", MAX_NODES, node), ("edges", MAX_EDGES, _edge)):
        part = _part(graph.value, name, list, "graph")
        yield from part.wrong
        if len(part.value or ()) > most:
            yield ("graph", name), f"must be at most {most:,} {name}."
            continue
        for number, each in enumerate(part.value or ()):
            path = ("graph", name, number)
            if isinstance(each, dict):
                yield from check(each, path)
            else:
                yield path, _OBJECT


def _node(node: Json, path: Path, any_type: bool) -> Iterator[Offence]:
    node_id = node.get("id")
    if "id" not in node:
        yield (*path, "id"), sentences.REQUIRED
    elif not isinstance(node_id, str) or not 1 <= len(node_id) <= MAX_NODE_ID:
        yield (*path, "id"), f"must be text of 1 to {MAX_NODE_ID} characters."
    if "type" not in node:
        yield (*path, "type"), sentences.REQUIRED
    elif not isinstance(node["type"], str) or not (any_type or _is_known(node["type"])):
        yield (*path, "type"), sentences.one_of(CATALOG)
    yield from _position(node, (*path, "position"))
    name, config, version = node.get("name"), node.get("config"), node.get("config_version")
    if name is not None and not (isinstance(name, str) and len(name) <= MAX_NODE_NAME):
        yield (*path, "name"), f"must be text of at most {MAX_NODE_NAME} characters."
    if config is not None and not isinstance(config, dict):
        yield (*path, "config"), _OBJECT
    elif config and isinstance(config.get("text"), str) and len(config["text"]) > MAX_SCRIPT:
        yield (*path, "config", "text"), f"must be at most {MAX_SCRIPT:,} characters."
    if version is not None and not (is_whole(version) and version >= 1):
        yield (*path, "config_version"), sentences.whole_number(1, None)


def _is_known(slug: str) -> bool:
    return OLD_SLUGS.get(slug, slug) in CATALOG


def _position(node: Json, path: Path) -> Iterator[Offence]:
    position = node.get("position")
    if "position" not in node:
        yield path, sentences.REQUIRED
    elif not isinstance(position, dict):
        yield path, "must be an object with x and y."
    else:
        for axis in ("x", "y"):
            if axis not in position:
                yield (*path, axis), sentences.REQUIRED
            elif not _is_finite(position[axis]):
                yield (*path, axis), "must be a finite number."


def _edge(edge: Json, path: Path) -> Iterator[Offence]:
    for name in _EDGE_KEYS:
        if name not in edge:
            yield (*path, name), sentences.REQUIRED
        elif not isinstance(edge[name], str):
            yield (*path, name), _TEXT


class _Part:
    """A part of a definition, which may be missing or null, and what is wrong with it."""

    def __init__(self, value: Any, wrong: list[Offence]) -> None:
        self.value, self.wrong = value, wrong


def _part(parent: Json, name: str, kind: type[dict[str, Any]] | type[list[Any]], *path: str) -> _Part:
    value = parent.get(name)
    if value is None or isinstance(value, kind):
        return _Part(value, [])
    return _Part(None, [((*path, name), _OBJECT if kind is dict else _LIST)])


def is_number(value: object) -> bool:
    """Whether it is a number in JSON, where true is none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_whole(value: object) -> bool:
    """Whether it is a whole number in JSON, where 4.0 is one."""
    return is_number(value) and (isinstance(value, int) or value.is_integer())  # type: ignore[attr-defined]


def _is_finite(value: object) -> bool:
    try:
        return is_number(value) and math.isfinite(value)  # type: ignore[arg-type]
    except OverflowError:  # an integer beyond the largest float
        return False


def segment(key: str | int) -> str:
    """A key or index in the path of an error."""
    text = str(key)
    return text if len(text) <= MAX_SEGMENT else text[: MAX_SEGMENT - 1] + "…"


def _schema() -> Json:
    return {
        "type": "object",
        "description": "The graph and how it is executed. Unknown keys are kept.",
        "properties": {
            "graph": {
                "type": ["object", "null"],
                "properties": {
                    "nodes": {"type": ["array", "null"], "maxItems": MAX_NODES, "items": _node_schema()},
                    "edges": {"type": ["array", "null"], "maxItems": MAX_EDGES, "items": _EDGE_SCHEMA},
                },
            },
            "execution": {
                "type": ["object", "null"],
                "properties": {
                    "steps": {"type": ["array", "null"], "items": {"type": "string"}},
                    "params": {"type": ["object", "null"]},
                },
            },
        },
    }


def _node_schema() -> Json:
    return {
        "type": "object",
        "properties": {
            "id": {"type": "string", "minLength": 1, "maxLength": MAX_NODE_ID},
            "type": {"type": "string", "enum": [*CATALOG, *OLD_SLUGS]},
            "position": {
                "type": "object",
                "properties": {"x": {"type": "number"}, "y": {"type": "number"}},
                "required": ["x", "y"],
            },
            "name": {"type": ["string", "null"], "maxLength": MAX_NODE_NAME},
            "config": {"type": ["object", "null"]},
            "config_version": {"type": ["integer", "null"], "minimum": 1},
        },
        "required": ["id", "type", "position"],
    }


_EDGE_KEYS = ("id", "source", "sourcePort", "target", "targetPort")
_EDGE_SCHEMA: Json = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in _EDGE_KEYS},
    "required": list(_EDGE_KEYS),
}
