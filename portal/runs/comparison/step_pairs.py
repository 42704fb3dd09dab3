"""The steps of two runs side by side, each attempt at a node beside the same attempt at the same node."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import Step
from portal.database.sql.excerpts import cut, excerpt
from portal.runs.detail.timeline import MAX_LABEL, MAX_STEPS, STEP_COLUMNS, step_duration_ms

MOST_MS, MOST_SHARE = 1000, 0.1
"""A step took as long in both runs if they are at most a second, or a tenth of the longer, apart."""

MAX_ERROR = 300


@dataclass(frozen=True)
class Side:
    """How a step went in one run."""

    status: str
    took_ms: int | None
    error: str | None
    """Cut where it is long: `error_length` tells what it was."""
    error_length: int | None = None
    position: int = 0


@dataclass(frozen=True, kw_only=True)
class StepPair:
    label: str
    node_type: str
    iteration: int
    here: Side | None
    there: Side | None
    """None where that run has no such step."""

    @property
    def change_ms(self) -> int | None:
        """How much longer it took here."""
        if not self.here or not self.there or self.here.took_ms is None or self.there.took_ms is None:
            return None
        return self.here.took_ms - self.there.took_ms

    @property
    def same_outcome(self) -> bool:
        """Whether both have it, with one status and one error."""
        if not self.here or not self.there:
            return False
        here, there = self.here, self.there
        return (here.status, here.error, here.error_length) == (there.status, there.error, there.error_length)

    @property
    def differs(self) -> bool:
        if not self.same_outcome or not self.here or not self.there:
            return True
        if self.change_ms is None:
            return self.here.took_ms != self.there.took_ms
        longer = max(self.here.took_ms or 0, self.there.took_ms or 0)
        return abs(self.change_ms) > max(MOST_MS, longer * MOST_SHARE)

    @property
    def longest_ms(self) -> int:
        return max((side.took_ms or 0 for side in (self.here, self.there) if side), default=0)


@dataclass(frozen=True)
class StepPairs:
    pairs: Sequence[StepPair]
    """All of both runs: those that differ first, the greatest differences first of all."""
    cut: bool
    """Whether a run has more steps than are compared."""

    @property
    def differing(self) -> Sequence[StepPair]:
        return [pair for pair in self.pairs if pair.differs]

    @property
    def only_here(self) -> int:
        return sum(pair.there is None for pair in self.pairs)

    @property
    def only_there(self) -> int:
        return sum(pair.here is None for pair in self.pairs)


def read_pairs(here: UUID, there: UUID) -> StepPairs:
    """The steps of two runs that the caller may see, in two queries."""
    left, right = _read(here), _read(there)
    cut = len(left) == MAX_STEPS or len(right) == MAX_STEPS
    return StepPairs(pair_steps(left, right), cut)


def pair_steps(here: Iterable[Any], there: Iterable[Any]) -> list[StepPair]:
    """Pair steps by node and iteration; where several share both, in the order in which they are recorded."""
    left, right = _keyed(here), _keyed(there)
    pairs = []
    for key in dict.fromkeys([*left, *right]):
        known = left.get(key) or right[key]
        pairs.append(
            StepPair(
                label=cut(known.name or known.node_id, MAX_LABEL),
                node_type=known.node_type,
                iteration=known.iteration,
                here=_side(left.get(key)),
                there=_side(right.get(key)),
            )
        )
    return sorted(pairs, key=_rank)


def _read(run_id: UUID) -> Sequence[Any]:
    select = (
        sa.select(
            *STEP_COLUMNS,
            excerpt(Step.error, MAX_ERROR).label("error"),
            sa.func.length(Step.error).label("error_length"),
        )
        .where(Step.run_id == run_id)
        .order_by(Step.position)
        .limit(MAX_STEPS)
    )
    return db.session.execute(select).all()


def _keyed(steps: Iterable[Any]) -> dict[tuple[str, int, int], Any]:
    seen: Counter[tuple[str, int]] = Counter()
    keyed = {}
    for step in steps:
        attempt = (step.node_id, step.iteration)
        keyed[*attempt, seen[attempt]] = step
        seen[attempt] += 1
    return keyed


def _side(step: Any) -> Side | None:
    if not step:
        return None
    return Side(step.status, step_duration_ms(step), step.error, step.error_length, step.position)


def _rank(pair: StepPair) -> tuple[int, int]:
    """Other outcomes, then other durations, then steps that only one of the runs has."""
    if pair.here is None or pair.there is None:
        return (2 if pair.there is None else 3), -pair.longest_ms
    if not pair.same_outcome:
        return 0, -pair.longest_ms
    return (1 if pair.differs else 4), -abs(pair.change_ms or 0)
