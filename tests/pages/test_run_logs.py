"""The logs of steps on the page of a run, and as files."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from uuid import uuid4

import pytest

from portal.database.models import Run
from portal.engine.reporting.step_log import MAX_CHARACTERS, MAX_LINES
from portal.runs.detail.step_log import LINES_SHOWN
from tests.factories import make_engine_run, make_log, make_run, make_steps, make_workflow, make_workspace
from tests.pages.conftest import HTMX, Browser, one, parsed, text_of
from tests.pages.test_run_weight import MOST


@pytest.fixture
def run(browser: Browser) -> Run:
    """Two steps, of which the second has a log."""
    run = make_engine_run(browser.workflow, "running")
    make_steps(run, {"name": "Script"}, {"name": "Speak"})
    return run


def path_of(browser: Browser, run: Run, query: str = "") -> str:
    return f"{browser.list_path}/{run.id}{query}"


def numbers_of(browser: Browser, path: str) -> list[str]:
    lines = parsed(browser.open(path)).select("ol.log li")
    return [str(line["id"]) for line in lines]


@pytest.mark.slow
def test_a_log_is_opened_by_a_link_and_each_line_has_its_own(browser: Browser, run: Run) -> None:
    make_log(run, "Spoke line 1 <b>", "Spoke line 2", position=1)
    page = parsed(browser.open(path_of(browser, run)))
    assert not page.select(".log")
    [link] = [each for each in page.select("a.result-link") if "log" in each.text]
    assert text_of(link) == "Show the log of Speak"
    opened = parsed(browser.open(str(link["href"])))
    line = one(opened, "#log-1-2")
    assert text_of(one(line, "code")) == "Spoke line 2"
    address = str(one(line, "a")["href"])
    assert address.endswith("#log-1-2")
    assert numbers_of(browser, address) == ["log-1-1", "log-1-2"]
    assert "Spoke line 1 <b>" in opened.text
    [hide] = [each for each in opened.select("a.result-link") if "log" in each.text]
    assert text_of(hide) == "Hide the log of Speak"
    assert not parsed(browser.open(str(hide["href"]))).select(".log")


@pytest.mark.slow
def test_a_long_log_opens_at_its_end_and_is_turned_back_to_its_beginning(browser: Browser, run: Run) -> None:
    make_log(run, *(f"line {number}" for number in range(1, 251)), position=1)
    path = path_of(browser, run, "?step_log=1")
    seen = []
    while path:
        page = parsed(browser.open(path))
        lines = [str(line["id"]) for line in page.select("ol.log li")]
        assert len(lines) == LINES_SHOWN
        seen.append((lines[0], lines[-1]))
        earlier = [str(each["href"]) for each in page.select(".log-parts a") if each.text == "Earlier lines"]
        path = earlier[0] if earlier else ""
    assert seen == [("log-1-151", "log-1-250"), ("log-1-51", "log-1-150"), ("log-1-1", "log-1-100")]
    later = [str(each["href"]) for each in page.select(".log-parts a") if each.text == "Later lines"]
    assert numbers_of(browser, later[0])[0] == "log-1-101"


def test_an_open_log_goes_on_with_the_run(browser: Browser, run: Run) -> None:
    make_log(run, "one", position=1)
    page = parsed(browser.open(path_of(browser, run, "?step_log=1")))
    poll = str(one(page, "#run-poll")["hx-get"])
    assert "step_log=1" in poll
    assert one(parsed(browser.open(poll, headers=HTMX)), "#log-1-1")


@pytest.mark.slow
def test_a_page_with_a_full_log_stays_small(browser: Browser, run: Run) -> None:
    make_log(run, *(["&" * MAX_CHARACTERS] * MAX_LINES), position=1)
    answer = browser.open(path_of(browser, run, "?step_log=1"))
    assert len(answer.data) < MOST
    assert "…" in one(parsed(answer), f"#log-1-{MAX_LINES}").text


@pytest.mark.slow
def test_logs_cost_the_same_number_of_queries_however_long_they_are(
    browser: Browser, run: Run, count_queries: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    numbers = []
    for start in (0, 1):
        make_log(run, *["x"] * (1 + 200 * start), position=start)
        browser.open(path_of(browser, run, f"?step_log={start}"))
        with count_queries() as queries:
            browser.open(path_of(browser, run, f"?step_log={start}"))
        numbers.append(len(queries))
    assert numbers[0] == numbers[1] <= 28


def test_an_imported_run_has_no_logs(browser: Browser) -> None:
    run = make_run(browser.workflow)
    make_steps(run, {"name": "Script"})
    assert not parsed(browser.open(path_of(browser, run, "?step_log=0"))).select(".log")


@pytest.mark.parametrize("query", ["step_log=x", "step_log=-1", "log_from=0", f"step_log={2**31}"])
def test_bad_values_are_refused(browser: Browser, run: Run, query: str) -> None:
    assert browser.open(path_of(browser, run, f"?{query}")).status_code == 422


@pytest.mark.parametrize("query", ["step_log=0", "step_log=7", "step_log=1&log_from=900"])
def test_a_log_or_line_that_is_not_there_leaves_the_page_as_it_is(
    browser: Browser, run: Run, query: str
) -> None:
    make_log(run, "one", "two", position=1)
    assert browser.open(path_of(browser, run, f"?{query}")).status_code == 200


def test_the_whole_log_is_a_text_file(browser: Browser, run: Run) -> None:
    make_log(run, *(f"line {number} ü" for number in range(1, 251)), position=1)
    answer = browser.open(path_of(browser, run, "/steps/1/log.txt"))
    assert answer.content_type == "text/plain; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="step-1-log.txt"'
    lines = answer.text.splitlines()
    assert (len(lines), lines[0]) == (250, "2026-03-01T12:00:00Z  line 1 ü")


def test_there_is_no_file_without_a_log_or_of_somebody_elses_run(browser: Browser, run: Run) -> None:
    make_log(run, "one", position=1)
    for step in ("0", "7", "x", "-1", str(2**31)):
        assert browser.open(path_of(browser, run, f"/steps/{step}/log.txt")).status_code == 404, step
    assert browser.open(f"{browser.list_path}/{uuid4()}/steps/1/log.txt").status_code == 404
    foreign = make_workflow(make_workspace("other"))
    theirs = make_run(foreign, started_at=None, created_at=run.created_at + timedelta(seconds=1))
    make_log(theirs, "secret")
    for workflow in (foreign, browser.workflow):
        assert browser.open(f"/workflows/{workflow.id}/runs/{theirs.id}/steps/0/log.txt").status_code == 404
