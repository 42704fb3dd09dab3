"""Checking the settings of a node against the schemas of the catalog."""

from collections.abc import Iterator, Mapping

from portal.definitions.catalog import NodeType, Schema
from portal.definitions.shape import Path, is_number, is_whole, segment
from portal.input import sentences

Refusal = tuple[Path, str]
"""Where in `config` something is wrong, and what is allowed there."""


def refusals(node_type: NodeType, config: Mapping[str, object]) -> Iterator[Refusal]:
    """What is wrong with the known keys of a `config`. Null counts as absent, for a text "" does too."""
    for key, schema in node_type.settings.items():
        value = config.get(key)
        if value is not None and not (value == "" and schema["type"] == "string"):
            yield from _refusals(value, schema, (key,))


def _refusals(value: object, schema: Schema, path: Path) -> Iterator[Refusal]:
    match schema["type"]:
        case "string":
            fits = isinstance(value, str) and value in schema.get("enum", (value,))
        case "boolean":
            fits = isinstance(value, bool)
        case "integer":
            fits = is_whole(value) and _in_range(value, schema)
        case "number":
            fits = is_number(value) and _in_range(value, schema)
        case "array":
            fits = isinstance(value, list)
        case _:
            fits = isinstance(value, dict)
    if not fits:
        yield path, _allowed(schema)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _refusals(item, schema["items"], (*path, number))
    elif isinstance(value, dict):
        yield from _members(value, schema, path)


def _members(value: Mapping[str, object], schema: Schema, path: Path) -> Iterator[Refusal]:
    """Members of an object: null is absent."""
    for key in schema.get("required", ()):
        if value.get(key) is None:
            yield (*path, key), "is required."
    members = schema.get("properties", {})
    for key, member in value.items():
        inner = members.get(key, schema.get("additionalProperties"))
        if inner is not None and member is not None:
            yield from _refusals(member, inner, (*path, segment(key)))


def _in_range(value: object, schema: Schema) -> bool:
    return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))


def _allowed(schema: Schema) -> str:
    """What the schema takes, as the end of a sentence."""
    if "enum" in schema:
        return sentences.one_of(schema["enum"])
    words = {
        "string": "text",
        "boolean": "true or false",
        "integer": "a whole number",
        "number": "a number",
        "array": "a list",
        "object": "an object",
    }
    limits = f" from {schema['minimum']} to {schema['maximum']}" if "minimum" in schema else ""
    return f"must be {words[schema['type']]}{limits}."
