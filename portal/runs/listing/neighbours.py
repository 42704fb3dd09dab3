"""The runs before and after one in a list, in the list's exact order (contract 3.1).

Keyset pagination, never an offset: each neighbour is the first row of a few short ranges of an index; where
no index has the order of a workspace, the nearest of the first ones of each workflow.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

from portal.database.engine import db
from portal.database.models import PersonRuns, Run, Workflow
from portal.database.sql import statements
from portal.runs.filters.conditions import Filters, filtering, values
from portal.runs.filters.triggered_by import PEOPLE_NAMED
from portal.runs.query import RunQuery, SortValue
from portal.runs.scope import Kind, Listed, Scope, in_scope, in_workflows, scope_of_list

MAX_PEOPLE = 40
"""A search that matches up to this many people reads a range for each; more have runs close by."""


_Key = InstrumentedAttribute[SortValue]


@dataclass(frozen=True)
class Neighbour:
    id: UUID
    workflow_id: UUID
    run_number: int
    status: str


@dataclass(frozen=True)
class Neighbours:
    previous: Neighbour | None
    next: Neighbour | None


def find_neighbours(seen: Listed, query: RunQuery, run_id: UUID) -> Neighbours:
    """The neighbours of a run of this workflow or workspace; the run itself need not match the query.

    A query without a workflow lists the workspace, also where the run's workflow is given.
    """
    scope = scope_of_list(seen, query)
    key: _Key = getattr(Run, query.sort_column)
    value = db.session.scalar(sa.select(key).where(Run.id == run_id))
    bound = values(scope, query)
    ranges = _ranges(scope, query, bound)
    before = segments_beside(key, value, run_id, query.order == "desc", forward=False)
    after = segments_beside(key, value, run_id, query.order == "desc", forward=True)
    return Neighbours(_nearest(key, before, ranges, bound), _nearest(key, after, ranges, bound))


@dataclass(frozen=True)
class Segment:
    """A range of the list, and in which direction it is read: that which leads away from a run."""

    condition: sa.ColumnElement[bool]
    key_falls: bool
    id_falls: bool

    def order(
        self, key: sa.SQLColumnExpression[SortValue], id_: sa.SQLColumnExpression[UUID]
    ) -> tuple[sa.UnaryExpression[SortValue], sa.UnaryExpression[UUID]]:
        return key.desc() if self.key_falls else key.asc(), id_.desc() if self.id_falls else id_.asc()


def segments_of_all(key: _Key, falls: bool) -> list[Segment]:
    """The segments of the whole list: the runs with a key, and those without."""
    if not key.nullable:
        return [Segment(sa.true(), falls, False)]
    return [Segment(key.is_not(None), falls, False), Segment(key.is_(None), False, False)]


def segments_beside(key: _Key, value: SortValue, run_id: UUID, falls: bool, forward: bool) -> list[Segment]:
    """The segments, nearest first: ties by id, then the rest; missing keys are last in both directions."""
    ties = Run.id > run_id if forward else Run.id < run_id
    nulls_follow = forward and key.nullable
    if value is None:
        alike = [Segment(sa.and_(key.is_(None), ties), False, not forward)]
        return alike if forward else [*alike, Segment(key.is_not(None), not falls, True)]
    key_falls = falls == forward
    beyond = key < value if key_falls else key > value
    segments = [
        Segment(sa.and_(key == value, ties), False, not forward),
        Segment(beyond, key_falls, not forward),
    ]
    return segments + [Segment(key.is_(None), False, False)] * nulls_follow


class _Range(NamedTuple):
    """Part of what the query matches: conditions that are a range of an index, or of one for each row of a
    table, whose columns the range has in common with it.
    """

    conditions: Sequence[sa.ColumnElement[bool]]
    each: sa.Subquery | None = None


def _ranges(scope: Scope, query: RunQuery, bound: statements.Values) -> list[_Range]:
    """What the query matches, as ranges."""
    filters, kind = Filters.of(scope, query), scope.kind
    workflows = None
    if kind.is_merged(query.sort) or (kind is not Kind.WORKFLOW and query.status):
        workflows = _workflows(scope)
    of_scope = [] if workflows is not None else in_scope(kind, query.sort)
    if filters.searched:
        rest = filtering(filters._replace(searched=False))
        people = db.session.scalars(PEOPLE_NAMED.limit(MAX_PEOPLE + 1), bound).all()
        if len(people) > MAX_PEOPLE:
            return [_Range((*of_scope, *filtering(filters)), workflows)]
        if kind is Kind.WORKFLOW:
            return [_Range((*of_scope, *rest, Run.person_id == person)) for person in people]
        pairs = sa.select(PersonRuns.workflow_id, PersonRuns.person_id)
        pairs = pairs.where(PersonRuns.person_id.in_(people), in_workflows(kind, PersonRuns.workflow_id))
        return [_Range(rest, pairs.subquery())]
    rest = [*of_scope, *filtering(filters._replace(statuses=0))]
    return [_Range((*rest, Run.status == status), workflows) for status in query.status] or [
        _Range(rest, workflows)
    ]


def _workflows(scope: Scope) -> sa.Subquery:
    """The workflows of a scope."""
    ids = sa.select(Workflow.id.label("workflow_id"))
    return ids.where(in_workflows(scope.kind, Workflow.id)).subquery()


def _nearest(
    key: _Key,
    segments: Sequence[Segment],
    ranges: Sequence[_Range],
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
            return Neighbour(row.id, row.workflow_id, row.run_number, row.status)
    return None


def _firsts(key: _Key, segment: Segment, ranges: Sequence[_Range]) -> Iterator[statements.Columns]:
    columns = (Run.id, Run.workflow_id, Run.run_number, Run.status, key.label("key"))
    for conditions, each in ranges:
        if each is None:
            first = sa.select(*columns).where(segment.condition, *conditions)
        else:
            common = (getattr(Run, column.name) == column for column in each.c)
            one = sa.select(Run.id).where(segment.condition, *conditions, *common)
            one = one.order_by(*segment.order(key, Run.id)).limit(1).correlate(each)
            first = sa.select(*columns).where(Run.id.in_(sa.select(one.scalar_subquery()).select_from(each)))
        first_one = first.order_by(*segment.order(key, Run.id)).limit(1).subquery()
        yield sa.select(first_one)
