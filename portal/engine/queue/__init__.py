"""The durable queue that brings steps to workers; another engine would implement these functions."""

from dataclasses import dataclass
from typing import Self
from uuid import UUID, uuid4


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A message that tells a worker to run a step. It may come twice, late, or not at all."""

    run_id: UUID
    workspace_id: UUID
    """The partition: workspaces share the workers fairly."""
    node_id: str
    iteration: int
    queue: str
    """The queue of its node type."""
    id: str

    @classmethod
    def of(cls, run_id: UUID, workspace_id: UUID, node_id: str, iteration: int, queue: str) -> Self:
        """A new message: ids are never used twice, since a spent one would bring nothing."""
        return cls(
            run_id=run_id,
            workspace_id=workspace_id,
            node_id=node_id,
            iteration=iteration,
            queue=queue,
            id=f"{run_id}:{uuid4().hex}",
        )
