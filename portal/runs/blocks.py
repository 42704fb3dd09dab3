"""Where a list's pages lie: a workflow's runs in each order, cut into blocks that are counted.

A block that outgrows MOST is cut. The bounds of blocks never change otherwise, so a writer only adds
to the counts of the blocks that its runs lie in. What a cut counts the database counts, on an index:
a batch of history cuts many blocks, and reading their runs would cost more than storing them.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from math import ceil
from operator import itemgetter
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
OVERLAP = 6
"""This part of a block may lie among a batch's new runs, and all others behind it."""
FIRST_KEY, NO_KEY = -(2**62), 2**62
FEW = 8
"""So many changes find their blocks one by one; more read the bounds of all."""

Place = tuple[int, UUID]
START: Place = (FIRST_KEY, UUID(int=0))
NULLS: Place = (NO_KEY, UUID(int=0))
"""Where the runs without a key begin."""

_Number = tuple[int, int]
"""A place whose id is a whole number."""
_Entry = tuple[int, int, str, int]
"""Where a run lies in an order, its status and its creation."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)
_BLOCKS = cast(sa.Table, RunBlock.__table__)
_B = _BLOCKS.c
_COUNTS = tuple(_B[status] for status in STATUSES)
_PLACE = sa.tuple_(_B.key, _B.id)


class Placed(NamedTuple):
    """A run as blocks see it: its status, and its keys as whole numbers, which compare fast."""

    id: int
    status: str
    created_at: int
    started_at: int
    completed_at: int


class Move(NamedTuple):
    """What leaves the blocks of one order and what enters them, sorted."""

    order: str
    gone: Sequence[_Entry]
    come: Sequence[_Entry]


def microseconds(moment: datetime | None) -> int:
    return NO_KEY if moment is None else (moment - _EPOCH) // _TICK


def placed(
    run_id: UUID,
    status: str,
    created_at: datetime,
    started_at: datetime | None,
    completed_at: datetime | None,
) -> Placed:
    moments = (microseconds(created_at), microseconds(started_at), microseconds(completed_at))
    return Placed(run_id.int, status, *moments)


def moves(removed: Sequence[Placed], added: Sequence[Placed]) -> list[Move]:
    """What leaves and enters blocks, of runs of one workflow as they were and as they are: pure."""
    found = []
    for order in ORDERS:
        gone, come = _in_order(order, removed), _in_order(order, added)
        if gone:  # those that come in again as they were stay
            gone, come = sorted(set(gone) - set(come)), sorted(set(come) - set(gone))
        if gone or come:
            found.append(Move(order, gone, come))
    return found


def apply(session: Session, workflow_id: UUID, moved: Sequence[Move]) -> None:
    """Count runs of a workflow, which are written already, out of their blocks and in.

    Hold the workflow (lock_workflows).
    """
    for order, gone, come in moved:
        _apply(session, workflow_id, order, gone, come)


def _in_order(order: str, runs: Sequence[Placed]) -> list[_Entry]:
    if order == "id":
        return sorted((0, run.id, run.status, run.created_at) for run in runs)
    key = itemgetter(Placed._fields.index(order))
    return sorted((key(run), run.id, run.status, run.created_at) for run in runs)


def _apply(
    session: Session, workflow_id: UUID, order: str, gone: Sequence[_Entry], come: Sequence[_Entry]
) -> None:
    known = _bounds(session, workflow_id, order, (*gone, *come))
    first = not known  # runs of this workflow
    if first:
        known = {_number(begin): 0 for begin, _ in _halves(order)}
    rows: list[dict[str, Any]] = []
    bounds = sorted(known)
    outgrown: list[tuple[_Number, int, Sequence[_Entry]]] = []
    for bound, following in zip(bounds, (*bounds[1:], None), strict=True):
        less, more = _between(gone, bound, following), _between(come, bound, following)
        if less or more or first:
            rows.append(_changes(workflow_id, order, bound, less, more))
            held = known[bound] + len(more) - len(less)
            if held > MOST:
                outgrown.append((bound, held, more))
    _add(session, rows)
    for bound, held, more in outgrown:
        _cut(session, workflow_id, order, _place(bound), held, more)


def _between(entries: Sequence[_Entry], begin: _Number, end: _Number | None) -> Sequence[_Entry]:
    first = bisect_left(entries, begin)
    return entries[first : bisect_left(entries, end) if end else len(entries)]


def _changes(
    workflow_id: UUID, order: str, bound: _Number, less: Sequence[_Entry], more: Sequence[_Entry]
) -> dict[str, Any]:
    row = _empty(workflow_id, order, _place(bound))
    counts = Counter(entry[2] for entry in more)
    counts.subtract(entry[2] for entry in less)
    row |= counts
    if more:
        row |= {"oldest": min(entry[3] for entry in more), "newest": max(entry[3] for entry in more)}
    return row


def _empty(workflow_id: UUID, order: str, bound: Place) -> dict[str, Any]:
    key = {"workflow_id": workflow_id, "ordered_by": order, "key": bound[0], "id": bound[1]}
    return key | dict.fromkeys(STATUSES, 0) | {"oldest": NO_KEY, "newest": FIRST_KEY}


def _number(place: Place) -> _Number:
    return place[0], place[1].int


def _place(number: _Number) -> Place:
    return number[0], UUID(int=number[1])


def _of(workflow_id: UUID, order: str) -> tuple[sa.ColumnElement[bool], ...]:
    return _B.workflow_id == workflow_id, _B.ordered_by == order


def _bounds(session: Session, workflow_id: UUID, order: str, runs: Sequence[_Entry]) -> dict[_Number, int]:
    """Bounds of blocks, with how many runs these hold: of all, or at least those that the runs lie in."""
    total = sum(_COUNTS[1:], start=_COUNTS[0])
    select = sa.select(_B.key, _B.id, total).where(*_of(workflow_id, order))
    if len(runs) > FEW:
        return {(key, run_id.int): held for key, run_id, held in session.execute(select)}
    found: dict[_Number, int] = {}
    last = select.order_by(_B.key.desc(), _B.id.desc()).limit(1)
    for place in (run[:2] for run in runs):
        for key, run_id, held in session.execute(last.where(_PLACE <= _tuple(_place(place)))):
            found[(key, run_id.int)] = held
    return found


def _tuple(place: Place) -> sa.ColumnElement[Any]:
    return sa.tuple_(sa.literal(place[0], sa.BigInteger), sa.literal(place[1], _B.id.type))


def _add(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    least = ("min", "max") if session.get_bind().dialect.name == "sqlite" else ("least", "greatest")
    extremes = {"oldest": least[0], "newest": least[1]}
    bulk.add_rows(session.connection(), _BLOCKS, ("workflow_id", "ordered_by", "key", "id"), rows, extremes)


def _cut(
    session: Session, workflow_id: UUID, order: str, bound: Place, held: int, come: Sequence[_Entry]
) -> None:
    """Replace a block by as many as the runs that it holds need; `come` are those new in it.

    History comes in about the order of time: most of a batch lies behind all that was there, and is
    counted as it came.
    """
    following = session.execute(
        sa.select(_B.key, _B.id)
        .where(*_of(workflow_id, order), _PLACE > _tuple(bound))
        .order_by(_B.key, _B.id)
        .limit(1)
    ).first()
    end: Place | None = (following.key, following.id) if following else None
    session.execute(sa.delete(_BLOCKS).where(*_of(workflow_id, order), _B.key == bound[0], _B.id == bound[1]))
    behind = come[CUT // OVERLAP + 1 :]  # one at least lies before it, since the block's own place stays
    if len(behind) > CUT // OVERLAP:
        rows = list(_cuttings(session, workflow_id, order, bound, _place(behind[0][:2])))
        if sum(row[status] for row in rows for status in STATUSES) + len(behind) == held:
            _add(session, rows + _pieces(workflow_id, order, behind))
            return
    _add(session, list(_cuttings(session, workflow_id, order, bound, end)))


def _pieces(workflow_id: UUID, order: str, entries: Sequence[_Entry]) -> list[dict[str, Any]]:
    """Runs that follow each other as blocks of CUT at most, all about as long."""
    width = ceil(len(entries) / ceil(len(entries) / CUT))
    pieces = [entries[start : start + width] for start in range(0, len(entries), width)]
    return [_changes(workflow_id, order, piece[0][:2], [], piece) for piece in pieces]


def _cuttings(
    session: Session, workflow_id: UUID, order: str, begin: Place, end: Place | None
) -> Iterator[dict[str, Any]]:
    """The runs from one place up to another as blocks of CUT."""
    following: Place | None = begin
    while following is not None:
        begin, following = following, _place_after(session, workflow_id, order, following, end)
        yield _counted(session, workflow_id, order, begin, following or end)


def _place_after(
    session: Session, workflow_id: UUID, order: str, begin: Place, end: Place | None
) -> Place | None:
    """Where CUT runs from a place on end; None where there are no more."""
    key: Any = Run.id if order == "id" else getattr(Run, order)
    ordering = (Run.id,) if order == "id" or begin[0] == NO_KEY else (key, Run.id)
    select = sa.select(key.label("key"), Run.id).where(*_held(workflow_id, order, begin, end))
    select = select.order_by(*ordering).offset(CUT).limit(1)
    row: Any = session.execute(select, place_values(begin, end)).first()
    if row is None:
        return None
    return (0 if order == "id" else microseconds(row.key)), row.id


def _counted(
    session: Session, workflow_id: UUID, order: str, begin: Place, end: Place | None
) -> dict[str, Any]:
    """The block of the runs from one place up to another, counted."""
    counts = [sa.func.count().filter(Run.status == status).label(status) for status in STATUSES]
    created: list[Any] = [sa.func.min(Run.created_at), sa.func.max(Run.created_at)]
    select = sa.select(*counts, *created).where(*_held(workflow_id, order, begin, end))
    row: Any = session.execute(select, place_values(begin, end)).one()
    block = _empty(workflow_id, order, begin) | dict(zip(STATUSES, row, strict=False))
    if row[-1] is not None:
        block |= {"oldest": microseconds(row[-2]), "newest": microseconds(row[-1])}
    return block


def _held(workflow_id: UUID, order: str, begin: Place, end: Place | None) -> list[sa.ColumnElement[bool]]:
    """The conditions on runs to lie in a block."""
    bounds = Bounds.of(order, begin, end)
    conditions = [Run.workflow_id == workflow_id, *within(bounds), *about(bounds)]
    return [*conditions, Run.status.in_(STATUSES)] if order == "id" else conditions  # for its index


class Bounds(NamedTuple):
    """What the conditions on a stretch from one place up to another differ by, but for its places."""

    order: str
    keyed: bool
    """Whether its runs have a key; every run has an id."""
    begins: bool
    ends: bool

    @classmethod
    def of(cls, order: str, begin: Place, end: Place | None) -> "Bounds":
        keyed = begin[0] != NO_KEY
        ends = end is not None and not (keyed and end[0] == NO_KEY)
        return cls(order, keyed, begin not in (START, NULLS), ends)


def within(bounds: Bounds, prefix: str = "") -> list[sa.ColumnElement[bool]]:
    """The conditions on runs to lie in a stretch, its places to be bound as `place_values` says."""
    order, keyed, begins, ends = bounds
    column: Any = getattr(Run, order)
    first, last = (sa.bindparam(f"{prefix}{name}_id", type_=_B.id.type) for name in ("begin", "end"))
    conditions: list[sa.ColumnElement[bool]] = []
    if order == "id" or not keyed:
        conditions += [] if keyed else [column.is_(None)]
        return conditions + [Run.id >= first] * begins + [Run.id < last] * ends
    place = sa.tuple_(column, Run.id)
    if begins:
        conditions.append(place >= sa.tuple_(sa.bindparam(f"{prefix}begin_key", type_=column.type), first))
    else:
        conditions.append(column.is_not(None))
    if ends:
        conditions.append(place < sa.tuple_(sa.bindparam(f"{prefix}end_key", type_=column.type), last))
    return conditions


def about(bounds: Bounds, prefix: str = "") -> list[sa.ColumnElement[bool]]:
    """What follows for the keys of a stretch: from plain comparisons PostgreSQL guesses how much it holds."""
    column: Any = getattr(Run, bounds.order)
    if bounds.order == "id" or not bounds.keyed:
        return []
    begins = [column >= sa.bindparam(f"{prefix}begin_key", type_=column.type)] * bounds.begins
    return begins + [column <= sa.bindparam(f"{prefix}end_key", type_=column.type)] * bounds.ends


def place_values(begin: Place, end: Place | None, prefix: str = "") -> dict[str, Any]:
    """The places of a stretch as `within` has them bound."""
    bound: dict[str, Any] = {}
    for name, place in (("begin", begin), ("end", end)):
        if place is not None:
            key = _EPOCH + place[0] * _TICK if FIRST_KEY < place[0] < NO_KEY else None
            bound |= {f"{prefix}{name}_key": key, f"{prefix}{name}_id": place[1]}
    return bound


def rebuild(session: Session, workflow_id: UUID) -> None:
    """Cut all orders of a workflow anew. Hold the workflow (lock_workflows)."""
    session.execute(sa.delete(_BLOCKS).where(_B.workflow_id == workflow_id))
    for order in ORDERS:
        for begin, end in _halves(order):
            _add(session, list(_cuttings(session, workflow_id, order, begin, end)))


def _halves(order: str) -> Sequence[tuple[Place, Place | None]]:
    return ((START, NULLS), (NULLS, None)) if order != "id" else ((START, None),)


def find_drift(session: Session, workflow_id: UUID) -> bool:
    """Whether any block holds other runs than it says."""
    return any(_drifts(session, workflow_id, order) for order in ORDERS)


def _drifts(session: Session, workflow_id: UUID, order: str) -> bool:
    columns = sa.select(_B.key, _B.id, *_COUNTS).where(*_of(workflow_id, order))
    kept = [
        ((key, run_id), tuple(counts))
        for key, run_id, *counts in session.execute(columns.order_by(_B.key, _B.id))
    ]
    begins = [begin for begin, _ in kept]
    if begins[:1] != [START] or (order != "id" and NULLS not in begins):
        return bool(begins) or _has_runs(session, workflow_id)
    for (begin, counts), end in zip(kept, (*begins[1:], None), strict=True):
        counted = _counted(session, workflow_id, order, begin, end)
        if counts != tuple(counted[status] for status in STATUSES):
            return True
    return False


def _has_runs(session: Session, workflow_id: UUID) -> bool:
    return session.scalar(sa.select(Run.id).where(Run.workflow_id == workflow_id).limit(1)) is not None
