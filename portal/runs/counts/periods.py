"""A window of time as whole days, hours or periods, whose runs are counted, and the parts at its edges."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NamedTuple

import sqlalchemy as sa

from portal.database.models import Run
from portal.database.sql import statements
from portal.runs.counts.histograms import DAY, HOUR, microseconds, moment_of_key

_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

EVER = (-(2**31), 2**31 - 1)
"""The first and the last day or period of a window without bounds."""


class Edge(NamedTuple):
    """Part of one day, hour or period: from one moment to another, both included."""

    begin: datetime
    end: datetime


class Parts(NamedTuple):
    """How many statements add a window up, beside the one of its whole days or periods."""

    hours: int
    edges: int


NO_PARTS = Parts(0, 0)


@dataclass(frozen=True)
class WholePeriods:
    """Whole days or periods, from first to last, both included (None: without an end), and the rest."""

    first: int | None
    last: int | None
    edges: tuple[Edge, ...]
    hours: tuple[tuple[int, int], ...] = ()
    """The first and the last of whole hours before or after the days."""

    @property
    def parts(self) -> Parts:
        return Parts(len(self.hours), len(self.edges))

    @property
    def values(self) -> statements.Values:
        """What `in_whole` and, for each of the hours and edges, `in_hours` and `in_edge` have bound."""
        first, last = EVER
        bound: statements.Values = {
            "first_whole": first if self.first is None else self.first,
            "last_whole": last if self.last is None else self.last,
        }
        for number, (first_hour, last_hour) in enumerate(self.hours):
            bound |= {f"hours_{number}_first": first_hour, f"hours_{number}_last": last_hour}
        for number, (begin, end) in enumerate(self.edges):
            bound |= {f"edge_{number}_begin": begin, f"edge_{number}_end": end}
        return bound


def in_whole(days: sa.SQLColumnExpression[int]) -> sa.ColumnElement[bool]:
    """The condition on a column of days, or of periods, to lie in the whole ones."""
    return days.between(sa.bindparam("first_whole"), sa.bindparam("last_whole"))


def in_hours(hours: sa.SQLColumnExpression[int], number: int) -> sa.ColumnElement[bool]:
    """The condition on a column of hours to lie among whole ones."""
    return hours.between(sa.bindparam(f"hours_{number}_first"), sa.bindparam(f"hours_{number}_last"))


def in_edge(number: int) -> sa.ColumnElement[bool]:
    """The condition on runs to be created in an edge."""
    return Run.created_at.between(sa.bindparam(f"edge_{number}_begin"), sa.bindparam(f"edge_{number}_end"))


def whole_periods(begin: datetime | None, end: datetime | None, width: int) -> WholePeriods:
    """The periods of `width` days from begin to end, both included; None is no bound."""
    return _divided(begin, end, width * DAY)


def whole_days(begin: datetime | None, end: datetime | None) -> WholePeriods:
    """The days from begin to end, both included, and the hours at their edges; None is no bound."""
    days = _divided(begin, end, DAY)
    parts = [_divided(edge.begin, edge.end, HOUR) for edge in days.edges]
    hours = [(part.first or 0, part.last or 0) for part in parts]
    return replace(
        days,
        hours=tuple((first, last) for first, last in hours if first <= last),
        edges=tuple(edge for part in parts for edge in part.edges),
    )


def _divided(begin: datetime | None, end: datetime | None, width: int) -> WholePeriods:
    first = None if begin is None else microseconds(begin) // width
    last = None if end is None else microseconds(end) // width
    if begin is not None and end is not None and first == last and not _is_whole(begin, end, width):
        return WholePeriods(1, 0, (Edge(begin, end),))
    edges = []
    if begin is not None and first is not None and begin != _start(first, width):
        edges.append(Edge(begin, _end(first, width)))
        first += 1
    if end is not None and last is not None and end != _end(last, width):
        edges.append(Edge(_start(last, width), end))
        last -= 1
    return WholePeriods(first, last, tuple(edges))


def _is_whole(begin: datetime, end: datetime, width: int) -> bool:
    number = microseconds(begin) // width
    return begin == _start(number, width) and end == _end(number, width)


def _start(number: int, width: int) -> datetime:
    """The first moment of a period, or the nearest that there is."""
    return moment_of_key(number * width) or _FIRST


def _end(number: int, width: int) -> datetime:
    """The last moment of a period that both databases tell apart from the next one."""
    return moment_of_key((number + 1) * width - 1) or _LAST
