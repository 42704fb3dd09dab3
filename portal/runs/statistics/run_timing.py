"""The waiting time and duration of a run, and how the duration compares with its workflow's usual one."""

from dataclasses import dataclass
from datetime import datetime

from portal.database.models import ACTIVE, RunStatus
from portal.moments import elapsed_ms
from portal.runs.detail.run import RunDetailView
from portal.runs.statistics.usual import UsualDuration

QUICK, SLOW = "quick", "slow"
_QUICK_SHARE = 0.5
"""A completed run below this share of the median was quick."""


@dataclass(frozen=True)
class RunTiming:
    """How long a run waited and took."""

    created_at: datetime | None
    """When the run was created; None if not recorded."""
    queued_ms: int | None
    """From creation to start; None if unknown or negative."""
    took_ms: int | None
    """From start to end, or to now for a run in progress, without pauses."""
    so_far: bool
    """Whether the run is in progress."""
    usual: UsualDuration | None
    verdict: str
    """`slow`, `usual` or `quick`; empty if the run cannot be compared."""

    @property
    def times_usual(self) -> float | None:
        """The duration as a multiple of the median."""
        if self.took_ms is None or self.usual is None or not self.usual.median_ms:
            return None
        return self.took_ms / self.usual.median_ms


def queued_ms(run: RunDetailView, now: datetime | None = None) -> int | None:
    """The time from creation to start; for a pending run to its end, or else to now.

    None if the creation was not recorded or is later than the start.
    """
    end = run.started_at
    if end is None and run.status == RunStatus.PENDING:
        end = run.completed_at or now
    return elapsed_ms(recorded_creation(run), end)


def recorded_creation(run: RunDetailView) -> datetime | None:
    """When a run was created; None if an import derived that from another of its times."""
    return None if (run.source or {}).get("created_at_from") else run.created_at


def timing_of(run: RunDetailView, usual: UsualDuration | None, now: datetime) -> RunTiming:
    """The timing of a run. Only a completed run or one in progress gets a verdict."""
    so_far = run.status in ACTIVE and run.completed_at is None
    took = run.duration_ms
    if run.status in ACTIVE:
        took = elapsed_ms(run.started_at, run.completed_at or _present_end(run, now), run.paused_ms)
    queued = queued_ms(run, now)
    return RunTiming(recorded_creation(run), queued, took, so_far, usual, _verdict(run.status, took, usual))


def _verdict(status: str, took: int | None, usual: UsualDuration | None) -> str:
    if took is None or usual is None:
        return ""
    if status == RunStatus.COMPLETED or status in ACTIVE:
        if took > usual.p90_ms:
            return SLOW
        if status == RunStatus.COMPLETED:
            return QUICK if took < usual.median_ms * _QUICK_SHARE else "usual"
    return ""


def _present_end(run: RunDetailView, now: datetime) -> datetime:
    """Now, or for a paused run the start of the pause."""
    return run.paused_at if run.status == RunStatus.PAUSED and run.paused_at else now
