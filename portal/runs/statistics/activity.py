"""What a workflow's runs were like lately, at a glance: how many passed, how long they took, day by day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import sqlalchemy as sa

from portal.auth.access import SeenWorkflow
from portal.database.engine import db
from portal.database.models import Run
from portal.runs.counts import Day, count_by_day, count_outside
from portal.runs.statistics.summary import Usual, last_failed_at, pass_rate, usual_duration

WINDOW_DAYS, LEAST_DAYS, MOST_DAYS = 90, 30, 365
ENOUGH = 50
"""How many runs make a chart worth looking at: where they are few, the window reaches further back."""
_A_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Activity:
    days: Sequence[Day]
    """Without a gap: up to today, or to the newest run where it is older than 90 days. 90 of them, more where
    runs are rare, fewer where they began later; 30 to 365."""
    recent: bool
    """Whether the last of these days is today."""
    before: int
    after: int
    """How many runs were created before the first and after the last of these days."""
    pass_rate: float | None
    """Of the runs on these days."""
    usual: Usual | None
    last_failed_at: datetime | None


def read_activity(workflow: SeenWorkflow, today: date) -> Activity:
    """What the runs of these days were like; no days at all where there is no run."""
    last = _last_day(workflow, today)
    days = _trimmed(count_by_day(workflow, _first_day(workflow, last), last)) if last else ()
    completed, failed = (sum(day.counts[status] for day in days) for status in ("completed", "failed"))
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
    """Today if the last 90 days have a run, else the day of the newest one.

    Runs dated after today count only where there is nothing else: one odd date must not hide all history.
    """
    runs = sa.select(sa.func.max(Run.created_at)).where(Run.workflow_id == workflow.id)
    tomorrow = datetime.combine(today + _A_DAY, time(), UTC)
    newest = db.session.scalar(runs.where(Run.created_at < tomorrow)) or db.session.scalar(runs)
    if newest is None:
        return None
    day = min(newest.astimezone(UTC).date(), date.max - _A_DAY)
    return today if _before(today, WINDOW_DAYS - 1) <= day <= today else day


def _first_day(workflow: SeenWorkflow, last: date) -> date:
    """90 days before the end, or as far back as it takes to have enough runs, but a year at most."""
    end = datetime.combine(last + _A_DAY, time(), UTC)
    runs = sa.select(Run.created_at).where(Run.workflow_id == workflow.id, Run.created_at < end)
    enough = db.session.scalar(runs.order_by(Run.created_at.desc()).offset(ENOUGH - 1).limit(1))
    reach = enough.astimezone(UTC).date() if enough else date.min
    return max(_before(last, MOST_DAYS - 1), min(_before(last, WINDOW_DAYS - 1), reach))


def _trimmed(days: Sequence[Day]) -> Sequence[Day]:
    """The days from the first with a run, and at least 30 of them."""
    begin = next((place for place, day in enumerate(days) if day.total), 0)
    return days[max(0, min(begin, len(days) - LEAST_DAYS)) :]


def _before(day: date, days: int) -> date:
    return date.fromordinal(max(1, day.toordinal() - days))
