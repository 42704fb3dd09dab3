"""Recent activity of a workflow: runs by day, pass rate, usual duration, last failure."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

import sqlalchemy as sa

from portal.auth.access import SeenWorkflow
from portal.database.models import Run
from portal.database.transactions import read
from portal.runs.counts import Outcomes, outcomes_of_days
from portal.runs.scope import IN_WORKFLOW
from portal.runs.statistics.summary import LAST_FAILED_AT, UsualDuration, pass_rate, usual_duration

WINDOW_DAYS, MIN_DAYS, MAX_DAYS = 90, 30, 365
ENOUGH = 50
"""With fewer runs than this, the window starts earlier."""
_A_DAY = timedelta(days=1)


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
    usual: UsualDuration | None
    last_failed_at: datetime | None

    @property
    def days(self) -> int:
        """How many days the window has."""
        return (self.window[1] - self.window[0]).days + 1 if self.window else 0


def read_activity(workflow: SeenWorkflow, today: date) -> Activity:
    """The recent activity of a workflow; without a window if it has no runs."""
    newest, enough, failed_at = _read_marks(workflow, today)
    if newest is None:  # runs dated after today only count if there are no others
        newest = read(_NEWEST, workflow_id=workflow.id).scalar()
        _, enough, _ = _read_marks(workflow, _day_of(newest)) if newest else (None, None, None)
    window, outcomes = _window(workflow, newest, enough, today) if newest else (None, Outcomes(None, 0, 0))
    return Activity(
        window=window,
        recent=window is not None and window[1] == today,
        pass_rate=pass_rate(outcomes.completed, outcomes.failed),
        usual=usual_duration(workflow),
        last_failed_at=failed_at,
    )


def _window(
    workflow: SeenWorkflow, newest: datetime, enough: datetime | None, today: date
) -> tuple[tuple[date, date], Outcomes]:
    """The days from the first with a run, but at least 30 days, and how their runs ended."""
    last = _last_day(newest, today)
    first = _first_day(enough, last)
    outcomes = outcomes_of_days(workflow, first, last)
    trimmed = min(outcomes.first or first, _before(last, MIN_DAYS - 1))
    return (max(first, trimmed), last), outcomes


class _Marks(NamedTuple):
    newest: datetime | None
    """When the newest run up to a day was created: one wrong date must not hide all history."""
    enough: datetime | None
    """From when on there are enough runs up to that day; None if there are fewer."""
    last_failed_at: datetime | None
    """Whatever the day."""


def _read_marks(workflow: SeenWorkflow, day: date) -> _Marks:
    end = datetime.combine(day + _A_DAY, time(), UTC)
    return _Marks(*read(_MARKS, workflow_id=workflow.id, end=end).one())


def _last_day(newest: datetime, today: date) -> date:
    """Today if the last 90 days have a run, or else the day of the newest run."""
    day = _day_of(newest)
    return today if _before(today, WINDOW_DAYS - 1) <= day <= today else day


def _first_day(enough: datetime | None, last: date) -> date:
    """90 days before the end, or earlier to include enough runs, but at most a year."""
    needed = _day_of(enough) if enough else date.min
    return max(_before(last, MAX_DAYS - 1), min(_before(last, WINDOW_DAYS - 1), needed))


def _day_of(moment: datetime) -> date:
    """The day in UTC; of the last one of the calendar the day before, for each has a next one here."""
    return min(moment.astimezone(UTC).date(), date.max - _A_DAY)


_NEWEST = sa.select(sa.func.max(Run.created_at)).where(IN_WORKFLOW)
_BEFORE_END = Run.created_at < sa.bindparam("end")
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
