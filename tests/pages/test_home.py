"""The page of workflows says how things are: first what needs a look, in words that lead to the runs."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from bs4 import Tag

from portal.database.models import Run, Workflow
from tests.factories import NOON, make_engine_run, make_run, make_runs, make_workflow
from tests.pages.conftest import HTMX, Browser, one, parsed, text_of

NOW = NOON + timedelta(days=20, seconds=30)


@pytest.fixture(autouse=True)
def _at_that_time() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def rows(browser: Browser, path: str = "/") -> list[Tag]:
    return parsed(browser.open(path)).select("tbody tr:not(.band)")


def names(browser: Browser, path: str = "/") -> list[str]:
    return [one(row, ".run").text for row in rows(browser, path)]


def said(browser: Browser, name: str = "Nightly dub") -> str:
    return text_of(one(row_of(browser, name), ".look"))


def row_of(browser: Browser, name: str = "Nightly dub") -> Tag:
    [row] = [row for row in rows(browser) if one(row, ".run").text == name]
    return row


def behind(browser: Browser) -> tuple[str, dict[str, list[str]]]:
    """The address and the parameters of the list behind what is said."""
    parts = urlsplit(str(one(row_of(browser), "a.look")["href"]))
    return parts.path, parse_qs(parts.query)


def listed(browser: Browser) -> list[str]:
    """The runs of the list behind what is said."""
    answer = browser.open(str(one(row_of(browser), "a.look")["href"]))
    return [link.text for link in parsed(answer).select("tbody .run")]


def every(
    hours: float, statuses: Sequence[str], workflow: Workflow, last: timedelta, **columns: Any
) -> list[Run]:
    """Runs so many hours apart, the last of them that long ago, each of ten minutes."""
    begun = [NOW - last - timedelta(hours=hours * number) for number in range(len(statuses))][::-1]
    return make_runs(
        workflow,
        [
            {
                "status": status,
                "created_at": at,
                "started_at": at,
                "completed_at": None if status == "running" else at + timedelta(minutes=10),
            }
            | columns
            for status, at in zip(statuses, begun, strict=True)
        ],
    )


def completed(
    number: int, workflow: Workflow, last: timedelta, hours: float = 1, minutes: float = 10
) -> None:
    begun = [NOW - last - timedelta(hours=hours * place) for place in range(number)]
    make_runs(
        workflow,
        [
            {"created_at": at, "started_at": at, "completed_at": at + timedelta(minutes=minutes)}
            for at in begun
        ],
    )


def test_a_failing_workflow_says_since_when_how_often_and_why(browser: Browser) -> None:
    statuses = ["failed", "completed", "failed", "cancelled", "failed"]
    runs = every(1, statuses, browser.workflow, timedelta(hours=1), error="401: the key has expired")
    assert said(browser).startswith("Failing since 21 Mar 2026 ")
    assert said(browser).endswith(", 2 in a row: 401: the key has expired")
    assert listed(browser) == [f"#{runs[4].run_number:,}", f"#{runs[2].run_number:,}"]


def test_one_failure_is_no_row(browser: Browser) -> None:
    every(1, ["completed", "failed"], browser.workflow, timedelta(hours=1))
    assert "in a row" not in said(browser)
    assert said(browser).startswith("Failing since")


def test_a_workflow_that_became_slower_says_from_what_to_what(browser: Browser) -> None:
    completed(100, browser.workflow, timedelta(hours=30), minutes=10)
    completed(20, browser.workflow, timedelta(hours=2), minutes=15)
    assert said(browser) == "1.5× slower than before: 15 m 00 s, before 10 m 00 s"
    assert behind(browser) == (browser.list_path, {"status": ["completed"]})


def test_less_than_half_as_slow_again_is_as_usual(browser: Browser) -> None:
    completed(100, browser.workflow, timedelta(hours=30), minutes=10)
    completed(20, browser.workflow, timedelta(hours=2), minutes=14.9)
    assert said(browser) == "As usual"


def test_a_run_past_three_times_its_usual_is_told_with_its_duration(browser: Browser) -> None:
    completed(10, browser.workflow, timedelta(days=1))
    begun = NOW - timedelta(minutes=31)
    run = make_engine_run(browser.workflow, "running", created_at=begun, started_at=begun)
    assert said(browser) == "Running for 31 m 00 s, 3.1 times its usual 10 m 00 s"
    assert listed(browser) == [f"#{run.run_number:,}"]


def test_a_run_within_three_times_its_usual_is_as_usual(browser: Browser) -> None:
    completed(10, browser.workflow, timedelta(days=1))
    every(1, ["running"], browser.workflow, timedelta(minutes=30))
    assert said(browser) == "Running now, as usual so far"


@pytest.mark.parametrize(
    ("hours", "silence", "words"),
    [
        (10, timedelta(hours=30), "No run for 1 day, usually every 10 hours"),
        (10, timedelta(hours=300), "No run for 12 days, usually every 10 hours"),
        (10, timedelta(hours=29), "As usual"),
        (10, timedelta(hours=301), "Dormant: no run for 12 days"),
        (1, timedelta(hours=23), "As usual"),
        (1, timedelta(hours=24), "No run for 1 day, usually every 1 hour"),
    ],
)
def test_silence_is_told_by_the_usual_time_between_runs(
    browser: Browser, hours: float, silence: timedelta, words: str
) -> None:
    completed(10, browser.workflow, timedelta(days=30), hours=1)
    completed(50, browser.workflow, silence, hours=hours)
    assert said(browser) == words


def test_what_is_expected_and_does_not_come_needs_a_look(browser: Browser) -> None:
    make_workflow(browser.workspace, "Awaited", expected={"period": 3600, "grace": 0})
    completed(1, browser.workflow, timedelta(hours=1))
    assert names(browser) == ["Awaited", "Nightly dub"]
    assert said(browser, "Awaited").startswith("Expected every hour")


@pytest.mark.parametrize(
    ("statuses", "words"),
    [
        ([], "No runs yet"),
        (["completed"], "1 run, no usual yet"),
        (["completed"] * 9, "9 runs, no usual yet"),
        (["completed"] * 10, "As usual"),
        (["completed"] * 5 + ["cancelled"], "Last run cancelled"),
        (["completed", "running"], "Running now, no usual yet"),
        (["completed"] * 10 + ["pending"], "Pending now, as usual so far"),
    ],
)
def test_the_rest_is_told_in_words_too(browser: Browser, statuses: Sequence[str], words: str) -> None:
    every(2, statuses, browser.workflow, timedelta(hours=14))
    assert said(browser) == words


@pytest.mark.slow
def test_what_needs_a_look_comes_first_and_the_rest_by_last_run(browser: Browser) -> None:
    def workflow(name: str) -> Workflow:
        return make_workflow(browser.workspace, name)

    completed(6, workflow("Usual"), timedelta(minutes=5))
    completed(6, workflow("Usual before"), timedelta(minutes=9))
    completed(6, workflow("Quiet"), timedelta(days=2), hours=12)
    completed(6, workflow("Dormant"), timedelta(days=12))
    slow = workflow("Slow")
    completed(100, slow, timedelta(hours=30))
    completed(20, slow, timedelta(hours=2), minutes=20)
    running = workflow("Running")
    completed(10, running, timedelta(hours=14))
    every(1, ["running"], running, timedelta(minutes=50))
    every(1, ["failed"], workflow("Failing"), timedelta(days=3))
    first = ["Failing", "Slow", "Running", "Quiet"]
    assert names(browser) == [*first, "Usual", "Usual before", "Dormant", "Nightly dub"]
    page = parsed(browser.open("/"))
    assert text_of(one(page, ".band")) == "Everything else, by last run"
    chips = [text_of(chip) for chip in page.select(".looks .chip")]
    assert chips == ["All 8", "Failing 1", "Newly slow 1", "Running long 1", "Quiet 1"]
    assert names(browser, "/?look=slow") == ["Slow"]
    assert names(browser, "/?limit=3&offset=3") == ["Quiet", "Usual", "Usual before"]
    assert browser.open("/?look=bored").status_code == 422


@pytest.mark.slow
def test_failures_of_a_day_and_a_week_lead_to_exactly_those_runs(browser: Browser) -> None:
    minute = NOW.replace(second=0)
    day, week = minute - timedelta(days=1), minute - timedelta(days=7)
    second = timedelta(seconds=1)
    for created in (week - second, week, day - second, day, NOW - timedelta(hours=1)):
        make_run(browser.workflow, status="failed", created_at=created)
    make_run(browser.workflow, created_at=NOW - timedelta(minutes=1))
    links = row_of(browser).select(".c-figure a")
    assert [text_of(link) for link in links] == [
        "2 failed in the last 24 hours",
        "4 failed in the last 7 days",
    ]
    assert [len(parsed(browser.open(str(link["href"]))).select("tbody .run")) for link in links] == [2, 4]
    other = make_workflow(browser.workspace, "Another")
    make_run(other, status="failed", created_at=NOW - timedelta(hours=2))
    assert names(browser, "/?sort=failures") == ["Nightly dub", "Another"]
    assert names(browser, "/?sort=failures&order=asc") == ["Another", "Nightly dub"]


@pytest.mark.slow
def test_the_strip_shows_twenty_runs_with_failed_ones_below_the_line(browser: Browser) -> None:
    every(1, ["completed"] * 23 + ["failed", "running"], browser.workflow, timedelta(minutes=1))
    strip = one(row_of(browser), "svg.strip20")
    assert strip["aria-label"] == "Last 20 runs, oldest first: 1 failed"
    assert {str(path["class"][0]): str(path["d"]).count("M") for path in strip.select("path")} == {
        "line": 1,
        "completed": 18,
        "failed": 1,
        "active": 1,
    }


def test_the_last_run_and_the_usual_duration_are_shown(browser: Browser) -> None:
    completed(10, browser.workflow, timedelta(hours=14))
    [run] = every(1, ["failed"], browser.workflow, timedelta(hours=1))
    row = row_of(browser)
    assert one(row, ".c-last a")["href"] == f"{browser.list_path}/{run.id}"
    assert [text_of(cell) for cell in row.select(".c-figure")][2:] == ["10 m 00 s", "11"]


def test_the_page_asks_again_and_gets_304_until_a_run_or_a_minute_is_new(browser: Browser) -> None:
    every(1, ["completed", "running"], browser.workflow, timedelta(minutes=1))
    poll = one(parsed(browser.open("/?sort=name")), "[data-poll]")
    assert poll["data-poll"] == "on"
    headers = HTMX | {"HX-Source": f"div#{poll['id']}"}
    answer = browser.open(str(poll["hx-get"]), headers=headers)
    assert not {"HX-Push-Url", "HX-Replace-Url"} & set(answer.headers.keys())
    headers["If-None-Match"] = answer.headers["ETag"]
    assert browser.open(str(poll["hx-get"]), headers=headers).status_code == 304
    make_run(browser.workflow, status="failed", created_at=NOW)
    assert said(browser).startswith("Failing")
    fresh = browser.open(str(poll["hx-get"]), headers=headers)
    assert (fresh.status_code, "Failing" in fresh.text) == (200, True)
    headers["If-None-Match"] = fresh.headers["ETag"]
    with time_machine.travel(NOW + timedelta(minutes=1), tick=False):
        assert browser.open(str(poll["hx-get"]), headers=headers).status_code == 200


def test_the_description_is_shown_where_a_search_may_have_found_it(browser: Browser) -> None:
    make_workflow(browser.workspace, "Digest", description="For the regional stations")
    assert "regional" not in browser.open("/").text
    assert "For the regional stations" in browser.open("/?search=regional").text
