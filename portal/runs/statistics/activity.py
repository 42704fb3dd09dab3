"""Recent activity of a workflow: runs by day, pass rate, last failure."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

import sqlalchemy as sa

from portal.auth.access import SeenWorkflow
from portal.database.models import Run
from portal.database.transactions import read
from portal.input.time_zones import UTC_NAME, day_at, day_begins, day_ends
from portal.runs.scope import IN_WORKFLOW
from portal.runs.statistics.summary import LAST_FAILED_AT, summarize

WINDOW_DAYS, MIN_DAYS, MAX_DAYS = 90, 30, 365
ENOUGH = 50
"""With fewer runs than this, the window starts earlier."""


@dataclass(frozen=True, kw_only=True)
class Activity:
    """The runs of a window of days."""

    window: tuple[date, date] | None
    """Its first and its last day: today, or that of the newest run if that is older than 90 days.

    90 days; up to 365 if runs are rare, and down to 30 if the first run is recent. None without runs.
    """
    recent: bool
    """Whether the last day is today."""
    pass_rate: float | None
    """The pass rate of the runs on these days."""
    last_failed_at: datetime | None

    @property
    def days(self) -> int:
        """How many days the window has."""
        return (self.window[1] - self.window[0]).days + 1 if self.window else 0


def read_activity(workflow: SeenWorkflow, today: date, zone: str = UTC_NAME) -> Activity:
    """The recent activity of a workflow, by days of a time zone; without a window if it has no runs."""
    newest, enough, failed_at = _read_marks(workflow, day_ends(today, zone))
    if newest is None:  # runs dated after today only count if there are no others
        newest = read(_NEWEST, workflow_id=workflow.id).scalar()
        _, enough, _ = _read_marks(workflow, newest) if newest else (None, None, None)
    window = _window(workflow, newest, enough, today, zone) if newest else None
    return Activity(
        window=window,
        recent=window is not None and window[1] == today,
        pass_rate=summarize(workflow, *moments_of(window, zone)).pass_rate if window else None,
        last_failed_at=failed_at,
    )


def moments_of(days: tuple[date, date], zone: str) -> tuple[datetime, datetime]:
    """The first and the last moment of these days."""
    return day_begins(days[0], zone), day_ends(days[1], zone)


def _window(
    workflow: SeenWorkflow, newest: datetime, enough: datetime | None, today: date, zone: str
) -> tuple[date, date]:
    """The days from the first with a run, but at least 30 days."""
    last = _last_day(day_at(newest, zone), today)
    first = _first_day(day_at(enough, zone) if enough else date.min, last)
    oldest = read(_OLDEST, workflow_id=workflow.id, begin=day_begins(first, zone)).scalar()
    trimmed = min(day_at(oldest, zone) if oldest else first, _before(last, MIN_DAYS - 1))
    return max(first, trimmed), last


class _Marks(NamedTuple):
    newest: datetime | None
    """When the newest run up to a moment was created: one wrong date must not hide all history."""
    enough: datetime | None
    """From when on there are enough runs up to that moment; None if there are fewer."""
    last_failed_at: datetime | None
    """Whatever the moment."""


def _read_marks(workflow: SeenWorkflow, end: datetime) -> _Marks:
    return _Marks(*read(_MARKS, workflow_id=workflow.id, end=end).one())


def _last_day(newest: date, today: date) -> date:
    """Today if the last 90 days have a run, or else the day of the newest run."""
    return today if _before(today, WINDOW_DAYS - 1) <= newest <= today else newest


def _first_day(needed: date, last: date) -> date:
    """90 days before the end, or earlier to include enough runs, but at most a year."""
    return max(_before(last, MAX_DAYS - 1), min(_before(last, WINDOW_DAYS - 1), needed))


_NEWEST = sa.select(sa.func.max(Run.created_at)).where(IN_WORKFLOW)
_OLDEST = sa.select(sa.func.min(Run.created_at)).where(IN_WORKFLOW, Run.created_at >= sa.bindparam("begin"))
_BEFORE_END = Run.created_at <= sa.bindparam("end")
_EARLIEST_OF_ENOUGH = (
    sa.select(Run.created_at)
    .where(IN_WORKFLOW, _BEFORE_END)
    .order_by(Run.created_at.desc())
    .offset(ENOUGH - 1)
    .limit(1)
)
_MARKS = sa.select(
    _NEWEST.where(_BEFORE_END).scalar_subquery(),
    _EARLIEST_OF_ENOUGH.scalar_subquery(),
    LAST_FAILED_AT.scalar_subquery(),
)


def _before(day: date, days: int) -> date:
    return date.fromordinal(max(1, day.toordinal() - days))
