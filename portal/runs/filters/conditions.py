"""What a run query asks for, as conditions on the table of runs; their values are bound when it is executed.

So a statement is built once for all lists of the same shape: from one request to another only values differ.
"""

from collections.abc import Hashable, Iterator
from datetime import datetime
from typing import NamedTuple, Protocol, Self

import sqlalchemy as sa

from portal.auth.access import SeenWorkflow
from portal.database.models import Run
from portal.database.sql import statements
from portal.runs.filters.created import CREATED, Window
from portal.runs.filters.filter import AnyFilter
from portal.runs.filters.status import STATUS
from portal.runs.filters.triggered_by import TRIGGERED_BY


class FilteredQuery(Protocol):
    """What is read of a run query."""

    @property
    def status(self) -> tuple[str, ...]: ...
    @property
    def search(self) -> str: ...
    @property
    def created_from(self) -> datetime | None: ...
    @property
    def created_to(self) -> datetime | None: ...
    @property
    def others(self) -> tuple[tuple[AnyFilter, object], ...]: ...


class Filters(NamedTuple):
    """Which filters a list has, and how many statuses (0: any)."""

    statuses: int = 0
    searched: bool = False
    created_from: bool = False
    created_to: bool = False
    others: tuple[tuple[AnyFilter, Hashable], ...] = ()
    """Further filters with their shapes."""

    @classmethod
    def of(cls, query: FilteredQuery) -> Self:
        window = CREATED.shape(Window(query.created_from, query.created_to))
        others = tuple((each, each.shape(value)) for each, value in query.others)
        return cls(STATUS.shape(query.status), TRIGGERED_BY.shape(query.search), *window, others)

    def shapes(self) -> Iterator[tuple[AnyFilter, Hashable]]:
        """Every filter with its shape."""
        yield CREATED, (self.created_from, self.created_to)
        yield STATUS, self.statuses
        yield TRIGGERED_BY, self.searched
        yield from self.others


def matching(filters: Filters) -> list[sa.ColumnElement[bool]]:
    """The conditions on runs to be in the list."""
    found = (condition for each, shape in filters.shapes() for condition in each.conditions(shape))
    return [OF_WORKFLOW, *found]


def scannable(filters: Filters) -> list[sa.ColumnElement[bool]]:
    """The same, to be checked against runs while an index of an order is scanned.

    So written that no planner reads another index for their sake.
    """
    found = (condition for each, shape in filters.shapes() for condition in each.scannable(shape))
    return [OF_WORKFLOW, *found]


def values(
    workflow: SeenWorkflow, query: FilteredQuery, statuses: tuple[str, ...] | None = None
) -> statements.Values:
    """What is to be bound in statements of these conditions; of other statuses than the query's if given."""
    filters: tuple[tuple[AnyFilter, object], ...] = (
        (STATUS, query.status if statuses is None else statuses),
        (TRIGGERED_BY, query.search),
        (CREATED, Window(query.created_from, query.created_to)),
        *query.others,
    )
    bound: statements.Values = {"workflow_id": workflow.id}
    for each, value in filters:
        bound |= each.values(value, workflow.workspace_id)
    return bound


OF_WORKFLOW: sa.ColumnElement[bool] = Run.workflow_id == sa.bindparam("workflow_id")
