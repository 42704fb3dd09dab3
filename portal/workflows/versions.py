"""Versions of a workflow: each definition that it has had, numbered from 1.

A workflow that came by import has none until its definition is first saved here: then the former one becomes
a version without a person. An import that changes it later leaves it without a current version again.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import flag_modified

from portal.auth.principals import Principal
from portal.database.columns import JsonObject
from portal.database.models import Workflow, WorkflowVersion
from portal.definitions.changes.json_text import is_same


def add_first_version(session: Session, workflow: Workflow, principal: Principal, now: datetime) -> None:
    """Record the definition of a workflow that was made here just now."""
    workflow.current_version = 1
    session.flush()
    session.add(_by(principal, workflow, 1, now))


def save_definition(
    session: Session, workflow: Workflow, definition: JsonObject, principal: Principal, now: datetime
) -> None:
    """Make this the definition of a locked workflow: a new version, unless it says the same as before."""
    if is_same(definition, workflow.definition):
        return
    mine = WorkflowVersion.workflow_id == workflow.id
    number = session.scalar(sa.select(sa.func.max(WorkflowVersion.number)).where(mine)) or 0
    if workflow.current_version is None:
        number += 1
        session.add(
            WorkflowVersion(
                workflow_id=workflow.id,
                number=number,
                definition=workflow.definition,
                created_at=workflow.updated_at,
            )
        )
    workflow.definition, workflow.current_version = definition, number + 1
    flag_modified(workflow, "definition")  # SQLAlchemy compares as Python does
    session.add(_by(principal, workflow, number + 1, now))


def _by(principal: Principal, workflow: Workflow, number: int, now: datetime) -> WorkflowVersion:
    """The definition that the workflow has now, as this principal saved it."""
    return WorkflowVersion(
        workflow_id=workflow.id,
        number=number,
        definition=workflow.definition,
        created_at=now,
        user_id=principal.user.id,
        user_name=principal.user.display_name[:254],
        api_key_id=principal.api_key_id,
    )
