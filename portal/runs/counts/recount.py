"""Whether the counts beside the runs are those of the runs, and counting anew where they are not."""

from collections.abc import Collection, Iterable
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.models import Run, Workflow, Workspace
from portal.runs.counts import buckets, grains
from portal.runs.counts.buckets import KEYS, Row
from portal.runs.counts.changes import lock_workspaces
from portal.runs.counts.columns import SUMS, Sums
from portal.runs.counts.histograms import HISTOGRAMS
from portal.runs.counts.thresholds import THRESHOLDS, Thresholds
from portal.runs.facts.duration import duration_in_sql
from portal.runs.scope import WORKFLOW_COUNTS, WORKSPACE_COUNTS, CountTables
from portal.runs.statuses import STATUSES

_MODELS: dict[CountTables, type[Workflow | Workspace]] = {
    WORKFLOW_COUNTS: Workflow,
    WORKSPACE_COUNTS: Workspace,
}


def find_drift(
    session: Session, owners: Collection[UUID] | None = None, thresholds: Thresholds = THRESHOLDS
) -> dict[UUID, list[str]]:
    """For each workflow and workspace, or each of these, whose counts are not those of its runs: which tables
    of counts are wrong.
    """
    drifted: dict[UUID, list[str]] = {}
    for tables, model in _MODELS.items():
        for grain in grains.GRAINS[tables]:
            counted, stored = (each(session, grain, owners) for each in (grains.recount, grains.stored))
            wrong = {key[0] for key in counted.keys() | stored.keys() if counted.get(key) != stored.get(key)}
            for owner_id in sorted(wrong):
                drifted.setdefault(owner_id, []).append(grain.table.name)
        every = sa.select(model.id) if owners is None else sa.select(model.id).where(model.id.in_(owners))
        for owner_id in session.scalars(every.order_by(model.id)).all():
            stored_buckets = _compared(buckets.read_buckets(session, tables, owner_id))
            if stored_buckets != _compared(_recount(session, tables, owner_id, thresholds)):
                drifted.setdefault(owner_id, []).append(buckets.table_of(tables).name)
    for workflow_id in session.scalars(sa.select(Run.workflow_id).distinct().where(*_wrong(session, owners))):
        drifted.setdefault(workflow_id, []).append("durations")
    return drifted


def _wrong(session: Session, workflow_ids: Collection[UUID] | None) -> list[sa.ColumnElement[bool]]:
    """The conditions on runs, or on those of these workflows, to have another duration stored than they
    should.
    """
    right = duration_in_sql(session.get_bind().dialect.name)
    among = [Run.workflow_id.in_(workflow_ids)] if workflow_ids is not None else []
    return [*among, Run.duration_ms.is_distinct_from(right)]


def repair(session: Session, owners: Collection[UUID], thresholds: Thresholds = THRESHOLDS) -> None:
    """Count the runs of these workflows and workspaces anew, with their durations.

    Hold the workflows (lock_workflows).
    """
    right = duration_in_sql(session.get_bind().dialect.name)
    wrong = sa.update(Run).where(*_wrong(session, owners)).values(duration_ms=right)
    session.execute(wrong.execution_options(synchronize_session=False))
    for tables, model in _MODELS.items():
        ours = session.scalars(sa.select(model.id).where(model.id.in_(owners)).order_by(model.id)).all()
        if tables is WORKSPACE_COUNTS:
            lock_workspaces(session, ours)
        for grain in grains.GRAINS[tables]:
            none = dict.fromkeys(STATUSES, 0)
            session.execute(sa.update(grain.table).where(grain.owner.in_(ours)).values(none))
            grains.add(session, grain, grains.recount(session, grain, ours))
        table = buckets.table_of(tables)
        for owner_id in ours:
            session.execute(sa.delete(table).where(table.c[tables.owner] == owner_id))
            buckets.add(session, tables, list(_recount(session, tables, owner_id, thresholds)))


def _recount(session: Session, tables: CountTables, owner_id: UUID, thresholds: Thresholds) -> Iterable[Row]:
    for histogram in HISTOGRAMS:
        yield from buckets.count_buckets(session, tables, owner_id, histogram, thresholds)


def _compared(rows: Iterable[Row]) -> dict[Row, tuple[tuple[int, ...], Sums]]:
    """What buckets say by key: one that counts nothing is as good as none, and bounds may be too wide."""
    first = 1 + len(KEYS)
    last = first + len(STATUSES)
    return {
        row[:first]: (row[first:last], Sums.of(*row[last : last + len(SUMS)]))
        for row in rows
        if any(row[first:last])
    }
