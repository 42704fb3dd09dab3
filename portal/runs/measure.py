"""Where in an index a position of a list lies: told by counts kept beside the runs, not by counting runs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, Protocol
from uuid import UUID

import sqlalchemy as sa

from portal.database.models import PersonPeriodRuns
from portal.database.transactions import read
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
from portal.runs.kept import Block, Series, kept_blocks
from portal.runs.orders import Order
from portal.runs.rollup import NO_PERIOD, period_of
from portal.runs.seek import Walk
from portal.runs.whole_periods import in_edge, in_whole, whole_periods

PARTIAL = 16
"""So many blocks that lie partly in a window are counted; where there are more, their runs are walked."""


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
        periods = [Block(_beginning(period), _beginning(period + 1), runs[period]) for period in sorted(runs)]
        keyless = [Block(NULLS, None, without_key)] if without_key else []
        return _walks(order, Series(periods), Series(keyless), position, count)

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
    whole = sa.select(period, sa.func.sum(table.of(statuses))).group_by(period)
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


@dataclass(frozen=True)
class ByBlocks:
    """All runs of the statuses: whole blocks from their counts.

    Blocks without runs of the window are left out; those partly in it are counted. Of a search, for a first
    page, or where too many are partly in the window, blocks say only where runs may lie.
    """

    order: Order

    def walks(self, position: int, count: int, total: int) -> list[Walk]:
        order = self.order
        kept = kept_blocks(order.workflow, order.by, order.statuses)
        if not (order.query.created_from or order.query.created_to):
            return _walks(order, kept.keyed, kept.keyless, position, count)
        blocks = self._in_window((*kept.keyed.blocks, *kept.keyless.blocks))
        partial = [block for block in blocks if not self._is_whole(block)]
        if order.filters.searched or len(partial) > PARTIAL or (partial and not position):
            blocks = self._joined(blocks, position + count, total)
        elif partial:
            blocks = self._counted(blocks, partial)
        keyed, keyless = _halves(blocks)
        return _walks(order, Series(keyed), Series(keyless), position, count)

    @cached_property
    def _window(self) -> tuple[int, int]:
        query = self.order.query
        earliest = microseconds(query.created_from) if query.created_from else FIRST_KEY
        return earliest, microseconds(query.created_to) if query.created_to else NO_KEY

    def _in_window(self, blocks: Sequence[Block]) -> list[Block]:
        """The blocks in which runs of the list may lie."""
        earliest, latest = self._window
        return [block for block in blocks if block.newest >= earliest and block.oldest <= latest]

    def _is_whole(self, block: Block) -> bool:
        earliest, latest = self._window
        return block.oldest >= earliest and block.newest <= latest

    def _counted(self, blocks: Sequence[Block], partial: Sequence[Block]) -> list[Block]:
        """The same, those counted that lie partly in the window."""
        order = self.order
        bounds, bound = [], order.values()
        for number, block in enumerate(partial):
            stretch = order.within_window(block.begin, block.end)
            bounds.append(Bounds.of(order.by, *stretch))
            bound |= place_values(*stretch, f"b{number}_")
        runs = dict(tuple(row) for row in read(_counting(order.filters, tuple(bounds)), **bound))
        here = {block: runs[number] for number, block in enumerate(partial)}
        return [block._replace(here=here.get(block, block.here)) for block in blocks]

    def _joined(self, blocks: Sequence[Block], upto: int, total: int) -> list[Block]:
        """All with a key as one block, all without as another, counted where the page may reach these."""
        order, (keyed, keyless) = self.order, _halves(blocks)
        without = sum(block.here for block in keyless)
        if without and upto > total - without:
            without_key = Bounds(order.by, keyed=False, begins=False, ends=False)
            [(_, without)] = read(_counting(order.filters, (without_key,)), **order.values())
        joined = [Block(keyed[0].begin, keyed[-1].end, total - without)] if keyed else []
        return joined + ([Block(keyless[0].begin, None, without)] if keyless else [])


def _halves(blocks: Sequence[Block]) -> tuple[list[Block], list[Block]]:
    """Blocks of runs with a key, and of those without."""
    keyed = [block for block in blocks if block.begin[0] != NO_KEY]
    return keyed, list(blocks[len(keyed) :])


def _walks(order: Order, keyed: Series, keyless: Series, position: int, count: int) -> list[Walk]:
    """What finds so many runs from a position on, in a list of counted blocks."""
    found = []
    if position < keyed.total:
        take = min(count, keyed.total - position)
        if order.descending:
            block, skip = keyed.find_backwards(position)
            found.append(order.with_key(skip, take, None, block.end))
        else:
            block, skip = keyed.find(position)
            found.append(order.with_key(skip, take, block.begin))
    if keyless.blocks and position + count > keyed.total:
        block, skip = keyless.find(max(0, position - keyed.total))
        take = position + count - max(position, keyed.total)
        found.append(order.without_key(skip, take, block.begin))
    return found


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
