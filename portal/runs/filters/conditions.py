"""What a run query asks for, as conditions on the table of runs; their values are bound when it is executed.

So a statement is built once for all lists of the same shape: from one request to another only values differ.
"""

from collections.abc import Hashable, Iterator
from datetime import datetime
from typing import NamedTuple, Protocol, Self

import sqlalchemy as sa

from portal.database.sql import statements
from portal.runs.filters.created import CREATED, Window
from portal.runs.filters.duration import DURATION
from portal.runs.filters.filter import AnyFilter
from portal.runs.filters.status import STATUS
from portal.runs.filters.triggered_by import TRIGGERED_BY
from portal.runs.scope import Kind, Scope, in_scope


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
    def min_duration(self) -> int | None: ...
    @property
    def max_duration(self) -> int | None: ...
    @property
    def others(self) -> tuple[tuple[AnyFilter, object], ...]: ...


class Filters(NamedTuple):
    """Whose runs a list has, which filters, and how many statuses (0: any)."""

    statuses: int = 0
    searched: bool = False
    created_from: bool = False
    created_to: bool = False
    min_duration: bool = False
    max_duration: bool = False
    others: tuple[tuple[AnyFilter, Hashable], ...] = ()
    """Further filters with their shapes."""
    scope: Kind = Kind.WORKFLOW

    @classmethod
    def of(cls, scope: Scope, query: FilteredQuery) -> Self:
        window = CREATED.shape(Window(query.created_from, query.created_to))
        durations = DURATION.shape((query.min_duration, query.max_duration))
        others = tuple((each, each.shape(value)) for each, value in query.others)
        own = STATUS.shape(query.status), TRIGGERED_BY.shape(query.search), *window, *durations
        return cls(*own, others=others, scope=scope.kind)

    @property
    def narrow_by_more_than_status(self) -> bool:
        """Whether a search, a window or durations narrow the list, whose indexes all have the duration."""
        return any((self.searched, self.created_from, self.created_to, self.min_duration, self.max_duration))

    def shapes(self) -> Iterator[tuple[AnyFilter, Hashable]]:
        """Every filter with its shape."""
        yield CREATED, (self.created_from, self.created_to)
        yield STATUS, self.statuses
        yield TRIGGERED_BY, self.searched
        yield DURATION, (self.min_duration, self.max_duration)
        yield from self.others


def matching(filters: Filters, key: str | None = None) -> list[sa.ColumnElement[bool]]:
    """The conditions on runs to be in the list; with a key, in an index that has the scope's runs by it."""
    return [*in_scope(filters.scope, key), *filtering(filters)]


def filtering(filters: Filters) -> list[sa.ColumnElement[bool]]:
    """The same, without whose runs these are."""
    return [
        condition
        for each, shape in filters.shapes()
        for condition in each.conditions_in(filters.scope, shape)
    ]


def is_listed(filters: Filters) -> sa.ColumnElement[bool]:
    """Whether a run is in the list, as a column of runs that something else finds."""
    found = [condition for each, shape in filters.shapes() for condition in each.checks(shape)]
    return sa.case((sa.and_(*in_scope(filters.scope), *found), sa.true()), else_=sa.false())


def scannable(filters: Filters, key: str | None = None) -> list[sa.ColumnElement[bool]]:
    """The same, to be checked against runs while an index of an order is scanned.

    So written that no planner reads another index for their sake.
    """
    found = (condition for each, shape in filters.shapes() for condition in each.scannable(shape))
    return [*in_scope(filters.scope, key), *found]


def values(scope: Scope, query: FilteredQuery, statuses: tuple[str, ...] | None = None) -> statements.Values:
    """What is to be bound in statements of these conditions; of other statuses than the query's if given."""
    filters: tuple[tuple[AnyFilter, object], ...] = (
        (STATUS, query.status if statuses is None else statuses),
        (TRIGGERED_BY, query.search),
        (CREATED, Window(query.created_from, query.created_to)),
        (DURATION, (query.min_duration, query.max_duration)),
        *query.others,
    )
    bound = scope.values
    for each, value in filters:
        bound |= each.values(value, scope.workspace_id)
    return bound
