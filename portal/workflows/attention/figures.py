"""What the newest runs of workflows say: last runs, usual and recent durations, gaps, failures in a row.

All of it changes with the version of a workflow only, so it is read once per version and cached. Reading is a
constant number of statements for any number of workflows, each an index range scan per workflow.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from threading import Lock
from typing import NamedTuple, TypedDict
from uuid import UUID

import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import RunStatus
from portal.database.sql import in_lists, statements
from portal.database.sql.excerpts import cut
from portal.database.transactions import read
from portal.moments import elapsed_ms
from portal.workflows.attention import run_samples
from portal.workflows.attention.run_samples import first_of_each

STRIP_RUNS = 20
"""Runs in the strip of a workflow."""
GAP_RUNS = 50
"""Runs between whose creations gaps are taken."""
USUAL_RUNS = 100
"""The usual duration is that of this many completed runs."""
RECENT_RUNS, EARLIER_RUNS = 20, 100
"""Completed runs whose durations are compared: the newest, and those before them."""
FEW_RUNS = 5
"""Fewer runs say nothing about what is usual."""
SEARCHED_RUNS = 200
"""The newest completed runs among which those with a duration are looked for."""
RUNNING_RUNS = 200
"""The newest running ones among which the one that runs longest is looked for."""
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


@dataclass(frozen=True, kw_only=True)
class Figures:
    strip: Sequence[RecentRun] = ()
    """The newest runs, oldest first."""
    timed_runs: int = 0
    """The completed runs of which the usual duration is the median."""
    usual_ms: float | None = None
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

    @property
    def last(self) -> RecentRun | None:
        return self.strip[-1] if self.strip else None


class Version(NamedTuple):
    """A workflow as of one version."""

    workflow_id: UUID
    version: int
    change_stamp: int
    """Servers of the previous release change this one only."""


_cache: OrderedDict[Version, Figures] = OrderedDict()
_lock = Lock()


def read_figures(versions: Iterable[Version]) -> dict[UUID, Figures]:
    """The figures of workflows, as far as possible from an LRU cache that all requests share."""
    found: dict[UUID, Figures] = {}
    missing: dict[UUID, Version] = {}
    with _lock:
        for version in versions:
            figures = _cache.get(version)
            if figures is None:
                missing[version.workflow_id] = version
            else:
                _cache.move_to_end(version)
                found[version.workflow_id] = figures
    for ids in in_lists.chunks(list(missing)):
        fresh = compute_figures(ids)
        found |= fresh
        with _lock:
            _cache.update({missing[workflow_id]: figures for workflow_id, figures in fresh.items()})
            while len(_cache) > CACHED_WORKFLOWS:
                _cache.popitem(last=False)
    return found


def compute_figures(workflow_ids: Sequence[UUID]) -> dict[UUID, Figures]:
    """The figures of these workflows from their runs."""
    dialect = db.engine.dialect.name
    newest = _by_workflow(first_of_each(dialect, GAP_RUNS), workflow_ids)
    completed = _by_workflow(first_of_each(dialect, SEARCHED_RUNS, RunStatus.COMPLETED), workflow_ids)
    running = _by_workflow(first_of_each(dialect, RUNNING_RUNS, RunStatus.RUNNING), workflow_ids)
    ended = {row.workflow_id: row for row in read(run_samples.ENDED, workflow_ids=workflow_ids)}
    failing = _failing([workflow_id for workflow_id, row in ended.items() if _is_failing(row)])
    return {
        workflow_id: Figures(
            strip=[_recent(run) for run in reversed(newest[workflow_id][:STRIP_RUNS])],
            **_durations(completed[workflow_id]),
            gap=_gap([run.created_at for run in newest[workflow_id]]),
            failing=failing.get(workflow_id),
            last_failed_at=row.last_failed_at,
            running_since=min(map(_begun, filter(_has_begun, running[workflow_id])), default=None),
        )
        for workflow_id, row in ended.items()
    }


class _Durations(TypedDict):
    """The figures that are made of durations."""

    timed_runs: int
    usual_ms: float | None
    recent_ms: float | None
    earlier_ms: float | None


def _durations(completed: Sequence[statements.Row]) -> _Durations:
    took = [duration for row in completed if (duration := _took_ms(row)) is not None]
    recent, earlier = took[:RECENT_RUNS], took[RECENT_RUNS : RECENT_RUNS + EARLIER_RUNS]
    full = len(earlier) == EARLIER_RUNS
    usual = took[:USUAL_RUNS]
    return {
        "timed_runs": len(usual),
        "usual_ms": median(usual) if usual else None,
        "recent_ms": median(recent) if full else None,
        "earlier_ms": median(earlier) if full else None,
    }


def _took_ms(run: statements.Row) -> int | None:
    return elapsed_ms(run.started_at, run.completed_at, run.paused_ms)


def _recent(run: statements.Row) -> RecentRun:
    return RecentRun(run.id, run.run_number, run.status, run.created_at, _took_ms(run))


def _has_begun(run: statements.Row) -> bool:
    return run.started_at is not None


def _begun(run: statements.Row) -> datetime:
    """When a run would have begun, had it not paused."""
    begun: datetime = run.started_at
    return begun + timedelta(milliseconds=run.paused_ms or 0)


def _gap(created: Sequence[datetime]) -> timedelta | None:
    """The median gap between moments, newest first."""
    if len(created) < FEW_RUNS:
        return None
    gaps = [(later - earlier) // _MICROSECOND for later, earlier in pairwise(created)]
    return median(gaps) * _MICROSECOND


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
        row.workflow_id: Failing(
            row.since, row.in_a_row, row.failed_id, cut(row.error or "", run_samples.MAX_ERROR)
        )
        for row in read(run_samples.FAILING, workflow_ids=workflow_ids)
    }


def _by_workflow(
    statement: sa.Executable, workflow_ids: Sequence[UUID]
) -> defaultdict[UUID, list[statements.Row]]:
    found: defaultdict[UUID, list[statements.Row]] = defaultdict(list)
    for row in read(statement, workflow_ids=workflow_ids):
        found[row.workflow_id].append(row)
    return found
