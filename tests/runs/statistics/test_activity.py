"""The days that an overview shows, and what it says of them."""

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from flask import Flask

from portal.runs.statistics.activity import read_activity
from tests.factories import NOON, make_run, make_workflow, make_workspace

pytestmark = pytest.mark.usefixtures("app")
TODAY = NOON.date()


def span(workflow_runs: list[datetime], today: date = TODAY) -> tuple[date, date, bool] | None:
    """The first and the last day shown for a workflow with runs at these moments."""
    workflow = make_workflow(make_workspace(str(uuid4())))
    for created_at in workflow_runs:
        make_run(workflow, created_at=created_at)
    activity = read_activity(workflow, today)
    return (*activity.window, activity.recent) if activity.window else None


def daily(last: datetime, days: int) -> list[datetime]:
    return [last - timedelta(days=number) for number in range(days)]


@pytest.mark.slow
def test_the_last_ninety_days_end_today(app: Flask) -> None:
    assert span(daily(NOON - timedelta(days=2), 100)) == (TODAY - timedelta(days=89), TODAY, True)


@pytest.mark.slow
def test_old_history_shows_its_own_last_days(app: Flask) -> None:
    last = datetime(2005, 5, 11, 23, 59, tzinfo=UTC)
    assert span(daily(last, 100)) == (last.date() - timedelta(days=89), last.date(), False)


@pytest.mark.slow
def test_where_runs_are_rare_the_window_reaches_further_back_but_a_year_at_most(app: Flask) -> None:
    old = daily(NOON - timedelta(days=150), 60)
    assert span([NOON, *old]) == (TODAY - timedelta(days=150 + 48), TODAY, True)
    assert span([NOON, NOON - timedelta(days=400)]) == (TODAY - timedelta(days=29), TODAY, True)


def test_young_history_begins_with_its_first_run_but_shows_a_month(app: Flask) -> None:
    assert span([NOON - timedelta(days=40), NOON]) == (TODAY - timedelta(days=40), TODAY, True)


def test_a_single_day_stands_in_a_month(app: Flask) -> None:
    assert span([NOON]) == (TODAY - timedelta(days=29), TODAY, True)


def test_a_run_dated_ahead_hides_no_history(app: Flask) -> None:
    assert span([NOON, datetime(9999, 12, 31, 23, tzinfo=UTC)]) == (TODAY - timedelta(days=29), TODAY, True)


@pytest.mark.parametrize(
    "only", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, tzinfo=UTC), NOON + timedelta(days=3)]
)
def test_the_edges_of_the_calendar_break_nothing(app: Flask, only: datetime) -> None:
    assert span([only]) is not None


def test_a_workflow_without_runs_has_no_days(app: Flask) -> None:
    assert span([]) is None


def test_the_pass_rate_is_that_of_the_days_shown(app: Flask) -> None:
    workflow = make_workflow(make_workspace())
    make_run(workflow, status="failed", created_at=NOON - timedelta(days=400))
    for status in ("completed", "completed", "completed", "failed", "cancelled", "running"):
        make_run(workflow, status=status)
    assert read_activity(workflow, TODAY).pass_rate == 0.75
