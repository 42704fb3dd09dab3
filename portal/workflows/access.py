"""Workflows as a principal may see them: there is no other getter."""

from uuid import UUID

import sqlalchemy as sa

from portal.auth.principals import Principal
from portal.db import db
from portal.errors import NotFound
from portal.models import Workflow

__all__ = ["Workflow", "get_workflow"]


def get_workflow(principal: Principal, workflow_id: UUID) -> Workflow:
    """The workflow, if it lies in a workspace of the principal's and is not deleted.

    Raises NotFound, the same for foreign and absent ones.
    """
    workflow = db.session.scalar(
        sa.select(Workflow).where(
            Workflow.id == workflow_id,
            Workflow.workspace_id.in_(principal.workspace_ids),
            Workflow.deleted_at.is_(None),
        )
    )
    if workflow is None:
        raise NotFound("There is no such workflow here.")
    return workflow
