"""How each node of a run's graph stands, by its latest attempt (contract 3.7)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from portal.database.models import ACTIVE
from portal.definitions.graph import nodes_of
from portal.moments import elapsed_ms
from portal.runs.detail.full_run import RunDetailView
from portal.runs.detail.steps import StepRow, list_steps

Attempt = TypeVar("Attempt")


@dataclass(frozen=True, kw_only=True)
class NodeState:
    node_id: str
    node_type: str
    node_display_name: str | None
    status: str
    """`pending` for a node that is yet to come, `skipped` for one that an ended run never reached."""
    iteration: int | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    error: str | None = None

    @property
    def duration_ms(self) -> int | None:
        return elapsed_ms(self.started_at, self.completed_at)


def attempt_order(step: Any) -> tuple[int, int]:
    """The order of attempts at one node: by iteration, those of one iteration as they were recorded."""
    return step.iteration, step.position


def last_attempts(steps: Iterable[Attempt]) -> dict[str, Attempt]:
    """The last attempt at each node, in the order in which the nodes first ran."""
    latest: dict[str, Any] = {}
    for step in steps:
        known = latest.get(_node(step))
        if known is None or attempt_order(step) > attempt_order(known):
            latest[_node(step)] = step
    return latest


def _node(step: Any) -> str:
    node_id: str = step.node_id
    return node_id


def node_states(run: RunDetailView) -> list[NodeState]:
    """The nodes of the graph in its order, then nodes that only steps know, as they first ran."""
    latest = last_attempts(list_steps(run))
    states = []
    unreached = "pending" if run.status in ACTIVE else "skipped"
    for node in nodes_of(run.definition_snapshot):
        if node.id in latest:
            states.append(_state(latest.pop(node.id), node.name))
        else:
            states.append(
                NodeState(node_id=node.id, node_type=node.type, node_display_name=node.name, status=unreached)
            )
    return states + [_state(step, None) for step in latest.values()]


def _state(step: StepRow, name: str | None) -> NodeState:
    return NodeState(
        node_id=step.node_id,
        node_type=step.node_type,
        node_display_name=step.name or name,
        status=step.status,
        iteration=step.iteration,
        started_at=step.started_at,
        completed_at=step.completed_at,
        error=step.error,
    )
