"""The counts kept beside the runs: changed with each run in its transaction, recounted to find drift.

Whoever writes a run holds its workflow's row (see the recorder), so the counts of one workflow have
one writer at a time and need no lock of their own.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple, Self, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.models import DayRuns, PersonPeriodRuns, PersonRuns, Run, RunStatus, RunTotals, Workflow
from portal.moments import elapsed_ms
from portal.runs import blocks, bulk

STATUSES = tuple(status.value for status in RunStatus)
SUMS = ("timed_runs", "active_ms", "delivered_audio_ms")
MOMENTS = ("created_at", "started_at", "completed_at")
PERIOD_DAYS = 32
NO_PERIOD = 2**31 - 1
"""The period of runs that have not started, or not completed."""

_POSITION = {status: position for position, status in enumerate(STATUSES)}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_IN_MICROSECONDS = 86_400_000_000
_TIMED, _ACTIVE, _AUDIO = range(len(STATUSES), len(STATUSES) + len(SUMS))

Key = tuple[Any, ...]
_Counts = list[defaultdict[Key, list[int]]]


class Counted(NamedTuple):
    """What the counts know of a run."""

    id: UUID
    workflow_id: UUID
    person_id: int | None
    status: str
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    paused_ms: int | None
    delivered_audio_ms: int | None

    @classmethod
    def of(cls, run: Run) -> Self:
        return cls(*(getattr(run, name) for name in cls._fields))

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Self:
        return cls._make(_counted_of(row))


_counted_of = itemgetter(*Counted._fields)
COUNTED = tuple(getattr(Run, name) for name in Counted._fields)
"""The columns that a Counted is made of."""


def day_of(moment: datetime) -> int:
    """The day in UTC, counted from 1970-01-01."""
    return (moment - _EPOCH).days


def period_of(moment: datetime | None) -> int:
    """The period of PERIOD_DAYS days, counted from 1970-01-01."""
    return _period(blocks.microseconds(moment), PERIOD_DAYS * _DAY_IN_MICROSECONDS)


def _period(key: int, width: int) -> int:
    return NO_PERIOD if key == blocks.NO_KEY else key // width


def date_of(day: int) -> date:
    return date(1970, 1, 1) + timedelta(days=day)


@dataclass(frozen=True)
class _Grain:
    """One table of counts: what a row stands for, beside the workflow, and what it holds."""

    table: sa.Table
    keys: tuple[str, ...]
    values: tuple[str, ...]


_TOTALS = _Grain(cast(sa.Table, RunTotals.__table__), ("workflow_id",), STATUSES)
_PEOPLE = _Grain(cast(sa.Table, PersonRuns.__table__), ("workflow_id", "person_id"), STATUSES)
_PERIODS = _Grain(
    cast(sa.Table, PersonPeriodRuns.__table__), ("workflow_id", "ordered_by", "person_id", "period"), STATUSES
)
_DAYS = _Grain(cast(sa.Table, DayRuns.__table__), ("workflow_id", "day"), STATUSES + SUMS)
_GRAINS = (_TOTALS, _PEOPLE, _PERIODS, _DAYS)


class Changes(NamedTuple):
    """What to add to the counts: rows of each grain, and what moves between the blocks of each workflow."""

    rows: Sequence[Mapping[Key, list[int]]]
    moves: Mapping[UUID, Sequence[blocks.Move]]


def changes(removed: Sequence[Counted], added: Sequence[Counted]) -> Changes:
    """Count runs out as they were, and in as they are: pure."""
    gone, come = _by_workflow(removed), _by_workflow(added)
    rows: list[dict[Key, list[int]]] = [{} for _ in _GRAINS]
    moves = {}
    for workflow_id in sorted(gone.keys() | come.keys()):
        less, more = gone[workflow_id], come[workflow_id]
        left, entered = _placed(less), _placed(more)
        moves[workflow_id] = blocks.moves(left, entered)
        counted: _Counts = [defaultdict(partial(_zeros, len(grain.values))) for grain in _GRAINS]
        _count(counted, -1, less, left)
        _count(counted, 1, more, entered)
        for found, counts in zip(rows, counted, strict=True):
            found |= {(workflow_id, *key): values for key, values in sorted(counts.items()) if any(values)}
    return Changes(rows, moves)


def apply(session: Session, changed: Changes) -> None:
    """Add to the counts what runs that are written already change. Hold their workflows (lock_workflows)."""
    session.flush()
    for workflow_id, moves in changed.moves.items():
        blocks.apply(session, workflow_id, moves)
    for grain, rows in zip(_GRAINS, changed.rows, strict=True):
        _add(session, grain, rows)


def _by_workflow(runs: Sequence[Counted]) -> defaultdict[UUID, list[Counted]]:
    found: defaultdict[UUID, list[Counted]] = defaultdict(list)
    for run in runs:
        found[run.workflow_id].append(run)
    return found


def _placed(runs: Sequence[Counted]) -> list[blocks.Placed]:
    """The runs as blocks see them."""
    return [
        blocks.placed(run.id, run.status, run.created_at, run.started_at, run.completed_at) for run in runs
    ]


def _zeros(width: int) -> list[int]:
    return [0] * width


def _count(counts: _Counts, sign: int, runs: Sequence[Counted], places: Sequence[blocks.Placed]) -> None:
    """Count runs of one workflow in or out: keys are those of the grains without the workflow."""
    totals, people, periods, days = counts
    width = PERIOD_DAYS * _DAY_IN_MICROSECONDS
    for run, (_, status, *keys) in zip(runs, places, strict=True):
        position = _POSITION[status]
        totals[()][position] += sign
        if run.person_id is not None:
            people[(run.person_id,)][position] += sign
            for order, key in zip(MOMENTS, keys, strict=True):
                periods[(order, run.person_id, _period(key, width))][position] += sign
        day = days[(keys[0] // _DAY_IN_MICROSECONDS,)]
        day[position] += sign
        if status == "completed":
            day[_AUDIO] += sign * (run.delivered_audio_ms or 0)
            took = elapsed_ms(run.started_at, run.completed_at, run.paused_ms)
            if took is not None:
                day[_TIMED] += sign
                day[_ACTIVE] += sign * took


def _add(session: Session, grain: _Grain, changes: Mapping[Key, list[int]]) -> None:
    names = (*grain.keys, *grain.values)
    rows = [dict(zip(names, (*key, *values), strict=True)) for key, values in changes.items()]
    bulk.add_rows(session.connection(), grain.table, grain.keys, rows)


def day_column(dialect: str) -> sa.ColumnElement[int]:
    """The day of `created_at`, in SQL."""
    return _days_column(dialect, Run.created_at, 1)


def _days_column(dialect: str, column: Any, days: int) -> sa.ColumnElement[int]:
    """Which stretch of so many days a moment lies in, in SQL."""
    if dialect == "postgresql":
        seconds = sa.extract("epoch", column)
        return sa.cast(sa.func.floor(seconds / (86_400 * days)), sa.Integer)
    moment = sa.type_coerce(column, sa.BigInteger)
    width = days * _DAY_IN_MICROSECONDS
    into = (moment % width + width) % width
    return (moment - into) // width


def count_columns() -> list[sa.ColumnElement[int]]:
    """How many runs have each status, in SQL."""
    return [sa.func.count().filter(Run.status == status).label(status) for status in STATUSES]


def sum_columns(dialect: str) -> list[sa.ColumnElement[int]]:
    """The sums that averages need, in SQL: the same as counted in Python."""
    if dialect == "postgresql":
        span: Any = sa.extract("epoch", Run.completed_at - Run.started_at) * 1000
        took = sa.cast(sa.func.floor(span), sa.BigInteger) - sa.func.coalesce(Run.paused_ms, 0)
    else:
        begun, ended = (sa.type_coerce(c, sa.BigInteger) for c in (Run.started_at, Run.completed_at))
        took = (ended - begun) // 1000 - sa.func.coalesce(Run.paused_ms, 0)
    timed = sa.and_(Run.status == RunStatus.COMPLETED, Run.started_at <= Run.completed_at, took >= 0)
    return [
        sa.func.count().filter(timed).label("timed_runs"),
        _whole(sa.func.sum(took).filter(timed)).label("active_ms"),
        _whole(sa.func.sum(Run.delivered_audio_ms).filter(Run.status == RunStatus.COMPLETED)).label(
            "delivered_audio_ms"
        ),
    ]


def _whole(total: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
    return sa.cast(sa.func.coalesce(total, 0), sa.BigInteger)


def find_drift(session: Session, workflow_ids: Collection[UUID] | None = None) -> dict[UUID, list[str]]:
    """For each workflow whose counts are not those of its runs: which tables of counts are wrong."""
    drifted: dict[UUID, list[str]] = {}
    for grain in _GRAINS:
        counted, kept = _recount(session, grain, workflow_ids), _kept(session, grain, workflow_ids)
        wrong = {key[0] for key in counted.keys() | kept.keys() if counted.get(key) != kept.get(key)}
        for workflow_id in sorted(wrong):
            drifted.setdefault(workflow_id, []).append(grain.table.name)
    every = workflow_ids if workflow_ids is not None else session.scalars(sa.select(Workflow.id)).all()
    for workflow_id in sorted(every):
        if blocks.find_drift(session, workflow_id):
            drifted.setdefault(workflow_id, []).append("run_blocks")
    return drifted


def repair(session: Session, workflow_ids: Collection[UUID]) -> None:
    """Count the runs of these workflows anew. Hold the workflows (lock_workflows)."""
    for grain in _GRAINS:
        session.execute(sa.delete(grain.table).where(grain.table.c.workflow_id.in_(workflow_ids)))
        counted = _recount(session, grain, workflow_ids)
        _add(session, grain, {key: list(values) for key, values in counted.items()})
    for workflow_id in sorted(workflow_ids):
        blocks.rebuild(session, workflow_id)


def _recount(
    session: Session, grain: _Grain, workflow_ids: Collection[UUID] | None
) -> dict[Key, tuple[int, ...]]:
    dialect = session.get_bind().dialect.name
    if grain is not _PERIODS:
        return _counted(session, grain, workflow_ids, {"day": day_column(dialect)})
    counted: dict[Key, tuple[int, ...]] = {}
    for order in MOMENTS:
        period = _days_column(dialect, getattr(Run, order), PERIOD_DAYS)
        keys = {"ordered_by": sa.literal_column(f"'{order}'"), "period": sa.func.coalesce(period, NO_PERIOD)}
        counted |= _counted(session, grain, workflow_ids, keys)
    return counted


def _counted(
    session: Session,
    grain: _Grain,
    workflow_ids: Collection[UUID] | None,
    own_keys: Mapping[str, sa.ColumnElement[Any]],
) -> dict[Key, tuple[int, ...]]:
    dialect = session.get_bind().dialect.name
    keys: dict[str, Any] = {"workflow_id": Run.workflow_id, "person_id": Run.person_id, **own_keys}
    columns = count_columns() + (sum_columns(dialect) if grain is _DAYS else [])
    grouped = [keys[name].label(f"key_{name}") for name in grain.keys]
    select = sa.select(*grouped, *columns).group_by(*(sa.text(str(n + 1)) for n in range(len(grouped))))
    if "person_id" in grain.keys:
        select = select.where(Run.person_id.is_not(None))
    if workflow_ids is not None:
        select = select.where(Run.workflow_id.in_(workflow_ids))
    return _by_key(session, grain, select)


def _kept(
    session: Session, grain: _Grain, workflow_ids: Collection[UUID] | None
) -> dict[Key, tuple[int, ...]]:
    select = sa.select(*(grain.table.c[name] for name in (*grain.keys, *grain.values)))
    if workflow_ids is not None:
        select = select.where(grain.table.c.workflow_id.in_(workflow_ids))
    return _by_key(session, grain, select)


def _by_key(session: Session, grain: _Grain, select: sa.Select[Any]) -> dict[Key, tuple[int, ...]]:
    """The rows by key; one that counts nothing is as good as none."""
    width = len(grain.keys)
    rows = (tuple(row) for row in session.execute(select))
    return {row[:width]: row[width:] for row in rows if any(row[width:])}
