"""Reading request parameters: each reader takes text and gives a value or says what is allowed.

`Reader` collects every complaint of a request, so that all are reported at once (contract 1.4).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote
from uuid import UUID

from werkzeug.datastructures import MultiDict

from portal.errors import FieldError, InvalidQuery
from portal.input.bounds import MAX_WORKFLOW_NAME
from portal.moments import parse_moment
from portal.paging import DEFAULT_LIMIT, MAX_LIMIT, Slice

MAX_SEARCH = 100
"""Characters (code points) of a search (contract 1.8)."""

MAX_TEXT = 1000
"""Characters of an id that a source may have given, such as a node's."""

MAX_LINKED, MAX_LINKED_BYTES = 200, 300
"""Characters, and bytes in an address, of a type of node or a language that links of a page carry."""

UUID_PATTERN = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_UUID = re.compile(UUID_PATTERN)
_DIGITS = re.compile(r"[0-9]+")
_MAX_DIGITS = 4000  # Python itself refuses to convert more than 4300

Value = TypeVar("Value")


class Refused(ValueError):
    """A parameter's value is not allowed; the text says what is."""


class Reader:
    """Reads named values from a mapping and remembers what was wrong with them."""

    def __init__(self, args: Mapping[str, Any]) -> None:
        self._args = args
        self.errors: list[FieldError] = []

    def read(self, name: str, parse: Callable[[Any], Value], default: Value) -> Value:
        """The parsed value of `name`; `default` where it is absent or, with a complaint noted, bad."""
        if name not in self._args:
            return default
        try:
            return parse(self._args[name])
        except Refused as refusal:
            self.refuse(name, str(refusal))
            return default

    def require(self, name: str, parse: Callable[[Any], Value], default: Value) -> Value:
        """Like `read`, and it is a complaint where `name` is absent."""
        if name not in self._args:
            self.refuse(name, "is required.")
        return self.read(name, parse, default)

    def changes(self, readers: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
        """The parsed values of those names that are there: what a PATCH changes."""
        return {name: self.read(name, parse, None) for name, parse in readers.items() if name in self._args}

    def uuid(self, name: str) -> UUID:
        return self.read(name, uuid, UUID(int=0))

    def refuse(self, name: str, message: str) -> None:
        self.errors.append(FieldError(name, message))

    def slice(self) -> Slice:
        return Slice(self.read("offset", offset, 0), self.read("limit", limit, DEFAULT_LIMIT))

    def window(self, earliest: str, latest: str) -> tuple[datetime | None, datetime | None]:
        """Two moments, both inclusive; the first may not be after the second."""
        begin, end = self.read(earliest, optional_moment, None), self.read(latest, optional_moment, None)
        if begin is not None and end is not None and begin > end:
            self.refuse(earliest, f"must not be after {latest}.")
        return begin, end

    def finish(self) -> None:
        """Raise InvalidQuery with every complaint, if there is any."""
        if self.errors:
            raise InvalidQuery(self.errors)


def whole_number(text: str, least: int, most: int | None, allowed: str) -> int:
    """ASCII digits only; what `int` takes beyond them is refused (contract 1.7)."""
    if not _DIGITS.fullmatch(text) or len(text) > _MAX_DIGITS:
        raise Refused(allowed)
    number = int(text)
    if number < least or (most is not None and number > most):
        raise Refused(allowed)
    return number


def offset(text: str) -> int:
    return whole_number(text, 0, None, "must be a whole number, 0 or more.")


def limit(text: str) -> int:
    return whole_number(text, 1, MAX_LIMIT, f"must be a whole number from 1 to {MAX_LIMIT}.")


def uuid(text: str) -> UUID:
    if not _UUID.fullmatch(text):
        raise Refused("must be a UUID such as 123e4567-e89b-12d3-a456-426614174000.")
    return UUID(text)


def one_of(words: Sequence[str]) -> Callable[[str], str]:
    """A reader of exactly one of these words, case-sensitive."""

    def parse(text: str) -> str:
        if text not in words:
            raise Refused(f"must be one of {', '.join(words)}.")
        return text

    return parse


def search(text: str) -> str:
    if len(text) > MAX_SEARCH:
        raise Refused(f"must be at most {MAX_SEARCH} characters.")
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise Refused("must be text without NUL or broken characters.")
    return text


def workflow_name(value: str) -> str:
    """A name for a workflow, trimmed."""
    name = text(value).strip()
    if not 1 <= len(name) <= MAX_WORKFLOW_NAME:
        raise Refused(f"must be 1 to {MAX_WORKFLOW_NAME} characters and not only blanks.")
    return name


def text(value: str) -> str:
    """Any text that a database takes."""
    if len(value) > MAX_TEXT or "\0" in value or any("\ud800" <= each <= "\udfff" for each in value):
        raise Refused(f"must be at most {MAX_TEXT} characters, without NUL or broken ones.")
    return value


def linked_text(value: str) -> str:
    """A name that links of a page carry, dozens of times."""
    if not fits_links(text(value)):
        raise Refused(f"must be at most {MAX_LINKED} characters, and {MAX_LINKED_BYTES} bytes in an address.")
    return value


def fits_links(name: str) -> bool:
    """Whether a page links by this name: in an address each character may take twelve."""
    return len(name) <= MAX_LINKED and len(quote(name, safe="")) <= MAX_LINKED_BYTES


def fits_path(name: str) -> bool:
    """Whether an address may hold this name as part of its path: browsers take dots for steps, and servers
    empty parts for none.
    """
    return fits_links(name) and not {"", ".", ".."} & set(name.split("/"))


def optional_moment(text: str) -> datetime | None:
    try:
        return parse_moment(text)
    except ValueError:
        raise Refused(
            "must be a date and time with Z or an offset, such as 2026-01-31T14:00:00Z "
            "(write + as %2B in a link)."
        ) from None


def boolean(text: str) -> bool:
    if text not in ("true", "false", "1", "0"):
        raise Refused("must be true or false.")
    return text in ("true", "1")


def single(args: MultiDict[str, str]) -> dict[str, str]:
    """A plain mapping of a query string: of a repeated parameter the last value counts (contract 1.8)."""
    return {name: values[-1] for name, values in args.lists()}
