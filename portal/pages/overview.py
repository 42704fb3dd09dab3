"""The overview above a workflow's runs: totals, pass rate and the chart of days, whatever the list shows."""

from dataclasses import dataclass

from portal import moments
from portal.auth.access import SeenWorkflow
from portal.pages.day_chart import DayChart, draw
from portal.runs.statistics.activity import Activity, read_activity


@dataclass(frozen=True)
class Overview:
    """What `runs/_overview.html` and `runs/_stats.html` show."""

    activity: Activity
    runs_in_all: int
    chart: DayChart | None
    """None where there is no run to draw."""


def read_overview(workflow: SeenWorkflow, runs_in_all: int) -> Overview:
    activity = read_activity(workflow, moments.now().date())
    return Overview(activity, runs_in_all, draw(activity.days))
