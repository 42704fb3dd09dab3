"""The statements behind the figures: a row for each workflow, with what is read of its newest runs as JSON.

JSON, since a row of Python for each run costs more than all the rest.
"""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from portal.database.columns import Id
from portal.database.models import Outcome, Run, RunStatus, RunTotals, Workflow
from portal.database.sql import statements
from portal.database.sql.excerpts import excerpt

STRIP_RUNS = 20
"""Runs in the strip of a workflow."""
GAP_RUNS = 50
"""Runs between whose creations gaps are taken."""
RECENT_RUNS, EARLIER_RUNS = 20, 100
"""Completed runs whose durations are compared: the newest, and those before them."""
SEARCHED_RUNS = 200
"""The newest completed runs among which those with a duration are looked for."""
RUNNING_RUNS = 200
"""The newest running ones among which the one that runs longest is looked for."""
MAX_PAUSED_MS = 10**13
"""Of a run that paused longer nothing is said: three centuries, of which the microseconds fit an integer."""
MAX_WHY = 200
"""Characters of the error of a failed run, or of what its failed steps say."""

_THESE = Workflow.id.in_(sa.bindparam("workflow_ids", expanding=True, type_=Id()))
_WORKFLOW_ID = Workflow.id.label("workflow_id")
_NEWEST_FIRST = (Run.created_at.desc(), Run.id)
_FAILED = Run.status == sa.literal_column(f"'{RunStatus.FAILED.value}'")
_COMPLETED = Run.status == sa.literal_column(f"'{RunStatus.COMPLETED.value}'")
_RUNNING = Run.status == sa.literal_column(f"'{RunStatus.RUNNING.value}'")
_PAUSED_MS = sa.func.coalesce(Run.paused_ms, 0)
_SKIPPED = Run.outcome == sa.literal_column(f"'{Outcome.SKIPPED.value}'")
_NOT_SKIPPED = Run.outcome.is_distinct_from(sa.literal_column(f"'{Outcome.SKIPPED.value}'"))


def _of_workflow(*columns: Any, conditions: Iterable[sa.ColumnElement[bool]] = ()) -> statements.Columns:
    """Columns of any type of the runs of a workflow that meet conditions."""
    return sa.select(*columns).where(Run.workflow_id == Workflow.id, *conditions).correlate(Workflow)


def _newest(column: Any, *conditions: sa.ColumnElement[bool]) -> sa.ScalarSelect[Any]:
    """A column of the newest run of the workflow that meets conditions."""
    found = _of_workflow(column, conditions=conditions).order_by(*_NEWEST_FIRST)
    return found.limit(1).scalar_subquery()


_SUCCESS_AT = _newest(Run.created_at, _COMPLETED, _NOT_SKIPPED)
_SUCCESS_ID = _newest(Run.id, _COMPLETED, _NOT_SKIPPED)
_FAILURE_ID = _newest(Run.id, _FAILED, _NOT_SKIPPED)


@lru_cache
def sampling(dialect: str) -> statements.Columns:
    """What the figures of each workflow are made of; moments in JSON are microseconds since 1970-01-01."""
    created = _microseconds(dialect, Run.created_at)
    run_id = sa.func.hex(Run.id) if dialect == "sqlite" else sa.cast(Run.id, sa.Text)
    newest = _of_workflow(
        run_id.label("id"), Run.run_number, Run.status, created.label("created"), Run.duration_ms
    )
    newest = newest.order_by(*_NEWEST_FIRST)
    gaps = _of_workflow(created.label("created")).order_by(*_NEWEST_FIRST)
    completed = _of_workflow(Run.duration_ms, conditions=[_COMPLETED]).order_by(*_NEWEST_FIRST)
    begun = _microseconds(dialect, Run.started_at) + _PAUSED_MS * 1000
    running = _of_workflow(
        begun.label("begun"), created.label("created"), conditions=[_RUNNING, _PAUSED_MS < MAX_PAUSED_MS]
    )
    newest_running = running.order_by(*_NEWEST_FIRST).limit(RUNNING_RUNS).subquery()
    longest = sa.select(*newest_running.c).where(newest_running.c.begun.is_not(None))
    longest = longest.order_by(newest_running.c.begun, newest_running.c.created).limit(1)
    return sa.select(
        _WORKFLOW_ID,
        _json(dialect, newest.limit(STRIP_RUNS)).label("newest"),
        _json(dialect, gaps.limit(GAP_RUNS)).label("created"),
        _json(dialect, completed.limit(SEARCHED_RUNS)).label("took_ms"),
        _json(dialect, longest).label("longest"),
        _SUCCESS_AT.label("completed_at"),
        _SUCCESS_ID.label("completed_id"),
        _newest(Run.created_at, _FAILED, _NOT_SKIPPED).label("failed_at"),
        _FAILURE_ID.label("failed_id"),
        _newest(Run.created_at, _FAILED).label("last_failed_at"),
    ).where(_THESE)


def _json(dialect: str, rows: sa.Select[Any]) -> sa.ScalarSelect[str]:
    """The rows, in their order, as a JSON array of values or of arrays."""
    first = rows.subquery()
    values = list(first.c)
    if dialect == "sqlite":
        item = sa.func.json_array(*values) if len(values) > 1 else values[0]
        return sa.select(sa.func.json_group_array(item, type_=sa.Text())).scalar_subquery()
    item = sa.func.json_build_array(*values) if len(values) > 1 else values[0]
    return sa.select(sa.cast(sa.func.json_agg(item), sa.Text())).scalar_subquery()


def _microseconds(dialect: str, column: sa.SQLColumnExpression[Any]) -> sa.ColumnElement[int]:
    if dialect == "sqlite":
        return sa.type_coerce(column, sa.BigInteger())
    return sa.cast(sa.extract("epoch", column) * 1_000_000, sa.BigInteger())


_NEVER = _SUCCESS_AT.is_(None)
_SINCE_SUCCESS = (
    Run.created_at >= _SUCCESS_AT,
    sa.or_(Run.created_at > _SUCCESS_AT, Run.id < _SUCCESS_ID),
)


def _count(*conditions: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
    return _of_workflow(sa.func.count(), conditions=conditions).scalar_subquery()


def _oldest(*conditions: sa.ColumnElement[bool]) -> sa.ScalarSelect[datetime]:
    found = _of_workflow(Run.created_at, conditions=conditions).order_by(Run.created_at)
    return found.limit(1).scalar_subquery()


_FAILED_EVER = sa.select(RunTotals.failed).where(RunTotals.workflow_id == Workflow.id)
_FAILED_SINCE = _count(_FAILED, *_SINCE_SUCCESS)
_SKIPPED_SINCE = _count(_FAILED, _SKIPPED, *_SINCE_SUCCESS)
FAILING = sa.select(
    _WORKFLOW_ID,
    _FAILURE_ID.label("failed_id"),
    _newest(
        excerpt(sa.func.coalesce(sa.func.nullif(Run.error, ""), Run.why), MAX_WHY), _FAILED, _NOT_SKIPPED
    ).label("why"),
    sa.case(
        (_NEVER, _FAILED_EVER.correlate(Workflow).scalar_subquery() - _count(_FAILED, _SKIPPED)),
        else_=_FAILED_SINCE - _SKIPPED_SINCE,
    ).label("in_a_row"),
    sa.case(
        (_NEVER, _oldest(_FAILED, _NOT_SKIPPED)), else_=_oldest(_FAILED, _NOT_SKIPPED, *_SINCE_SUCCESS)
    ).label("since"),
).where(_THESE)
"""The failed runs before the newest completed one in a list, newest first; skipped ones are left out.

Runs are counted on indexes alone, or taken from the totals where none completed.
"""
