"""One run: with what its status answers, or whole but for its steps (`portal.runs.steps`)."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.auth.access import SeenWorkflow
from portal.auth.principals import Principal
from portal.database.engine import db
from portal.database.models import Artifact, Run, RunDetail, RunResult, RunStatus, Take, TakeStatus, Workflow
from portal.errors import NotFound
from portal.moments import elapsed_ms
from portal.runs.listing.rows import RunRow, read_rows


@dataclass(kw_only=True)
class RunView(RunRow):
    """A run without its wide parts (the run object of contract 3.2)."""

    workflow_id: UUID
    updated_at: datetime
    imported: bool
    token_cost: int
    """A count of units, not of credits; 0 where none was recorded."""
    held_nodes: list[dict[str, Any]] | None
    """Nodes in front of which a paused run waits; None where that was never said."""
    has_export: bool
    """Whether the run is completed and has files that can be downloaded."""

    @property
    def duration_ms(self) -> int | None:
        """How long it ran, pauses left out; None where that cannot be said."""
        return elapsed_ms(self.started_at, self.completed_at, self.paused_ms)


@dataclass(kw_only=True)
class RunDetailView(RunView):
    """A run with the definition it ran and what its source says (contract 3.3)."""

    definition_snapshot: dict[str, Any] | None
    source: dict[str, Any] | None
    credits_absorbed: float
    """0 while unsettled, and where the source said nothing."""


_UNDELIVERED = sa.exists().where(Take.artifact_id == Artifact.id, Take.status != TakeStatus.DELIVERED)
HAS_FILES = sa.exists().where(Artifact.run_id == Run.id, ~_UNDELIVERED).label("has_files")
"""Whether a run has files for its archive: delivered audio, or others."""
_NARROW = (
    Run.workflow_id,
    Run.updated_at,
    Run.imported,
    sa.func.coalesce(RunResult.token_cost, 0).label("token_cost"),
    RunResult.held_nodes,
    HAS_FILES,
)
_WIDE = (
    RunDetail.definition_snapshot,
    RunDetail.source,
    sa.func.coalesce(RunResult.credits_absorbed, 0.0).label("credits_absorbed"),
)


def get_run_status(workflow: SeenWorkflow, run_id: UUID) -> RunView:
    """The run of this workflow as it stands, in two queries whatever its size. Raises NotFound."""
    return RunView(**_values(workflow, run_id, _NARROW))


def get_run(workflow: SeenWorkflow, run_id: UUID) -> RunDetailView:
    """The run of this workflow, whole but for steps and output. Raises NotFound."""
    return RunDetailView(**_values(workflow, run_id, _NARROW + _WIDE))


def _values(workflow: SeenWorkflow, run_id: UUID, columns: tuple[Any, ...]) -> dict[str, Any]:
    more = db.session.execute(
        sa.select(*columns)
        .select_from(Run)
        .outerjoin(RunDetail, RunDetail.run_id == Run.id)
        .outerjoin(RunResult, RunResult.run_id == Run.id)
        .where(Run.id == run_id, Run.workflow_id == workflow.id)
    ).first()
    if more is None:
        raise NotFound("There is no such run here.")
    [row] = read_rows([run_id])
    values = {field.name: getattr(row, field.name) for field in fields(row)} | dict(more._mapping)
    values["has_export"] = values.pop("has_files") and row.status == RunStatus.COMPLETED
    return values


def find_run(principal: Principal, run_id: UUID) -> tuple[UUID, UUID]:
    """Ids of the workflow and the run, if the principal may see it. Raises NotFound."""
    workflow_id = db.session.scalar(
        sa.select(Run.workflow_id)
        .join(Workflow, Run.workflow_id == Workflow.id)
        .where(
            Run.id == run_id,
            Workflow.workspace_id.in_(principal.workspace_ids),
            Workflow.deleted_at.is_(None),
        )
    )
    if workflow_id is None:
        raise NotFound("There is no such run here.")
    return workflow_id, run_id
