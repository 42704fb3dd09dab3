"""Excerpts: long texts are truncated in the database, so that a page reads and sends only what it shows."""

import json
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from markupsafe import escape
from sqlalchemy.orm import InstrumentedAttribute

PAGE_TEXT_BYTES = 200_000
"""Bytes of HTML for the texts of a page; beyond, each is truncated to a few characters."""

MIN_TEXT = 8
"""Characters that a text keeps beyond the budget."""

Column = sa.ColumnElement[Any] | InstrumentedAttribute[Any]  # of any type: JSON or text, nullable or not

_decode = json.JSONDecoder().raw_decode


def excerpt(column: Column, max_length: int) -> sa.ColumnElement[str]:
    """The first characters of a text column, one more than the maximum, so that `cut` detects longer ones."""
    return sa.func.substr(column, 1, max_length + 1, type_=sa.Text())


def json_excerpt(column: Column, max_length: int) -> sa.ColumnElement[str]:
    """An excerpt of a JSON column as text, for `json_members`."""
    return excerpt(sa.cast(column, sa.Text()), max_length)


def small_json(column: Column, max_length: int) -> sa.ColumnElement[Any]:
    """A JSON column, NULL if its text is longer than `max_length` characters."""
    length = sa.func.length(sa.cast(column, sa.Text()))
    return sa.case((length <= max_length, column))


def cut(text: str, max_length: int) -> str:
    """Truncate a text to `max_length` characters, ellipsis included."""
    return text if len(text) <= max_length else text[: max_length - 1].rstrip() + "…"


def json_members(text: str | None, max_length: int) -> tuple[dict[str, object] | None, bool]:
    """Parse an excerpt of a JSON object: its complete members, and whether those are all.

    None if it is not an object.
    """
    if text is None or not text.startswith("{"):
        return None, True
    if len(text) <= max_length:
        return _whole(text), True
    found: dict[str, object] = {}
    position = 1
    while position:
        position = _take_member(text, position, found)
    return found, False


def _whole(text: str) -> dict[str, object] | None:
    try:
        found: dict[str, object] = json.loads(text)
    except ValueError:  # only looks like an object
        return None
    return found


def _take_member(text: str, position: int, found: dict[str, object]) -> int:
    """Parse the member at this position; returns that of the next, 0 at the end of the excerpt."""
    try:
        name, end = _decode(text, _past_blanks(text, position))
        value, end = _decode(text, _past_blanks(text, _past_blanks(text, end) + 1))
    except (ValueError, RecursionError):
        return 0
    end = _past_blanks(text, end)
    if text[end : end + 1] != ",":  # a truncated number would parse
        return 0
    found[name] = value
    return end + 1


def _past_blanks(text: str, position: int) -> int:
    while text[position : position + 1].isspace():
        position += 1
    return position


KEY_LENGTH = 200
"""Longer ids are shortened."""

_END = 100


def short_key(column: Column) -> sa.ColumnElement[str]:
    """The id, or for a long one its first characters, its length and its last characters."""
    length = sa.func.length(column)
    ends = [sa.func.substr(column, 1, _END), sa.func.substr(column, length - _END + 1)]
    long = ends[0].concat(_LONG).concat(sa.cast(length, sa.Text())).concat(_LONG).concat(ends[1])
    return sa.case((length <= KEY_LENGTH, column), else_=sa.cast(long, sa.Text()))


def short_key_of(text: str) -> str:
    """What `short_key` makes of this id."""
    return text if len(text) <= KEY_LENGTH else f"{text[:_END]}{_LONG}{len(text)}{_LONG}{text[-_END:]}"


_LONG = " … "


def json_text(column: Column, key: str, max_length: int | None = None) -> sa.ColumnElement[str]:
    """A string member of a JSON object, or an excerpt of it; NULL for a member of another type.

    Only strings are extracted: SQLite renders infinite numbers as invalid JSON.
    """
    quoted, text = sa.cast(column[key], sa.Text()), column[key].as_string()
    found = text if max_length is None else excerpt(text, max_length)
    return sa.case((sa.func.substr(quoted, 1, 1) == '"', found))


@dataclass(frozen=True)
class Excerpt:
    """A text, possibly truncated."""

    text: str
    cut: bool


class TextBudget:
    """The budget of bytes for the texts of a page, which bounds its size whatever is stored.

    Each text may take its own maximum; once the budget is spent, only a few characters.
    """

    def __init__(self, size: int = PAGE_TEXT_BYTES) -> None:
        self._left = size
        self.cuts = 0
        """The number of truncated texts."""

    def piece(self, text: str, max_length: int) -> Excerpt:
        allowed = max_length if self._left > 0 else min(max_length, MIN_TEXT)
        cut = len(text) > allowed
        shown = text[:allowed].rstrip() + "…" if cut else text
        self._left -= len(str(escape(shown)).encode(errors="replace"))
        self.cuts += cut
        return Excerpt(shown, cut)
