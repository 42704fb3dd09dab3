"""The filter by when a run was created: from a moment, to a moment, both included, or a time until now.

A window that ends now begins on a whole minute, so that the list stays the same for a minute.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import ClassVar, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from portal import moments
from portal.database.models import Run
from portal.database.sql import statements
from portal.input.bodies import MOMENT_SCHEMA
from portal.input.parameters import Args, Reader, Refused
from portal.moments import format_moment
from portal.runs.filters.filter import Chip, Filter, Query, Schema

MAX_DAYS = 3660
_SPAN = re.compile("([0-9]{1,9})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Window(NamedTuple):
    """When a run was created; `within` says it as a time until now, from which `begin` follows."""

    begin: datetime | None = None
    end: datetime | None = None
    within: str = ""


class CreatedFilter(Filter[Window, tuple[bool, bool]]):
    """The shape is which of the two moments there are."""

    schemas: ClassVar[Mapping[str, Schema]] = {
        "from": {**MOMENT_SCHEMA, "description": "Created at this moment or later; with Z or an offset."},
        "to": {**MOMENT_SCHEMA, "description": "Created at this moment or earlier."},
        "within": {
            "type": "string",
            "pattern": "^0*[1-9][0-9]*[mhdw]$",
            "description": "Created in the last minutes, hours, days or weeks, such as 24h, "
            f"up to {MAX_DAYS}d; without from and to.",
        },
    }
    labels: ClassVar[Mapping[str, str]] = {"from": "From", "to": "To", "within": "Created within"}
    empty = Window()
    fields = ("created_from", "created_to", "within")

    def read(self, reader: Reader) -> Window:
        within = reader.read("within", _parse_within, "")
        begin, end = reader.window("from", "to")
        if within and (begin or end):
            reader.refuse("within", "must not be given together with from or to.")
        return Window(_begin(within), None, within) if within else Window(begin, end)

    def write(self, value: Window) -> Args:
        begin, end, within = value
        given = {"from": None, "to": None} if within else {"from": begin, "to": end}
        texts: Args = {name: format_moment(each) if each else "" for name, each in given.items()}
        return texts | {"within": within}

    def chips(self, value: Window) -> list[Chip[Window]]:
        begin, end, within = value
        if within:
            return [Chip("Created", within_words(within), Window())]
        chips = [Chip("From", begin, Window(None, end))] if begin else []
        return [*chips, Chip("To", end, Window(begin))] if end else chips

    def shape(self, value: Window) -> tuple[bool, bool]:
        return value.begin is not None, value.end is not None

    def conditions(self, shape: tuple[bool, bool]) -> list[sa.ColumnElement[bool]]:
        return _within(shape, Run.created_at)

    def scannable(self, shape: tuple[bool, bool]) -> list[sa.ColumnElement[bool]]:
        return _within(shape, sa.func.coalesce(Run.created_at, Run.created_at))

    def values(self, value: Window, workspace_id: UUID) -> statements.Values:
        bound = {"created_from": value.begin, "created_to": value.end}
        return {name: moment for name, moment in bound.items() if moment}

    def value_in(self, query: Query) -> Window:
        return Window(*super().value_in(query))


def _within(
    shape: tuple[bool, bool], created_at: sa.SQLColumnExpression[datetime]
) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if shape[0]:
        conditions.append(created_at >= sa.bindparam("created_from"))
    if shape[1]:
        conditions.append(created_at <= sa.bindparam("created_to"))
    return conditions


def within_words(within: str) -> str:
    """A time until now in words: "in the last 24 hours"."""
    number, unit = int(within[:-1]), _UNITS[within[-1]]
    return f"in the last {unit[:-1]}" if number == 1 else f"in the last {number:,} {unit}"


def _parse_within(text: str) -> str:
    """A time until now without zeros in front. Raises Refused."""
    found = _SPAN.fullmatch(text)
    if not found or not timedelta() < _span(text) <= timedelta(days=MAX_DAYS):
        raise Refused(f"must be a number and m, h, d or w, such as 24h or 7d, up to {MAX_DAYS}d.")
    return f"{int(found[1])}{found[2]}"


def _span(within: str) -> timedelta:
    return timedelta(**{_UNITS[within[-1]]: int(within[:-1])})


def _begin(within: str) -> datetime:
    """Where a time until now begins: on a whole minute."""
    return (moments.now() - _span(within)).replace(second=0, microsecond=0)


CREATED = CreatedFilter()
