"""The beginnings of long texts, cut in the database: a page never reads, or sends, more than it shows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from markupsafe import escape

PAGE_TEXT_BYTES = 200_000
"""Bytes of HTML that the texts of a page take before they are cut to a few characters each."""

LEAST_TEXT = 8
"""Characters that a text still gets then."""

_decode = json.JSONDecoder().raw_decode


def excerpt(column: Any, most: int) -> sa.ColumnElement[Any]:
    """The first characters of a text column, one more than `most`, so that `cut` can tell what was longer."""
    return sa.func.substr(column, 1, most + 1, type_=sa.Text())


def json_excerpt(column: Any, most: int) -> sa.ColumnElement[Any]:
    """The same of a JSON column, as text: for `members`."""
    return excerpt(sa.cast(column, sa.Text()), most)


def small_json(column: Any, most: int) -> sa.ColumnElement[Any]:
    """A JSON column where it is at most so many characters long, else NULL."""
    length: Any = sa.func.length(sa.cast(column, sa.Text()))
    return sa.case((length <= most, column))


def cut(text: str, most: int) -> str:
    """The text, or its first characters and an ellipsis: `most` in all."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def json_members(text: str | None, most: int) -> tuple[Mapping[str, Any] | None, bool]:
    """The JSON object that an excerpt begins, and whether that is all of it.

    Of an object that was cut, the members that stand there whole; None where it is no object.
    """
    if text is None or not text.startswith("{"):
        return None, True
    if len(text) <= most:
        return _whole(text), True
    found: dict[str, Any] = {}
    place = 1
    while place:
        place = _take_member(text, place, found)
    return found, False


def _whole(text: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(text)
    except ValueError:  # a text that only looks like an object
        return None
    return found


def _take_member(text: str, place: int, found: dict[str, Any]) -> int:
    """Read the member that begins here; where the next one does, 0 at the cut."""
    try:
        name, end = _decode(text, _past_blanks(text, place))
        value, end = _decode(text, _past_blanks(text, _past_blanks(text, end) + 1))
    except (ValueError, RecursionError):
        return 0
    end = _past_blanks(text, end)
    if text[end : end + 1] != ",":  # a number may go on behind the cut
        return 0
    found[name] = value
    return end + 1


def _past_blanks(text: str, place: int) -> int:
    while text[place : place + 1].isspace():
        place += 1
    return place


KEY_LENGTH = 200
"""Ids up to this long are told apart by all their characters."""

_END = 100


def short_key(column: Any) -> sa.ColumnElement[Any]:
    """What tells ids apart: the id itself, or of a long one its beginning, its length and its end."""
    length = sa.func.length(column)
    ends = [sa.func.substr(column, 1, _END), sa.func.substr(column, length - _END + 1)]
    long = ends[0].concat(_LONG).concat(sa.cast(length, sa.Text())).concat(_LONG).concat(ends[1])
    return sa.case((length <= KEY_LENGTH, column), else_=sa.cast(long, sa.Text()))


def short_key_of(text: str) -> str:
    """The same of a text that is at hand."""
    return text if len(text) <= KEY_LENGTH else f"{text[:_END]}{_LONG}{len(text)}{_LONG}{text[-_END:]}"


_LONG = " … "


def json_text(column: Any, key: str, most: int | None = None) -> sa.ColumnElement[Any]:
    """A text in a JSON object, or its beginning as `excerpt` gives it; NULL where there is no text.

    Only texts are taken out of structures: SQLite writes numbers beyond all bounds as no JSON.
    """
    quoted, text = sa.cast(column[key], sa.Text()), column[key].as_string()
    found = text if most is None else excerpt(text, most)
    return sa.case((sa.func.substr(quoted, 1, 1) == '"', found))


@dataclass(frozen=True)
class Excerpt:
    """A text, or its beginning."""

    text: str
    cut: bool


class TextBudget:
    """TextBudget for the texts of one page, so that all of them together stay small whatever is stored.

    Each text gets the characters that its place has; once the page's room is used up, only a few.
    """

    def __init__(self, size: int = PAGE_TEXT_BYTES) -> None:
        self._left = size
        self.cuts = 0
        """How many texts were cut."""

    def piece(self, text: str, most: int) -> Excerpt:
        allowed = most if self._left > 0 else min(most, LEAST_TEXT)
        cut = len(text) > allowed
        shown = text[:allowed].rstrip() + "…" if cut else text
        self._left -= len(str(escape(shown)).encode(errors="replace"))
        self.cuts += cut
        return Excerpt(shown, cut)
