"""JSON Schema 2020-12 in a few words: for parameters, and for what the components have in common."""

from typing import Any

from portal.input.bodies import MOMENT_SCHEMA
from portal.input.parameters import UUID_PATTERN
from portal.input.text import NOT_BLANK_PATTERN

Schema = dict[str, Any]
"""JSON, whose values have no narrower type."""

STRING: Schema = {"type": "string"}
UUID: Schema = {"type": "string", "format": "uuid", "pattern": f"^{UUID_PATTERN}$"}
MOMENT: Schema = {"type": "string", "format": "date-time", "description": "RFC 3339 in UTC, with Z."}
"""A moment in an answer."""
MOMENT_PARAMETER: Schema = MOMENT_SCHEMA
"""A moment in a request."""


def text(least: int, most: int, description: str = "") -> Schema:
    """Text whose length counts without the white space around it."""
    schema: Schema = {"type": "string", "minLength": least, "maxLength": most}
    if least:
        schema["pattern"] = NOT_BLANK_PATTERN
    return described(schema, description)


def words(*allowed: str) -> Schema:
    return {"type": "string", "enum": list(allowed)}


def list_of(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


def described(schema: Schema, description: str) -> Schema:
    return {**schema, "description": description} if description else schema


def optional(schema: Schema) -> Schema:
    """The same, or null."""
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    nullable = {**schema, "type": [schema["type"], "null"]}
    return {**nullable, "enum": [*schema["enum"], None]} if "enum" in schema else nullable


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
