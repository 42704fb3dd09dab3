"""The condition of runs to have a term (`runs.facts.terms`)."""

import sqlalchemy as sa

from portal.database.models import Run, RunTerm
from portal.runs.scope import Kind, in_workflows


def having_term(kind: Kind, name: str) -> sa.ColumnElement[bool]:
    """To have the term that is bound under this name, in a scope of this kind."""
    found = sa.select(RunTerm.run_id).where(
        in_workflows(kind, RunTerm.workflow_id), RunTerm.term == sa.bindparam(name)
    )
    return Run.id.in_(found)
