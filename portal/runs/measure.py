"""Where in an index a position of a list lies: told by counts kept beside the runs, not by counting runs."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import sqlalchemy as sa

from portal.db import db
from portal.models import PersonPeriodRuns, Run, RunBlock
from portal.runs import rollup
from portal.runs.blocks import NO_KEY, NULLS, START, Place, microseconds, within
from portal.runs.rollup import NO_PERIOD

PARTIAL = 16
"""So many blocks that lie partly in a window are counted; where there are more, their runs are walked."""


class Half(NamedTuple):
    """The runs with a key, or those without one."""

    begin: Place
    end: Place | None


WITH_KEY, WITHOUT_KEY, WHOLE = Half(START, NULLS), Half(NULLS, None), Half(START, None)


class Stretch(NamedTuple):
    """Where to walk: from one place up to another, after so many runs that match."""

    begin: Place
    end: Place | None
    skip: int


class Measure(Protocol):
    """Finds positions in one order of a workflow's runs."""

    def find(self, position: int, half: Half, descending: bool) -> Stretch | None:
        """Where to walk for the run at this position of a half; None beyond its last run."""

    def keyed(self) -> int:
        """How many runs of the list have a key."""


def _total(table: Any, statuses: Sequence[str]) -> Any:
    columns = [getattr(table, status).expression for status in statuses]
    return sum(columns[1:], start=columns[0])


@dataclass(frozen=True)
class ByBlocks:
    """All runs of some statuses."""

    workflow_id: UUID
    order: str
    statuses: tuple[str, ...]

    def find(self, position: int, half: Half, descending: bool) -> Stretch | None:
        here = _total(RunBlock, self.statuses)
        key, run_id = RunBlock.key.expression, RunBlock.id.expression
        ordered = (key.desc(), run_id.desc()) if descending else (key, run_id)
        upto = sa.func.sum(here).over(order_by=ordered).label("upto")
        block = _bounded(self.workflow_id, self.order, half, here.label("here"), upto).subquery()
        found = (block.c.upto > position, block.c.upto - block.c.here <= position)
        row = db.session.execute(sa.select(block).where(*found)).first()
        if row is None:
            return None
        skip = position - int(row.upto - row.here)
        return _stretch(_Block.of(row, half), half, descending, skip)

    def keyed(self) -> int:
        keyed = sa.select(sa.func.sum(_total(RunBlock, self.statuses))).where(
            RunBlock.workflow_id == self.workflow_id,
            RunBlock.ordered_by == self.order,
            RunBlock.key < NO_KEY,
        )
        return int(db.session.scalar(keyed) or 0)


@dataclass(frozen=True)
class Unmeasured:
    """Runs that nothing counts: walked from the beginning."""

    def find(self, position: int, half: Half, descending: bool) -> Stretch | None:
        return Stretch(*half, position)

    def keyed(self) -> int:
        raise TypeError("every run has an id: asked of orders with nulls only")


@dataclass(frozen=True)
class ByPeriods:
    """The runs of some people: whole periods from their counts."""

    workflow_id: UUID
    order: str
    statuses: tuple[str, ...]
    people: Any
    """A select of their ids."""

    @cached_property
    def _periods(self) -> list[tuple[int, int]]:
        """The runs of each period that has any."""
        period = PersonPeriodRuns.period
        select = sa.select(period, sa.func.sum(_total(PersonPeriodRuns, self.statuses))).where(
            PersonPeriodRuns.workflow_id == self.workflow_id,
            PersonPeriodRuns.ordered_by == self.order,
            PersonPeriodRuns.person_id.in_(self.people),
        )
        rows = db.session.execute(select.group_by(period).order_by(period))
        return [(number, int(runs)) for number, runs in rows]

    def find(self, position: int, half: Half, descending: bool) -> Stretch | None:
        if half is WITHOUT_KEY:
            return Stretch(*half, position)
        keyed = [each for each in self._periods if each[0] != NO_PERIOD]
        for period, runs in reversed(keyed) if descending else keyed:
            if position < runs:
                begin, end = _beginning(period), _beginning(period + 1)
                return (
                    Stretch(half.begin, end, position) if descending else Stretch(begin, half.end, position)
                )
            position -= runs
        return None

    def keyed(self) -> int:
        return sum(runs for period, runs in self._periods if period != NO_PERIOD)


def _beginning(period: int) -> Place:
    return period * rollup.PERIOD_DAYS * 86_400_000_000, UUID(int=0)


class _Block(NamedTuple):
    """A block that lies in a window of created_at, wholly or partly, and how many runs are counted in it."""

    begin: Place
    end: Place | None
    here: int
    whole: bool

    @classmethod
    def of(cls, row: Any, half: Half, whole: bool = True) -> "_Block":
        end = half.end if row.next_key is None else (row.next_key, row.next_id)
        return cls((row.key, row.id), end, int(row.here), whole)


@dataclass(frozen=True)
class ByBlocksInWindow:
    """The runs of some statuses that were created in a window, in an order by another moment.

    Blocks without such runs are left out, blocks of none but such runs are counted already.
    """

    workflow_id: UUID
    order: str
    statuses: tuple[str, ...]
    created_from: datetime | None
    created_to: datetime | None
    narrowing: tuple[sa.ColumnElement[bool], ...]
    uncounted: bool = False
    """Whether the list is narrowed by more than blocks know: they only say then where its runs may lie."""

    def find(self, position: int, half: Half, descending: bool) -> Stretch | None:
        blocks = self._in_list(half, descending)
        if not blocks:
            return None
        if self.uncounted or position == 0 or self._scattered(half):
            return _stretch(blocks[0], half, descending, position)
        for block in blocks:
            if position < block.here:
                return _stretch(block, half, descending, position)
            position -= block.here
        return None

    def keyed(self) -> int:
        if self.uncounted or self._scattered(WITH_KEY):
            return self._count(WITH_KEY)
        return sum(block.here for block in self._counted[WITH_KEY])

    def _scattered(self, half: Half) -> bool:
        return sum(not block.whole for block in self._blocks[half]) > PARTIAL

    def _in_list(self, half: Half, descending: bool) -> list[_Block]:
        blocks = self._blocks[half] if self.uncounted or self._scattered(half) else self._counted[half]
        return blocks[::-1] if descending else blocks

    @cached_property
    def _blocks(self) -> dict[Half, list[_Block]]:
        """The blocks in which runs of the window may lie."""
        begin = microseconds(self.created_from) if self.created_from else START[0]
        end = microseconds(self.created_to) if self.created_to else NO_KEY
        found = {}
        for half in (WITH_KEY, WITHOUT_KEY):
            here = _total(RunBlock, self.statuses).label("here")
            bounded = _bounded(self.workflow_id, self.order, half, here, RunBlock.oldest, RunBlock.newest)
            block = bounded.subquery()
            select = sa.select(block).where(block.c.newest >= begin, block.c.oldest <= end)
            rows = db.session.execute(select.order_by(block.c.key, block.c.id)).all()
            found[half] = [_Block.of(row, half, row.oldest >= begin and row.newest <= end) for row in rows]
        return found

    @cached_property
    def _counted(self) -> dict[Half, list[_Block]]:
        """The same, those counted that lie partly in the window."""
        counted = {}
        for half, blocks in self._blocks.items():
            numbers = iter(self._count_each([block for block in blocks if not block.whole]))
            counted[half] = [
                block if block.whole else block._replace(here=next(numbers), whole=True) for block in blocks
            ]
        return counted

    def _count_each(self, stretches: Sequence[_Block]) -> Iterable[int]:
        if not stretches:
            return []
        counts = [
            sa.select(sa.literal(number).label("number"), sa.func.count().label("runs")).where(
                *self._conditions(stretch.begin, stretch.end)
            )
            for number, stretch in enumerate(stretches)
        ]
        rows = db.session.execute(sa.union_all(*counts)).all()
        return [runs for _, runs in sorted(tuple(row) for row in rows)]

    def _count(self, half: Half) -> int:
        return db.session.scalar(sa.select(sa.func.count()).where(*self._conditions(*half))) or 0

    def _conditions(self, begin: Place, end: Place | None) -> Iterator[sa.ColumnElement[bool]]:
        yield Run.workflow_id == self.workflow_id
        yield Run.status.in_(self.statuses)
        yield from self.narrowing
        yield from within(self.order, begin, end)


def _bounded(workflow_id: UUID, order: str, half: Half, *columns: Any) -> sa.Select[Any]:
    """The blocks of a half, each with where the next one begins."""
    key, run_id = RunBlock.key.expression, RunBlock.id.expression
    ordered = (key, run_id)
    select = sa.select(
        key.label("key"),
        run_id.label("id"),
        sa.func.lead(key).over(order_by=ordered).label("next_key"),
        sa.func.lead(run_id, type_=run_id.type).over(order_by=ordered).label("next_id"),
        *columns,
    )
    select = select.where(RunBlock.workflow_id == workflow_id, RunBlock.ordered_by == order)
    select = select.where(key >= half.begin[0])
    return select if half.end is None else select.where(key < half.end[0])


def _stretch(block: _Block, half: Half, descending: bool, skip: int) -> Stretch:
    """From this block on, in the direction of the list."""
    if descending:
        return Stretch(half.begin, block.end, skip)
    return Stretch(block.begin, half.end, skip)
