"""Parsing request parameters: each parser takes text and returns a value or raises `Refused`.

`Reader` collects the errors of a request, so that one response reports them all (contract 1.4).
"""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote
from uuid import UUID

from werkzeug.datastructures import MultiDict

from portal.errors import FieldError, InvalidQuery
from portal.input import sentences
from portal.input.text import is_storable
from portal.moments import parse_moment
from portal.paging import DEFAULT_LIMIT, MAX_LIMIT, Slice

MAX_SEARCH = 100
"""Characters (code points) of a search (contract 1.8)."""

MAX_TEXT = 1000
"""Characters of an id that a source may have given, such as a node's."""

MAX_LINKED, MAX_LINKED_BYTES = 200, 300
"""Characters, and bytes once percent-encoded, of a node type or language in the links of a page."""

MAX_PAGE = 10**15
"""Past any list, and short enough for an address."""

UUID_PATTERN = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_UUID = re.compile(UUID_PATTERN)
_DIGITS = re.compile(r"[0-9]+")
_MAX_DIGITS = 4000  # int() refuses more than 4300

Args = dict[str, str | list[str]]
"""Parameters as texts, those of which every value counts as lists: what `url_for` takes."""

Value = TypeVar("Value")
Parser = Callable[[Any], Value]
"""Parses text of a parameter or JSON of a body, which may be of any type; raises Refused."""


class Refused(ValueError):
    """A value is not allowed; the message says what is."""


class Reader:
    """Parses named values of a mapping and collects the errors."""

    def __init__(self, args: Mapping[str, object]) -> None:
        self._args = args
        self.errors: list[FieldError] = []

    def read(self, name: str, parse: Parser[Value], default: Value) -> Value:
        """Parse the value of `name`; the default if it is absent or, with an error recorded, invalid."""
        if name not in self._args:
            return default
        try:
            return parse(self._args[name])
        except Refused as refusal:
            self.refuse(name, str(refusal))
            return default

    def require(self, name: str, parse: Parser[Value], default: Value) -> Value:
        """Like `read`, but an absent value is an error."""
        if name not in self._args:
            self.refuse(name, sentences.REQUIRED)
        return self.read(name, parse, default)

    def uuid(self, name: str) -> UUID:
        return self.read(name, uuid, UUID(int=0))

    def refuse(self, name: str, message: str) -> None:
        self.errors.append(FieldError(name, message))

    def slice(self) -> Slice:
        return Slice(self.read("offset", offset, 0), self.read("limit", limit, DEFAULT_LIMIT))

    def window(self, earliest: str, latest: str) -> tuple[datetime | None, datetime | None]:
        """An inclusive time range whose begin may not be after its end."""
        begin, end = self.read(earliest, optional_moment, None), self.read(latest, optional_moment, None)
        if begin is not None and end is not None and begin > end:
            self.refuse(earliest, f"must not be after {latest}.")
        return begin, end

    def finish(self) -> None:
        """Raise InvalidQuery if there are errors."""
        if self.errors:
            raise InvalidQuery(self.errors)


def whole_number(text: str, least: int, most: int | None, allowed: str = "") -> int:
    """Parse ASCII digits only: `int` accepts more, such as signs, blanks and other scripts (contract 1.7).

    Raises Refused with the sentence `allowed`, or one that names the range.
    """
    number = int(text) if _DIGITS.fullmatch(text) and len(text) <= _MAX_DIGITS else None
    if number is None or number < least or (most is not None and number > most):
        raise Refused(allowed or sentences.whole_number(least, most))
    return number


def offset(text: str) -> int:
    return whole_number(text, 0, None)


def limit(text: str) -> int:
    return whole_number(text, 1, MAX_LIMIT)


def page_number(text: str) -> int:
    return whole_number(text, 1, MAX_PAGE)


def uuid(text: str) -> UUID:
    if not _UUID.fullmatch(text):
        raise Refused("must be a UUID such as 123e4567-e89b-12d3-a456-426614174000.")
    return UUID(text)


def one_of(words: Collection[str]) -> Callable[[str], str]:
    """A parser of exactly one of these words, case-sensitive."""

    def parse(text: str) -> str:
        if text not in words:
            raise Refused(sentences.one_of(words))
        return text

    return parse


def search(text: str) -> str:
    if len(text) > MAX_SEARCH:
        raise Refused(f"must be at most {MAX_SEARCH} characters.")
    if not is_storable(text):
        raise Refused(sentences.STORABLE)
    return text


def text(value: str) -> str:
    """Text that both databases can store."""
    if len(value) > MAX_TEXT or not is_storable(value):
        raise Refused(f"must be at most {MAX_TEXT} characters, without NUL or broken ones.")
    return value


def linked_text(value: str) -> str:
    """A name short enough for the links of a page."""
    if not fits_links(text(value)):
        raise Refused(f"must be at most {MAX_LINKED} characters, and {MAX_LINKED_BYTES} bytes in an address.")
    return value


def fits_links(name: str) -> bool:
    """Whether a page links by this name: percent-encoding may take twelve bytes per character."""
    return len(name) <= MAX_LINKED and len(quote(name, safe="")) <= MAX_LINKED_BYTES


def fits_path(name: str) -> bool:
    """Whether a name can be part of a path: browsers resolve dot segments, servers merge empty ones."""
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
    """Flatten a query string: the last value of a repeated parameter counts (contract 1.8)."""
    return {name: values[-1] for name, values in args.lists()}


def flat(args: MultiDict[str, str], repeating: Collection[str]) -> Args:
    """The same, but with every value of the parameters that may repeat."""
    every: Args = {name: values for name, values in args.lists() if name in repeating}
    return {**single(args), **every}
