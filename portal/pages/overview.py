"""What stands above a workflow's runs, whatever the list is filtered by."""

from typing import Any

from portal import moments
from portal.auth.access import SeenWorkflow
from portal.pages.day_chart import draw
from portal.runs.statistics.activity import read_activity


def overview(workflow: SeenWorkflow, runs_in_all: int) -> dict[str, Any]:
    activity = read_activity(workflow, moments.now().date())
    return {"activity": activity, "runs_in_all": runs_in_all, "chart": draw(activity.days)}
