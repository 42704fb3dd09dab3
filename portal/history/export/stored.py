"""Reads runs for an export: what is stored of them, but for their output, a bounded portion at a time."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, cast
from uuid import UUID

import sqlalchemy as sa

from portal.database.models import Person, Run, RunDetail, RunResult, Step, StepResult, Workflow
from portal.database.sql import statements
from portal.database.transactions import read, snapshot
from portal.runs.filters.conditions import Filters, is_listed, values
from portal.runs.listing.walk import WINDOW, walk
from portal.runs.query import RunQuery
from portal.runs.scope import Listed, in_workflows, scope_of_list

BATCH = 500
"""Runs that are read at once, if they are small."""
MOST_TEXT = 4_000_000
"""Characters of stored texts that are read at once, unless a single run has more."""

Row = Mapping[str, Any]  # columns by name


class StoredRun(NamedTuple):
    """A run as it is stored."""

    run: Row
    """Its columns, with `source`, `provenance` and the values of its results; `definition_snapshot` only with
    its steps."""
    person: Row | None
    """Who triggered it."""
    steps: Sequence[Row] | None
    """None if they were not asked for."""


_IDS: sa.BindParameter[Sequence[UUID]] = sa.bindparam("ids", expanding=True)
_OF_RESULTS = ("token_cost", "credits_absorbed", "held_nodes")
_PERSON = ("user_id", "source_id", "kind", "name", "email", "display_name")
_STEP_RESULT = ("active_ports", "locales", "pause_reason", "pause_error", "result")


class ListedWorkflow(NamedTuple):
    """A workflow whose runs a list has."""

    id: UUID
    name: str
    version: int


def read_workflows(seen: Listed, query: RunQuery) -> Mapping[UUID, ListedWorkflow]:
    """The workflows whose runs a list has, by their ids."""
    with snapshot():
        scope = scope_of_list(seen, query)
        columns = sa.select(Workflow.id, Workflow.name, Workflow.version)
        found = columns.where(in_workflows(scope.kind, Workflow.id), Workflow.deleted_at.is_(None))
        rows = read(found.order_by(Workflow.id), **scope.values)
        return {row.id: ListedWorkflow(*row) for row in rows}


def read_runs(
    seen: Listed,
    query: RunQuery,
    workflows: Mapping[UUID, ListedWorkflow],
    *,
    steps: bool,
    window: int = WINDOW,
    batch: int = BATCH,
) -> Iterator[Sequence[StoredRun]]:
    """The runs of a list in its order, as many at a time as fit; no transaction is open between them.

    Runs that came after the workflows were read are left out.
    """
    count = batch
    for ids in walk(seen, query, window):
        begin = 0
        while begin < len(ids):
            with snapshot():
                chosen = ids[begin : begin + count]
                passed, found = _first_that_fit(seen, query, workflows, chosen, steps)
                runs = _read(found, steps)
            yield runs
            begin, count = begin + passed, min(batch, 2 * passed)


def _first_that_fit(
    seen: Listed,
    query: RunQuery,
    workflows: Mapping[UUID, ListedWorkflow],
    ids: Sequence[UUID],
    steps: bool,
) -> tuple[int, list[UUID]]:
    """How many of these runs fit, and those of them that are still in the list."""
    scope = scope_of_list(seen, query)
    bound = values(scope, query) | {"ids": list(ids)}
    sizes = {
        row.id: row.size
        for row in read(_sizes(Filters.of(scope, query), steps), **bound)
        if row.listed
        and row.workflow_id in workflows
        and row.arrived_in <= workflows[row.workflow_id].version
    }
    found: list[UUID] = []
    total = 0
    for passed, run_id in enumerate(ids):
        size = sizes.get(run_id)
        if size is None:
            continue
        total += size
        if found and total > MOST_TEXT:
            return passed, found
        found.append(run_id)
    return len(ids), found


def _length(column: Any) -> sa.ColumnElement[int]:  # a column of text or JSON
    return sa.func.coalesce(sa.func.length(sa.cast(column, sa.Text())), 0)


@lru_cache(maxsize=256)
def _sizes(filters: Filters, steps: bool) -> statements.Columns:
    """Which of some runs are in the list, and how much is stored of each."""
    size = _length(Run.error) + _length(Run.pause_error) + _length(Run.usage_summary)
    size += _length(RunDetail.source) + _length(RunDetail.provenance)
    if steps:
        own = sum((_length(column) for column in (Step.error, Step.source, StepResult.pause_error)), start=0)
        of_steps = sa.select(sa.func.coalesce(sa.func.sum(own + _length(StepResult.result)), 0))
        of_steps = of_steps.select_from(_STEPS).where(Step.run_id == Run.id).correlate(Run)
        size += _length(RunDetail.definition_snapshot) + of_steps.scalar_subquery()
    select = sa.select(
        Run.id, Run.workflow_id, Run.arrived_in, is_listed(filters).label("listed"), size.label("size")
    )
    return select.outerjoin(RunDetail, RunDetail.run_id == Run.id).where(Run.id.in_(_IDS))


_STEPS = sa.join(
    Step,
    StepResult,
    (StepResult.run_id == Step.run_id) & (StepResult.position == Step.position),
    isouter=True,
)


@lru_cache(maxsize=2)
def _runs(steps: bool) -> statements.Columns:
    table = cast(sa.Table, Run.__table__)
    columns = [column for column in table.columns if column.name not in ("import_digest", "workflow_version")]
    results = [getattr(RunResult, name) for name in _OF_RESULTS]
    person = [getattr(Person, name).label(f"person_{name}") for name in _PERSON]
    detail = [RunDetail.source, RunDetail.provenance]
    select = sa.select(*columns, *detail, *results, *person)
    if steps:
        select = select.add_columns(RunDetail.definition_snapshot)
    joined = select.outerjoin(Person, Person.id == Run.person_id)
    joined = joined.outerjoin(RunDetail, RunDetail.run_id == Run.id)
    return joined.outerjoin(RunResult, RunResult.run_id == Run.id).where(Run.id.in_(_IDS))


_ALL_STEPS: statements.Columns = (
    sa.select(
        cast(sa.Table, Step.__table__),
        *(getattr(StepResult, name) for name in _STEP_RESULT),
        StepResult.run_id.is_not(None).label("has_result"),
    )
    .select_from(_STEPS)
    .where(Step.run_id.in_(_IDS))
    .order_by(Step.run_id, Step.position)
)


def _read(ids: Sequence[UUID], steps: bool) -> list[StoredRun]:
    """These runs in this order."""
    if not ids:
        return []
    found = {row["id"]: cast(Row, row) for row in read(_runs(steps), ids=list(ids)).mappings()}
    taken: defaultdict[UUID, list[Row]] = defaultdict(list)
    if steps:
        for row in read(_ALL_STEPS, ids=list(ids)).mappings():
            taken[row["run_id"]].append(cast(Row, row))
    return [
        StoredRun(found[run_id], _person(found[run_id]), taken[run_id] if steps else None)
        for run_id in ids
        if run_id in found
    ]


def _person(row: Row) -> Row | None:
    if row["person_user_id"] is None:
        return None
    return {name: row[f"person_{name}"] for name in _PERSON}
