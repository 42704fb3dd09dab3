"""What a run query asks for, as conditions on the table of runs."""

import sqlalchemy as sa

from portal.folding import fold
from portal.models import Person, Run
from portal.runs.query import RunQuery
from portal.workflows.access import SeenWorkflow


def matching(workflow: SeenWorkflow, query: RunQuery) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = [Run.workflow_id == workflow.id]
    if query.status:
        conditions.append(Run.status.in_(query.status))
    if query.created_from:
        conditions.append(Run.created_at >= query.created_from)
    if query.created_to:
        conditions.append(Run.created_at <= query.created_to)
    if query.search:
        conditions.append(Run.person_id.in_(people_named(workflow, query)))
    return conditions


def people_named(workflow: SeenWorkflow, query: RunQuery) -> sa.Select[int]:
    """Those whose display name or e-mail contains the folded search text (contract 3.1, search)."""
    text = fold(query.search)
    named = Person.display_name_folded.contains(text, autoescape=True)
    mailed = Person.email_folded.contains(text, autoescape=True)
    return sa.select(Person.id).where(Person.workspace_id == workflow.workspace_id, named | mailed)
