"""Where a page of a list stands among its pages."""

from dataclasses import dataclass
from typing import Any

from portal.paging import Page, Slice


@dataclass(frozen=True)
class Pager:
    page: Page[Any]

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
        """The links that lead somewhere: key, words and target."""
        page = self.page
        links: list[tuple[str, str, Slice | None]] = [
            ("first", "« First", self.start if page.prev else None),
            ("previous", "‹ Previous", page.prev),
            ("next", "Next ›", page.next),
            ("last", "Last »", self.last if page.next else None),
        ]
        return [(key, text, slice_) for key, text, slice_ in links if slice_ is not None]
