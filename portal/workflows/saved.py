"""The definition of a workflow as it is saved, and who saved it: what an editor begins with."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from portal.auth.access import SeenWorkflow
from portal.database.columns import JsonObject
from portal.database.engine import db
from portal.database.models import Workflow, WorkflowVersion
from portal.workflows.writing import entity_tag


@dataclass(frozen=True, kw_only=True)
class Saved:
    definition: JsonObject
    tag: str
    """What a save must name to be of this state."""
    version: int | None
    """The number of the version; None where an import wrote the definition."""
    by: str | None
    at: datetime
    """When the definition was saved, or by an import the workflow."""


def read_saved(workflow: SeenWorkflow) -> Saved:
    """The state that is saved now."""
    row = db.session.execute(
        sa.select(
            Workflow.definition,
            Workflow.updated_at,
            Workflow.current_version,
            WorkflowVersion.user_name,
            WorkflowVersion.created_at,
        )
        .outerjoin(
            WorkflowVersion,
            (WorkflowVersion.workflow_id == Workflow.id)
            & (WorkflowVersion.number == Workflow.current_version),
        )
        .where(Workflow.id == workflow.id)
    ).one()
    return Saved(
        definition=row.definition,
        tag=entity_tag(row.updated_at),
        version=row.current_version,
        by=row.user_name,
        at=row.created_at or row.updated_at,
    )
