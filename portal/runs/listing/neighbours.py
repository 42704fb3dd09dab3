"""The runs before and after one in a list, in the list's exact order (contract 3.1).

Keyset pagination, never an offset: each neighbour is the first row of a few short ranges of an index.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

from portal.auth.access import SeenWorkflow
from portal.database.engine import db
from portal.database.models import Run
from portal.database.sql import statements
from portal.runs.filters.conditions import Filters, matching, values
from portal.runs.filters.triggered_by import PEOPLE_NAMED
from portal.runs.query import RunQuery, SortValue

MAX_PEOPLE = 40
"""A search that matches up to this many people reads a range for each; more have runs close by."""


_Key = InstrumentedAttribute[SortValue]


@dataclass(frozen=True)
class Neighbour:
    id: UUID
    run_number: int
    status: str


@dataclass(frozen=True)
class Neighbours:
    previous: Neighbour | None
    next: Neighbour | None


def find_neighbours(workflow: SeenWorkflow, query: RunQuery, run_id: UUID) -> Neighbours:
    """The neighbours of a run of this workflow; the run itself need not match the query."""
    key: _Key = getattr(Run, query.sort)
    value = db.session.scalar(sa.select(key).where(Run.id == run_id))
    bound = values(workflow, query)
    ranges = _ranges(query, bound)
    before = _segments(key, value, run_id, query.order == "desc", forward=False)
    after = _segments(key, value, run_id, query.order == "desc", forward=True)
    return Neighbours(_nearest(key, before, ranges, bound), _nearest(key, after, ranges, bound))


@dataclass(frozen=True)
class _Segment:
    """A range of the list beside the run, and in which direction it leads away from the run."""

    condition: sa.ColumnElement[bool]
    key_falls: bool
    id_falls: bool

    def order(
        self, key: sa.SQLColumnExpression[SortValue], id_: sa.SQLColumnExpression[UUID]
    ) -> tuple[sa.UnaryExpression[SortValue], sa.UnaryExpression[UUID]]:
        return key.desc() if self.key_falls else key.asc(), id_.desc() if self.id_falls else id_.asc()


def _segments(key: _Key, value: SortValue, run_id: UUID, falls: bool, forward: bool) -> list[_Segment]:
    """The segments, nearest first: ties by id, then the rest; missing keys are last in both directions."""
    ties = Run.id > run_id if forward else Run.id < run_id
    nulls_follow = forward and key.nullable
    if value is None:
        alike = [_Segment(sa.and_(key.is_(None), ties), False, not forward)]
        return alike if forward else [*alike, _Segment(key.is_not(None), not falls, True)]
    key_falls = falls == forward
    beyond = key < value if key_falls else key > value
    segments = [
        _Segment(sa.and_(key == value, ties), False, not forward),
        _Segment(beyond, key_falls, not forward),
    ]
    return segments + [_Segment(key.is_(None), False, False)] * nulls_follow


def _ranges(query: RunQuery, bound: statements.Values) -> list[Sequence[sa.ColumnElement[bool]]]:
    """What the query matches, as sets of conditions that each are a range of an index."""
    filters = Filters.of(query)
    if filters.searched:
        people = db.session.scalars(PEOPLE_NAMED.limit(MAX_PEOPLE + 1), bound).all()
        if len(people) > MAX_PEOPLE:
            return [matching(filters)]
        rest = matching(filters._replace(searched=False))
        return [(*rest, Run.person_id == person) for person in people]
    rest = matching(filters._replace(statuses=0))
    return [(*rest, Run.status == status) for status in query.status] or [rest]


def _nearest(
    key: _Key,
    segments: Sequence[_Segment],
    ranges: Sequence[Sequence[sa.ColumnElement[bool]]],
    bound: statements.Values,
) -> Neighbour | None:
    for segment in segments:
        firsts = list(_firsts(key, segment, ranges))
        if not firsts:
            return None
        found = sa.union_all(*firsts).subquery()
        order = segment.order(found.c.key, found.c.id)
        row = db.session.execute(sa.select(found).order_by(*order).limit(1), bound).first()
        if row is not None:
            return Neighbour(row.id, row.run_number, row.status)
    return None


def _firsts(
    key: _Key, segment: _Segment, ranges: Sequence[Sequence[sa.ColumnElement[bool]]]
) -> Iterator[statements.Columns]:
    columns = (Run.id, Run.run_number, Run.status, key.label("key"))
    for conditions in ranges:
        first = sa.select(*columns).where(segment.condition, *conditions)
        first_one = first.order_by(*segment.order(key, Run.id)).limit(1).subquery()
        yield sa.select(first_one)
