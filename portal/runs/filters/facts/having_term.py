"""The condition of runs to have a term (`runs.facts.terms`)."""

import sqlalchemy as sa

from portal.database.models import Run, RunTerm


def having_term(name: str) -> sa.ColumnElement[bool]:
    """To have the term that is bound under this name."""
    found = sa.select(RunTerm.run_id).where(
        RunTerm.workflow_id == sa.bindparam("workflow_id"), RunTerm.term == sa.bindparam(name)
    )
    return Run.id.in_(found)
