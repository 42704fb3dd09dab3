"""The causes of a workspace's failures in a window of days, each with its counts and what was noted of it.

In five statements, whose work grows with the causes and the workflows, not with the runs.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.database.columns import Id, UTCDateTime
from portal.database.models import Cause, CauseDay, CauseWorkflow, Run, User, Workflow
from portal.database.models.accounts import full_name
from portal.database.sql import statements
from portal.database.transactions import read
from portal.moments import EPOCH
from portal.paging import Page
from portal.runs.causes.query import STATES, CauseQuery
from portal.runs.counts.columns import day_of

NEW_DAYS = 7
"""Days within which a cause has to be first seen to be new, today included."""
GONE_DAYS = 14
"""Days without a failure after which a cause that comes within NEW_DAYS is back."""
MOST_WORKFLOWS = 50


@dataclass(frozen=True)
class Noted:
    """Who noted something, and when."""

    at: datetime
    by: str | None
    """None where the account is gone."""


@dataclass(frozen=True)
class NamedRun:
    """A run of a cause."""

    id: UUID
    workflow_id: UUID
    workflow_name: str
    run_number: int
    created_at: datetime


@dataclass(frozen=True)
class TouchedWorkflow:
    """A workflow with failures of a cause."""

    id: UUID
    name: str
    failed: int
    last_at: datetime


@dataclass(frozen=True, kw_only=True)
class CauseRow:
    """One cause; `failed`, `days` and `workflows` are those of the window."""

    id: UUID
    text: str
    state: str
    """One of STATES."""
    failed: int
    in_all: int
    """Runs of the cause, whenever they were created."""
    first_at: datetime
    last_at: datetime
    days: Sequence[int]
    """Failed runs of each day, oldest first."""
    workflows: int
    """Workflows with such runs; where there is one, it is that of the latest run."""
    latest: NamedRun | None
    note: str | None
    noted: Noted | None
    resolved: Noted | None
    muted: Noted | None
    muted_until: datetime | None


@dataclass(frozen=True, kw_only=True)
class CausePage(Page[CauseRow]):
    """One page of causes, with what the whole window has."""

    causes: Mapping[str, int]
    """Causes by state: those of a state that shows other states too count there as well."""
    failed: int
    """Failed runs of the window, whatever the state of their causes."""


def list_causes(workspace_id: UUID, query: CauseQuery, now: datetime) -> CausePage:
    """The causes with failures in the window."""
    values = _values(workspace_id, query.days, now)
    causes, failed = dict.fromkeys(STATES, 0), 0
    for state, number, runs in read(_COUNTED, **values):
        causes[state], failed = int(number), failed + int(runs)
    total = sum(causes[kind] for kind in query.kinds)
    causes["open"] += causes["new"] + causes["back"]
    page = _page(len(query.kinds), query.sort, query.order)
    for number, kind in enumerate(query.kinds):
        values[f"kind_{number}"] = kind
    found: Sequence[CauseRow] = ()
    if query.slice.offset < total:
        rows = read(page, **values, limit=query.slice.limit, offset=query.slice.sql_offset).all()
        found = _whole(workspace_id, rows, query.days, now)
    return CausePage(found, total, query.slice, causes=causes, failed=failed)


def read_cause(workspace_id: UUID, cause_id: UUID, days: int, now: datetime) -> CauseRow | None:
    """One cause, whether or not it has failures in the window; None if it has no runs."""
    values = _values(workspace_id, days, now) | {"cause_id": cause_id}
    rows = read(_ONE, **values).all()
    return next(iter(_whole(workspace_id, rows, days, now)), None)


def touched_workflows(cause_id: UUID) -> list[TouchedWorkflow]:
    """The workflows in which a cause was seen last, at most MOST_WORKFLOWS."""
    return [TouchedWorkflow(*row) for row in read(_WORKFLOWS, cause_id=cause_id)]


def _values(workspace_id: UUID, days: int, now: datetime) -> statements.Values:
    today = day_of(now)
    recent = today - NEW_DAYS + 1
    return {
        "workspace_id": workspace_id,
        "now": now,
        "begin": today - days + 1,
        "begin_at": EPOCH + timedelta(days=today - days + 1),
        "recent": recent,
        "recent_at": EPOCH + timedelta(days=recent),
        "read_from": min(today - days + 1, recent - GONE_DAYS),
    }


def _bound(name: str) -> sa.BindParameter[Any]:
    return sa.bindparam(
        name, type_=UTCDateTime() if name in ("now", "begin_at", "recent_at") else sa.Integer()
    )


_CAUSE = (
    *(Cause.id, Cause.text, Cause.failed.label("in_all"), Cause.first_at, Cause.last_at),
    *(Cause.note, Cause.noted_at, Cause.noted_by, Cause.resolved_at, Cause.resolved_by),
    *(Cause.muted_at, Cause.muted_by, Cause.muted_until),
)
_OF_WORKSPACE = Cause.workspace_id == sa.bindparam("workspace_id", type_=Id())


def _by_day(*conditions: sa.ColumnElement[bool]) -> sa.Select[*tuple[Any, ...]]:
    """Causes with what their days say: runs of the window, when they came lately, and went before."""
    day, recent = CauseDay.day, _bound("recent")
    read_from = sa.and_(CauseDay.cause_id == Cause.id, day >= _bound("read_from"))
    return (
        sa.select(
            *_CAUSE,
            sa.func.coalesce(sa.func.sum(CauseDay.failed).filter(day >= _bound("begin")), 0).label("failed"),
            sa.func.min(day).filter(day >= recent).label("came"),
            sa.func.max(day).filter(day < recent).label("went"),
        )
        .outerjoin(CauseDay, read_from)
        .where(_OF_WORKSPACE, *conditions)
        .group_by(Cause.id)
    )


def _with_state(causes: sa.Select[*tuple[Any, ...]]) -> sa.Subquery:
    """The same with the state of each."""
    of = causes.subquery().c
    is_muted = sa.and_(
        of.muted_at.is_not(None), sa.or_(of.muted_until.is_(None), of.muted_until > _bound("now"))
    )
    was_gone = sa.and_(
        of.came.is_not(None), sa.or_(of.went.is_(None), of.came - of.went > sa.literal_column(str(GONE_DAYS)))
    )
    state = sa.case(
        (is_muted, "muted"),
        (of.resolved_at >= of.last_at, "resolved"),
        (of.resolved_at.is_not(None), "back"),
        (of.first_at >= _bound("recent_at"), "new"),
        (was_gone, "back"),
        else_="open",
    )
    return sa.select(*of, state.label("state")).subquery()


_IN_WINDOW = _with_state(_by_day(Cause.last_at >= _bound("begin_at")))
_COUNTED = sa.select(
    _IN_WINDOW.c.state, sa.func.count(), sa.func.coalesce(sa.func.sum(_IN_WINDOW.c.failed), 0)
).group_by(_IN_WINDOW.c.state)
_CAUSE_ID = sa.bindparam("cause_id", type_=Id())
_ONE = sa.select(_with_state(_by_day(Cause.id == _CAUSE_ID, Cause.last_at.is_not(None))))


@lru_cache
def _page(kinds: int, sort: str, order: str) -> sa.Select[*tuple[Any, ...]]:
    columns = {"last_seen": "last_at", "first_seen": "first_at", "count": "failed"}
    key = _IN_WINDOW.c[columns[sort]]
    wanted = [sa.bindparam(f"kind_{number}", type_=sa.String()) for number in range(kinds)]
    listed = sa.select(_IN_WINDOW).where(_IN_WINDOW.c.state.in_(wanted))
    listed = listed.order_by(key.desc() if order == "desc" else key.asc(), _IN_WINDOW.c.id)
    return listed.limit(sa.bindparam("limit")).offset(sa.bindparam("offset"))


_IDS = sa.bindparam("ids", expanding=True, type_=Id())
_DAYS = sa.select(CauseDay.cause_id, CauseDay.day, CauseDay.failed).where(
    CauseDay.cause_id.in_(_IDS), CauseDay.day >= _bound("begin")
)
_TOUCHED = (
    sa.select(CauseWorkflow.cause_id, sa.func.count())
    .join(Workflow, Workflow.id == CauseWorkflow.workflow_id)
    .where(
        CauseWorkflow.cause_id.in_(_IDS),
        CauseWorkflow.last_at >= _bound("begin_at"),
        Workflow.deleted_at.is_(None),
    )
    .group_by(CauseWorkflow.cause_id)
)
_WORKFLOWS = (
    sa.select(Workflow.id, Workflow.name, CauseWorkflow.failed, CauseWorkflow.last_at)
    .join(Workflow, Workflow.id == CauseWorkflow.workflow_id)
    .where(CauseWorkflow.cause_id == _CAUSE_ID, Workflow.deleted_at.is_(None))
    .order_by(CauseWorkflow.last_at.desc(), Workflow.id)
    .limit(MOST_WORKFLOWS)
)
_LIVE = sa.exists().where(Workflow.id == Run.workflow_id, Workflow.deleted_at.is_(None))


def run_at_end(*order: sa.ColumnElement[Any]) -> sa.ScalarSelect[UUID]:
    """The first run of a cause in an order, of a workflow that is not deleted."""
    runs = sa.select(Run.id).where(Run.workspace_id == Cause.workspace_id, Run.cause_id == Cause.id, _LIVE)
    return runs.order_by(*order).limit(1).correlate(Cause).scalar_subquery()


_NAMED = sa.select(Run.cause_id, Run.id, Run.workflow_id, Workflow.name, Run.run_number, Run.created_at).join(
    Workflow, Workflow.id == Run.workflow_id
)
_LATEST = _NAMED.where(
    Run.id.in_(sa.select(run_at_end(Run.created_at.desc(), Run.id.asc())).where(Cause.id.in_(_IDS)))
)
_PEOPLE = sa.select(User.id, User.first_name, User.last_name, User.email).where(User.id.in_(_IDS))


def _whole(workspace_id: UUID, rows: Sequence[sa.Row[Any]], days: int, now: datetime) -> list[CauseRow]:
    """The rows with their days, workflows, latest runs and the names of people."""
    if not rows:
        return []
    ids = [row.id for row in rows]
    window = _values(workspace_id, days, now)
    begin = day_of(now) - days + 1
    by_day: defaultdict[UUID, list[int]] = defaultdict(lambda: [0] * days)
    for cause_id, day, failed in read(_DAYS, ids=ids, begin=begin):
        by_day[cause_id][min(day - begin, days - 1)] += failed
    touched = dict(map(tuple, read(_TOUCHED, ids=ids, begin_at=window["begin_at"])))
    latest = {cause_id: NamedRun(*run) for cause_id, *run in read(_LATEST, ids=ids)}
    names = _names(rows)
    return [
        CauseRow(
            id=row.id,
            text=row.text,
            state=row.state,
            failed=int(row.failed),
            in_all=row.in_all,
            first_at=row.first_at,
            last_at=row.last_at,
            days=by_day[row.id],
            workflows=touched.get(row.id, 0),
            latest=latest.get(row.id),
            note=row.note,
            noted=_noted(row.noted_at, row.noted_by, names),
            resolved=_noted(row.resolved_at, row.resolved_by, names),
            muted=_noted(row.muted_at, row.muted_by, names),
            muted_until=row.muted_until,
        )
        for row in rows
    ]


def _names(rows: Sequence[sa.Row[Any]]) -> dict[UUID, str]:
    ids = {who for row in rows for who in (row.noted_by, row.resolved_by, row.muted_by) if who is not None}
    found = read(_PEOPLE, ids=sorted(ids)) if ids else ()
    return {user_id: full_name(first, last, email) for user_id, first, last, email in found}


def _noted(at: datetime | None, by: UUID | None, names: Mapping[UUID, str]) -> Noted | None:
    return Noted(at, names.get(by) if by else None) if at else None
