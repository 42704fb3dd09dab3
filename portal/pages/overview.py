"""The overview above a workflow's runs: totals, pass rate and the chart of days, whatever the list shows."""

from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from uuid import UUID

from markupsafe import Markup

from portal import moments
from portal.auth.access import SeenWorkflow
from portal.input.time_zones import day_at
from portal.pages.day_chart import DayChart, draw
from portal.runs.counts import count_by_day, count_outside
from portal.runs.statistics.activity import Activity, read_activity
from portal.runs.statistics.usual import UsualDuration, usual_duration
from portal.web import formats
from portal.web.proxy import root_path
from portal.web.rendering import render

CACHED_OVERVIEWS = 64
"""Of one process: about 50 kB each for 90 days, 200 kB for a year, of which the chart is most."""


@dataclass(frozen=True)
class Figures:
    """What `runs/_stats.html` shows."""

    activity: Activity
    runs_in_all: int
    usual: UsualDuration | None
    """That of today; None if nothing is usual yet."""


@dataclass(frozen=True)
class Overview(Figures):
    """What `runs/_overview.html` shows."""

    chart: Markup | None
    """The rendered chart; None where there is no run to draw."""


@dataclass(frozen=True)
class _DayChart:
    """What `runs/_day_chart.html` shows."""

    chart: DayChart
    recent: bool
    before: int
    after: int
    """Runs created before the first day and after the last."""
    workflow_id: UUID


@dataclass(frozen=True)
class _CacheKey:
    """What the activity of a workflow depends on. The version changes with every write and never repeats."""

    workflow_id: UUID
    version: int
    change_stamp: int
    """Servers of the previous release change this one only."""
    zone: str
    today: date
    workflow: SeenWorkflow = field(compare=False)


def read_figures(workflow: SeenWorkflow, runs_in_all: int) -> Figures:
    """The figures as of today, from an LRU cache that all who watch the workflow share."""
    return Figures(_activity(_key(workflow)), runs_in_all, usual_duration(workflow, moments.now()))


def read_overview(workflow: SeenWorkflow, runs_in_all: int) -> Overview:
    """The same with the chart, which is cached likewise."""
    key = _key(workflow)
    usual = usual_duration(workflow, moments.now())
    return Overview(_activity(key), runs_in_all, usual, _chart(key, root_path()))


def _key(workflow: SeenWorkflow) -> _CacheKey:
    zone = formats.zone_on_show()
    today = day_at(moments.now(), zone)
    return _CacheKey(workflow.id, workflow.version, workflow.change_stamp, zone, today, workflow)


@lru_cache(maxsize=CACHED_OVERVIEWS)
def _activity(key: _CacheKey) -> Activity:
    return read_activity(key.workflow, key.today, key.zone)


@lru_cache(maxsize=CACHED_OVERVIEWS)
def _chart(key: _CacheKey, _root_path: str) -> Markup | None:
    """The path is that of the links in it."""
    activity = _activity(key)
    if activity.window is None:
        return None
    chart = draw(count_by_day(key.workflow, *activity.window, key.zone), key.zone)
    before, after = count_outside(key.workflow, *activity.window, key.zone)
    shown = _DayChart(chart, activity.recent, before, after, key.workflow_id)
    return Markup(render("runs/_day_chart.html", shown))  # noqa: S704 (escaped)
