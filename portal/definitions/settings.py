"""The settings of a node and their names, the schemas of the catalog, and what these refuse."""

from collections.abc import Iterator, Mapping

from portal.definitions.catalog import NodeType, Schema
from portal.definitions.shape import Path, is_number, is_whole, segment
from portal.input import sentences
from portal.web.formats import humanize, sentence

Refusal = tuple[Path, str]
"""Where in `config` something is wrong, and what is allowed there."""


def setting_name(key: str) -> str:
    """The key of a setting, or a word it may be set to, for people: `max_retries` is Max retries."""
    return sentence(humanize(key))


def refusals(node_type: NodeType, config: Mapping[str, object]) -> Iterator[Refusal]:
    """What is wrong with the known keys of a `config`. Null counts as absent, for a text "" does too."""
    for key, schema in node_type.settings.items():
        value = config.get(key)
        if value is not None and not (value == "" and schema["type"] == "string"):
            yield from _refusals(value, schema, (key,))


def schema_faults(schema: object, path: Path = ()) -> Iterator[Refusal]:
    """What `refusals` does not understand in a schema from elsewhere, and a default that it refuses."""
    kind = schema.get("type") if isinstance(schema, Mapping) else None
    if not isinstance(schema, Mapping) or not isinstance(kind, str) or kind not in _WORDS:
        yield path, f"must be a schema with a type: {', '.join(_WORDS)}."
        return
    allowed = {"type", "description", "default", "format", *_WORDS[kind]}
    faults = [
        (path, f"must not have {key!r}, which means nothing here.") for key in schema if key not in allowed
    ]
    faults += _broken_words(schema, path)
    for key, inner, place in _inner_schemas(schema):
        faults += schema_faults(inner, (*path, key, *place))
    yield from faults
    if not faults and schema.get("default") is not None:
        yield from _refusals(schema["default"], schema, (*path, "default"))


_WORDS: Mapping[str, tuple[str, ...]] = {
    "string": ("enum",),
    "boolean": (),
    "integer": ("minimum", "maximum"),
    "number": ("minimum", "maximum"),
    "array": ("items",),
    "object": ("properties", "required", "additionalProperties"),
}
"""What a schema may say beside its type, default and description."""


FORMATS: Mapping[str, tuple[str, ...]] = {
    "string": ("multiline", "locale", "language"),
    "array": ("locales", "uploads"),
    "object": ("voices",),
}
"""What more a schema may say for the form of the editor: how people choose such a value."""


def _broken_words(schema: Schema, path: Path) -> Iterator[Refusal]:
    if not isinstance(schema.get("description", ""), str):
        yield (*path, "description"), "must be text."
    formats = FORMATS.get(schema["type"], ())
    if "format" in schema and schema["format"] not in formats:
        yield (*path, "format"), sentences.one_of(formats) if formats else "means nothing here."
    for key in ("enum", "required"):
        if key in schema and not _are_texts(schema[key]):
            yield (*path, key), "must be a list of texts."
    limits = [schema[key] for key in ("minimum", "maximum") if key in schema]
    if limits and not (len(limits) == 2 and all(map(is_number, limits)) and limits[0] <= limits[1]):
        yield path, "must have both minimum and maximum, numbers in that order, or neither."
    if not isinstance(schema.get("properties", {}), Mapping):
        yield (*path, "properties"), "must be an object."
    if schema["type"] == "array" and "items" not in schema:
        yield (*path, "items"), sentences.REQUIRED


def _are_texts(value: object) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(each, str) for each in value)


def _inner_schemas(schema: Schema) -> Iterator[tuple[str, object, Path]]:
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield key, schema[key], ()
    members = schema.get("properties")
    if isinstance(members, Mapping):
        yield from (("properties", inner, (str(name),)) for name, inner in members.items())


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
