"""The beginnings of long texts, cut in the database: a page never reads, or sends, more than it shows."""

from typing import Any

import sqlalchemy as sa


def excerpt(column: Any, most: int) -> sa.ColumnElement[Any]:
    """The first characters of a text column, one more than `most`, so that `cut` can tell what was longer."""
    return sa.func.substr(column, 1, most + 1, type_=sa.Text())


def small_json(column: Any, most: int) -> sa.ColumnElement[Any]:
    """A JSON column where it is at most so many characters long, else NULL."""
    length: Any = sa.func.length(sa.cast(column, sa.Text()))
    return sa.case((length <= most, column))


def cut(text: str, most: int) -> str:
    """The text, or its first characters and an ellipsis: `most` in all."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
