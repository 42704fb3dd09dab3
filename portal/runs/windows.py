"""A window of time as whole days, which are counted already, and the parts of days at its edges."""

from dataclasses import dataclass
from datetime import UTC, datetime, time

import sqlalchemy as sa

from portal.models import DayRuns, Run
from portal.runs.rollup import date_of, day_of


@dataclass(frozen=True)
class Edge:
    """Part of one day: from one moment to another, both included."""

    begin: datetime
    end: datetime

    @property
    def condition(self) -> sa.ColumnElement[bool]:
        return Run.created_at.between(self.begin, self.end)


@dataclass(frozen=True)
class Window:
    """Whole days, from the first to the last, both included (None: without an end), and the edges."""

    first: int | None
    last: int | None
    edges: tuple[Edge, ...]

    @property
    def days(self) -> sa.ColumnElement[bool]:
        """The condition on the rows of days."""
        bounds = [DayRuns.day >= self.first] if self.first is not None else []
        bounds += [DayRuns.day <= self.last] if self.last is not None else []
        return sa.and_(sa.true(), *bounds)


def window(begin: datetime | None, end: datetime | None) -> Window:
    """The window from begin to end, both included; None is no bound."""
    first = None if begin is None else day_of(begin)
    last = None if end is None else day_of(end)
    if begin is not None and end is not None and first == last and not _is_whole(begin, end):
        return Window(1, 0, (Edge(begin, end),))
    edges = []
    if begin is not None and first is not None and begin != _start(first):
        edges.append(Edge(begin, _end(first)))
        first += 1
    if end is not None and last is not None and end != _end(last):
        edges.append(Edge(_start(last), end))
        last -= 1
    return Window(first, last, tuple(edges))


def _is_whole(begin: datetime, end: datetime) -> bool:
    day = day_of(begin)
    return begin == _start(day) and end == _end(day)


def _start(day: int) -> datetime:
    return datetime.combine(date_of(day), time(), UTC)


def _end(day: int) -> datetime:
    """The last moment of a day that both databases tell apart from the next day."""
    return datetime.combine(date_of(day), time.max, UTC)
