"""The overview above a workflow's runs: totals, pass rate and the chart of days, whatever the list shows."""

from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from uuid import UUID

from markupsafe import Markup

from portal import moments
from portal.auth.access import SeenWorkflow
from portal.pages.day_chart import DayChart, draw
from portal.runs.statistics.activity import Activity, read_activity
from portal.web.proxy import root_path
from portal.web.rendering import render

CACHED_OVERVIEWS = 64
"""Of one process: about 50 kB each for 90 days, 200 kB for a year, of which the chart is most."""


@dataclass(frozen=True)
class Overview:
    """What `runs/_overview.html` and `runs/_stats.html` show."""

    activity: Activity
    runs_in_all: int
    chart: Markup | None
    """The rendered chart; None where there is no run to draw."""


@dataclass(frozen=True)
class _DayChart:
    """What `runs/_day_chart.html` shows."""

    chart: DayChart
    activity: Activity
    workflow_id: UUID


@dataclass(frozen=True)
class _CacheKey:
    """What the overview of a workflow depends on. The version changes with every write and never repeats."""

    workflow_id: UUID
    version: int
    change_stamp: int
    """Servers of the previous release change this one only."""
    today: date
    root_path: str
    """Of the links in the chart."""
    workflow: SeenWorkflow = field(compare=False)


def read_overview(workflow: SeenWorkflow, runs_in_all: int) -> Overview:
    """The overview as of today, from an LRU cache that all who watch the workflow share."""
    today = moments.now().date()
    activity, chart = _read(
        _CacheKey(workflow.id, workflow.version, workflow.change_stamp, today, root_path(), workflow)
    )
    return Overview(activity, runs_in_all, chart)


@lru_cache(maxsize=CACHED_OVERVIEWS)
def _read(key: _CacheKey) -> tuple[Activity, Markup | None]:
    activity = read_activity(key.workflow, key.today)
    chart = draw(activity.days)
    shown = chart and _DayChart(chart, activity, key.workflow_id)
    return activity, Markup(render("runs/_day_chart.html", shown)) if shown else None  # noqa: S704 (escaped)
