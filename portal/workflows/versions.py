"""Versions of a workflow: each definition that it has had, numbered from 1.

A workflow that came by import has none until its definition is first saved here: then the former one becomes
a version without a person. An import that changes it later leaves it without a current version again.
"""

import json
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import flag_modified

from portal.auth.principals import Principal
from portal.database.columns import JsonObject
from portal.database.models import Workflow, WorkflowVersion


def add_first_version(session: Session, workflow: Workflow, principal: Principal, now: datetime) -> None:
    """Record the definition of a workflow that was made here just now."""
    workflow.current_version = 1
    session.flush()
    session.add(_by(principal, workflow, 1, now))


def save_definition(
    session: Session, workflow: Workflow, definition: JsonObject, principal: Principal, now: datetime
) -> None:
    """Make this the definition of a locked workflow: a new version, unless it says the same as before."""
    if _text(definition) == _text(workflow.definition):
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


def _text(definition: JsonObject) -> str:
    """Compared as text, because to Python 1, 1.0 and true are equal."""
    return json.dumps(definition, sort_keys=True)
