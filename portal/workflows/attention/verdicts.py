"""What a workflow needs a look for, if anything: judged from its figures and the present moment."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from portal.runs.statistics.usual import UsualDuration
from portal.workflows.attention.figures import Figures

SLOWER = 1.5
"""Newly slow: the recent median is at least this many times the earlier one."""
TIMES_USUAL = 3
"""Running long: past this many times the usual duration."""
QUIET_GAPS, DORMANT_GAPS = 3, 30
"""Quiet: no run for the first number of usual gaps or more; for more than the second, it is dormant."""
LEAST_SILENCE = timedelta(days=1)


class Look(StrEnum):
    """Why a workflow needs a look, the most urgent first."""

    FAILING = "failing"
    SLOW = "slow"
    RUNNING = "running"
    QUIET = "quiet"


ORDER: Mapping[Look | None, int] = {look: position for position, look in enumerate((*Look, None))}
"""Where workflows stand in the list; None: the rest."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is said of a workflow."""

    look: Look | None = None
    times: float | None = None
    """How many times slower it became, or how many usual durations its longest run has taken so far."""
    usual_ms: int | None = None
    """The usual duration then, as of the day of that run."""
    silence_ms: int | None = None
    """The time since its last run, if it is quiet or dormant."""
    gap_ms: int | None = None
    """The usual time between runs then."""


def judge(figures: Figures, usual: UsualDuration | None, is_late: bool, now: datetime) -> Verdict:
    """The most urgent reason to look; `is_late` says that a run was expected and did not come.

    `usual` is that of the day of its longest run.
    """
    if figures.failing:
        return Verdict(look=Look.FAILING)
    if slower := _times_slower(figures):
        return Verdict(look=Look.SLOW, times=slower)
    if usual and (longer := _times_usual(figures, usual, now)):
        return Verdict(look=Look.RUNNING, times=longer, usual_ms=usual.median_ms)
    silence = _silence(figures, now)
    if is_late:
        return Verdict(look=Look.QUIET)
    if silence is None or figures.gap is None:
        return Verdict()
    look = Look.QUIET if silence <= DORMANT_GAPS * figures.gap else None
    return Verdict(look=look, silence_ms=_milliseconds(silence), gap_ms=_milliseconds(figures.gap))


def _times_slower(figures: Figures) -> float | None:
    recent, earlier = figures.recent_ms, figures.earlier_ms
    if recent is None or not earlier or recent < SLOWER * earlier:
        return None
    return recent / earlier


def _times_usual(figures: Figures, usual: UsualDuration, now: datetime) -> float | None:
    if figures.running_since is None or not usual.median_ms:
        return None
    took_ms = (now - figures.running_since) / timedelta(milliseconds=1)
    return took_ms / usual.median_ms if took_ms > TIMES_USUAL * usual.median_ms else None


def _silence(figures: Figures, now: datetime) -> timedelta | None:
    """The time since the last run, if that is unusually long."""
    if figures.last is None or figures.gap is None:
        return None
    silence = now - figures.last.created_at
    return silence if silence >= max(LEAST_SILENCE, QUIET_GAPS * figures.gap) else None


def _milliseconds(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)
