"""Pagination: which page of a list is shown, and the links to others."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from portal.input import parameters
from portal.input.parameters import Reader
from portal.paging import Page, Slice

ROWS = 50
"""On a page of a list without filters, unless the address says otherwise."""


@dataclass(frozen=True)
class PageQuery:
    """Which page of a list that has neither filters nor sorts."""

    slice: Slice = Slice(0, ROWS)

    @classmethod
    def parse(cls, args: Mapping[str, str]) -> Self:
        """Read a request's parameters. Raises InvalidQuery."""
        reader = Reader(args)
        offset = reader.read("offset", parameters.offset, 0)
        query = cls(Slice(offset, reader.read("limit", parameters.limit, ROWS)))
        reader.finish()
        return query

    def at(self, slice_: Slice) -> Self:
        return type(self)(slice_)

    def to_args(self) -> dict[str, str]:
        """The shortest parameters that give this page."""
        texts = {"limit": self.slice.limit, "offset": self.slice.offset}
        defaults = {"limit": ROWS, "offset": 0}
        return {name: str(number) for name, number in texts.items() if number != defaults[name]}


@dataclass(frozen=True)
class Pager:
    page: Page[object]

    @property
    def first_row(self) -> int:
        return self.page.slice.offset + 1

    @property
    def last_row(self) -> int:
        return self.page.slice.offset + len(self.page.rows)

    @property
    def number(self) -> int:
        return self.page.slice.number

    @property
    def count(self) -> int:
        return max(1, -(-self.page.total // self.page.slice.limit))

    @property
    def past_the_end(self) -> bool:
        return self.page.total > 0 and not self.page.rows

    @property
    def last(self) -> Slice:
        return Slice.of_page(self.count, self.page.slice.limit)

    @property
    def start(self) -> Slice:
        return Slice(0, self.page.slice.limit)

    @property
    def moves(self) -> list[tuple[str, str, Slice]]:
        """The links to other pages that exist: key, label and target."""
        page = self.page
        links: list[tuple[str, str, Slice | None]] = [
            ("first", "« First", self.start if page.prev else None),
            ("previous", "‹ Previous", page.prev),
            ("next", "Next ›", page.next),
            ("last", "Last »", self.last if page.next else None),
        ]
        return [(key, text, slice_) for key, text, slice_ in links if slice_ is not None]
