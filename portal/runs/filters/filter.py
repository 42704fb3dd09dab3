"""What a filter of the run list is: its parameters, its condition, its words and its schema."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar
from uuid import UUID

import sqlalchemy as sa

from portal.input.parameters import Reader

Schema = Mapping[str, Any]
"""JSON Schema of a parameter."""


class Chip(NamedTuple):
    """A part of an active filter in words, and the value of the filter without it."""

    label: str
    words: str
    without: Any


class Query(Protocol):
    """A query with filters, a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def others(self) -> tuple[tuple["Filter", Any], ...]: ...


AnyQuery = TypeVar("AnyQuery", bound=Query)


class Filter(ABC):
    """One filter. A query with its `empty` value is not narrowed by it."""

    schemas: ClassVar[Mapping[str, Schema]]
    """Its parameters in their order."""
    labels: ClassVar[Mapping[str, str]]
    """Its parameters in words."""
    empty: Any = None
    fields: tuple[str, ...] = ()
    """The fields of a query that hold the value; without any, it is among the query's `others`."""

    @abstractmethod
    def read(self, reader: Reader) -> Any:
        """The value in a request, with errors recorded in the reader."""

    @abstractmethod
    def write(self, value: Any) -> dict[str, str]:
        """The text of each parameter, empty where it does not narrow."""

    @abstractmethod
    def chips(self, value: Any) -> Sequence[Chip]:
        """The active filter in words."""

    def shape(self, value: Any) -> Hashable:
        """What the conditions depend on: never the value itself, which is bound."""
        return True

    @abstractmethod
    def conditions(self, shape: Any) -> list[sa.ColumnElement[bool]]:
        """The conditions on runs; names of bound parameters are the filter's own."""

    def scannable(self, shape: Any) -> list[sa.ColumnElement[bool]]:
        """The same for a scan of another index, so written that no planner reads an index for their sake."""
        return self.conditions(shape)

    @abstractmethod
    def values(self, value: Any, workspace_id: UUID) -> dict[str, Any]:
        """What is bound in the conditions."""

    def value_in(self, query: Query) -> Any:
        """The value that a query has."""
        if len(self.fields) == 1:
            return getattr(query, self.fields[0])
        if self.fields:
            return tuple(getattr(query, field) for field in self.fields)
        return dict(query.others).get(self, self.empty)

    def put(self, query: AnyQuery, value: Any) -> AnyQuery:
        """The query with another value."""
        if self.fields:
            values = (value,) if len(self.fields) == 1 else value
            return replace(query, **dict(zip(self.fields, values, strict=True)))
        others = [(other, kept) for other, kept in query.others if other is not self]
        if value != self.empty:
            others.append((self, value))
        return replace(query, others=tuple(others))
