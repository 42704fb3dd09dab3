"""Readers of fields: each checks a JSON value and converts it, or raises ValueError with what is allowed."""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar
from uuid import UUID

from portal import moments
from portal.database.models import PauseReason, RunStatus
from portal.input import parameters, sentences
from portal.input.bounds import MAX_NUMBER

ZERO_TIME = f"(?=0001-|0000-12-31){moments.PATTERN}"
"""What Go and .NET write for "not set": the first moment of the year 1, at any offset."""

Reader = Callable[[object], object]
"""Checks and converts a JSON value, which may be anything. Raises ValueError."""
Values = dict[str, Any]
"""Values by name: of a JSON object, or of columns."""

Value = TypeVar("Value")
Item = TypeVar("Item")
Read = TypeVar("Read", bound=Reader)

NONE: Mapping[str, Reader] = {}

_STATUSES = {str(status): str(status) for status in RunStatus}
_REASONS = {str(reason): str(reason) for reason in PauseReason}
_ABSENT = object()
_ZERO_TIME, _AFTER_ZERO_TIMES = re.compile(ZERO_TIME), "0002"
_SCHEMAS: dict[Reader, Values] = {}


def schema_of(read: Reader) -> Values:
    """The JSON Schema of the values that a reader accepts."""
    return dict(_SCHEMAS[read])


def accepts(**schema: Any) -> Callable[[Read], Read]:
    """Register the JSON Schema of a reader."""

    def note(read: Read) -> Read:
        _SCHEMAS[read] = schema
        return read

    return note


class BadField(ValueError):
    """A line that cannot be imported: the field (empty for the whole line) and the reason."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field

    def __reduce__(self) -> tuple[type["BadField"], tuple[str, str]]:
        return BadField, (self.field, str(self))

    def bare(self) -> "BadField":
        """A copy without traceback, whose frames keep a whole batch and its plan alive."""
        return BadField(self.field, str(self))


def within(path: str, error: ValueError) -> BadField:
    """The error of an inner value as an error of its container."""
    inner = f".{error.field}" if isinstance(error, BadField) and error.field else ""
    return BadField(f"{path}{inner}", str(error))


class Fields:
    """Takes known fields out of an object; `rest` has those without a column."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.rest = {key: value for key, value in values.items() if value is not None}

    def take(self, name: str, read: Callable[[object], Value]) -> Value | None:
        """The value of a field, None if it is absent or null. Raises BadField."""
        value = self.rest.pop(name, _ABSENT)
        if value is _ABSENT:
            return None
        try:
            return read(value)
        except ValueError as error:
            raise within(name, error) from None

    def take_all(self, readers: Mapping[str, Reader], checked: Mapping[str, Reader] = NONE) -> Values:
        """The values of all these fields, None for absent ones. Raises BadField.

        Those in `checked` are read too, and stay in `rest`.
        """
        found: Values = dict.fromkeys(readers)
        rest, name = {}, ""
        try:
            for name, value in self.rest.items():
                read = readers.get(name)
                if read is not None:
                    found[name] = read(value)
                elif (check := checked.get(name)) is None:
                    rest[name] = value
                elif (kept := check(value)) is not None:
                    rest[name] = kept
        except ValueError as error:
            raise within(name, error) from None
        self.rest = rest
        return found

    def need(self, name: str, read: Callable[[object], Value]) -> Value:
        value = self.take(name, read)
        if value is None:
            raise BadField(name, "is missing.")
        return value


@accepts(type="string")
def text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be text.")
    return value


def text_of(least: int, most: int) -> Callable[[object], str]:
    @accepts(type="string", minLength=least, maxLength=most)
    def read(value: object) -> str:
        if not isinstance(value, str) or not least <= len(value) <= most:
            raise ValueError(f"must be text of {least} to {most} characters.")
        return value

    return read


def whole(least: int) -> Callable[[object], int]:
    @accepts(type="integer", minimum=least, maximum=MAX_NUMBER)
    def read(value: object) -> int:
        if type(value) is not int or not least <= value <= MAX_NUMBER:
            raise ValueError(sentences.whole_number(least, MAX_NUMBER))
        return value

    return read


@accepts(type="string", format="date-time", pattern=f"^{moments.PATTERN}$")
def moment(value: object) -> datetime | None:
    """A moment; None for a zero time."""
    said = text(value)
    if said < _AFTER_ZERO_TIMES and _ZERO_TIME.fullmatch(said):
        return None
    try:
        return moments.parse_moment(said)
    except ValueError:
        raise ValueError(
            "must be a date and time with Z or an offset, such as 2026-01-31T14:00:00Z; not a leap second."
        ) from None


@accepts(type="string", format="uuid", pattern=f"^{parameters.UUID_PATTERN}$")
def uuid(value: object) -> UUID:
    return parameters.uuid(text(value))


@lru_cache(maxsize=1000)  # the runs of one workflow follow each other
def _known_uuid(text: str) -> UUID:
    return parameters.uuid(text)


@accepts(**schema_of(uuid))
def workflow_id(value: object) -> UUID:
    return _known_uuid(text(value))


def word(words: Mapping[str, str]) -> Callable[[object], str]:
    @accepts(enum=list(words))
    def read(value: object) -> str:
        if not isinstance(value, str) or value not in words:
            raise ValueError(sentences.one_of(words))
        return words[value]

    return read


@accepts(type="object")
def object_(value: object) -> Values:
    if not isinstance(value, dict):
        raise ValueError("must be an object.")
    return value


def items(read: Callable[[object], Item]) -> Callable[[object], list[Item]]:
    """A reader of a list of values that this reader accepts."""

    @accepts(type="array", items=schema_of(read))
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


def record_schema(fields: Mapping[str, Values], needed: Collection[str] = ()) -> Values:
    """The schema of an object: fields that are not needed may be null, which means the same as absent."""
    properties = {name: each if name in needed else _or_null(each) for name, each in fields.items()}
    return {"type": "object", "properties": properties} | ({"required": list(needed)} if needed else {})


def _or_null(schema: Values) -> Values:
    if "enum" in schema:
        return schema | {"enum": [*schema["enum"], None]}
    if "type" in schema:
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        return schema | {"type": [*kinds, "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def object_of(fields: Mapping[str, Reader], needed: Collection[str]) -> Callable[[object], Values]:
    """A reader of an object that is stored as it is if these fields are right, whatever else it has."""

    @accepts(**record_schema({name: schema_of(read) for name, read in fields.items()}, needed))
    def read(value: object) -> Values:
        known = Fields(object_(value))
        for name, read_field in fields.items():
            known.need(name, read_field) if name in needed else known.take(name, read_field)
        return object_(value)

    return read


@accepts(type="boolean")
def boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false.")
    return value


@accepts(type="number", minimum=-MAX_NUMBER, maximum=MAX_NUMBER)
def fraction(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > MAX_NUMBER:
        raise ValueError(f"must be a number from -{MAX_NUMBER} to {MAX_NUMBER}.")
    return float(value)


_locale = text_of(1, 35)


@accepts(**schema_of(_locale))
def locale(value: object) -> str:
    """A locale; `en_US` becomes `en-US`."""
    return _locale(value).replace("_", "-")


@accepts(type="string", pattern="^[0-9a-f]{64}$")
def sha256(value: object) -> str:
    found = text(value)
    if len(found) != 64 or any(digit not in "0123456789abcdef" for digit in found):
        raise ValueError("must be 64 lower-case hex digits.")
    return found


count, number = whole(0), whole(1)
status, pause_reason = word(_STATUSES), word(_REASONS)
node = text_of(1, 1000)
texts = items(text)
