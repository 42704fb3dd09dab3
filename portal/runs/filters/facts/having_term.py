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


def has_term(name: str) -> sa.ColumnElement[bool]:
    """The same, looked up for one run after another."""
    of_run = (RunTerm.workflow_id == Run.workflow_id, RunTerm.run_id == Run.id)
    return sa.exists().where(*of_run, RunTerm.term == sa.bindparam(name))
