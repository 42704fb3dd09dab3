"""A step that a worker has claimed."""

from dataclasses import dataclass
from uuid import UUID

from portal.definitions.pipeline import PipelineNode
from portal.engine.contract import Item
from portal.engine.flow import StepKey
from portal.engine.flow.routing import Refusals


@dataclass(frozen=True, kw_only=True)
class ClaimedStep:
    """A step that this worker may run, and the items it works on."""

    run_id: UUID
    workflow_id: UUID
    workspace_id: UUID
    key: StepKey
    node: PipelineNode
    fence: UUID
    position: int
    attempt: int
    items: list[Item]
    refusals: Refusals
    """What the validator has refused in earlier rounds."""
