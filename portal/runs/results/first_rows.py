"""The first rows of a list for pages, known nodes of the graph before others."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import sqlalchemy as sa

Row = TypeVar("Row", covariant=True)


@dataclass(frozen=True)
class FirstRows(Generic[Row]):
    """The first rows of a list."""

    rows: Sequence[Row]
    more: bool
    """Whether the list goes on."""


def first_keys(known: Mapping[str, object], found: Iterable[str], limit: int) -> tuple[list[str], bool]:
    """The first of the known keys, then the other keys found; and whether there are more."""
    keys = [*list(known)[:limit], *sorted(set(found) - known.keys())]
    return keys[:limit], len(known) > limit or len(keys) > limit


def known_first(key: sa.ColumnElement[str | None], known: Sequence[str]) -> sa.Case[int]:
    """Sort key of SQL rows: without a key, with a known key, with another."""
    return sa.case((key.is_(None), 0), (key.in_(known), 1), else_=2)
