"""The overview above a workflow's runs: totals, pass rate and the chart of days, whatever the list shows."""

from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from uuid import UUID

from portal import moments
from portal.auth.access import SeenWorkflow
from portal.pages.day_chart import DayChart, draw
from portal.runs.statistics.activity import Activity, read_activity

CACHED_OVERVIEWS = 64
"""Of one process: 70 kB each for 90 days, 230 kB for a year."""


@dataclass(frozen=True)
class Overview:
    """What `runs/_overview.html` and `runs/_stats.html` show."""

    activity: Activity
    runs_in_all: int
    chart: DayChart | None
    """None where there is no run to draw."""


@dataclass(frozen=True)
class _CacheKey:
    """What the activity of a workflow depends on. The version changes with every write and never repeats."""

    workflow_id: UUID
    version: int
    change_stamp: int
    """Servers of the previous release change this one only."""
    today: date
    workflow: SeenWorkflow = field(compare=False)


def read_overview(workflow: SeenWorkflow, runs_in_all: int) -> Overview:
    """The overview as of today, from an LRU cache that all who watch the workflow share."""
    today = moments.now().date()
    activity, chart = _activity(
        _CacheKey(workflow.id, workflow.version, workflow.change_stamp, today, workflow)
    )
    return Overview(activity, runs_in_all, chart)


@lru_cache(maxsize=CACHED_OVERVIEWS)
def _activity(key: _CacheKey) -> tuple[Activity, DayChart | None]:
    activity = read_activity(key.workflow, key.today)
    return activity, draw(activity.days)
