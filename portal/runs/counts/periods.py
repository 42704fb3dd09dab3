"""A window of time as whole days or periods, whose runs are counted, and parts of such at its edges."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import NamedTuple

import sqlalchemy as sa

from portal.database.models import Run
from portal.database.sql import statements
from portal.runs.counts.columns import date_of, day_of

_FIRST, _LAST = day_of(datetime.min.replace(tzinfo=UTC)), day_of(datetime.max.replace(tzinfo=UTC))


EVER = (-(2**31), 2**31 - 1)
"""The first and the last day or period of a window without bounds."""


class Edge(NamedTuple):
    """Part of one day or period: from one moment to another, both included."""

    begin: datetime
    end: datetime


@dataclass(frozen=True)
class WholePeriods:
    """Whole days or periods, from first to last, both included (None: without an end), and the edges."""

    first: int | None
    last: int | None
    edges: tuple[Edge, ...]

    @property
    def values(self) -> statements.Values:
        """What `in_whole` and, for each edge, `in_edge` have bound."""
        first, last = EVER
        bound: statements.Values = {
            "first_whole": first if self.first is None else self.first,
            "last_whole": last if self.last is None else self.last,
        }
        for number, (begin, end) in enumerate(self.edges):
            bound |= {f"edge_{number}_begin": begin, f"edge_{number}_end": end}
        return bound


def in_whole(days: sa.SQLColumnExpression[int]) -> sa.ColumnElement[bool]:
    """The condition on a column of days, or of periods, to lie in the whole ones."""
    return days.between(sa.bindparam("first_whole"), sa.bindparam("last_whole"))


def in_edge(number: int) -> sa.ColumnElement[bool]:
    """The condition on runs to be created in an edge."""
    return Run.created_at.between(sa.bindparam(f"edge_{number}_begin"), sa.bindparam(f"edge_{number}_end"))


def whole_periods(begin: datetime | None, end: datetime | None, width: int = 1) -> WholePeriods:
    """The periods of `width` days from begin to end, both included; None is no bound."""
    first = None if begin is None else day_of(begin) // width
    last = None if end is None else day_of(end) // width
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
    period = day_of(begin) // width
    return begin == _start(period, width) and end == _end(period, width)


def _start(period: int, width: int) -> datetime:
    return datetime.combine(_date(period * width), time(), UTC)


def _end(period: int, width: int) -> datetime:
    """The last moment of a period that both databases tell apart from the next one."""
    return datetime.combine(_date(period * width + width - 1), time.max, UTC)


def _date(day: int) -> date:
    """A date, or the nearest that there is."""
    return date_of(min(max(day, _FIRST), _LAST))
