"""Recent activity of a workflow: runs by day, pass rate, usual duration, last failure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import sqlalchemy as sa

from portal.auth.access import SeenWorkflow
from portal.database.models import Run, RunStatus
from portal.database.transactions import read
from portal.runs.counts import Day, count_by_day, count_outside
from portal.runs.filters.conditions import OF_WORKFLOW
from portal.runs.statistics.summary import UsualDuration, last_failed_at, pass_rate, usual_duration

WINDOW_DAYS, MIN_DAYS, MAX_DAYS = 90, 30, 365
ENOUGH = 50
"""With fewer runs than this, the window starts earlier."""
_A_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Activity:
    """The runs of a window of days."""

    days: Sequence[Day]
    """Consecutive days up to today, or up to the newest run if that is older than 90 days.

    90 days; up to 365 if runs are rare, and down to 30 if the first run is recent.
    """
    recent: bool
    """Whether the last day is today."""
    before: int
    after: int
    """Runs created before the first day and after the last."""
    pass_rate: float | None
    """The pass rate of the runs on these days."""
    usual: UsualDuration | None
    last_failed_at: datetime | None


def read_activity(workflow: SeenWorkflow, today: date) -> Activity:
    """The recent activity of a workflow; without days if it has no runs."""
    last = _last_day(workflow, today)
    days = _trimmed(count_by_day(workflow, _first_day(workflow, last), last)) if last else ()
    completed, failed = (
        sum(day.counts[status] for day in days) for status in (RunStatus.COMPLETED, RunStatus.FAILED)
    )
    before, after = count_outside(workflow, days[0].day, days[-1].day) if days else (0, 0)
    return Activity(
        days=days,
        recent=last == today,
        before=before,
        after=after,
        pass_rate=pass_rate(completed, failed),
        usual=usual_duration(workflow),
        last_failed_at=last_failed_at(workflow),
    )


def _last_day(workflow: SeenWorkflow, today: date) -> date | None:
    """Today if the last 90 days have a run, or else the day of the newest run.

    Runs dated after today only count if there are no others: one wrong date must not hide all history.
    """
    tomorrow = datetime.combine(today + _A_DAY, time(), UTC)
    newest = read(_NEWEST_BEFORE, workflow_id=workflow.id, end=tomorrow).scalar()
    newest = newest or read(_NEWEST, workflow_id=workflow.id).scalar()
    if newest is None:
        return None
    day = min(newest.astimezone(UTC).date(), date.max - _A_DAY)
    return today if _before(today, WINDOW_DAYS - 1) <= day <= today else day


def _first_day(workflow: SeenWorkflow, last: date) -> date:
    """90 days before the end, or earlier to include enough runs, but at most a year."""
    end = datetime.combine(last + _A_DAY, time(), UTC)
    earliest = read(_EARLIEST_OF_ENOUGH, workflow_id=workflow.id, end=end).scalar()
    needed = earliest.astimezone(UTC).date() if earliest else date.min
    return max(_before(last, MAX_DAYS - 1), min(_before(last, WINDOW_DAYS - 1), needed))


_NEWEST = sa.select(sa.func.max(Run.created_at)).where(OF_WORKFLOW)
_BEFORE_END = Run.created_at < sa.bindparam("end")
_NEWEST_BEFORE = _NEWEST.where(_BEFORE_END)
_EARLIEST_OF_ENOUGH = (
    sa.select(Run.created_at)
    .where(OF_WORKFLOW, _BEFORE_END)
    .order_by(Run.created_at.desc())
    .offset(ENOUGH - 1)
    .limit(1)
)


def _trimmed(days: Sequence[Day]) -> Sequence[Day]:
    """The days from the first with a run, but at least 30 days."""
    begin = next((index for index, day in enumerate(days) if day.total), 0)
    return days[max(0, min(begin, len(days) - MIN_DAYS)) :]


def _before(day: date, days: int) -> date:
    return date.fromordinal(max(1, day.toordinal() - days))
