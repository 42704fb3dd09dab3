"""Where in an index a position of a list lies: told by counts kept beside the runs, not by counting runs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import sqlalchemy as sa

from portal.db import read
from portal.models import PersonPeriodRuns, RunBlock
from portal.runs import rollup
from portal.runs.blocks import (
    FIRST_KEY,
    NO_KEY,
    NULLS,
    Bounds,
    Place,
    about,
    microseconds,
    place_values,
    within,
)
from portal.runs.filters import PEOPLE_NAMED, Filters, checked, matching
from portal.runs.orders import Order
from portal.runs.rollup import NO_PERIOD, STATUSES, period_of
from portal.runs.seek import Walk
from portal.runs.whole_periods import in_edge, in_whole, whole_periods

PARTIAL = 16
"""So many blocks that lie partly in a window are counted; where there are more, their runs are walked."""


Kept = Sequence[Any]
"""A row of `kept_blocks`."""


_ID, _HERE, _KEY, _OLDEST, _NEWEST = range(5)


class Measure(Protocol):
    """Finds positions in an order."""

    def walks(self, position: int, count: int, total: int) -> list[Walk]:
        """What finds so many runs from this position of `total` on."""


@dataclass(frozen=True)
class Unmeasured:
    """Runs by id that nothing counts: walked from the nearer end."""

    order: Order

    def walks(self, position: int, count: int, total: int) -> list[Walk]:
        if 2 * position + count <= total:
            return [self.order.with_key(position, count)]
        return [replace(self.order, descending=True).with_key(total - position - count, count)]


@dataclass(frozen=True)
class ByPeriods:
    """The runs of the people searched for: whole periods from their counts."""

    order: Order

    def walks(self, position: int, count: int, total: int) -> list[Walk]:
        order, runs = self.order, self._periods()
        without_key = runs.pop(NO_PERIOD, 0)
        periods = [
            _Block(_beginning(period), _beginning(period + 1), runs[period]) for period in sorted(runs)
        ]
        keyless = [_Block(NULLS, None, without_key)] if without_key else []
        return _walks(order, periods, keyless, position, count)

    def _periods(self) -> dict[int, int]:
        """The runs of each period that has any."""
        order, query = self.order, self.order.query
        sliced = order.by == "created_at"
        window = whole_periods(
            query.created_from if sliced else None, query.created_to if sliced else None, rollup.PERIOD_DAYS
        )
        bound = order.values() | window.values | {"ordered_by": order.by}
        bound |= {f"edge_{number}": period_of(edge.begin) for number, edge in enumerate(window.edges)}
        found: dict[int, int] = {}
        for period, runs in read(_kept_periods(order.statuses, len(window.edges)), **bound):
            found[period] = found.get(period, 0) + int(runs)
        return found


def _beginning(period: int) -> Place:
    return period * rollup.PERIOD_DAYS * 86_400_000_000, UUID(int=0)


@lru_cache(maxsize=256)
def _kept_periods(statuses: tuple[str, ...], edges: int) -> Any:
    """Periods and how many runs each has; the edges of a window counted."""
    table, period = PersonPeriodRuns, PersonPeriodRuns.period
    whole = sa.select(period, sa.func.sum(_total(table, statuses))).group_by(period)
    whole = whole.where(
        table.workflow_id == sa.bindparam("workflow_id"),
        table.ordered_by == sa.bindparam("ordered_by"),
        table.person_id.in_(PEOPLE_NAMED),
        in_whole(period),
    )
    among = matching(Filters(statuses=len(statuses), searched=True))
    edge = [sa.bindparam(f"edge_{number}", type_=sa.Integer()) for number in range(edges)]
    return sa.union_all(
        whole, *(sa.select(edge[n], sa.func.count()).where(*among, in_edge(n)) for n in range(edges))
    )


def _total(table: Any, statuses: Sequence[str]) -> Any:
    columns = [getattr(table, status).expression for status in statuses or STATUSES]
    return sum(columns[1:], start=columns[0])


class _Block(NamedTuple):
    """A stretch that lies in the list's window, wholly or partly, and how many of its runs are counted."""

    begin: Place
    end: Place | None
    here: int
    whole: bool = True


@dataclass(frozen=True)
class ByBlocks:
    """All runs of the statuses: whole blocks from their counts.

    Blocks without runs of the window are left out; those partly in it are counted. Of a search, for a first
    page, or where too many are partly in the window, blocks say only where runs may lie.
    """

    order: Order
    kept: Sequence[Kept] | None = None
    """The kept blocks of the order, where they were read already."""

    def walks(self, position: int, count: int, total: int) -> list[Walk]:
        blocks = self._blocks()
        partial = sum(not block.whole for block in blocks)
        if self.order.filters.searched or partial > PARTIAL or (partial and not position):
            blocks = self._joined(blocks, position + count, total)
        elif partial:
            blocks = self._counted(blocks)
        return _walks(self.order, *_halves(blocks), position, count)

    def _blocks(self) -> list[_Block]:
        """The blocks in which runs of the list may lie."""
        order, kept = self.order, self.kept
        if kept is None:
            rows = read(kept_blocks(order.statuses), workflow_id=order.workflow.id, ordered_by=order.by)
            kept = rows.all()
        kept = sorted(kept, key=itemgetter(_KEY, _ID))
        begins: list[Any] = [(row[_KEY], row[_ID]) for row in kept]
        ends = (*begins[1:], None)
        query = order.query
        if not query.created_from and not query.created_to:
            return list(map(_Block, begins, ends, [row[_HERE] for row in kept]))
        earliest = microseconds(query.created_from) if query.created_from else FIRST_KEY
        latest = microseconds(query.created_to) if query.created_to else NO_KEY
        return [
            _Block(begin, end, row[_HERE], row[_OLDEST] >= earliest and row[_NEWEST] <= latest)
            for begin, end, row in zip(begins, ends, kept, strict=True)
            if row[_NEWEST] >= earliest and row[_OLDEST] <= latest
        ]

    def _counted(self, blocks: Sequence[_Block]) -> list[_Block]:
        """The same, those counted that lie partly in the window."""
        order = self.order
        bounds, bound = [], order.values()
        for number, block in enumerate(block for block in blocks if not block.whole):
            stretch = order.within_window(block.begin, block.end)
            bounds.append(Bounds.of(order.by, *stretch))
            bound |= place_values(*stretch, f"b{number}_")
        runs = dict(tuple(row) for row in read(_counting(order.filters, tuple(bounds)), **bound))
        numbers = iter(range(len(bounds)))
        return [block if block.whole else block._replace(here=runs[next(numbers)]) for block in blocks]

    def _joined(self, blocks: Sequence[_Block], upto: int, total: int) -> list[_Block]:
        """All with a key as one block, all without as another, counted where the page may reach these."""
        order, (keyed, keyless) = self.order, _halves(blocks)
        without = sum(block.here for block in keyless)
        if without and upto > total - without:
            without_key = Bounds(order.by, keyed=False, begins=False, ends=False)
            [(_, without)] = read(_counting(order.filters, (without_key,)), **order.values())
        joined = [_Block(keyed[0].begin, keyed[-1].end, total - without)] if keyed else []
        return joined + ([_Block(keyless[0].begin, None, without)] if keyless else [])


def _halves(blocks: Sequence[_Block]) -> tuple[list[_Block], list[_Block]]:
    """Blocks of runs with a key, and of those without."""
    keyed = [block for block in blocks if block.begin[0] != NO_KEY]
    return keyed, list(blocks[len(keyed) :])


def _walks(
    order: Order, keyed: Sequence[_Block], keyless: Sequence[_Block], position: int, count: int
) -> list[Walk]:
    """What finds so many runs from a position on, in a list of counted blocks."""
    with_key = sum(block.here for block in keyed)
    found = []
    if position < with_key:
        block, skip = _locate(keyed[::-1] if order.descending else keyed, position)
        begin, end = (None, block.end) if order.descending else (block.begin, None)
        found.append(order.with_key(skip, min(count, with_key - position), begin, end))
    if keyless and position + count > with_key:
        block, skip = _locate(keyless, max(0, position - with_key))
        found.append(order.without_key(skip, position + count - max(position, with_key), block.begin))
    return found


def _locate(blocks: Sequence[_Block], position: int) -> tuple[_Block, int]:
    """The block in which a position lies, and how many runs before it are that block's."""
    for block in blocks[:-1]:
        if position < block.here:
            return block, position
        position -= block.here
    return blocks[-1], position


@lru_cache(maxsize=256)
def kept_blocks(statuses: tuple[str, ...]) -> sa.Select[Any]:
    """The kept blocks of an order: how many runs of the statuses, from which place on, when created.

    In no order; ids as the database keeps them, since hundreds are read and two are used.
    """
    key_of_order = (
        RunBlock.workflow_id == sa.bindparam("workflow_id"),
        RunBlock.ordered_by == sa.bindparam("ordered_by"),
    )
    run_id = sa.type_coerce(RunBlock.id, sa.types.NullType())
    here = _total(RunBlock, statuses).label("here")
    return sa.select(run_id, here, RunBlock.key, RunBlock.oldest, RunBlock.newest).where(*key_of_order)


@lru_cache(maxsize=256)
def _counting(filters: Filters, stretches: tuple[Bounds, ...]) -> Any:
    """How many runs lie in each of these stretches, numbered."""
    counts: list[Any] = [
        sa.select(sa.literal_column(str(number)), sa.func.count()).where(
            *checked(filters), *within(bounds, f"b{number}_"), *about(bounds, f"b{number}_")
        )
        for number, bounds in enumerate(stretches)
    ]
    return sa.union_all(*counts)
