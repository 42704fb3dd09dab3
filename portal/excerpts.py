"""The beginnings of long texts, cut in the database: a page never reads, or sends, more than it shows."""

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

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


def members(text: str | None, most: int) -> tuple[Mapping[str, Any] | None, bool]:
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
