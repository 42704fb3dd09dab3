"""How long runs of a workflow usually take: one figure for each workflow and day in UTC.

It is of the newest good runs created before that day, so that all runs of a day are held against one figure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import lru_cache
from statistics import quantiles
from typing import NamedTuple, Self

import orjson
import sqlalchemy as sa
from sqlalchemy.orm import aliased

from portal.auth.access import SeenWorkflow
from portal.database.columns import Id, UTCDateTime
from portal.database.engine import db
from portal.database.models import Run, RunStatus
from portal.database.sql import in_lists, statements
from portal.database.sql.versions import Version
from portal.database.transactions import read
from portal.runs.statistics.lru import Lru

USUAL_OF = 100
"""The newest good runs before a day, of which the figure is made."""
LEAST = 10
"""With fewer durations than this, nothing is usual yet."""
FAR = 2
"""A run that took this many times the usual duration is far from it."""
CACHED_DAYS = 50_000
"""Figures of one process, about 0.3 kB each."""
_AT_ONCE = 200
"""Figures that one statement reads."""


@dataclass(frozen=True)
class UsualDuration:
    """Without pauses, in milliseconds."""

    runs: int
    median_ms: int
    p90_ms: int

    @classmethod
    def of(cls, durations: Sequence[int]) -> Self | None:
        """None where there are too few."""
        if len(durations) < LEAST:
            return None
        tenths = quantiles(durations, n=10, method="inclusive")
        return cls(len(durations), round(tenths[4]), round(tenths[8]))

    def times(self, took_ms: int | None) -> int | None:
        """How many times the usual duration a run took, if that is far from it."""
        if took_ms is None or not self.median_ms or took_ms <= self.p90_ms:
            return None
        times = took_ms // self.median_ms
        return times if times >= FAR else None


class UsualOn(NamedTuple):
    """Which figure: that of a workflow on a day."""

    workflow: Version
    day: date

    @classmethod
    def at(cls, workflow: Version, moment: datetime) -> Self:
        """That of the day of a moment, such as a run's creation."""
        return cls(workflow, moment.astimezone(UTC).date())


_cache: Lru[UsualOn, UsualDuration | None] = Lru(CACHED_DAYS)


def usual_duration(workflow: SeenWorkflow, moment: datetime) -> UsualDuration | None:
    """The usual duration on the day of this moment; None if nothing is usual yet."""
    wanted = UsualOn.at(workflow.as_of, moment)
    return usual_durations([wanted])[wanted]


def usual_durations(wanted: Iterable[UsualOn]) -> Mapping[UsualOn, UsualDuration | None]:
    """These figures, from a cache that all requests share; the others in one statement."""
    every = set(wanted)
    found = _cache.find(every)
    for missing in in_lists.chunks(sorted(every - found.keys()), _AT_ONCE):
        fresh = _read(missing)
        _cache.add(fresh)
        found |= fresh
    return found


def _read(wanted: Sequence[UsualOn]) -> dict[UsualOn, UsualDuration | None]:
    values: dict[str, object] = {}
    for number, each in enumerate(wanted):
        values |= {f"workflow_{number}": each.workflow.workflow_id, f"before_{number}": _begin(each.day)}
    rows = read(_sampling(db.engine.dialect.name, len(wanted)), **values)
    took = {(row.workflow_id, row.before): row.took_ms for row in rows}
    return {
        each: UsualDuration.of(_durations(took[each.workflow.workflow_id, _begin(each.day)]))
        for each in wanted
    }


def _begin(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _durations(array: str | None) -> list[int]:
    """Those that are known; PostgreSQL makes NULL of no rows."""
    return [took_ms for took_ms in orjson.loads(array or "[]") if took_ms is not None]


@lru_cache
def _sampling(dialect: str, number: int) -> statements.Columns:
    """Selects the durations of this number of figures, each from one index range, as JSON arrays."""
    columns = sa.column("workflow_id", Id()), sa.column("before", UTCDateTime())
    rows = [
        (sa.bindparam(f"workflow_{each}", type_=Id()), sa.bindparam(f"before_{each}", type_=UTCDateTime()))
        for each in range(number)
    ]
    wanted = sa.values(*columns, name="wanted").data(rows).cte("wanted")
    newest = (  # ids alone: for durations SQLite prefers an index in which it passes every failed run
        sa.select(Run.id)
        .where(
            Run.workflow_id == wanted.c.workflow_id,
            Run.status == sa.literal_column(f"'{RunStatus.COMPLETED.value}'"),
            Run.created_at < wanted.c.before,
        )
        .order_by(Run.created_at.desc(), Run.id)
        .limit(USUAL_OF)
        .correlate(wanted)
        .subquery()
    )
    array = sa.func.json_group_array if dialect == "sqlite" else sa.func.json_agg
    of_run = aliased(Run)
    took = sa.select(sa.cast(array(of_run.duration_ms), sa.Text)).join(newest, newest.c.id == of_run.id)
    return sa.select(wanted.c.workflow_id, wanted.c.before, took.scalar_subquery().label("took_ms"))
