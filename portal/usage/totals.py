"""What the runs of a workspace add up to, in each of some buckets of time.

Read from the counts beside the runs, which are by the hour: an hour in which a bucket begins or ends, as in
time zones that are not whole hours from UTC, is counted on the runs themselves. Deleted workflows count.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import Run, RunBucket, RunLanguage, Workflow
from portal.database.transactions import read
from portal.runs.counts.columns import SUMS, Sums, bucket_column, count_columns, sum_columns
from portal.runs.counts.histograms import CREATED, DAY, HOUR, SECOND, microseconds, moment_of_key
from portal.runs.statuses import STATUSES
from portal.usage.period import Bucket

QUARTER = 900 * SECOND
"""Every time zone of today is whole quarters of an hour from UTC."""

_NOTHING = (0,) * (len(STATUSES) + len(SUMS))


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Of the runs created in a bucket."""

    runs: Mapping[str, int]
    """By status, with zeros."""
    credits: int
    output_lines: int
    delivered_audio_ms: int
    """Of completed runs."""
    characters: int
    """Of the texts of their takes."""
    spoken_lines: int
    """Lines with takes, once for each language."""

    @property
    def total(self) -> int:
        return sum(self.runs.values())


def totals_by_bucket(workspace_id: UUID, buckets: Sequence[Bucket]) -> list[Totals]:
    """One for each bucket; the buckets follow each other without gaps."""
    starts, added = _starts(buckets), _added_up(workspace_id, buckets)
    spoken: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])
    for moment, *values in _spoken(workspace_id, buckets[0].start, buckets[-1].end):
        pair = spoken[bisect_right(starts, moment) - 1]
        pair[0] += int(values[0])
        pair[1] += int(values[1])
    return [_totals(added[number], *spoken[number]) for number in range(len(buckets))]


def credits_of(workspace_id: UUID, buckets: Sequence[Bucket]) -> int:
    """The credits of all buckets together."""
    added = _added_up(workspace_id, buckets).values()
    return sum(Sums.of(*values[len(STATUSES) :]).credits for values in added)


def add_up(totals: Sequence[Totals]) -> Totals:
    """All of them together."""
    return Totals(
        runs={status: sum(each.runs[status] for each in totals) for status in STATUSES},
        credits=sum(each.credits for each in totals),
        output_lines=sum(each.output_lines for each in totals),
        delivered_audio_ms=sum(each.delivered_audio_ms for each in totals),
        characters=sum(each.characters for each in totals),
        spoken_lines=sum(each.spoken_lines for each in totals),
    )


def _starts(buckets: Sequence[Bucket]) -> list[int]:
    return [microseconds(bucket.start) for bucket in buckets]


def _added_up(workspace_id: UUID, buckets: Sequence[Bucket]) -> defaultdict[int, list[int]]:
    """What the runs of each bucket add up to, by its position: counts by status, then SUMS."""
    starts = _starts(buckets)
    added: defaultdict[int, list[int]] = defaultdict(lambda: list(_NOTHING))
    for moment, values in _runs(workspace_id, [*starts, microseconds(buckets[-1].end)]):
        tally = added[bisect_right(starts, moment) - 1]
        for position, value in enumerate(values):
            tally[position] += int(value)
    return added


def _totals(values: Sequence[int], spoken_lines: int, characters: int) -> Totals:
    sums = Sums.of(*values[len(STATUSES) :])
    return Totals(
        runs=dict(zip(STATUSES, values, strict=False)),
        credits=sums.credits,
        output_lines=sums.output_lines,
        delivered_audio_ms=sums.delivered_audio_ms,
        characters=characters,
        spoken_lines=spoken_lines,
    )


def _runs(workspace_id: UUID, edges: Sequence[int]) -> Iterator[tuple[int, Sequence[int]]]:
    """A moment, and what the runs created around it add up to: within a bucket, whose edges these are."""
    width = DAY if all(edge % DAY == 0 for edge in edges) else HOUR
    cut = {edge // width for edge in edges if edge % width}
    first, last = edges[0] // width, (edges[-1] - 1) // width
    values = {"workspace_id": workspace_id, "width": width, "first": first, "last": last}
    for number, *counted in read(_BUCKETS, **values).all():
        if number not in cut:
            yield number * width, counted
            continue
        begin, end = max(number * width, edges[0]), min((number + 1) * width, edges[-1])
        parts = [begin, *(edge for edge in edges if begin < edge < end), end]
        for start, stop in pairwise(parts):
            bounds = {"start": moment_of_key(start), "stop": moment_of_key(stop)}
            yield start, tuple(read(_part(db.engine.dialect.name), workspace_id=workspace_id, **bounds).one())


def _spoken(workspace_id: UUID, start: datetime, end: datetime) -> Sequence[Sequence[Any]]:
    """By quarter of an hour: its beginning, lines and characters."""
    quarter = bucket_column(db.engine.dialect.name, RunLanguage.created_at, QUARTER)
    added = (sa.func.sum(RunLanguage.lines), sa.func.sum(RunLanguage.characters))
    grouped = sa.select(quarter * QUARTER, *added).where(*in_window(workspace_id, start, end))
    return [tuple(row) for row in db.session.execute(grouped.group_by(sa.text("1")))]


def in_window(workspace_id: UUID, start: datetime, end: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    """The conditions on RunLanguage to be of runs created in a workspace from one moment up to another."""
    return (
        RunLanguage.workflow_id.in_(sa.select(Workflow.id).where(Workflow.workspace_id == workspace_id)),
        RunLanguage.created_at >= start,
        RunLanguage.created_at < end,
    )


_OF_WORKSPACE = sa.select(Workflow.id).where(Workflow.workspace_id == sa.bindparam("workspace_id"))
_BUCKETS = (
    sa.select(RunBucket.number, *(sa.func.sum(getattr(RunBucket, name)) for name in STATUSES + SUMS))
    .where(
        RunBucket.workflow_id.in_(_OF_WORKSPACE),
        RunBucket.histogram == sa.literal_column(f"'{CREATED.name}'"),
        RunBucket.width == sa.bindparam("width"),
        RunBucket.number.between(sa.bindparam("first"), sa.bindparam("last")),
    )
    .group_by(RunBucket.number)
)


@lru_cache
def _part(dialect: str) -> Any:
    """What the runs created in part of an hour add up to."""
    return sa.select(*count_columns(), *sum_columns(dialect)).where(
        Run.workflow_id.in_(_OF_WORKSPACE),
        Run.created_at >= sa.bindparam("start", type_=Run.created_at.type),
        Run.created_at < sa.bindparam("stop", type_=Run.created_at.type),
    )
