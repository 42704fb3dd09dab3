"""What a saved view lists: the parameters of a list's address, kept as they were written."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from portal.database.columns import JsonObject
from portal.errors import InvalidQuery
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
    def of(cls, query: RunQuery) -> Self:
        """The list that a query gives, from its start."""
        return cls(dict(query.at(Slice(0, query.slice.limit)).to_args()))

    @property
    def unknown(self) -> JsonObject:
        """The parameters that this release does not know."""
        known = _known_names()
        return {name: value for name, value in self.parameters.items() if name not in known}

    @property
    def moves(self) -> bool:
        """Whether it lists a time until now."""
        return "within" in self.parameters

    def query(self, workflow_id: UUID | None) -> RunQuery:
        """What this release lists for it: of a workflow, or over a whole workspace.

        Raises InvalidQuery where it no longer takes a value.
        """
        known = {name: value for name, value in self.parameters.items() if name not in self.unknown}
        return RunQuery.parse(known, workflow_id=None if workflow_id is None else str(workflow_id))

    def current(self, workflow_id: UUID | None) -> Self | None:
        """The definition that saving the same list would give now; None where it cannot be listed."""
        try:
            return self.of(self.query(workflow_id))
        except InvalidQuery:
            return None


def _known_names() -> set[str]:
    return {*_names_of_filters(), *ORDERING}


def _names_of_filters() -> Iterable[str]:
    return (name for each in WORKSPACE_FILTERS for name in each.labels)
