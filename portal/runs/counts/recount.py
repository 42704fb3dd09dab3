"""Whether the counts beside the runs are those of the runs, and counting anew where they are not."""

from collections.abc import Collection, Iterable
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.models import Workflow
from portal.runs.counts import buckets, grains
from portal.runs.counts.buckets import KEYS, Row
from portal.runs.counts.columns import SUMS, Sums
from portal.runs.counts.histograms import HISTOGRAMS
from portal.runs.counts.thresholds import THRESHOLDS, Thresholds
from portal.runs.statuses import STATUSES


def find_drift(
    session: Session, workflow_ids: Collection[UUID] | None = None, thresholds: Thresholds = THRESHOLDS
) -> dict[UUID, list[str]]:
    """For each workflow whose counts are not those of its runs: which tables of counts are wrong."""
    drifted: dict[UUID, list[str]] = {}
    for grain in grains.GRAINS:
        counted, stored = (read(session, grain, workflow_ids) for read in (grains.recount, grains.stored))
        wrong = {key[0] for key in counted.keys() | stored.keys() if counted.get(key) != stored.get(key)}
        for workflow_id in sorted(wrong):
            drifted.setdefault(workflow_id, []).append(grain.table.name)
    every = workflow_ids if workflow_ids is not None else session.scalars(sa.select(Workflow.id)).all()
    for workflow_id in sorted(every):
        stored_buckets = _compared(buckets.read_buckets(session, workflow_id))
        if stored_buckets != _compared(_recount(session, workflow_id, thresholds)):
            drifted.setdefault(workflow_id, []).append(buckets.TABLE.name)
    return drifted


def repair(session: Session, workflow_ids: Collection[UUID], thresholds: Thresholds = THRESHOLDS) -> None:
    """Count the runs of these workflows anew. Hold the workflows (lock_workflows)."""
    for grain in grains.GRAINS:
        session.execute(sa.delete(grain.table).where(grain.table.c.workflow_id.in_(workflow_ids)))
        grains.add(session, grain, grains.recount(session, grain, workflow_ids))
    table = buckets.TABLE
    for workflow_id in sorted(workflow_ids):
        session.execute(sa.delete(table).where(table.c.workflow_id == workflow_id))
        buckets.add(session, list(_recount(session, workflow_id, thresholds)))


def _recount(session: Session, workflow_id: UUID, thresholds: Thresholds) -> Iterable[Row]:
    for histogram in HISTOGRAMS:
        yield from buckets.count_buckets(session, workflow_id, histogram, thresholds)


def _compared(rows: Iterable[Row]) -> dict[Row, tuple[tuple[int, ...], Sums]]:
    """What buckets say by key: one that counts nothing is as good as none, and bounds may be too wide."""
    first, last = len(KEYS), len(KEYS) + len(STATUSES)
    return {
        row[:first]: (row[first:last], Sums.of(*row[last : last + len(SUMS)]))
        for row in rows
        if any(row[first:last])
    }
