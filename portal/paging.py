"""Offset pagination: offset, limit, total and the next and previous page (contract 1.7)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

Row = TypeVar("Row", covariant=True)

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
MAX_SQL_OFFSET = 2**62
"""Beyond any table, yet within the integers of both databases."""


@dataclass(frozen=True)
class Slice:
    """Offset and limit of a page."""

    offset: int = 0
    limit: int = DEFAULT_LIMIT

    @classmethod
    def of_page(cls, number: int, limit: int) -> Self:
        """The page with this number, from 1."""
        return cls((number - 1) * limit, limit)

    @property
    def number(self) -> int:
        """The page number, from 1."""
        return self.offset // self.limit + 1

    @property
    def sql_offset(self) -> int:
        return min(self.offset, MAX_SQL_OFFSET)


@dataclass(frozen=True)
class Page(Generic[Row]):
    """One page of rows, with the exact total of the list."""

    rows: Sequence[Row]
    total: int
    slice: Slice

    @classmethod
    def of(cls, rows: Sequence[Row], slice_: Slice) -> Self:
        """A page of a list that is in memory."""
        begin = slice_.sql_offset
        return cls(rows[begin : begin + slice_.limit], len(rows), slice_)

    @property
    def next(self) -> Slice | None:
        offset = self.slice.offset + self.slice.limit
        return None if offset >= self.total else Slice(offset, self.slice.limit)

    @property
    def prev(self) -> Slice | None:
        if self.slice.offset == 0:
            return None
        return Slice(max(0, min(self.slice.offset, self.total) - self.slice.limit), self.slice.limit)
