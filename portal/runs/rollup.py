"""The counts kept beside the runs: changed with each run in its transaction, recounted to find drift.

Whoever writes a run holds its workflow's row (see the recorder), so the counts of one workflow have
one writer at a time and need no lock of their own.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import repeat
from typing import Any, NamedTuple, Self, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal.database.models import DayRuns, PersonPeriodRuns, PersonRuns, Run, RunStatus, RunTotals, Workflow
from portal.database.sql import bulk, sums
from portal.moments import elapsed_ms
from portal.runs import blocks

STATUSES = tuple(status.value for status in RunStatus)
SUMS = ("timed_runs", "active_ms", "active_ms_high", "delivered_audio_ms", "delivered_audio_ms_high")
"""Columns of DayRuns beside the counts; sums of milliseconds in two halves (portal.sums)."""
MOMENTS = ("created_at", "started_at", "completed_at")
PERIOD_DAYS = 32
NO_PERIOD = 2**31 - 1
"""The period of runs that have not started, or not completed."""

_POSITION = {status: position for position, status in enumerate(STATUSES)}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_IN_MICROSECONDS = 86_400_000_000
_TIMED = len(STATUSES)
_ACTIVE, _AUDIO = _TIMED + 1, _TIMED + 3
"""Where sums begin in a row of DayRuns: each is its low half, and the high one follows."""

Key = tuple[Any, ...]
_Counts = list[defaultdict[Key, list[int]]]


class Counted(NamedTuple):
    """What the counts know of a run; moments are whole numbers, which compare and cross processes fast."""

    id: int
    workflow_id: UUID
    status: str
    created_at: int
    started_at: int
    completed_at: int
    took_ms: int | None
    """What a completed run took, where that is known."""
    audio_ms: int
    """What a completed run delivered."""
    person_id: int | None

    @classmethod
    def of(cls, run: Run) -> Self:
        return cls.of_values(*(getattr(run, name) for name in COUNTED))

    @classmethod
    def of_values(
        cls,
        run_id: UUID,
        workflow_id: UUID,
        status: str,
        created_at: datetime,
        started_at: datetime | None,
        completed_at: datetime | None,
        paused_ms: int | None,
        delivered_audio_ms: int | None,
        person_id: int | None = None,
    ) -> Self:
        """Of the values of the columns COUNTED."""
        completed = status == RunStatus.COMPLETED
        return cls(
            run_id.int,
            workflow_id,
            status,
            blocks.microseconds(created_at),
            blocks.microseconds(started_at),
            blocks.microseconds(completed_at),
            elapsed_ms(started_at, completed_at, paused_ms) if completed else None,
            (delivered_audio_ms or 0) if completed else 0,
            person_id,
        )


COUNTED = (
    *("id", "workflow_id", "status", "created_at", "started_at", "completed_at"),
    *("paused_ms", "delivered_audio_ms", "person_id"),
)


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


class Changes:
    """What is to be added to the counts: runs counted out as they were, and in as they are."""

    def __init__(self, removed: Iterable[Counted] = (), added: Iterable[Counted] = ()) -> None:
        self.counts: defaultdict[UUID, _Counts] = defaultdict(_no_counts)
        self.moves: defaultdict[UUID, blocks.Moves] = defaultdict(blocks.Moves)
        self.count(removed, added)

    def count(self, removed: Iterable[Counted], added: Iterable[Counted]) -> None:
        """Count more runs out, and in."""
        for sign, runs in ((-1, removed), (1, added)):
            for workflow_id, its_runs in _by_workflow(runs).items():
                ids, _, statuses, created, started, completed, *rest = zip(*its_runs, strict=True)
                places = blocks.Places(ids, statuses, created, started, completed)
                _count(self.counts[workflow_id], sign, places, *rest)
                self.moves[workflow_id].add(sign, places)


def apply(session: Session, changes: Changes) -> None:
    """Add to the counts what runs that are written already change. Hold their workflows (lock_workflows)."""
    session.flush()
    workflow_ids = sorted(changes.counts)
    for workflow_id in workflow_ids:
        blocks.apply(session, workflow_id, changes.moves[workflow_id])
    for number, grain in enumerate(_GRAINS):
        rows = {
            (workflow_id, *key): values
            for workflow_id in workflow_ids
            for key, values in sorted(changes.counts[workflow_id][number].items())
            if any(values)
        }
        _add(session, grain, rows)


def _no_counts() -> _Counts:
    return [defaultdict(partial(_zeros, len(grain.values))) for grain in _GRAINS]


def _by_workflow(runs: Iterable[Counted]) -> defaultdict[UUID, list[Counted]]:
    found: defaultdict[UUID, list[Counted]] = defaultdict(list)
    for run in runs:
        found[run.workflow_id].append(run)
    return found


def _zeros(width: int) -> list[int]:
    return [0] * width


def _count(
    counts: _Counts,
    sign: int,
    runs: blocks.Places,
    took_ms: Sequence[int | None],
    audio_ms: Sequence[int],
    people_of: Sequence[int | None],
) -> None:
    """Count runs of one workflow in or out: keys are those of the grains without the workflow."""
    totals, people, periods, days = counts
    width = PERIOD_DAYS * _DAY_IN_MICROSECONDS
    positions = [_POSITION[status] for status in runs.status]
    days_of = [key // _DAY_IN_MICROSECONDS for key in runs.created_at]
    _tally(totals, sign, zip(positions, strict=True))
    _tally(people, sign, zip(people_of, positions, strict=True))
    for order in MOMENTS:
        periods_of = [_period(key, width) for key in getattr(runs, order)]
        _tally(periods, sign, zip(repeat(order), people_of, periods_of, positions, strict=False))
    _tally(days, sign, zip(days_of, positions, strict=True))
    for day, took, audio in zip(days_of, took_ms, audio_ms, strict=True):
        if took is not None or audio:
            of_day = days[(day,)]
            _add_up(of_day, _AUDIO, sign, audio)
            if took is not None:
                of_day[_TIMED] += sign
                _add_up(of_day, _ACTIVE, sign, took)


def _add_up(values: list[int], place: int, sign: int, value: int) -> None:
    low, high = sums.halves(value)
    values[place] += sign * low
    values[place + 1] += sign * high


class Sums(NamedTuple):
    """What the columns SUMS add up to, over days or in a row of sum_columns."""

    timed_runs: int
    active_ms: int
    delivered_audio_ms: int

    @classmethod
    def of(cls, timed: int, active: int, active_high: int, audio: int, audio_high: int) -> Self:
        """Of the values of the columns SUMS."""
        return cls(int(timed), sums.combine(active, active_high), sums.combine(audio, audio_high))


def _tally(counts: defaultdict[Key, list[int]], sign: int, runs: Iterable[Key]) -> None:
    """Count runs, each given as a key and its status's place; those triggered by nobody have no key."""
    for (*key, position), number in Counter(runs).items():
        if None not in key:
            counts[tuple(key)][position] += sign * number


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
    completed = Run.status == RunStatus.COMPLETED
    timed = sa.and_(completed, Run.started_at <= Run.completed_at, took >= 0)
    columns: list[sa.ColumnElement[int]] = [sa.func.count().filter(timed)]
    columns += [sums.total_in_sql(half, timed) for half in sums.halves_in_sql(took)]
    columns += [sums.total_in_sql(half, completed) for half in sums.halves_in_sql(Run.delivered_audio_ms)]
    return [column.label(name) for column, name in zip(columns, SUMS, strict=True)]


def find_drift(session: Session, workflow_ids: Collection[UUID] | None = None) -> dict[UUID, list[str]]:
    """For each workflow whose counts are not those of its runs: which tables of counts are wrong."""
    drifted: dict[UUID, list[str]] = {}
    for grain in _GRAINS:
        counted, kept = _recount(session, grain, workflow_ids), _kept(session, grain, workflow_ids)
        keys = counted.keys() | kept.keys()
        wrong = {key[0] for key in keys if _meant(counted.get(key)) != _meant(kept.get(key))}
        for workflow_id in sorted(wrong):
            drifted.setdefault(workflow_id, []).append(grain.table.name)
    every = workflow_ids if workflow_ids is not None else session.scalars(sa.select(Workflow.id)).all()
    for workflow_id in sorted(every):
        if blocks.find_drift(session, workflow_id):
            drifted.setdefault(workflow_id, []).append("run_blocks")
    return drifted


def _meant(values: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """What the values of a row say; a server of the release before adds sums to their low halves alone."""
    if values is None or len(values) == len(STATUSES):
        return values
    return values[: len(STATUSES)] + Sums.of(*values[len(STATUSES) :])


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
