"""How many runs of each workflow failed of late: from the buckets beside the runs, one edge from an index."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa

from portal.database.columns import Id, UTCDateTime
from portal.database.models import Run, RunBucket, RunStatus, Workflow
from portal.database.sql import in_lists
from portal.database.transactions import read
from portal.runs.counts.histograms import CREATED, DAY, HOUR, microseconds, moment_of_key


class RecentFailures(NamedTuple):
    """Failed runs created since two moments."""

    day: int
    week: int


def count_failures(workflow_ids: Sequence[UUID], day: datetime, week: datetime) -> dict[UUID, RecentFailures]:
    """How many runs of each workflow failed that were created at one of these moments or later."""
    values = _edges("day", day) | _edges("week", week)
    return {
        row.workflow_id: RecentFailures(int(row.day), int(row.week))
        for ids in in_lists.chunks(workflow_ids)
        for row in read(_COUNTING, workflow_ids=ids, **values)
    }


def _edges(name: str, since: datetime) -> dict[str, object]:
    """The hours and days that are whole after a moment, and what comes before them."""
    at = microseconds(since)
    hour, day = at // HOUR + 1, (at // HOUR * HOUR) // DAY + 1
    return {
        f"{name}_begin": since,
        f"{name}_end": moment_of_key(hour * HOUR),
        f"{name}_first_hour": hour,
        f"{name}_last_hour": day * (DAY // HOUR) - 1,
        f"{name}_first_day": day,
    }


def _counted(name: str) -> sa.ColumnElement[int]:
    def value(end: str) -> sa.BindParameter[int]:
        return sa.bindparam(f"{name}_{end}", type_=sa.BigInteger())

    hours = _buckets(HOUR).where(RunBucket.number.between(value("first_hour"), value("last_hour")))
    days = _buckets(DAY).where(RunBucket.number >= value("first_day"))
    edge = sa.select(sa.func.count()).where(
        Run.workflow_id == Workflow.id,
        Run.status == sa.literal_column(f"'{RunStatus.FAILED.value}'"),
        Run.created_at >= sa.bindparam(f"{name}_begin", type_=UTCDateTime()),
        Run.created_at < sa.bindparam(f"{name}_end", type_=UTCDateTime()),
    )
    parts = [part.correlate(Workflow).scalar_subquery() for part in (days, hours, edge)]
    return sum(parts[1:], start=parts[0]).label(name)


def _buckets(width: int) -> sa.Select[int]:
    return sa.select(sa.func.coalesce(sa.func.sum(RunBucket.failed), 0)).where(
        RunBucket.workflow_id == Workflow.id,
        RunBucket.histogram == sa.literal_column(f"'{CREATED.name}'"),
        RunBucket.width == sa.literal_column(str(width)),
    )


_COUNTING = sa.select(Workflow.id.label("workflow_id"), _counted("day"), _counted("week")).where(
    Workflow.id.in_(sa.bindparam("workflow_ids", expanding=True, type_=Id()))
)
