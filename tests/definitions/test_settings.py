"""Schemas of settings: what a package may say in them."""

import pytest

from portal.definitions.catalog import OURS
from portal.definitions.settings import schema_faults


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "description": "Any text.", "default": "x"},
        {"type": "string", "enum": ("a", "b"), "default": "b"},
        {"type": "boolean", "default": None},
        {"type": "integer", "minimum": 1, "maximum": 1},
        {"type": "number", "minimum": -0.5, "maximum": 7},
        {"type": "array", "items": {"type": "array", "items": {"type": "string"}}},
        {"type": "object"},
        {
            "type": "object",
            "properties": {"a": {"type": "integer"}},
            "required": ["a"],
            "additionalProperties": {"type": "string"},
            "default": {"a": 1, "b": "x"},
        },
    ],
)
def test_a_schema_of_known_words_is_understood(schema: object) -> None:
    assert list(schema_faults(schema)) == []


@pytest.mark.parametrize(
    ("schema", "where"),
    [
        (5, ()),
        ({}, ()),
        ({"type": "null"}, ()),
        ({"type": ["string", "null"]}, ()),
        ({"type": "string", "pattern": "x"}, ()),
        ({"type": "boolean", "enum": ["a"]}, ()),
        ({"type": "string", "description": 5}, ("description",)),
        ({"type": "string", "enum": []}, ("enum",)),
        ({"type": "string", "enum": "ab"}, ("enum",)),
        ({"type": "string", "enum": ["a", 1]}, ("enum",)),
        ({"type": "string", "enum": ["a"], "default": "b"}, ("default",)),
        ({"type": "integer", "minimum": 1}, ()),
        ({"type": "integer", "minimum": 2, "maximum": 1}, ()),
        ({"type": "integer", "minimum": "1", "maximum": "2"}, ()),
        ({"type": "integer", "minimum": 1, "maximum": 2, "default": 3}, ("default",)),
        ({"type": "boolean", "default": "yes"}, ("default",)),
        ({"type": "array"}, ("items",)),
        ({"type": "array", "items": {"type": "string", "format": "uri"}}, ("items", "format")),
        ({"type": "boolean", "format": "locale"}, ("format",)),
        ({"type": "array", "items": {"type": "string", "maxLength": 5}}, ("items",)),
        ({"type": "array", "items": {"type": "string"}, "default": [1]}, ("default", 0)),
        ({"type": "object", "properties": []}, ("properties",)),
        ({"type": "object", "properties": {"a": {}}}, ("properties", "a")),
        ({"type": "object", "additionalProperties": False}, ("additionalProperties",)),
        ({"type": "object", "required": "a"}, ("required",)),
        ({"type": "object", "required": ["a"], "default": {}}, ("default", "a")),
    ],
)
def test_what_is_not_understood_is_named_with_its_place(schema: object, where: tuple[object, ...]) -> None:
    assert [path for path, _ in schema_faults(schema)] == [where]


def test_our_own_settings_use_one_word_more() -> None:
    """The length of a script is checked as a part of the shape of a definition."""
    faults = {
        (slug, key): said
        for slug, node_type in OURS.items()
        for key, schema in node_type.settings.items()
        for _, said in schema_faults(schema)
    }
    assert faults == {("source_script", "text"): "must not have 'maxLength', which means nothing here."}
