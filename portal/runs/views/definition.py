"""What a saved view lists: the parameters of a list's address, kept as they were written.

A window that is today or this month is kept by that word: it means the days of whoever opens the view, then.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from portal import moments
from portal.database.columns import JsonObject
from portal.errors import InvalidQuery
from portal.input.time_zones import PERIODS, UTC_NAME, period_window
from portal.moments import format_moment
from portal.paging import Slice
from portal.runs.filters.registry import WORKSPACE_FILTERS
from portal.runs.query import RunQuery

ORDERING = ("sort", "order", "limit")


@dataclass(frozen=True)
class Definition:
    """The filters, order and page size of a list; where it begins is not part of it."""

    parameters: JsonObject
    """Texts by their names, in the order of the address; a list of texts where one repeats."""

    @classmethod
    def of(cls, query: RunQuery, zone: str = UTC_NAME) -> Self:
        """The list that a query gives a reader in this zone, from its start."""
        parameters = dict(query.at(Slice(0, query.slice.limit)).to_args())
        period = _period(query, zone)
        if period:
            del parameters["from"]
            parameters = {("within" if name == "to" else name): each for name, each in parameters.items()}
            parameters["within"] = period
        return cls(parameters)

    @property
    def unknown(self) -> JsonObject:
        """The parameters that this release does not know."""
        known = _known_names()
        return {name: value for name, value in self.parameters.items() if name not in known}

    @property
    def moves(self) -> bool:
        """Whether it lists a time until now, today or this month."""
        return "within" in self.parameters

    @property
    def period(self) -> str | None:
        """The one of PERIODS that it lists, if it does."""
        within = self.parameters.get("within")
        return within if within in PERIODS else None

    def query(self, workflow_id: UUID | None, zone: str = UTC_NAME) -> RunQuery:
        """What it lists now for a reader in this zone: of a workflow, or over a whole workspace.

        Raises InvalidQuery where this release no longer takes a value.
        """
        known = {name: value for name, value in self.parameters.items() if name not in self.unknown}
        if self.period:
            begin, end = period_window(self.period, moments.now(), zone)
            del known["within"]
            known |= {"from": format_moment(begin), "to": format_moment(end)}
        return RunQuery.parse(known, workflow_id=None if workflow_id is None else str(workflow_id))

    def current(self, workflow_id: UUID | None, zone: str = UTC_NAME) -> Self | None:
        """The definition that saving the same list would give now; None where it cannot be listed."""
        try:
            return self.of(self.query(workflow_id, zone), zone)
        except InvalidQuery:
            return None


def _period(query: RunQuery, zone: str) -> str | None:
    """The one of PERIODS that is the window of a list."""
    now, window = moments.now(), (query.created_from, query.created_to)
    return next((each for each in PERIODS if period_window(each, now, zone) == window), None)


def _known_names() -> set[str]:
    return {*_names_of_filters(), *ORDERING}


def _names_of_filters() -> Iterable[str]:
    return (name for each in WORKSPACE_FILTERS for name in each.labels)
