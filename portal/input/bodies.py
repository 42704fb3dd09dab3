"""JSON bodies: reading them, and the models and types that validate them (contract 1.4, 1.8).

A body is a pydantic model: one definition gives its validation, types and OpenAPI component. Each type of
field has one sentence that says what is allowed, and a refusal says just that.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, Self
from uuid import UUID

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from portal import moments
from portal.errors import BadRequest, FieldError, InvalidQuery, PortalError
from portal.input import sentences
from portal.input.parameters import UUID_PATTERN
from portal.input.text import NOT_BLANK_PATTERN, is_storable

MOMENT_SCHEMA: dict[str, str] = {
    "type": "string",
    "format": "date-time",
    "pattern": f"^(?!0000){moments.PATTERN}$",  # Python's calendar has no year 0
    "description": "RFC 3339 with Z or an offset.",
}
"""A moment in a request, as JSON Schema."""


class BadBody(BadRequest):
    """The body must be a JSON object."""


class NotJson(PortalError):
    """Send the body as application/json."""

    status, code = 415, "UNSUPPORTED_MEDIA_TYPE"


def json_object(raw: bytes, content_type: str) -> dict[str, object]:
    """The JSON object in a body; an empty body is an object without keys. Raises BadBody, NotJson."""
    if not raw:
        return {}
    if content_type and content_type.split(";")[0].strip().lower() != "application/json":
        raise NotJson
    try:
        body = strict_json(raw.decode())
    except (ValueError, RecursionError):
        raise BadBody from None
    if not isinstance(body, dict):
        raise BadBody
    return body


def strict_json(text: str) -> object:
    """What the text says; NaN and Infinity are no JSON. Raises ValueError, or RecursionError if too deep."""
    return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


class Body(BaseModel):
    """The fields of a request's body, or of a form or a command instead; unknown ones are ignored."""

    model_config = ConfigDict(strict=True, frozen=True)

    @classmethod
    def read(cls, body: Mapping[str, object], *errors: FieldError, **context: object) -> Self:
        """The validated body. Raises InvalidQuery with these errors and one for each bad field."""
        try:
            read = cls.model_validate(body, context=context)
        except ValidationError as refusal:
            raise InvalidQuery([*errors, *_field_errors(refusal)]) from None
        if errors:
            raise InvalidQuery(errors)
        return read


def _field_errors(refusal: ValidationError) -> Sequence[FieldError]:
    """One error a field, in the words of the field's type."""
    found = refusal.errors(include_url=False, include_context=False, include_input=False)
    return [
        FieldError(
            ".".join(map(str, error["loc"])),
            sentences.REQUIRED if error["type"] == "missing" else error["msg"],
        )
        for error in found
    ]


class Changes(Body):
    """The body of a PATCH: every field may be absent, and what is absent stays as it is."""

    def named(self) -> dict[str, Any]:
        """The fields that the request names, in the order of the model."""
        return {
            name: getattr(self, name) for name in type(self).model_fields if name in self.model_fields_set
        }


class SomeChanges(Changes):
    """The body of a PATCH that must name at least one of its fields."""

    @classmethod
    def read(cls, body: Mapping[str, object], *errors: FieldError, **context: object) -> Self:
        if not body.keys() & cls.model_fields.keys():
            nothing = FieldError("body", f"must name at least one of {', '.join(cls.model_fields)}.")
            errors = (*errors, nothing)
        return super().read(body, *errors, **context)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(schema) | {"anyOf": [{"required": [name]} for name in cls.model_fields]}


def absent() -> Any:
    """The default of a field of Changes; None as default would allow null."""
    return Field(default_factory=lambda: None)


def refused(allowed: str) -> PydanticCustomError:
    """What a validator raises; `allowed` says what the field takes."""
    return PydanticCustomError("refused", allowed)


class Rule(ABC):
    """A type of a field: a schema of pydantic, and the sentence that refuses whatever does not fit it."""

    @property
    @abstractmethod
    def allowed(self) -> str:
        """What the field takes, as the end of a sentence."""

    @abstractmethod
    def schema(self) -> CoreSchema:
        """What pydantic checks."""

    def __get_pydantic_core_schema__(self, _source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        def validate(value: object, validate_inner: Callable[[object], object]) -> object:
            try:
                return validate_inner(value)
            except ValidationError:
                raise refused(self.allowed) from None

        return core_schema.no_info_wrap_validator_function(validate, self.schema())


@dataclass(frozen=True)
class Text(Rule):
    """Text of this many characters (code points) without the white space around it."""

    least: int
    most: int

    @property
    def allowed(self) -> str:
        return f"must be text of {self.least} to {self.most} characters, without NUL or broken characters."

    def schema(self) -> CoreSchema:
        pattern = NOT_BLANK_PATTERN if self.least else None
        text = core_schema.str_schema(
            min_length=self.least, max_length=self.most, pattern=pattern, strict=True
        )
        return core_schema.no_info_before_validator_function(self._stripped, text)

    def _stripped(self, value: object) -> object:
        if isinstance(value, str) and not is_storable(value):
            raise refused(self.allowed)
        return value.strip() if isinstance(value, str) else value


@dataclass(frozen=True)
class Whole(Rule):
    """A whole number in this range; JSON knows 4.0 as one, and true as none."""

    least: int
    most: int

    @property
    def allowed(self) -> str:
        return sentences.whole_number(self.least, self.most)

    def schema(self) -> CoreSchema:
        number = core_schema.int_schema(ge=self.least, le=self.most, strict=True)
        return core_schema.no_info_before_validator_function(_as_integer, number)


def _as_integer(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


@dataclass(frozen=True)
class Fraction(Rule):
    """A number from 0 to 1."""

    allowed = "must be a number from 0 to 1."

    def schema(self) -> CoreSchema:
        return core_schema.float_schema(ge=0, le=1, strict=True)


@dataclass(frozen=True)
class Boolean(Rule):
    """true or false, and nothing that Python takes for one of them."""

    allowed = "must be true or false."

    def schema(self) -> CoreSchema:
        return core_schema.bool_schema(strict=True)


@dataclass(frozen=True)
class Id(Rule):
    """A UUID with hyphens, in any case."""

    allowed = "must be a UUID."

    def schema(self) -> CoreSchema:
        text = core_schema.str_schema(pattern=f"^{UUID_PATTERN}$", strict=True)
        return core_schema.no_info_after_validator_function(UUID, text)

    def __get_pydantic_json_schema__(self, *_: object) -> JsonSchemaValue:
        return {"type": "string", "format": "uuid", "pattern": f"^{UUID_PATTERN}$"}


@dataclass(frozen=True)
class OneOf(Rule):
    """Exactly one of these words, case-sensitive."""

    words: Sequence[str]

    @property
    def allowed(self) -> str:
        return sentences.one_of(self.words)

    def schema(self) -> CoreSchema:
        return core_schema.literal_schema(list(self.words))


@dataclass(frozen=True)
class SomeOf(Rule):
    """A list of one or more of these words; read as a sorted tuple without duplicates."""

    words: Sequence[str]

    @property
    def allowed(self) -> str:
        return f"must be a list of one or more of {', '.join(self.words)}."

    def schema(self) -> CoreSchema:
        word = core_schema.literal_schema(list(self.words))
        some = core_schema.list_schema(word, min_length=1, strict=False)
        return core_schema.no_info_after_validator_function(lambda found: tuple(sorted(set(found))), some)


@dataclass(frozen=True)
class Matching(Rule):
    """Text that matches this pattern from its first to its last character."""

    pattern: str
    most: int
    sentence: str

    @property
    def allowed(self) -> str:
        return self.sentence

    def schema(self) -> CoreSchema:
        whole = f"^{self.pattern}$"
        return core_schema.str_schema(min_length=1, max_length=self.most, pattern=whole, strict=True)
