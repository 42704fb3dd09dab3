"""What is counted and summed of runs, in SQL and as values."""

from datetime import date, datetime, timedelta
from typing import NamedTuple, Self

import sqlalchemy as sa

from portal.database.models import Run, RunStatus
from portal.database.sql import sums
from portal.moments import EPOCH
from portal.runs.facts.duration import elapsed_in_sql
from portal.runs.statuses import STATUSES

SUMS = (
    *("timed_runs", "active_ms", "active_ms_high", "delivered_audio_ms", "delivered_audio_ms_high"),
    *("credits", "credits_high", "output_lines", "output_lines_high"),
)
"""Columns that averages and usage need; all but the first in two halves (portal.sums)."""


class Sums(NamedTuple):
    """What the columns SUMS add up to, over buckets or in a row of sum_columns."""

    timed_runs: int
    active_ms: int
    delivered_audio_ms: int
    credits: int
    output_lines: int

    @classmethod
    def of(cls, timed: int, *halves: int) -> Self:
        """Of the values of the columns SUMS."""
        low, high = halves[::2], halves[1::2]
        return cls(int(timed), *map(sums.combine, low, high))


def day_of(moment: datetime) -> int:
    """The day in UTC, counted from 1970-01-01."""
    return (moment - EPOCH).days


def date_of(day: int) -> date:
    return EPOCH.date() + timedelta(days=day)


def bucket_column(
    dialect: str, column: sa.SQLColumnExpression[datetime | None], width: int
) -> sa.ColumnElement[int]:
    """The bucket of this width, in microseconds, that a moment lies in, in SQL."""
    if dialect == "postgresql":
        return sa.cast(sa.func.floor(sa.extract("epoch", column) / (width // 1_000_000)), sa.BigInteger)
    moment = sa.type_coerce(column, sa.BigInteger)
    return (moment - (moment % width + width) % width) // width


def count_columns() -> list[sa.ColumnElement[int]]:
    """How many runs have each status, in SQL."""
    return [sa.func.count().filter(Run.status == status).label(status) for status in STATUSES]


def sum_columns(dialect: str) -> list[sa.ColumnElement[int]]:
    """The values of SUMS, in SQL: the same as counted in Python."""
    took = elapsed_in_sql(dialect)
    completed = Run.status == RunStatus.COMPLETED
    timed = sa.and_(completed, took.is_not(None))
    columns: list[sa.ColumnElement[int]] = [sa.func.count().filter(timed)]
    columns += [sums.total_in_sql(half, timed) for half in sums.halves_in_sql(took)]
    columns += [sums.total_in_sql(half, completed) for half in sums.halves_in_sql(Run.delivered_audio_ms)]
    columns += [sums.total_in_sql(half) for half in sums.halves_in_sql(Run.credits)]
    columns += [sums.total_in_sql(half) for half in sums.halves_in_sql(Run.output_line_count)]
    return [column.label(name) for column, name in zip(columns, SUMS, strict=True)]
