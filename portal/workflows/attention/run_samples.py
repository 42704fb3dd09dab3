"""The statements behind the figures: the first runs of many workflows, and how their newest runs ended."""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from portal.database.columns import Id
from portal.database.models import Outcome, Run, RunStatus, RunTotals, Workflow
from portal.database.sql import statements
from portal.database.sql.excerpts import excerpt

MAX_ERROR = 200
"""Characters of the error of a failed run."""

_THESE = Workflow.id.in_(sa.bindparam("workflow_ids", expanding=True, type_=Id()))
_WORKFLOW_ID = Workflow.id.label("workflow_id")
_COLUMNS = (
    *(Run.id, Run.run_number, Run.status, Run.created_at),
    *(Run.started_at, Run.completed_at, Run.paused_ms),
)


@lru_cache
def first_of_each(dialect: str, limit: int, status: str | None = None) -> statements.Columns:
    """The newest runs of each workflow, or those of one status, newest first."""
    run = aliased(Run)
    of_workflow = [run.workflow_id == Workflow.id]
    if status is not None:
        of_workflow.append(run.status == sa.literal_column(f"'{status}'"))
    first = sa.select(run.id).where(*of_workflow).order_by(run.created_at.desc(), run.id).limit(limit)
    first = first.correlate(Workflow)
    if dialect == "postgresql":
        ids = first.lateral()
        joined = sa.join(Workflow, ids, sa.true()).join(Run, Run.id == ids.c.id)
    else:  # SQLite has no LATERAL; it runs the subquery once for each workflow
        joined = sa.join(Workflow, Run, Run.id.in_(first))
    found = sa.select(_WORKFLOW_ID, *_COLUMNS).select_from(joined).where(_THESE)
    return found.order_by(Run.created_at.desc(), Run.id)


_FAILED = Run.status == sa.literal_column(f"'{RunStatus.FAILED.value}'")
_COMPLETED = Run.status == sa.literal_column(f"'{RunStatus.COMPLETED.value}'")
_SKIPPED = Run.outcome == sa.literal_column(f"'{Outcome.SKIPPED.value}'")
_NOT_SKIPPED = Run.outcome.is_distinct_from(sa.literal_column(f"'{Outcome.SKIPPED.value}'"))


def _of_workflow(*columns: Any, conditions: Iterable[sa.ColumnElement[bool]]) -> statements.Columns:
    """Columns of any type of the runs of a workflow that meet conditions."""
    return sa.select(*columns).where(Run.workflow_id == Workflow.id, *conditions)


def _scalar(select: statements.Columns) -> sa.ScalarSelect[Any]:
    return select.correlate(Workflow).scalar_subquery()


def _newest(column: Any, *conditions: sa.ColumnElement[bool]) -> sa.ScalarSelect[Any]:
    """A column of the newest run of the workflow that meets conditions."""
    found = _of_workflow(column, conditions=conditions).order_by(Run.created_at.desc(), Run.id)
    return _scalar(found.limit(1))


_SUCCESS_AT = _newest(Run.created_at, _COMPLETED, _NOT_SKIPPED)
_SUCCESS_ID = _newest(Run.id, _COMPLETED, _NOT_SKIPPED)
_FAILURE_ID = _newest(Run.id, _FAILED, _NOT_SKIPPED)

ENDED = sa.select(
    _WORKFLOW_ID,
    _SUCCESS_AT.label("completed_at"),
    _SUCCESS_ID.label("completed_id"),
    _newest(Run.created_at, _FAILED, _NOT_SKIPPED).label("failed_at"),
    _FAILURE_ID.label("failed_id"),
    _newest(Run.created_at, _FAILED).label("last_failed_at"),
).where(_THESE)
"""The newest run of each workflow that completed, and the newest that failed; skipped ones are left out."""


_NEVER = _SUCCESS_AT.is_(None)
_SINCE_SUCCESS = (
    Run.created_at >= _SUCCESS_AT,
    sa.or_(Run.created_at > _SUCCESS_AT, Run.id < _SUCCESS_ID),
)


def _count(*conditions: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
    return _scalar(_of_workflow(sa.func.count(), conditions=conditions))


def _oldest(*conditions: sa.ColumnElement[bool]) -> sa.ScalarSelect[datetime]:
    found = _of_workflow(Run.created_at, conditions=conditions).order_by(Run.created_at)
    return _scalar(found.limit(1))


_FAILED_EVER = sa.select(RunTotals.failed).where(RunTotals.workflow_id == Workflow.id)
_FAILED_SINCE = _count(_FAILED, *_SINCE_SUCCESS)
_SKIPPED_SINCE = _count(_FAILED, _SKIPPED, *_SINCE_SUCCESS)
FAILING = sa.select(
    _WORKFLOW_ID,
    _FAILURE_ID.label("failed_id"),
    _newest(excerpt(Run.error, MAX_ERROR), _FAILED, _NOT_SKIPPED).label("error"),
    sa.case(
        (_NEVER, _scalar(_FAILED_EVER) - _count(_FAILED, _SKIPPED)), else_=_FAILED_SINCE - _SKIPPED_SINCE
    ).label("in_a_row"),
    sa.case(
        (_NEVER, _oldest(_FAILED, _NOT_SKIPPED)), else_=_oldest(_FAILED, _NOT_SKIPPED, *_SINCE_SUCCESS)
    ).label("since"),
).where(_THESE)
"""The failed runs before the newest completed one in a list, newest first; skipped ones are left out.

Runs are counted on indexes alone, or taken from the totals where none completed.
"""
