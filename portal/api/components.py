"""OpenAPI components: generated from the models of bodies and the typed dictionaries of answers.

A dictionary type `RunJson` is the component `Run`. What it contains becomes a component of its own.
"""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from portal.api import schemas
from portal.api.schemas import Schema

Model = type[Any]
"""A pydantic model or a typed dictionary; Python has no type for both."""

_SUFFIX = "Json"


def component_name(model: Model) -> str:
    """The name under which a model is described."""
    if issubclass(model, BaseModel):
        return model.model_config.get("title") or model.__name__
    return model.__name__.removesuffix(_SUFFIX)


def components(models: Iterable[Model]) -> dict[str, Schema]:
    """The components of these models and of all that they contain, by name."""
    found: dict[str, Schema] = {}
    for model in models:
        schema = TypeAdapter(model).json_schema(
            ref_template="#/components/schemas/{model}", schema_generator=_Generator, mode="validation"
        )
        for name, each in {**schema.pop("$defs", {}), component_name(model): schema}.items():
            assert found.setdefault(name, each) == each, name  # noqa: S101  (two models of one name)
    return found


class _Generator(GenerateJsonSchema):
    """pydantic's JSON Schema in the portal's words: exact formats, no titles, `[type, null]` for nullable."""

    def normalize_name(self, name: str) -> str:
        return super().normalize_name(name).removesuffix(_SUFFIX)

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def typed_dict_schema(self, schema: core_schema.TypedDictSchema) -> JsonSchemaValue:
        return _untitled(super().typed_dict_schema(schema))

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        return _untitled(super().model_schema(schema))

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Without `default: null`: what absence means is in the description."""
        described = super().default_schema(schema)
        return {name: value for name, value in described.items() if (name, value) != ("default", None)}

    def uuid_schema(self, schema: core_schema.UuidSchema) -> JsonSchemaValue:
        return dict(schemas.UUID)

    def datetime_schema(self, schema: core_schema.DatetimeSchema) -> JsonSchemaValue:
        return dict(schemas.MOMENT)

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """An object with any members is said without `additionalProperties: true`, the default."""
        described = super().dict_schema(schema)
        if described.get("additionalProperties") is True:
            del described["additionalProperties"]
        return described

    def literal_schema(self, schema: core_schema.LiteralSchema) -> JsonSchemaValue:
        """Words as an enumeration, a single one too: later releases may add others."""
        words = schema["expected"]
        return schemas.words(*words) if isinstance(words[0], str) else super().literal_schema(schema)

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        inner = self.generate_inner(schema["schema"])
        return (
            schemas.optional(inner) if "$ref" in inner or "type" in inner else super().nullable_schema(schema)
        )


def _untitled(schema: JsonSchemaValue) -> JsonSchemaValue:
    return {name: value for name, value in schema.items() if name != "title"}
