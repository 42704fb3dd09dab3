"""How long a run waited and took, and whether that is usual for its workflow."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from portal.database.models import ACTIVE, RunStatus
from portal.moments import elapsed_ms
from portal.runs.statistics.summary import Usual

QUICK, SLOW = "quick", "slow"
_QUICK_SHARE = 0.5
"""Under this share of the median a run was remarkably quick."""


@dataclass(frozen=True)
class Pace:
    created_at: datetime | None
    """When the run was created, where that was recorded."""
    queued_ms: int | None
    """From being created to being started; None where that is unknown or was the other way round."""
    took_ms: int | None
    """From being started to its end, or to now while it is going on, pauses left out."""
    so_far: bool
    """Whether the clock still runs: it is active, and no end is recorded."""
    usual: Usual | None
    verdict: str
    """`slow` or `quick` where that is remarkable, `usual` where it is not, empty where none can be said."""

    @property
    def times_usual(self) -> float | None:
        """The duration as a multiple of the median."""
        if self.took_ms is None or self.usual is None or not self.usual.median_ms:
            return None
        return self.took_ms / self.usual.median_ms


def queued_ms(run: Any, now: datetime | None = None) -> int | None:
    """How long a run waited before it was picked up, or before it ended without being; until now if it waits.

    None where its creation was not recorded, or it was started before it was created.
    """
    waiting = run.status == RunStatus.PENDING
    return elapsed_ms(
        recorded_creation(run), run.started_at or (run.completed_at or now if waiting else None)
    )


def recorded_creation(run: Any) -> datetime | None:
    """When a run was created; None where that moment was taken from another of its times."""
    return None if (run.source or {}).get("created_at_from") else run.created_at


def pace_of(run: Any, usual: Usual | None, now: datetime) -> Pace:
    """The pace of a run; only one that completed, or still goes on, is held against what is usual."""
    so_far = run.status in ACTIVE and run.completed_at is None
    end = run.completed_at or (_until(run, now) if so_far else None)
    took = elapsed_ms(run.started_at, end, run.paused_ms)
    queued = queued_ms(run, now)
    return Pace(recorded_creation(run), queued, took, so_far, usual, _verdict(run.status, took, usual))


def _verdict(status: str, took: int | None, usual: Usual | None) -> str:
    if took is None or usual is None:
        return ""
    if status == RunStatus.COMPLETED or status in ACTIVE:
        if took > usual.p90_ms:
            return SLOW
        if status == RunStatus.COMPLETED:
            return QUICK if took < usual.median_ms * _QUICK_SHARE else "usual"
    return ""


def _until(run: Any, now: datetime) -> datetime:
    """While it is paused the clock stands still."""
    moment: datetime = run.paused_at if run.status == RunStatus.PAUSED and run.paused_at else now
    return moment
