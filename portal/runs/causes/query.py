"""The parameters of the list of causes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from portal.input import parameters
from portal.input.parameters import Reader, Refused
from portal.paging import DEFAULT_LIMIT, Slice

SORTS = ("last_seen", "first_seen", "count")
ORDERS = ("asc", "desc")
STATES = ("open", "new", "back", "resolved", "muted")
"""A cause that is new or back is open, too."""
OPEN = ("open", "new", "back")
DEFAULT_DAYS, MOST_DAYS = 30, 366


@dataclass(frozen=True, kw_only=True)
class CauseQuery:
    """Validated query parameters."""

    slice: Slice = Slice()
    days: int = DEFAULT_DAYS
    """The last days in UTC, today included."""
    states: tuple[str, ...] = ("open",)
    sort: str = "last_seen"
    order: str = "desc"

    @classmethod
    def parse(cls, args: Mapping[str, str]) -> Self:
        """Parse query parameters. Raises InvalidQuery."""
        reader = Reader(args)
        query = cls(
            slice=reader.slice(),
            days=reader.read("days", _days, DEFAULT_DAYS),
            states=reader.read("state", _states, ("open",)),
            sort=reader.read("sort", parameters.one_of(SORTS), "last_seen"),
            order=reader.read("order", parameters.one_of(ORDERS), "desc"),
        )
        reader.finish()
        return query

    @property
    def kinds(self) -> tuple[str, ...]:
        """The states that rows of the list may have; each row has one."""
        found = {*self.states, *(OPEN if "open" in self.states else ())}
        return tuple(state for state in STATES if state in found)

    def at(self, slice_: Slice) -> Self:
        """The same list, another page."""
        return replace(self, slice=slice_)

    def to_args(self) -> dict[str, str]:
        """The canonical query parameters, defaults left out."""
        texts, defaults = self._texts(), type(self)()._texts()
        return {name: text for name, text in texts.items() if text != defaults[name]}

    def to_api_args(self) -> dict[str, str]:
        """Parameters of a `next` or `prev` link: offset, limit, then the others (contract 1.7)."""
        return {"offset": str(self.slice.offset), "limit": str(self.slice.limit), **self.to_args()}

    def _texts(self) -> dict[str, str]:
        return {
            "days": str(self.days),
            "state": ",".join(self.states),
            "sort": self.sort,
            "order": self.order,
            "limit": str(self.slice.limit or DEFAULT_LIMIT),
            "offset": str(self.slice.offset),
        }


def _days(text: str) -> int:
    return parameters.whole_number(text, 1, MOST_DAYS)


def _states(text: str) -> tuple[str, ...]:
    tokens = text.split(",")
    if any(token not in STATES for token in tokens):
        raise Refused(f"must be a comma-separated list of {', '.join(STATES)}, without blanks.")
    return tuple(state for state in STATES if state in tokens)
