"""Pairs of steps of two runs: the same attempt at the same node in each."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from portal.database.sql.excerpts import cut
from portal.runs.detail.step_excerpts import (
    MAX_LABEL,
    MAX_STEPS,
    ComparedStep,
    read_compared_steps,
    step_duration_ms,
)

TOLERANCE_MS, TOLERANCE_SHARE = 1000, 0.1
"""Durations are equal if they differ by at most a second or a tenth of the longer one."""

MAX_ERROR = 300


@dataclass(frozen=True)
class StepOutcome:
    """How a step went in one run."""

    status: str
    took_ms: int | None
    error: str | None
    """An excerpt; `error_length` is the length of the complete text."""
    error_length: int | None = None
    position: int = 0


@dataclass(frozen=True, kw_only=True)
class StepPair:
    """One attempt at one node, in both runs."""

    label: str
    node_type: str
    iteration: int
    here: StepOutcome | None
    there: StepOutcome | None
    """None if that run has no such step."""

    @property
    def change_ms(self) -> int | None:
        """How much longer the step took here."""
        if not self.here or not self.there or self.here.took_ms is None or self.there.took_ms is None:
            return None
        return self.here.took_ms - self.there.took_ms

    @property
    def same_outcome(self) -> bool:
        """Whether both runs have the step, with the same status and error."""
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
        return abs(self.change_ms) > max(TOLERANCE_MS, longer * TOLERANCE_SHARE)

    @property
    def longest_ms(self) -> int:
        return max((side.took_ms or 0 for side in (self.here, self.there) if side), default=0)


@dataclass(frozen=True)
class StepPairs:
    """The steps of two runs."""

    pairs: Sequence[StepPair]
    """Pairs that differ first, the greatest differences at the top."""
    cut: bool
    """Whether a run has more steps than the comparison reads."""

    @property
    def differing(self) -> Sequence[StepPair]:
        return [pair for pair in self.pairs if pair.differs]

    @property
    def only_here(self) -> int:
        return sum(pair.there is None for pair in self.pairs)

    @property
    def only_there(self) -> int:
        return sum(pair.here is None for pair in self.pairs)


def read_step_pairs(here: UUID, there: UUID) -> StepPairs:
    """The steps of two runs in two queries. The caller has checked access to both."""
    left, right = read_compared_steps(here, MAX_ERROR), read_compared_steps(there, MAX_ERROR)
    return StepPairs(pair_steps(left, right), cut=MAX_STEPS in (len(left), len(right)))


def pair_steps(here: Iterable[ComparedStep], there: Iterable[ComparedStep]) -> list[StepPair]:
    """Pair steps by node and iteration; if several share both, in the order of recording."""
    left, right = _by_attempt(here), _by_attempt(there)
    pairs = []
    for key in dict.fromkeys([*left, *right]):
        known = left.get(key) or right[key]
        pairs.append(
            StepPair(
                label=cut(known.name or known.node_id, MAX_LABEL),
                node_type=known.node_type,
                iteration=known.iteration,
                here=_outcome(left.get(key)),
                there=_outcome(right.get(key)),
            )
        )
    return sorted(pairs, key=_rank)


def _by_attempt(steps: Iterable[ComparedStep]) -> dict[tuple[str, int, int], ComparedStep]:
    """Steps by node, iteration and how often both occurred before."""
    counts: Counter[tuple[str, int]] = Counter()
    found = {}
    for step in steps:
        attempt = (step.node_id, step.iteration)
        found[*attempt, counts[attempt]] = step
        counts[attempt] += 1
    return found


def _outcome(step: ComparedStep | None) -> StepOutcome | None:
    if step is None:
        return None
    return StepOutcome(step.status, step_duration_ms(step), step.error, step.error_length, step.position)


def _rank(pair: StepPair) -> tuple[int, int]:
    """Different outcomes first, then different durations, then steps of one run only."""
    if pair.here is None or pair.there is None:
        return (2 if pair.there is None else 3), -pair.longest_ms
    if not pair.same_outcome:
        return 0, -pair.longest_ms
    return (1 if pair.differs else 4), -abs(pair.change_ms or 0)
