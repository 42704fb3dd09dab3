"""What a filter of the run list is: its parameters, its condition, its words and its schema."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import Field, replace
from datetime import datetime
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar, cast
from uuid import UUID

import sqlalchemy as sa

from portal.database.sql import statements
from portal.input.parameters import Args, Reader
from portal.runs.scope import Kind

Schema = Mapping[str, object]
"""JSON Schema of a parameter."""

Value = TypeVar("Value")
Shape = TypeVar("Shape", bound=Hashable)


class Chip(NamedTuple, Generic[Value]):
    """A part of an active filter in words, and the value of the filter without it."""

    label: str
    words: str | datetime
    """Or a moment, which pages put into words in the zone of the reader."""
    without: Value


class Query(Protocol):
    """A query with filters, a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[object]]]

    @property
    def others(self) -> tuple[tuple["AnyFilter", object], ...]: ...


AnyQuery = TypeVar("AnyQuery", bound=Query)


class Filter(ABC, Generic[Value, Shape]):
    """One filter. A query with its `empty` value is not narrowed by it."""

    schemas: ClassVar[Mapping[str, Schema]]
    """Its parameters in their order."""
    labels: ClassVar[Mapping[str, str]]
    """Its parameters in words."""
    empty: Value
    repeats: ClassVar[bool] = False
    """Whether every value of its parameter counts; of the others the last one does."""
    fields: tuple[str, ...] = ()
    """The fields of a query that hold the value; without any, it is among the query's `others`."""

    @abstractmethod
    def read(self, reader: Reader) -> Value:
        """The value in a request, with errors recorded in the reader."""

    @abstractmethod
    def write(self, value: Value) -> Args:
        """The text of each parameter, empty where it does not narrow."""

    @abstractmethod
    def chips(self, value: Value) -> Sequence[Chip[Value]]:
        """The active filter in words."""

    @abstractmethod
    def shape(self, value: Value) -> Shape:
        """What the conditions depend on: never the value itself, which is bound."""

    @abstractmethod
    def conditions(self, shape: Shape) -> list[sa.ColumnElement[bool]]:
        """The conditions on runs; names of bound parameters are the filter's own."""

    def conditions_in(self, kind: Kind, shape: Shape) -> list[sa.ColumnElement[bool]]:
        """The same in a scope, on which the condition depends where it looks into another table."""
        return self.conditions(shape)

    def scannable(self, shape: Shape) -> list[sa.ColumnElement[bool]]:
        """The same for a scan of another index, so written that no planner reads an index for their sake."""
        return self.conditions(shape)

    def checks(self, shape: Shape) -> list[sa.ColumnElement[bool]]:
        """The same to be checked on one run after another: what it looks up is of the run alone."""
        return self.conditions(shape)

    @abstractmethod
    def values(self, value: Value, workspace_id: UUID) -> statements.Values:
        """What is bound in the conditions."""

    def value_in(self, query: Query) -> Value:
        """The value that a query has."""
        value: object
        if len(self.fields) == 1:
            value = getattr(query, self.fields[0])
        elif self.fields:
            value = tuple(getattr(query, field) for field in self.fields)
        else:
            value = dict(query.others).get(self, self.empty)
        return cast(Value, value)  # its own wherever it stands

    def put(self, query: AnyQuery, value: Value) -> AnyQuery:
        """The query with another value."""
        if self.fields:
            values = (value,) if len(self.fields) == 1 else cast(tuple[object, ...], value)
            return replace(query, **dict(zip(self.fields, values, strict=True)))
        others: list[tuple[AnyFilter, object]] = [each for each in query.others if each[0] is not self]
        if value != self.empty:
            others.append((self, value))
        return replace(query, others=tuple(others))


AnyFilter = Filter[Any, Any]
"""A filter among others: only itself knows the types of its value and its shape."""
