"""What stands above a workflow's runs, whatever the list is filtered by."""

from typing import Any

from portal import moments
from portal.auth.access import SeenWorkflow
from portal.pages.day_chart import draw
from portal.runs.counts import count_by_status
from portal.runs.query import RunQuery
from portal.runs.statistics.activity import read_activity


def overview(workflow: SeenWorkflow) -> dict[str, Any]:
    activity = read_activity(workflow, moments.now().date())
    counts = count_by_status(workflow, RunQuery(workflow_id=workflow.id))
    return {"activity": activity, "runs_in_all": sum(counts.values()), "chart": draw(activity.days)}
