"""The overview above the run list: figures, and a chart whose days are links."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest

from portal import moments
from portal.pages.day_chart import draw
from portal.runs.counts import Day
from portal.runs.recording import recorder
from portal.runs.recording.state_machine import Event
from tests.factories import NOON, make_run, make_runs
from tests.pages.conftest import Browser, one, parsed, text_of

STATUSES = ("pending", "running", "paused", "completed", "failed", "cancelled")


def a_day(number: int, **counts: int) -> Day:
    return Day((NOON + timedelta(days=number)).date(), dict.fromkeys(STATUSES, 0) | counts)


def figures(browser: Browser) -> dict[str, str]:
    rows = parsed(browser.runs("status=paused")).select(".stats > div")
    return {text_of(one(row, "dt")): text_of(one(row, "dd")) for row in rows}


def test_the_figures_are_those_of_the_workflow_whatever_the_filter(browser: Browser) -> None:
    for number, status in enumerate(("completed", "completed", "failed"), start=1):
        end = NOON + timedelta(seconds=252)
        make_run(browser.workflow, run_number=number, status=status, started_at=NOON, completed_at=end)
    assert figures(browser)["no usual yet"] == "–"
    end = NOON + timedelta(seconds=252)
    make_runs(browser.workflow, [{"started_at": NOON, "completed_at": end} for _ in range(8)])
    found = figures(browser)
    assert found["runs"] == "11"
    assert found["usual duration"] == "4 m 12 s"
    assert found["last failed"] == "1 Mar 2026 12:04:12"
    assert [text for label, text in found.items() if label.startswith("passed")] == ["90.9 %"]


def test_what_is_not_known_is_said(browser: Browser) -> None:
    make_run(browser.workflow, status="running", created_at=moments.now())
    found = figures(browser)
    assert found == {
        "run": "1",
        "passed, last 30 days": "–",
        "no usual yet": "–",
        "never failed": "–",
    }


def test_a_day_with_runs_is_a_link_to_its_list_for_the_pointer_and_in_the_table(browser: Browser) -> None:
    make_run(browser.workflow, status="failed")
    make_run(browser.workflow, created_at=NOON - timedelta(days=2))
    chart = one(parsed(browser.runs()), ".chart")
    days = [
        f"{browser.list_path}?from={day}T00:00:00Z&to={day}T23:59:59.999999Z"
        for day in ("2026-02-27", "2026-03-01")
    ]
    assert [link["href"] for link in chart.select("svg a")] == days
    assert all(link["tabindex"] == "-1" for link in chart.select("svg a"))
    table = [[text_of(cell) for cell in row.select("th, td")] for row in chart.select("tbody tr")]
    assert table == [["1 Mar 2026", "1", "1"], ["27 Feb 2026", "1", "0"]]
    assert [link["href"] for link in chart.select("table a")] == days[::-1]
    assert browser.open(days[1]).status_code == 200
    assert "2 in all, 1 failed" in str(one(chart, "[role=img]")["aria-label"])


def test_failed_runs_hang_below_the_line_in_proportion() -> None:
    chart = draw([a_day(0, completed=30, failed=10), a_day(1, cancelled=15), a_day(2)], "UTC")
    assert [bar.above for bar in chart.bars] == [48, 24, 0]
    assert [bar.below for bar in chart.bars] == [16, 0, 0]
    assert chart.line == 48
    assert chart.above.count("M") == 2
    assert chart.below == "M0 49.0h7v16.0h-7z"


def test_a_single_run_among_many_is_still_seen() -> None:
    chart = draw([a_day(0, completed=100_000), a_day(1, completed=1, failed=1)], "UTC")
    assert chart.bars[1].above > 1
    assert chart.bars[1].below > 1


def test_a_workflow_without_runs_has_no_overview(browser: Browser) -> None:
    assert not parsed(browser.runs()).select(".strip")


def test_everybody_who_watches_a_workflow_shares_one_reading_of_its_activity(
    browser: Browser, count_queries: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    make_run(browser.workflow, run_number=1, status="completed")
    numbers = []
    for _ in range(3):
        with count_queries() as queries:
            browser.runs("")
        numbers.append(len(queries))
    assert numbers[0] > numbers[1] == numbers[2]


@pytest.mark.slow
def test_a_change_shows_in_the_overview_at_once(browser: Browser) -> None:
    run = recorder.start_run(browser.workflow.id, now=moments.now())
    assert figures(browser)["run"] == "1"
    recorder.apply_event(run.id, Event.PICK_UP, moments.now())
    recorder.apply_event(run.id, Event.COMPLETE, moments.now())
    assert figures(browser)["passed, last 30 days"] == "100 %"
