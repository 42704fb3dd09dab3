"""The filter by when a run was created: from a moment, to a moment, both included."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar
from uuid import UUID

import sqlalchemy as sa

from portal.database.models import Run
from portal.database.sql import statements
from portal.input.bodies import MOMENT_SCHEMA
from portal.input.parameters import Args, Reader
from portal.moments import format_moment
from portal.runs.filters.filter import Chip, Filter, Schema
from portal.web import formats

Window = tuple[datetime | None, datetime | None]


class CreatedFilter(Filter[Window, tuple[bool, bool]]):
    """The shape is which of the two moments there are."""

    schemas: ClassVar[Mapping[str, Schema]] = {
        "from": {**MOMENT_SCHEMA, "description": "Created at this moment or later; with Z or an offset."},
        "to": {**MOMENT_SCHEMA, "description": "Created at this moment or earlier."},
    }
    labels: ClassVar[Mapping[str, str]] = {"from": "From", "to": "To"}
    empty = (None, None)
    fields = ("created_from", "created_to")

    def read(self, reader: Reader) -> Window:
        return reader.window("from", "to")

    def write(self, value: Window) -> Args:
        return {
            name: format_moment(moment) if moment else ""
            for name, moment in zip(self.labels, value, strict=True)
        }

    def chips(self, value: Window) -> list[Chip[Window]]:
        begin, end = value
        chips: list[Chip[Window]] = [Chip("From", _moment(begin), (None, end))] if begin else []
        return [*chips, Chip("To", _moment(end), (begin, None))] if end else chips

    def shape(self, value: Window) -> tuple[bool, bool]:
        return value[0] is not None, value[1] is not None

    def conditions(self, shape: tuple[bool, bool]) -> list[sa.ColumnElement[bool]]:
        return _within(shape, Run.created_at)

    def scannable(self, shape: tuple[bool, bool]) -> list[sa.ColumnElement[bool]]:
        return _within(shape, sa.func.coalesce(Run.created_at, Run.created_at))

    def values(self, value: Window, workspace_id: UUID) -> statements.Values:
        return {field: moment for field, moment in zip(self.fields, value, strict=True) if moment}


def _within(
    shape: tuple[bool, bool], created_at: sa.SQLColumnExpression[datetime]
) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if shape[0]:
        conditions.append(created_at >= sa.bindparam("created_from"))
    if shape[1]:
        conditions.append(created_at <= sa.bindparam("created_to"))
    return conditions


def _moment(moment: datetime) -> str:
    return f"{formats.date(moment)}, {formats.clock(moment)} UTC"


CREATED = CreatedFilter()
