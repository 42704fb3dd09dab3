"""One run, whole."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.auth.principals import Principal
from portal.db import db
from portal.errors import NotFound
from portal.models import Run, RunDetail, Step, Workflow
from portal.runs.listing import RunRow, read_rows


@dataclass(frozen=True, kw_only=True)
class RunDetailView(RunRow):
    updated_at: datetime
    imported: bool
    definition_snapshot: dict[str, Any] | None
    source: dict[str, Any] | None
    steps: Sequence[Step]


def get_run(workflow: Workflow, run_id: UUID) -> RunDetailView:
    """The run of this workflow with its steps. Raises NotFound."""
    session = db.session()
    more = session.execute(
        sa.select(Run.updated_at, Run.imported, RunDetail.definition_snapshot, RunDetail.source)
        .outerjoin(RunDetail, RunDetail.run_id == Run.id)
        .where(Run.id == run_id, Run.workflow_id == workflow.id)
    ).first()
    if more is None:
        raise NotFound("There is no such run here.")
    [row] = read_rows([run_id])
    steps = session.scalars(sa.select(Step).where(Step.run_id == run_id).order_by(Step.position)).all()
    values = {field.name: getattr(row, field.name) for field in fields(row)}
    return RunDetailView(**values, **more._mapping, steps=steps)


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
