"""Where a list's pages lie: a workflow's runs in each order, cut into blocks that are counted.

A block that outgrows MOST is cut. The bounds of blocks never change otherwise, so a writer only adds
to the counts of the blocks that its runs lie in. What a cut counts the database counts, on an index:
a batch of history cuts many blocks, and reading their runs would cost more than storing them.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import repeat
from math import ceil
from typing import Any, NamedTuple, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.models import Run, RunBlock, RunStatus
from portal.database.sql import bulk

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
_HERE = sa.tuple_(sa.bindparam("key", type_=_B.key.type), sa.bindparam("id", type_=_B.id.type))
_OF_ORDER = (_B.workflow_id == sa.bindparam("workflow_id"), _B.ordered_by == sa.bindparam("ordered_by"))
_FOLLOWING = sa.select(_B.key, _B.id).where(*_OF_ORDER, _PLACE > _HERE).order_by(_B.key, _B.id).limit(1)
_BOUNDS = sa.select(_B.key, _B.id, RunBlock.of()).where(*_OF_ORDER)
_BOUND_OF = _BOUNDS.where(_PLACE <= _HERE).order_by(_B.key.desc(), _B.id.desc()).limit(1)
_KEPT = sa.select(_B.key, _B.id, *_COUNTS).where(*_OF_ORDER).order_by(_B.key, _B.id)
_REMOVE = sa.delete(_BLOCKS).where(*_OF_ORDER, _B.key == sa.bindparam("key"), _B.id == sa.bindparam("id"))


class Places(NamedTuple):
    """Runs as blocks see them, a column each: status, and keys as whole numbers, which compare fast."""

    id: Sequence[int]
    status: Sequence[str]
    created_at: Sequence[int]
    started_at: Sequence[int]
    completed_at: Sequence[int]


class Moves:
    """What leaves the blocks of one workflow and what enters them."""

    def __init__(self) -> None:
        self._gone: dict[str, list[_Entry]] = {order: [] for order in ORDERS}
        self._come: dict[str, list[_Entry]] = {order: [] for order in ORDERS}

    def add(self, sign: int, runs: Places) -> None:
        """Let runs enter, or leave where the sign is negative."""
        entries = self._gone if sign < 0 else self._come
        for order in ORDERS:
            keys = repeat(0) if order == "id" else getattr(runs, order)
            entries[order] += zip(keys, runs.id, runs.status, runs.created_at, strict=False)

    def of(self, order: str) -> tuple[list[_Entry], list[_Entry]]:
        """What leaves and what enters in an order, sorted; what comes in again as it was stays."""
        gone, come = self._gone[order], self._come[order]
        if gone:
            less, more = Counter(gone), Counter(come)
            gone, come = list((less - more).elements()), list((more - less).elements())
        return sorted(gone), sorted(come)


def microseconds(moment: datetime | None) -> int:
    return NO_KEY if moment is None else (moment - _EPOCH) // _TICK


def apply(session: Session, workflow_id: UUID, moves: Moves) -> None:
    """Count runs of a workflow, which are written already, out of their blocks and in.

    Hold the workflow (lock_workflows).
    """
    for order in ORDERS:
        gone, come = moves.of(order)
        if gone or come:
            _apply(session, workflow_id, order, gone, come)


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
        held = known[bound] + len(more) - len(less)
        if held > MOST:
            outgrown.append((bound, held, more))
        elif less or more or first:
            rows.append(_changes(workflow_id, order, bound, less, more))
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
    if more:
        _, _, statuses, created = zip(*more, strict=True)
        row |= Counter(statuses) | {"oldest": min(created), "newest": max(created)}
    for _, _, status, _ in less:
        row[status] -= 1
    return row


def _empty(workflow_id: UUID, order: str, bound: Place) -> dict[str, Any]:
    key = {"workflow_id": workflow_id, "ordered_by": order, "key": bound[0], "id": bound[1]}
    return key | dict.fromkeys(STATUSES, 0) | {"oldest": NO_KEY, "newest": FIRST_KEY}


def _number(place: Place) -> _Number:
    return place[0], place[1].int


def _place(number: _Number) -> Place:
    return number[0], UUID(int=number[1])


def _bounds(session: Session, workflow_id: UUID, order: str, runs: Sequence[_Entry]) -> dict[_Number, int]:
    """Bounds of blocks, with how many runs these hold: of all, or at least those that the runs lie in."""
    of_order = {"workflow_id": workflow_id, "ordered_by": order}
    if len(runs) > FEW:
        return {(key, run_id.int): held for key, run_id, held in session.execute(_BOUNDS, of_order)}
    found: dict[_Number, int] = {}
    for place in (_place(run[:2]) for run in runs):
        here = of_order | {"key": place[0], "id": place[1]}
        for key, run_id, held in session.execute(_BOUND_OF, here):
            found[(key, run_id.int)] = held
    return found


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
    here = {"workflow_id": workflow_id, "ordered_by": order, "key": bound[0], "id": bound[1]}
    following = session.execute(_FOLLOWING, here).first()
    end: Place | None = (following.key, following.id) if following else None
    session.execute(_REMOVE, here)
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
    bound = place_values(begin, end) | {"workflow_id": workflow_id, "cut": CUT}
    row: Any = session.execute(_after(Bounds.of(order, begin, end)), bound).first()
    if row is None:
        return None
    return (0 if order == "id" else microseconds(row.key)), row.id


def _counted(
    session: Session, workflow_id: UUID, order: str, begin: Place, end: Place | None
) -> dict[str, Any]:
    """The block of the runs from one place up to another, counted."""
    bound = place_values(begin, end) | {"workflow_id": workflow_id}
    row: Any = session.execute(_counting(Bounds.of(order, begin, end)), bound).one()
    block = _empty(workflow_id, order, begin) | dict(zip(STATUSES, row, strict=False))
    if row[-1] is not None:
        block |= {"oldest": microseconds(row[-2]), "newest": microseconds(row[-1])}
    return block


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


@lru_cache
def _after(bounds: Bounds) -> sa.Select[Any]:
    """Where CUT runs of a block end."""
    key: Any = getattr(Run, bounds.order)
    select = sa.select(key.label("key"), Run.id).where(*_held(bounds))
    ordering = (key, Run.id) if bounds.keyed and bounds.order != "id" else (Run.id,)
    return select.order_by(*ordering).offset(sa.bindparam("cut", type_=sa.Integer())).limit(1)


@lru_cache
def _counting(bounds: Bounds) -> Any:
    """How many runs of each status a block holds, and from when to when they were created."""
    counts = [sa.func.count().filter(Run.status == status).label(status) for status in STATUSES]
    return sa.select(*counts, sa.func.min(Run.created_at), sa.func.max(Run.created_at)).where(*_held(bounds))


def _held(bounds: Bounds) -> list[sa.ColumnElement[bool]]:
    """The conditions on runs to lie in a block."""
    conditions = [Run.workflow_id == sa.bindparam("workflow_id"), *within(bounds), *about(bounds)]
    return [*conditions, Run.status.in_(STATUSES)] if bounds.order == "id" else conditions  # for its index


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
    of_order = {"workflow_id": workflow_id, "ordered_by": order}
    kept = [((key, run_id), tuple(counts)) for key, run_id, *counts in session.execute(_KEPT, of_order)]
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
