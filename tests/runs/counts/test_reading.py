"""Counting runs: under filters, by status and by day."""

from datetime import date, timedelta

import pytest
from flask import Flask

from portal.runs.counts import count_by_day, count_by_status
from portal.runs.query import RunQuery
from portal.runs.statistics.activity import read_activity
from portal.runs.statistics.summary import pass_rate
from tests.factories import NOON, make_person, make_run, make_workflow, make_workspace

pytestmark = pytest.mark.usefixtures("app")


def test_each_status_counts_under_the_other_filters(app: Flask) -> None:
    workspace = make_workspace()
    workflow, ada = make_workflow(workspace), make_person(workspace, "Ada")
    make_run(workflow, ada, status="failed")
    make_run(workflow, ada, status="completed")
    make_run(workflow, status="failed")
    query = RunQuery(workflow_id=workflow.id, status=("failed",), search="ada")
    counts = count_by_status(workflow, query)
    assert counts == dict.fromkeys(counts, 0) | {"failed": 1, "completed": 1}
    assert len(counts) == 6


def test_days_count_in_utc_and_days_without_runs_are_there(app: Flask) -> None:
    workflow = make_workflow(make_workspace())
    make_run(workflow, status="failed", created_at=NOON.replace(hour=0))
    make_run(workflow, created_at=NOON.replace(hour=23, minute=59, second=59, microsecond=999_999))
    make_run(workflow, created_at=NOON + timedelta(days=2))
    days = count_by_day(workflow, date(2026, 3, 1), date(2026, 3, 3))
    assert [(day.day.day, day.total, day.counts["failed"]) for day in days] == [
        (1, 2, 1),
        (2, 0, 0),
        (3, 1, 0),
    ]


def test_the_last_failure_and_the_pass_rate_say_when_there_is_none(app: Flask) -> None:
    workflow = make_workflow(make_workspace())
    assert read_activity(workflow, NOON.date()).last_failed_at is None
    make_run(workflow, status="failed", completed_at=NOON + timedelta(minutes=5))
    last_failed_at = read_activity(workflow, NOON.date()).last_failed_at
    assert last_failed_at == NOON + timedelta(minutes=5)
    assert pass_rate(0, 0) is None
    assert pass_rate(3, 1) == 0.75
