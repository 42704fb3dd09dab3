"""Lists of workflows, each with run counts and the latest run (contract 3.13)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from portal.auth.access import DESCRIPTION_EXCERPT, SeenWorkflow
from portal.database.columns import Id, JsonObject
from portal.database.engine import db
from portal.database.models import ACTIVE, Run, RunTotals, Workflow, Workspace
from portal.database.sql import statements, versions
from portal.database.sql.excerpts import cut, excerpt, json_text
from portal.database.transactions import read
from portal.input.addresses import MAX_LINK
from portal.input.folding import fold
from portal.paging import Page, Slice
from portal.runs.facts.facts import WorkflowFacts
from portal.runs.statuses import STATUSES
from portal.workflows.workflow_query import WorkflowQuery


@dataclass(frozen=True, kw_only=True)
class WorkflowRow:
    id: UUID
    user_id: UUID
    name: str
    name_source: str
    description: str | None
    created_at: datetime
    updated_at: datetime
    runs_count: int
    last_run_at: datetime | None
    last_run_status: str | None
    run_status_counts: dict[str, int]
    definition: JsonObject | None
    expected: JsonObject | None
    """When its runs are expected (`engine.control.schedules.expectations`)."""
    facts: WorkflowFacts


class ListedWorkflow(NamedTuple):
    """What lists of all workflows are made of, whatever their page."""

    id: UUID
    version: int
    change_stamp: int
    name_folded: str
    created_at: datetime
    updated_at: datetime
    expected: JsonObject | None
    runs_count: int
    active: int
    """Its active runs."""


Value = TypeVar("Value")
_COUNTS = [sa.func.coalesce(getattr(RunTotals, status), 0).label(status) for status in STATUSES]
_ACTIVE: sa.ColumnElement[int] = sum(
    (sa.func.coalesce(getattr(RunTotals, status), 0) for status in sorted(ACTIVE)),
    start=sa.literal_column("0"),
)
_RUNS_COUNT: sa.ColumnElement[int] = sum(_COUNTS[1:], start=_COUNTS[0])


def _latest(column: InstrumentedAttribute[Value]) -> sa.ScalarSelect[Value]:
    """A column of the latest run: newest, then lowest id."""
    newest = sa.select(sa.func.max(Run.created_at)).where(Run.workflow_id == Workflow.id).correlate(Workflow)
    return (
        sa.select(column)
        .where(Run.workflow_id == Workflow.id, Run.created_at == newest.scalar_subquery())
        .order_by(Run.id)
        .limit(1)
        .correlate(Workflow)
        .scalar_subquery()
    )


_LAST_AT, _LAST_STATUS = _latest(Run.created_at), _latest(Run.status)
_COLUMNS = tuple(
    getattr(Workflow, name)
    for name in (
        "id",
        "user_id",
        "name",
        "name_source",
        "description",
        "created_at",
        "updated_at",
        "expected",
    )
)
_FACTS = {
    name: json_text(Workflow.source, name, MAX_LINK).label(f"said_{name}")
    for name in WorkflowFacts.__dataclass_fields__
}
_BEGINNING = excerpt(Workflow.description, DESCRIPTION_EXCERPT).label("description")


_STATE = (
    sa.select(
        Workspace.version,
        Workspace.change_stamp,
        sa.func.count(Workflow.id),
        *versions.sums_in_sql(Workflow.version),
        sa.func.coalesce(sa.func.sum(Workflow.change_stamp), 0),
    )
    .outerjoin(Workflow, Workflow.workspace_id == Workspace.id)
    .where(Workspace.id == sa.bindparam("workspace_id"))
    .group_by(Workspace.id, Workspace.version, Workspace.change_stamp)
)


def state_of(workspace_id: UUID) -> tuple[int, ...]:
    """Values that change with every workflow, run or person of the workspace.

    Versions only grow, so their sum changes when one of them does.
    """
    row = read(_STATE, workspace_id=workspace_id).first()
    return tuple(map(int, row)) if row else (0,)


def list_workflows(workspace_id: UUID, query: WorkflowQuery) -> Page[WorkflowRow]:
    """A page of a workspace's workflows."""
    slice_ = query.slice
    counted, page = _statements(query.at(Slice()))
    total = read(counted, workspace_id=workspace_id).scalar_one()
    if slice_.offset >= total:
        return Page((), total, slice_)
    rows = read(page, workspace_id=workspace_id, offset=slice_.sql_offset, limit=slice_.limit)
    return Page(_rows(rows.all()), total, slice_)


def names_by_id(workspace_id: UUID, most: int, always: Sequence[UUID]) -> list[tuple[UUID, str]]:
    """Ids and names of the first workflows of a workspace by name, and of those wanted in any case."""
    found = read(_NAMES, workspace_id=workspace_id, most=most).all()
    if missing := set(always) - {row.id for row in found}:
        found = [*found, *read(_NAMES_OF, workspace_id=workspace_id, ids=list(missing))]
    return [(row.id, row.name) for row in found]


_LIVE_NAMES = (
    sa.select(Workflow.id, Workflow.name)
    .where(Workflow.workspace_id == sa.bindparam("workspace_id"), Workflow.deleted_at.is_(None))
    .order_by(Workflow.name_folded, Workflow.id)
)
_NAMES = _LIVE_NAMES.limit(sa.bindparam("most"))
_NAMES_OF = _LIVE_NAMES.where(Workflow.id.in_(sa.bindparam("ids", expanding=True)))


@lru_cache(maxsize=64)
def _statements(query: WorkflowQuery) -> tuple[sa.Select[int], statements.Columns]:
    """The statements that count the matching workflows and read a page, cached by query."""
    matching = _matching(query)
    counted = sa.select(sa.func.count()).select_from(Workflow).outerjoin(RunTotals).where(*matching)
    page = _select(query.include_definition).where(*matching).order_by(*_ordering(query))
    return counted, page.offset(sa.bindparam("offset")).limit(sa.bindparam("limit"))


def matching_workflows(workspace_id: UUID, query: WorkflowQuery) -> list[ListedWorkflow]:
    """All workflows of a workspace that the filters match, in no order."""
    return [ListedWorkflow(*row) for row in read(_all(query), workspace_id=workspace_id)]


@lru_cache(maxsize=64)
def _all(query: WorkflowQuery) -> statements.Columns:
    names = ListedWorkflow._fields[:-2]
    columns = [getattr(Workflow, name) for name in names]
    return sa.select(*columns, _RUNS_COUNT, _ACTIVE).outerjoin(RunTotals).where(*_matching(query))


def _matching(query: WorkflowQuery) -> list[sa.ColumnElement[bool]]:
    in_workspace = Workflow.workspace_id == sa.bindparam("workspace_id", type_=Id())
    return [in_workspace, Workflow.deleted_at.is_(None), *_filters(query)]


def read_rows(workflow_ids: Sequence[UUID]) -> dict[UUID, WorkflowRow]:
    """These workflows, which the caller has checked, with the beginnings of their descriptions."""
    if not workflow_ids:
        return {}
    rows = _rows(read(_THESE, workflow_ids=workflow_ids).all())
    return {row.id: _shorten(row) for row in rows}


def describe_workflow(workflow: SeenWorkflow) -> WorkflowRow:
    """A workflow with its definition, run counts and latest run."""
    return read_workflow(db.session(), workflow.id)


def read_workflow(session: Session, workflow_id: UUID) -> WorkflowRow:
    """The same in any transaction, of a workflow that the caller has checked."""
    [row] = _rows(session.execute(_select(True).where(Workflow.id == workflow_id)).all())
    return row


def _select(with_definition: bool, brief: bool = False) -> statements.Columns:
    columns = [_BEGINNING if brief and column.key == "description" else column for column in _COLUMNS]
    definition = Workflow.definition if with_definition else sa.null().label("definition")
    last = (_LAST_AT.label("last_run_at"), _LAST_STATUS.label("last_run_status"))
    return sa.select(*columns, *last, definition, *_COUNTS, *_FACTS.values()).outerjoin(RunTotals)


_THESE = _select(False, brief=True).where(
    Workflow.id.in_(sa.bindparam("workflow_ids", expanding=True, type_=Id()))
)


def _rows(rows: Sequence[statements.Row]) -> list[WorkflowRow]:
    return [_row(dict(row._mapping)) for row in rows]


def _row(values: JsonObject) -> WorkflowRow:
    counts = {status: values.pop(status) for status in STATUSES}
    facts = WorkflowFacts.read({name: values.pop(column.name) for name, column in _FACTS.items()})
    return WorkflowRow(**values, facts=facts, runs_count=sum(counts.values()), run_status_counts=counts)


def _shorten(row: WorkflowRow) -> WorkflowRow:
    """Truncate the excerpt of the description."""
    return replace(row, description=row.description and cut(row.description, DESCRIPTION_EXCERPT))


def _filters(query: WorkflowQuery) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if query.status is not None:
        conditions.append(_has_status(query.status))
    if query.search:
        text = fold(query.search)
        named = Workflow.name_folded.contains(text, autoescape=True)
        conditions.append(named | Workflow.description_folded.contains(text, autoescape=True))
    if query.last_run_after is not None:
        conditions.append(_LAST_AT >= query.last_run_after)
    if query.last_run_before is not None:
        conditions.append(_LAST_AT <= query.last_run_before)
    if query.has_failed_run is not None:
        failed = sa.func.coalesce(RunTotals.failed, 0)
        conditions.append(failed > 0 if query.has_failed_run else failed == 0)
    return conditions


def _has_status(status: str) -> sa.ColumnElement[bool]:
    """Filter by the status of the latest run; `paused` matches nothing, in every version of the API."""
    match status:
        case "draft":
            return _RUNS_COUNT == 0
        case "running":
            return _LAST_STATUS.in_(sorted(ACTIVE))
        case "paused":
            return sa.false()
        case _:
            return _LAST_STATUS == status


def _ordering(query: WorkflowQuery) -> list[sa.ColumnElement[Any]]:
    keys = {"name": Workflow.name_folded, "updated_at": Workflow.updated_at, "runs_count": _RUNS_COUNT}
    if not query.sorts:  # workflows of one import share updated_at: the latest run comes first
        return [Workflow.updated_at.desc(), _LAST_AT.desc().nulls_last(), Workflow.id.asc()]
    directed = [keys[key].asc() if order == "asc" else keys[key].desc() for key, order in query.sorts]
    return [*directed, Workflow.id.asc()]
