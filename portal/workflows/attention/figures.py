"""What the newest runs of workflows say: last runs, recent durations, gaps, failures in a row.

All of it changes with the version of a workflow only, so it is read once per version and cached. Reading is a
constant number of statements for any number of workflows, each an index range scan per workflow.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple, TypedDict
from uuid import UUID

import orjson

from portal.database.engine import db
from portal.database.sql import in_lists, statements
from portal.database.sql.excerpts import cut
from portal.database.sql.versions import Version
from portal.database.transactions import read
from portal.moments import EPOCH
from portal.runs.counts.histograms import moment_of_key
from portal.runs.statistics.lru import Lru
from portal.workflows.attention.run_samples import EARLIER_RUNS, FAILING, MAX_WHY, RECENT_RUNS, sampling

FEW_RUNS = 5
"""Fewer runs say nothing about the time between them."""
CACHED_WORKFLOWS = 20_000
"""Of one process, about 5 kB each."""
_MICROSECOND = timedelta(microseconds=1)


class RecentRun(NamedTuple):
    """A run in the strip of its workflow."""

    run_id: UUID
    run_number: int
    status: str
    created_at: datetime
    took_ms: int | None


@dataclass(frozen=True)
class Failing:
    """The newest run that completed or failed, failed; runs that were skipped are left out."""

    since: datetime
    """When the first of the failed runs in a row was created."""
    in_a_row: int
    run_id: UUID
    """The newest of them."""
    why: str
    """Its error, or what its failed steps say."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    strip: Sequence[RecentRun] = ()
    """The newest runs, oldest first."""
    recent_ms: float | None = None
    """The median duration of the newest completed runs; None unless they and those before are full."""
    earlier_ms: float | None = None
    """That of the completed runs before them, under the same condition."""
    gap: timedelta | None = None
    """The median time between the creations of the newest runs; None if there are few."""
    failing: Failing | None = None
    last_failed_at: datetime | None = None
    """When the newest failed run was created, skipped ones too."""
    running_since: datetime | None = None
    """The start of the run that runs longest, moved by its pauses."""
    longest_created_at: datetime | None = None
    """When that run was created."""

    @property
    def last(self) -> RecentRun | None:
        return self.strip[-1] if self.strip else None


_cache: Lru[Version, Figures] = Lru(CACHED_WORKFLOWS)


def read_figures(versions: Iterable[Version]) -> dict[UUID, Figures]:
    """The figures of workflows, as far as possible from an LRU cache that all requests share."""
    every = list(versions)
    cached = _cache.find(every)
    found = {version.workflow_id: figures for version, figures in cached.items()}
    missing = {version.workflow_id: version for version in every if version not in cached}
    for ids in in_lists.chunks(list(missing)):
        fresh = compute_figures(ids)
        found |= fresh
        _cache.add({missing[workflow_id]: figures for workflow_id, figures in fresh.items()})
    return found


def compute_figures(workflow_ids: Sequence[UUID]) -> dict[UUID, Figures]:
    """The figures of these workflows from their runs."""
    samples = read(sampling(db.engine.dialect.name), workflow_ids=workflow_ids).all()
    failing = _failing([row.workflow_id for row in samples if _is_failing(row)])
    return {
        row.workflow_id: Figures(
            strip=[_recent(*run) for run in reversed(_parsed(row.newest))],
            **_durations(_parsed(row.took_ms)),
            gap=_gap(_parsed(row.created)),
            failing=failing.get(row.workflow_id),
            last_failed_at=row.last_failed_at,
            **_longest(_parsed(row.longest)),
        )
        for row in samples
    }


class _Durations(TypedDict):
    """The figures that are made of durations."""

    recent_ms: float | None
    earlier_ms: float | None


def _durations(completed: Sequence[int | None]) -> _Durations:
    """Of those of the newest completed runs, newest first."""
    timed = [took_ms for took_ms in completed if took_ms is not None]
    recent, earlier = timed[:RECENT_RUNS], timed[RECENT_RUNS : RECENT_RUNS + EARLIER_RUNS]
    full = len(earlier) == EARLIER_RUNS
    return {
        "recent_ms": median(recent) if full else None,
        "earlier_ms": median(earlier) if full else None,
    }


class _Longest(TypedDict):
    """Of the run that runs longest."""

    running_since: datetime | None
    longest_created_at: datetime | None


def _longest(running: Sequence[Sequence[int]]) -> _Longest:
    if not running:
        return {"running_since": None, "longest_created_at": None}
    [(begun, created)] = running
    return {"running_since": moment_of_key(begun), "longest_created_at": _moment(created)}


def _parsed(array: str | None) -> list[Any]:
    """A JSON array of any type; PostgreSQL makes NULL of no rows."""
    return list(orjson.loads(array)) if array else []


def _recent(run_id: str, run_number: int, status: str, created: int, took_ms: int | None) -> RecentRun:
    return RecentRun(UUID(run_id), run_number, status, _moment(created), took_ms)


def _moment(microseconds: int) -> datetime:
    return EPOCH + microseconds * _MICROSECOND


def _gap(created: Sequence[int]) -> timedelta | None:
    """The median gap between moments, newest first."""
    if len(created) < FEW_RUNS:
        return None
    return median(later - earlier for later, earlier in pairwise(created)) * _MICROSECOND


def _is_failing(row: statements.Row) -> bool:
    """Whether the newest failed run comes before the newest completed one in a list, newest first."""
    if row.failed_at is None or row.completed_at is None:
        return row.failed_at is not None
    if row.failed_at == row.completed_at:
        return bool(row.failed_id < row.completed_id)
    return bool(row.failed_at > row.completed_at)


def _failing(workflow_ids: Sequence[UUID]) -> dict[UUID, Failing]:
    if not workflow_ids:
        return {}
    return {
        row.workflow_id: Failing(row.since, row.in_a_row, row.failed_id, cut(row.why or "", MAX_WHY))
        for row in read(FAILING, workflow_ids=workflow_ids)
    }
