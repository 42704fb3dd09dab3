"""How many runs each cause has, by day and by workflow: changed with each run, counted anew where runs go.

Whoever changes the runs of a cause holds the counts of its workspace (`counts.lock_workspaces`), after the
workflows: two transactions may bring a cause runs of different workflows at the same time.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.columns import Base
from portal.database.models import Cause, CauseDay, CauseWorkflow, Run, Workflow
from portal.database.sql import bulk, upserts
from portal.database.sql.in_lists import chunks
from portal.runs.causes.rules import VERSION
from portal.runs.counts.changes import lock_workspaces
from portal.runs.counts.columns import bucket_column
from portal.runs.counts.histograms import DAY, moment_of_key


class KnownCause(NamedTuple):
    """The cause of a run, which may not be stored yet."""

    id: UUID
    workspace_id: UUID
    text: str


class FailedRun(NamedTuple):
    """A failed run as the counts see it."""

    cause_id: UUID
    workflow_id: UUID
    created_at: int
    """In microseconds (`counts.histograms`)."""


class Changes:
    """What a transaction changes in the counts."""

    def __init__(self) -> None:
        self._runs: Counter[FailedRun] = Counter()
        self._causes: dict[UUID, KnownCause] = {}

    def count(
        self, removed: Iterable[FailedRun], added: Iterable[FailedRun], causes: Iterable[KnownCause]
    ) -> None:
        """Count runs out as they were, and in as they are; `causes` are those of the latter."""
        self._causes |= {cause.id: cause for cause in causes}
        self._runs.update(added)
        self._runs.subtract(removed)

    def apply(self, session: Session) -> None:
        """Write them. Hold the workflows; the runs are written already."""
        changed = {run: number for run, number in self._runs.items() if number}
        if not changed:
            return
        session.flush()
        deleted = _lock(session, {run.workflow_id for run in changed})
        _insert(session, self._causes.values())
        cause_ids = {run.cause_id for run in changed}
        anew = {run.cause_id for run, number in changed.items() if number < 0}
        anew |= {run.cause_id for run in changed if run.workflow_id in deleted}
        _add(session, {run: number for run, number in changed.items() if run.cause_id not in anew})
        recount(session, anew)
        summarise(session, cause_ids - anew)


def _insert(session: Session, causes: Iterable[KnownCause]) -> None:
    """Store causes that are not known, in the order of their ids."""
    rows = [{**cause._asdict(), "version": VERSION, "failed": 0} for cause in sorted(causes)]
    upserts.insert_those_missing(session, Cause, rows)


def _lock(session: Session, workflow_ids: Collection[UUID]) -> set[UUID]:
    """Lock the counts of the workspaces of these workflows; returns the workflows that are deleted."""
    columns = sa.select(Workflow.id, Workflow.workspace_id, Workflow.deleted_at)
    rows = [
        row
        for chunk in chunks(sorted(workflow_ids))
        for row in session.execute(columns.where(Workflow.id.in_(chunk)))
    ]
    lock_workspaces(session, (row.workspace_id for row in rows))
    return {row.id for row in rows if row.deleted_at is not None}


def _add(session: Session, runs: Mapping[FailedRun, int]) -> None:
    days: defaultdict[tuple[UUID, int], int] = defaultdict(int)
    moments: defaultdict[tuple[UUID, UUID], list[int]] = defaultdict(list)
    numbers: Counter[tuple[UUID, UUID]] = Counter()
    for run, number in runs.items():
        days[run.cause_id, run.created_at // DAY] += number
        moments[run.cause_id, run.workflow_id].append(run.created_at)
        numbers[run.cause_id, run.workflow_id] += number
    connection = session.connection()
    rows: list[bulk.Row] = [
        {"cause_id": cause_id, "day": day, "failed": number}
        for (cause_id, day), number in sorted(days.items())
    ]
    bulk.add_rows(connection, _table(CauseDay), ("cause_id", "day"), rows)
    rows = [
        {
            "cause_id": cause_id,
            "workflow_id": workflow_id,
            "failed": numbers[cause_id, workflow_id],
            "first_at": moment_of_key(min(found)),
            "last_at": moment_of_key(max(found)),
        }
        for (cause_id, workflow_id), found in sorted(moments.items())
    ]
    bulk.add_rows(
        connection,
        _table(CauseWorkflow),
        ("cause_id", "workflow_id"),
        rows,
        {"first_at": "LEAST", "last_at": "GREATEST"}
        if connection.dialect.name == "postgresql"
        else {"first_at": "MIN", "last_at": "MAX"},
    )


def recount(session: Session, cause_ids: Collection[UUID]) -> None:
    """Count the runs of these causes anew. Hold the counts of their workspace."""
    for chunk in chunks(sorted(cause_ids)):
        for model in (CauseDay, CauseWorkflow):
            session.execute(sa.delete(model).where(model.cause_id.in_(chunk)))
        session.execute(
            sa.insert(CauseDay).from_select(
                ["cause_id", "day", "failed"], days_of(session).where(Cause.id.in_(chunk))
            )
        )
        session.execute(
            sa.insert(CauseWorkflow).from_select(
                ["cause_id", "workflow_id", "failed", "first_at", "last_at"],
                workflows_of().where(Cause.id.in_(chunk)),
            )
        )
        summarise(session, chunk)


def days_of(session: Session) -> sa.Select[*tuple[Any, ...]]:
    """The rows of CauseDay that there should be."""
    day = bucket_column(session.get_bind().dialect.name, Run.created_at, DAY)
    live = _runs(Run.cause_id, day, sa.func.count()).join(Workflow, Workflow.id == Run.workflow_id)
    return live.where(Workflow.deleted_at.is_(None)).group_by(Run.cause_id, sa.text("2"))


def workflows_of() -> sa.Select[*tuple[Any, ...]]:
    """The rows of CauseWorkflow that there should be."""
    moments = (sa.func.min(Run.created_at), sa.func.max(Run.created_at))
    every = _runs(Run.cause_id, Run.workflow_id, sa.func.count(), *moments)
    return every.group_by(Run.cause_id, Run.workflow_id)


def _runs(*columns: Any) -> sa.Select[*tuple[Any, ...]]:
    """The runs of causes, found by the index that has them by workspace."""
    return sa.select(*columns).join(
        Cause, sa.and_(Cause.workspace_id == Run.workspace_id, Cause.id == Run.cause_id)
    )


def summarise(session: Session, cause_ids: Collection[UUID]) -> None:
    """Write in the rows of these causes what their rows of CauseWorkflow say."""
    live = (CauseWorkflow.cause_id == Cause.id, Workflow.deleted_at.is_(None))

    def told(value: sa.ColumnElement[Any]) -> sa.ScalarSelect[Any]:
        joined = sa.select(value).join(Workflow, Workflow.id == CauseWorkflow.workflow_id).where(*live)
        return joined.correlate(Cause).scalar_subquery()

    for chunk in chunks(sorted(cause_ids)):
        session.execute(
            sa.update(Cause)
            .where(Cause.id.in_(chunk))
            .values(
                failed=told(sa.func.coalesce(sa.func.sum(CauseWorkflow.failed), 0)),
                first_at=told(sa.func.min(CauseWorkflow.first_at)),
                last_at=told(sa.func.max(CauseWorkflow.last_at)),
            )
            .execution_options(synchronize_session=False)
        )


def recount_workflow(session: Session, workflow_id: UUID) -> None:
    """Count anew the causes of the runs of a locked workflow that was deleted or restored."""
    _lock(session, [workflow_id])
    session.flush()
    of_workflow = sa.select(CauseWorkflow.cause_id).where(CauseWorkflow.workflow_id == workflow_id)
    cause_ids = session.scalars(of_workflow).all()
    recount(session, cause_ids)


def _table(model: type[Base]) -> sa.Table:
    return cast(sa.Table, model.__table__)
