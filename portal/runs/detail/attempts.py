"""The order of attempts at a node, and which attempt is the last."""

from collections.abc import Iterable
from typing import Protocol, TypeVar


class Attempt(Protocol):
    """A step as an attempt at its node."""

    @property
    def node_id(self) -> str: ...
    @property
    def iteration(self) -> int: ...
    @property
    def position(self) -> int: ...


AnyAttempt = TypeVar("AnyAttempt", bound=Attempt)


def attempt_order(step: Attempt) -> tuple[int, int]:
    """Sort key of the attempts at one node: iteration, then order of recording."""
    return step.iteration, step.position


def last_attempts(steps: Iterable[AnyAttempt]) -> dict[str, AnyAttempt]:
    """The last attempt at each node, in the order in which the nodes first ran."""
    last: dict[str, AnyAttempt] = {}
    for step in steps:
        node_id = step.node_id
        known = last.get(node_id)
        if known is None or attempt_order(step) > attempt_order(known):
            last[node_id] = step
    return last
