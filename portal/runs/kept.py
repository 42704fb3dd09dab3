"""The blocks of a workflow's orders as they are kept beside its runs, ready to find positions in.

There is one for some thousand runs. Those of a workflow stay in memory until it changes.
"""

import threading
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate, zip_longest
from operator import itemgetter
from typing import Any, NamedTuple

import sqlalchemy as sa

from portal.auth.access import SeenWorkflow
from portal.database.models import RunBlock
from portal.database.transactions import read
from portal.runs.blocks import FIRST_KEY, NO_KEY, Place

MOST_IN_MEMORY = 40_000
"""Blocks that a process keeps, a few hundred bytes each; those read last stay, however many they are."""

_KEY = 2


class Block(NamedTuple):
    """A stretch of an order, how many of its runs count, and from when to when those were created."""

    begin: Place
    end: Place | None
    here: int
    oldest: int = FIRST_KEY
    newest: int = NO_KEY


class Series:
    """Blocks that follow each other."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self.blocks = blocks
        self._upto = list(accumulate(block.here for block in blocks))

    @property
    def total(self) -> int:
        return self._upto[-1] if self._upto else 0

    def find(self, position: int) -> tuple[Block, int]:
        """The block in which a position lies, and how many runs before it are that block's."""
        at = min(bisect_right(self._upto, position), len(self.blocks) - 1)
        return self.blocks[at], position - (self._upto[at - 1] if at else 0)

    def find_backwards(self, position: int) -> tuple[Block, int]:
        """The same from the end."""
        at = bisect_left(self._upto, self.total - position)
        return self.blocks[at], position - (self.total - self._upto[at])


class Kept(NamedTuple):
    """All blocks of an order."""

    keyed: Series
    keyless: Series
    """Those of runs without a key."""


_in_memory: OrderedDict[tuple[Any, ...], Kept] = OrderedDict()
_lock = threading.Lock()


def kept_blocks(workflow: SeenWorkflow, order: str, statuses: tuple[str, ...]) -> Kept:
    """The blocks of an order, runs of these statuses (none: any) counted."""
    return recall(workflow, order, statuses) or remember(
        workflow, order, statuses, read(reading(statuses), workflow_id=workflow.id, ordered_by=order).all()
    )


def recall(workflow: SeenWorkflow, order: str, statuses: tuple[str, ...]) -> Kept | None:
    """What is in memory."""
    key = _key(workflow, order, statuses)
    with _lock:
        if key in _in_memory:
            _in_memory.move_to_end(key)
        return _in_memory.get(key)


def remember(
    workflow: SeenWorkflow, order: str, statuses: tuple[str, ...], rows: Sequence[Sequence[Any]]
) -> Kept:
    """Put in memory what was read: rows of `reading`."""
    rows = sorted(rows, key=itemgetter(_KEY, 0))
    begins = [(key, run_id) for run_id, _, key, _, _ in rows]
    blocks = [
        Block(begin, end, here, oldest, newest)
        for begin, end, (_, here, _, oldest, newest) in zip_longest(begins, begins[1:], rows)
    ]
    first_keyless = bisect_left(begins, NO_KEY, key=itemgetter(0))
    kept = Kept(Series(blocks[:first_keyless]), Series(blocks[first_keyless:]))
    with _lock:
        _in_memory[_key(workflow, order, statuses)] = kept
        held = sum(len(series.blocks) for each in _in_memory.values() for series in each)
        while held > MOST_IN_MEMORY and len(_in_memory) > 1:
            _, gone = _in_memory.popitem(last=False)
            held -= sum(len(series.blocks) for series in gone)
    return kept


def _key(workflow: SeenWorkflow, order: str, statuses: tuple[str, ...]) -> tuple[Any, ...]:
    return workflow.id, workflow.version, workflow.change_stamp, order, statuses


@lru_cache(maxsize=256)
def reading(statuses: tuple[str, ...]) -> Any:
    """The blocks of an order in no order: id, runs of the statuses, key, oldest and newest.

    Ids are as the database keeps them, since hundreds are read and two are used.
    """
    here = RunBlock.of(statuses).label("here")
    run_id = sa.type_coerce(RunBlock.id, sa.types.NullType())
    return sa.select(run_id, here, RunBlock.key, RunBlock.oldest, RunBlock.newest).where(
        RunBlock.workflow_id == sa.bindparam("workflow_id"), RunBlock.ordered_by == sa.bindparam("ordered_by")
    )
