"""Readers of the fields of history: each takes a JSON value and gives it checked, or says what is allowed."""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar
from uuid import UUID

from portal import moments
from portal.database.models import PauseReason, RunStatus
from portal.input import parameters
from portal.input.bounds import MAX_NUMBER

ZERO_TIME = f"(?=0001-|0000-12-31){moments.PATTERN}"
"""What Go and .NET write for "not yet": the first moment of the year 1, perhaps at another offset."""

Value = TypeVar("Value")
Item = TypeVar("Item")
Read = TypeVar("Read", bound=Callable[[Any], Any])

_STATUSES = {str(status): str(status) for status in RunStatus}
_REASONS = {str(reason): str(reason) for reason in PauseReason}
_ABSENT = object()
_ZERO_TIME, _AFTER_ZERO_TIMES = re.compile(ZERO_TIME), "0002"
_SCHEMAS: dict[Callable[[Any], Any], dict[str, Any]] = {}


def schema_of(read: Callable[[Any], Any]) -> dict[str, Any]:
    """What a reader takes, in words of JSON Schema."""
    return dict(_SCHEMAS[read])


def _takes(**schema: Any) -> Callable[[Read], Read]:
    """Say of a reader what it takes."""

    def note(read: Read) -> Read:
        _SCHEMAS[read] = schema
        return read

    return note


class BadField(ValueError):
    """A line that cannot go in: the field (empty for the whole line) and the reason."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field

    def __reduce__(self) -> tuple[type["BadField"], tuple[str, str]]:
        return BadField, (self.field, str(self))

    def bare(self) -> "BadField":
        """The same without its tracebacks, which hold all that was on the stack: a batch and its plan."""
        return BadField(self.field, str(self))


def within(place: str, error: ValueError) -> BadField:
    """The complaint about a value as one about what holds it there."""
    inner = f".{error.field}" if isinstance(error, BadField) and error.field else ""
    return BadField(f"{place}{inner}", str(error))


class Fields:
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
            raise within(name, error) from None

    def take_all(self, readers: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
        """All these fields, None for the absent ones. Raises BadField."""
        found: dict[str, Any] = dict.fromkeys(readers)
        rest, name = {}, ""
        try:
            for name, value in self.rest.items():
                read = readers.get(name)
                if read is None:
                    rest[name] = value
                else:
                    found[name] = read(value)
        except ValueError as error:
            raise within(name, error) from None
        self.rest = rest
        return found

    def need(self, name: str, read: Callable[[Any], Value]) -> Value:
        value = self.take(name, read)
        if value is None:
            raise BadField(name, "is missing.")
        return value


@_takes(type="string")
def text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be text.")
    return value


def text_of(least: int, most: int) -> Callable[[Any], str]:
    @_takes(type="string", minLength=least, maxLength=most)
    def read(value: object) -> str:
        if not isinstance(value, str) or not least <= len(value) <= most:
            raise ValueError(f"must be text of {least} to {most} characters.")
        return value

    return read


def whole(least: int) -> Callable[[Any], int]:
    @_takes(type="integer", minimum=least, maximum=MAX_NUMBER)
    def read(value: object) -> int:
        if type(value) is not int or not least <= value <= MAX_NUMBER:
            raise ValueError(f"must be a whole number from {least} to {MAX_NUMBER}.")
        return value

    return read


@_takes(type="string", format="date-time", pattern=f"^{moments.PATTERN}$")
def moment(value: object) -> datetime | None:
    """A moment; None for a zero time, which is none."""
    said = text(value)
    if said < _AFTER_ZERO_TIMES and _ZERO_TIME.fullmatch(said):
        return None
    try:
        return moments.parse_moment(said)
    except ValueError:
        raise ValueError(
            "must be a date and time with Z or an offset, such as 2026-01-31T14:00:00Z; not a leap second."
        ) from None


@_takes(type="string", format="uuid", pattern=f"^{parameters.UUID_PATTERN}$")
def uuid(value: object) -> UUID:
    return parameters.uuid(text(value))


@lru_cache(maxsize=1000)  # the runs of one workflow follow each other
def _known_uuid(text: str) -> UUID:
    return parameters.uuid(text)


@_takes(**schema_of(uuid))
def workflow_id(value: object) -> UUID:
    return _known_uuid(text(value))


def word(words: Mapping[str, str]) -> Callable[[Any], str]:
    @_takes(enum=list(words))
    def read(value: object) -> str:
        if not isinstance(value, str) or value not in words:
            raise ValueError(f"must be one of {', '.join(words)}.")
        return words[value]

    return read


@_takes(type="object")
def object_(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("must be an object.")
    return value


def items(read: Callable[[Any], Item]) -> Callable[[Any], list[Item]]:
    """A reader of a list of such values."""

    @_takes(type="array", items=schema_of(read))
    def parse(value: object) -> list[Item]:
        if not isinstance(value, list):
            raise ValueError("must be a list.")
        try:
            return [read(item) for item in value]
        except BadField:
            for position, item in enumerate(value):
                try:
                    read(item)
                except BadField as error:
                    raise within(str(position), error) from None
            raise

    return parse


def record_schema(fields: Mapping[str, dict[str, Any]], needed: Collection[str] = ()) -> dict[str, Any]:
    """An object: fields that are not needed may be null, which means the same as leaving them out."""
    properties = {name: each if name in needed else _or_null(each) for name, each in fields.items()}
    return {"type": "object", "properties": properties} | ({"required": list(needed)} if needed else {})


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    if "enum" in schema:
        return schema | {"enum": [*schema["enum"], None]}
    if "type" in schema:
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        return schema | {"type": [*kinds, "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def object_of(
    fields: Mapping[str, Callable[[Any], Any]], needed: Collection[str]
) -> Callable[[Any], dict[str, Any]]:
    """A reader of an object that is kept as it is, whatever else it says, if it says this."""

    @_takes(**record_schema({name: schema_of(read) for name, read in fields.items()}, needed))
    def read(value: object) -> dict[str, Any]:
        known = Fields(object_(value))
        for name, read_field in fields.items():
            known.need(name, read_field) if name in needed else known.take(name, read_field)
        return object_(value)

    return read


@_takes(type="boolean")
def boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false.")
    return value


@_takes(type="number", minimum=-MAX_NUMBER, maximum=MAX_NUMBER)
def fraction(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > MAX_NUMBER:
        raise ValueError(f"must be a number from -{MAX_NUMBER} to {MAX_NUMBER}.")
    return float(value)


_locale = text_of(1, 35)


@_takes(**schema_of(_locale))
def locale(value: object) -> str:
    """A language; `en_US` is `en-US`."""
    return _locale(value).replace("_", "-")


@_takes(type="string", pattern="^[0-9a-f]{64}$")
def sha256(value: object) -> str:
    found = text(value)
    if len(found) != 64 or any(digit not in "0123456789abcdef" for digit in found):
        raise ValueError("must be 64 lower-case hex digits.")
    return found


count, number = whole(0), whole(1)
status, pause_reason = word(_STATUSES), word(_REASONS)
node = text_of(1, 1000)
texts = items(text)
