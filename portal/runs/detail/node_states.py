"""The state of each node of a run's graph, from its last attempt (contract 3.7)."""

from dataclasses import dataclass
from datetime import datetime

from portal.definitions.graph import nodes_of
from portal.moments import elapsed_ms
from portal.runs.detail.attempts import last_attempts
from portal.runs.detail.run import RunDetailView
from portal.runs.detail.steps import StepRow, list_steps
from portal.runs.statuses import RunStatus, is_active


@dataclass(frozen=True, kw_only=True)
class NodeState:
    """The state of one node."""

    node_id: str
    node_type: str
    node_display_name: str | None
    status: str
    """A node without a step is `pending` in an active run and `skipped` in one that ended."""
    iteration: int | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    error: str | None = None

    @property
    def duration_ms(self) -> int | None:
        return elapsed_ms(self.started_at, self.completed_at)


def node_states(run: RunDetailView) -> list[NodeState]:
    """The nodes of the graph in its order, then nodes that only steps name, in the order they first ran."""
    latest = last_attempts(list_steps(run))
    states = []
    without_step = RunStatus.PENDING if is_active(run.status) else "skipped"
    for node in nodes_of(run.definition_snapshot):
        if node.id in latest:
            states.append(_state(latest.pop(node.id), node.name))
        else:
            states.append(
                NodeState(
                    node_id=node.id, node_type=node.type, node_display_name=node.name, status=without_step
                )
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
