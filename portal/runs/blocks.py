"""Where a list's pages lie: a workflow's runs in each order, cut into blocks that are counted.

A block that outgrows MOST is cut. The bounds of blocks never change otherwise, so a writer only adds
to the counts of the blocks that its runs lie in.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.models import Run, RunBlock, RunStatus
from portal.runs import bulk

ORDERS = ("created_at", "started_at", "completed_at", "id")
STATUSES = tuple(status.value for status in RunStatus)
MOST = 4096
CUT = 3072
FIRST_KEY, NO_KEY = -(2**62), 2**62
FEW = 8
"""So many changes find their blocks one by one; more read the bounds of all."""

Place = tuple[int, UUID]
START: Place = (FIRST_KEY, UUID(int=0))
NULLS: Place = (NO_KEY, UUID(int=0))
"""Where the runs without a key begin."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)
_BLOCKS = cast(sa.Table, RunBlock.__table__)
_B = _BLOCKS.c
_COUNTS = tuple(_B[status] for status in STATUSES)
_POSITION = {status: position for position, status in enumerate(STATUSES)}
_PLACE = sa.tuple_(_B.key, _B.id)


class Placed(NamedTuple):
    """A run as blocks see it: where it lies in each order, its status, and one more or one less."""

    places: tuple[Place, ...]
    status: str
    created: int
    sign: int


def microseconds(moment: datetime | None) -> int:
    return NO_KEY if moment is None else (moment - _EPOCH) // _TICK


def placed(
    run_id: UUID,
    status: str,
    created_at: datetime,
    started_at: datetime | None,
    completed_at: datetime | None,
    sign: int,
) -> Placed:
    created = microseconds(created_at)
    keys = (created, microseconds(started_at), microseconds(completed_at), 0)
    return Placed(tuple((key, run_id) for key in keys), status, created, sign)


def apply(session: Session, workflow_id: UUID, changes: Sequence[Placed]) -> None:
    """Count runs of a workflow in and out of their blocks. Hold the workflow (lock_workflows)."""
    for number, order in enumerate(ORDERS):
        changed = [(each.places[number], each) for each in changes]
        _apply(session, workflow_id, order, _needed(changed))


def _needed(changed: list[tuple[Place, Placed]]) -> list[tuple[Place, Placed]]:
    """Without those that go out and come in again as they were."""
    if all(each.sign > 0 for _, each in changed):
        return changed
    net: dict[tuple[Place, str], int] = defaultdict(int)
    for place, each in changed:
        net[(place, each.status)] += each.sign
    return [(place, each) for place, each in changed if net[(place, each.status)]]


def _apply(session: Session, workflow_id: UUID, order: str, changed: list[tuple[Place, Placed]]) -> None:
    if not changed:
        return
    known = _bounds(session, workflow_id, order, [place for place, _ in changed])
    rows: dict[Place, dict[str, Any]] = {}
    if not known:  # the first runs of this workflow
        known = {begin: 0 for begin, _ in _halves(order)}
        rows = {begin: _empty(workflow_id, order, begin) for begin in known}
    bounds = sorted(known)
    for place, each in changed:
        bound = bounds[bisect_right(bounds, place) - 1]
        row = rows.get(bound)
        if row is None:
            row = rows[bound] = _empty(workflow_id, order, bound)
        _count(row, each.status, each.created, each.sign)
    _add(session, list(rows.values()))
    for bound, row in rows.items():
        if known[bound] + sum(row[status] for status in STATUSES) > MOST:
            _cut(session, workflow_id, order, bound)


def _empty(workflow_id: UUID, order: str, bound: Place) -> dict[str, Any]:
    key = {"workflow_id": workflow_id, "ordered_by": order, "key": bound[0], "id": _uuid(bound[1])}
    return key | dict.fromkeys(STATUSES, 0) | {"oldest": NO_KEY, "newest": FIRST_KEY}


def _uuid(stored: UUID | bytes) -> UUID:
    return UUID(bytes=stored) if isinstance(stored, bytes) else stored


def _count(row: dict[str, Any], status: str, created: int, sign: int) -> None:
    row[status] += sign
    if sign > 0:
        row["oldest"] = min(row["oldest"], created)
        row["newest"] = max(row["newest"], created)


def _of(workflow_id: UUID, order: str) -> tuple[sa.ColumnElement[bool], ...]:
    return _B.workflow_id == workflow_id, _B.ordered_by == order


def _bounds(session: Session, workflow_id: UUID, order: str, places: Sequence[Place]) -> dict[Place, int]:
    """Bounds of blocks, with how many runs these hold: of all, or at least those that the places lie in."""
    total = sum(_COUNTS[1:], start=_COUNTS[0])
    select = sa.select(_B.key, _B.id, total).where(*_of(workflow_id, order))
    found: dict[Place, int] = {}
    if len(places) > FEW:
        found = {(key, run_id): runs for key, run_id, runs in session.execute(select)}
    else:
        last = select.order_by(_B.key.desc(), _B.id.desc()).limit(1)
        for place in places:
            for key, run_id, runs in session.execute(last.where(_PLACE <= _tuple(place))):
                found[(key, run_id)] = runs
    return found


def _tuple(place: Place) -> sa.ColumnElement[Any]:
    return sa.tuple_(sa.literal(place[0], sa.BigInteger), sa.literal(place[1], _B.id.type))


def _add(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    least = ("min", "max") if session.get_bind().dialect.name == "sqlite" else ("least", "greatest")
    extremes = {"oldest": least[0], "newest": least[1]}
    bulk.add_rows(session.connection(), _BLOCKS, ("workflow_id", "ordered_by", "key", "id"), rows, extremes)


def _cut(session: Session, workflow_id: UUID, order: str, bound: Place) -> None:
    """Replace a block by as many as its runs need."""
    following = session.execute(
        sa.select(_B.key, _B.id)
        .where(*_of(workflow_id, order), _PLACE > _tuple(bound))
        .order_by(_B.key, _B.id)
        .limit(1)
    ).first()
    end = tuple(following) if following else None
    runs = _in_order(session, workflow_id, order, bound, cast("Place | None", end))
    session.execute(sa.delete(_BLOCKS).where(*_of(workflow_id, order), _B.key == bound[0], _B.id == bound[1]))
    _add(session, list(_blocks(workflow_id, order, bound, runs)))


def _blocks(
    workflow_id: UUID, order: str, bound: Place, runs: Iterable[tuple[Any, str, int]]
) -> Iterator[dict[str, Any]]:
    """Blocks of these runs, which come in order: the first at the bound, and one where the nulls begin."""
    row, held = _empty(workflow_id, order, bound), 0
    for place, status, created in runs:
        if held >= CUT:
            yield row
            row, held = _empty(workflow_id, order, place), 0
        _count(row, status, created, 1)
        held += 1
    yield row


def _in_order(
    session: Session, workflow_id: UUID, order: str, begin: Place, end: Place | None
) -> Iterator[tuple[Any, str, int]]:
    """The runs of an order from one place up to another; on SQLite their ids are bytes."""
    column: Any = getattr(Run, order)
    created: Any = Run.created_at
    columns: tuple[Any, ...] = (column, Run.id, Run.status, created)
    sqlite = session.get_bind().dialect.name == "sqlite"
    if sqlite:  # as it is stored: converting what is only counted would cost most of the time
        columns = tuple(sa.type_coerce(each, sa.types.NULLTYPE) for each in columns)
    select = sa.select(*(each.label(f"column_{number}") for number, each in enumerate(columns)))
    select = select.where(Run.workflow_id == workflow_id, *within(order, begin, end)).order_by(column, Run.id)
    for key, run_id, status, at in session.execute(select.execution_options(yield_per=5000)):
        if sqlite:
            yield (0 if order == "id" else NO_KEY if key is None else key, run_id), status, at
        else:
            yield (0 if order == "id" else microseconds(key), run_id), status, microseconds(at)


def within(order: str, begin: Place, end: Place | None) -> list[sa.ColumnElement[bool]]:
    """The conditions on runs to lie from one place up to another, within the keys or within the nulls."""
    column: Any = getattr(Run, order)
    if order == "id":
        return [Run.id >= begin[1], *([Run.id < end[1]] if end else [])]
    if begin[0] == NO_KEY:
        return [column.is_(None), Run.id >= begin[1], *([Run.id < end[1]] if end else [])]
    conditions: list[sa.ColumnElement[bool]] = [column.is_not(None)] if begin == START else []
    if begin != START:
        conditions.append(sa.tuple_(column, Run.id) >= _moment_tuple(begin))
    if end is not None and end[0] != NO_KEY:
        conditions.append(sa.tuple_(column, Run.id) < _moment_tuple(end))
    return conditions


def _moment_tuple(place: Place) -> sa.ColumnElement[Any]:
    moment = _EPOCH + place[0] * _TICK
    return sa.tuple_(sa.literal(moment, Run.created_at.type), sa.literal(place[1], Run.id.type))


def rebuild(session: Session, workflow_id: UUID) -> None:
    """Cut all orders of a workflow anew. Hold the workflow (lock_workflows)."""
    session.execute(sa.delete(_BLOCKS).where(_B.workflow_id == workflow_id))
    for order in ORDERS:
        for begin, end in _halves(order):
            rows = list(
                _blocks(workflow_id, order, begin, _in_order(session, workflow_id, order, begin, end))
            )
            _add(session, rows)


def _halves(order: str) -> Sequence[tuple[Place, Place | None]]:
    return ((START, NULLS), (NULLS, None)) if order != "id" else ((START, None),)


def find_drift(session: Session, workflow_id: UUID) -> bool:
    """Whether any block holds other runs than it says."""
    return any(_drifts(session, workflow_id, order) for order in ORDERS)


def _drifts(session: Session, workflow_id: UUID, order: str) -> bool:
    columns = sa.select(_B.key, _B.id, *_COUNTS).where(*_of(workflow_id, order))
    kept = {(key, run_id): counts for key, run_id, *counts in session.execute(columns)}
    bounds = sorted(kept)
    counted = {bound: [0] * len(STATUSES) for bound in bounds}
    at = 0
    for begin, end in _halves(order):
        for (key, run_id), status, _ in _in_order(session, workflow_id, order, begin, end):
            place = (key, _uuid(run_id))
            while at + 1 < len(bounds) and bounds[at + 1] <= place:
                at += 1
            if not bounds:
                return True
            counted[bounds[at]][_POSITION[status]] += 1
    return counted != kept
