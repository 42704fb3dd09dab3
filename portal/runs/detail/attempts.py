"""The order of attempts at a node, which attempt is the last, and which failures last."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol, TypeVar

from portal.database.models import RunStatus


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


class Tried(NamedTuple):
    """An attempt at a node, or at one of the copies of a node that its map index tells apart."""

    node_id: str
    map_index: int | None
    iteration: int
    position: int
    status: str
    name: str | None


def lasting(steps: Iterable[Tried]) -> list[Tried]:
    """The failed steps of a run after which no attempt at the same node and map index completed."""
    failed: list[Tried] = []
    completed: dict[tuple[str, int | None], tuple[int, int]] = {}
    for step in steps:
        if step.status == RunStatus.FAILED:
            failed.append(step)
        elif step.status == RunStatus.COMPLETED:
            copy = step.node_id, step.map_index
            completed[copy] = max(completed.get(copy, (0, -1)), attempt_order(step))
    return [
        step
        for step in failed
        if completed.get((step.node_id, step.map_index), (0, -1)) < attempt_order(step)
    ]
