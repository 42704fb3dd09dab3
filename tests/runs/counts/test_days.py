"""Days of time zones, counted from hours of UTC and compared with a naive list."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from portal.database.models import Workflow
from portal.input.time_zones import day_at, day_begins, day_ends
from portal.runs.counts import count_by_day, count_by_status, count_outside, days_with_runs
from portal.runs.query import RunQuery
from portal.runs.statistics.activity import read_activity
from portal.runs.statistics.summary import summarize
from portal.runs.statistics.trends import TrendQuery, read_trends
from tests.factories import make_runs, make_workflow, make_workspace, seen, seen_workspace
from tests.statements import statements

pytestmark = pytest.mark.usefixtures("app")

TICK, HOUR = timedelta(microseconds=1), timedelta(hours=1)
CHANGES = [
    ("America/New_York", date(2026, 3, 8), 23),
    ("America/New_York", date(2026, 11, 1), 25),
    ("Europe/Berlin", date(2026, 3, 29), 23),
    ("Europe/Berlin", date(2026, 10, 25), 25),
    ("America/Havana", date(2026, 3, 8), 23),  # clocks skip midnight
    ("America/Havana", date(2026, 11, 1), 25),  # midnight comes twice
    ("Africa/Cairo", date(2026, 4, 24), 23),  # clocks skip midnight
    ("Asia/Beirut", date(2026, 10, 24), 25),  # the hour before midnight comes twice
    ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
    ("Australia/Lord_Howe", date(2026, 10, 4), 23.5),
    ("Pacific/Apia", date(2011, 12, 30), 0),  # a day that there was not
]
UNCHANGED = [
    ("UTC", date(2026, 3, 1), 24),
    ("America/Los_Angeles", date(2026, 6, 1), 24),
    ("Asia/Kolkata", date(2026, 3, 1), 24),
    ("Asia/Kathmandu", date(2026, 3, 1), 24),
    ("Africa/Monrovia", date(1969, 12, 31), 24),  # 44 minutes and a half behind UTC
    ("Pacific/Kiritimati", date(2026, 3, 1), 24),
]


@pytest.mark.parametrize(("zone", "day", "hours"), CHANGES + UNCHANGED)
def test_a_day_is_as_long_as_the_clocks_of_the_zone_make_it(zone: str, day: date, hours: float) -> None:
    begin, end = day_begins(day, zone), day_ends(day, zone)
    assert end + TICK - begin == hours * HOUR
    assert day_ends(day - timedelta(days=1), zone) == begin - TICK
    if hours:
        assert [moment.astimezone(ZoneInfo(zone)).date() for moment in (begin, end)] == [day, day]


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/Los_Angeles", "Asia/Kathmandu"])
@pytest.mark.parametrize("day", [date.min, date.max])
def test_the_calendar_has_a_first_and_a_last_day_in_every_zone(zone: str, day: date) -> None:
    begin, end = day_begins(day, zone), day_ends(day, zone)
    assert begin < end
    assert day_at(begin, zone) == day_at(end, zone) == day


def moments_around(zone: str, day: date) -> list[datetime]:
    """Both sides of each midnight of a week, of each hour of UTC beside it, and others at random."""
    random = Random(f"{zone} {day}")
    midnights = [day_begins(day + timedelta(days=number), zone) for number in range(-3, 5)]
    hours = [midnight.replace(minute=0, second=0) for midnight in midnights]
    edges = [edge for hour in hours for edge in (hour, hour + HOUR)] + midnights
    others = [midnights[0] + random.random() * timedelta(days=7) for _ in range(60)]
    return [edge + by for edge in edges for by in (-TICK, 0 * TICK, TICK)] + others


def make_history(zone: str, day: date) -> tuple[Workflow, list[tuple[datetime, str]]]:
    moments = moments_around(zone, day)
    statuses = ("completed", "failed", "running")
    stored = [(moment, statuses[number % 3]) for number, moment in enumerate(moments)]
    workflow = make_workflow(make_workspace())
    rows: list[dict[str, Any]] = [{"created_at": moment, "status": status} for moment, status in stored]
    make_runs(workflow, rows)
    return workflow, stored


def by_day(stored: Sequence[tuple[datetime, str]], zone: str) -> dict[date, Counter[str]]:
    found: dict[date, Counter[str]] = {}
    for moment, status in stored:
        found.setdefault(moment.astimezone(ZoneInfo(zone)).date(), Counter())[status] += 1
    return found


def counted(counts: Any) -> Counter[str]:
    return Counter({status: number for status, number in counts.items() if number})


@pytest.mark.parametrize(("zone", "day"), [(zone, day) for zone, day, _ in CHANGES + UNCHANGED])
def test_days_count_what_a_naive_list_counts(app: Flask, zone: str, day: date) -> None:
    workflow, stored = make_history(zone, day)
    expected = by_day(stored, zone)
    first, last = day - timedelta(days=2), day + timedelta(days=2)
    inside = {each: counts for each, counts in expected.items() if first <= each <= last}
    found = days_with_runs(seen(workflow), first, last, zone)
    assert {each.day: counted(each.counts) for each in found} == inside
    assert [each.day for each in found] == sorted(inside)
    whole = count_by_day(seen(workflow), first, last, zone)
    assert [each.day for each in whole] == [first + timedelta(days=number) for number in range(5)]
    assert [each.total for each in whole] == [expected.get(each.day, Counter()).total() for each in whole]
    before, after = count_outside(seen(workflow), first, last, zone)
    assert before == sum(counts.total() for each, counts in expected.items() if each < first)
    assert after == sum(counts.total() for each, counts in expected.items() if each > last)


@pytest.mark.parametrize(("zone", "day"), [(zone, day) for zone, day, hours in CHANGES + UNCHANGED if hours])
def test_the_list_and_the_summary_of_a_day_count_what_its_chart_counts(
    app: Flask, zone: str, day: date
) -> None:
    workflow, stored = make_history(zone, day)
    expected = by_day(stored, zone)
    for first, last in ((day, day), (day - timedelta(days=1), day + timedelta(days=1))):
        ends = day_begins(first, zone), day_ends(last, zone)
        runs = sum((expected[each] for each in expected if first <= each <= last), Counter[str]())
        query = RunQuery(workflow_id=workflow.id, created_from=ends[0], created_to=ends[1])
        assert counted(count_by_status(seen(workflow), query)) == runs
        assert counted(summarize(seen(workflow), *ends).counts) == runs


def test_any_window_counts_its_runs(app: Flask) -> None:
    workflow, stored = make_history("Asia/Kathmandu", date(2026, 3, 1))
    random = Random(5)
    moments = sorted(moment for moment, _ in stored)
    for _ in range(40):
        begin, end = sorted(random.sample(moments, 2))
        runs = Counter(status for moment, status in stored if begin <= moment <= end)
        query = RunQuery(workflow_id=workflow.id, created_from=begin, created_to=end)
        assert counted(count_by_status(seen(workflow), query)) == runs
        assert counted(summarize(seen(workflow), begin, end).counts) == runs


def test_activity_and_trends_show_days_of_the_zone(app: Flask) -> None:
    """Late in the evening of Los Angeles it is the next day in UTC."""
    zone, evening = "America/Los_Angeles", datetime(2026, 3, 2, 5, tzinfo=UTC)
    workflow = make_workflow(make_workspace())
    took = {"started_at": evening, "completed_at": evening + HOUR}
    make_runs(workflow, [{"created_at": evening, "status": "completed", **took}])
    today = date(2026, 3, 1)
    activity = read_activity(seen(workflow), today, zone)
    assert activity.window == (today - timedelta(days=29), today)
    assert (activity.recent, activity.pass_rate) == (True, 1)
    trends = read_trends(seen(workflow), TrendQuery(days="7"), today, zone)
    assert (trends.first, trends.last, trends.total) == (date(2026, 2, 23), today, 1)
    assert [column.first for column in trends.columns if column.total] == [today]
    assert [column.median_ms for column in trends.columns if column.total] == [3_600_000]


def test_runs_at_the_ends_of_the_calendar_count_in_every_zone(app: Flask) -> None:
    workflow = make_workflow(make_workspace())
    ends = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
    make_runs(workflow, [{"created_at": end} for end in ends])
    for zone in ("Asia/Kathmandu", "Pacific/Kiritimati", "America/Los_Angeles"):
        days = days_with_runs(seen(workflow), date.min, date.max, zone)
        assert [(day.day, day.total) for day in days] == [(date.min, 1), (date.max, 1)]


@pytest.mark.parametrize(("zone", "at_most"), [("UTC", 1), ("America/Los_Angeles", 2), ("Asia/Kolkata", 3)])
def test_a_month_takes_a_few_statements(app: Flask, zone: str, at_most: int) -> None:
    day = date(2026, 3, 1)
    workflow, _ = make_history(zone, day)
    here = seen(workflow)
    with statements() as found:
        count_by_day(here, day - timedelta(days=15), day + timedelta(days=15), zone)
    assert len(found) == at_most


@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles", "Asia/Kathmandu"])
def test_days_of_a_workspace_are_those_of_its_workflows(app: Flask, zone: str) -> None:
    day, workspace = date(2026, 3, 1), make_workspace()
    moments = moments_around(zone, day)
    for name in ("a", "b"):
        make_runs(make_workflow(workspace, name), [{"created_at": moment} for moment in moments])
    make_runs(make_workflow(make_workspace("other")), [{"created_at": moment} for moment in moments])
    whole = seen_workspace(workspace)
    expected = by_day([(moment, "completed") for moment in moments] * 2, zone)
    first, last = day - timedelta(days=1), day + timedelta(days=1)
    found = count_by_day(whole, first, last, zone)
    assert [counted(each.counts) for each in found] == [expected[each.day] for each in found]
    before, after = count_outside(whole, first, last, zone)
    assert before + after == 2 * len(moments) - sum(each.total for each in found)
