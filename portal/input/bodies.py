"""Reading JSON bodies: what a body must be, and readers of the values in it (contract 1.8).

The readers go with `parameters.Reader`, so that a request's path, query and body are complained of together.
"""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NoReturn, TypeVar

from portal.errors import BadRequest, PortalError
from portal.input import parameters
from portal.input.parameters import Refused

Value = TypeVar("Value")


class BadBody(BadRequest):
    """The body must be a JSON object."""


class NotJson(PortalError):
    """Send the body as application/json."""

    status, code = 415, "UNSUPPORTED_MEDIA_TYPE"


def json_object(raw: bytes, content_type: str) -> dict[str, Any]:
    """The JSON object that a body holds; an empty body holds none of its keys. Raises BadBody, NotJson."""
    if not raw:
        return {}
    if content_type and content_type.split(";")[0].strip().lower() != "application/json":
        raise NotJson
    try:
        body = json.loads(raw.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise BadBody from None
    if not isinstance(body, dict):
        raise BadBody
    return body


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def text(least: int, most: int) -> Callable[[Any], str]:
    """A reader of text without blanks around it, with this many characters (code points)."""
    allowed = f"must be text of {least} to {most} characters, without NUL or broken characters."

    def parse(value: Any) -> str:
        if not isinstance(value, str) or "\0" in value or _is_broken(value):
            raise Refused(allowed)
        stripped = value.strip()
        if not least <= len(stripped) <= most:
            raise Refused(allowed)
        return stripped

    return parse


def _is_broken(value: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in value)


def whole(least: int, most: int) -> Callable[[Any], int]:
    """A reader of a whole number in this range; JSON knows 4.0 as one, and true as none."""

    def parse(value: Any) -> int:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not least <= value <= most or value != int(value):
            raise Refused(f"must be a whole number from {least} to {most}.")
        return int(value)

    return parse


def fraction(value: Any) -> float:
    """A number from 0 to 1."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise Refused("must be a number from 0 to 1.")
    return float(value)


def boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Refused("must be true or false.")
    return value


def moment(value: Any) -> datetime | None:
    return parameters.optional_moment(value if isinstance(value, str) else "")


def one_of(words: Sequence[str]) -> Callable[[Any], str]:
    """A reader of exactly one of these words."""
    read = parameters.one_of(words)
    return lambda value: read(value if isinstance(value, str) else "")


def some_of(words: Sequence[str]) -> Callable[[Any], tuple[str, ...]]:
    """A reader of a list of one or more of these words; sorted, each once."""

    def parse(value: Any) -> tuple[str, ...]:
        if not isinstance(value, list | tuple) or not value or any(word not in words for word in value):
            raise Refused(f"must be a list of one or more of {', '.join(words)}.")
        return tuple(sorted(set(value)))

    return parse


def optional(read: Callable[[Any], Value]) -> Callable[[Any], Value | None]:
    """The same reader, which takes null for nothing."""
    return lambda value: None if value is None else read(value)
