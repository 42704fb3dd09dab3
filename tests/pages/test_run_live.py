"""What moves on an open run list: the fragment that tells it."""

from datetime import timedelta
from uuid import uuid4

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from werkzeug.test import TestResponse

from portal import moments
from portal.runs.recording.recorder import apply_event, start_run
from portal.runs.recording.state_machine import Event
from tests.factories import NOON, make_run, make_workflow, make_workspace
from tests.pages.conftest import HTMX, Browser, one, parsed
from tests.statements import statements


def poll_url(page: TestResponse) -> str:
    return str(one(parsed(page), "#runs-poll")["hx-get"])


def ask(browser: Browser, url: str) -> BeautifulSoup:
    answer = browser.open(url, headers=HTMX)
    assert answer.status_code == 200
    return parsed(answer)


def part(soup: BeautifulSoup, target: str) -> str:
    """The text of the part of a fragment that goes to this element."""
    return " ".join(one(soup, f'hx-partial[hx-target="#{target}"]').get_text(" ").split())


@pytest.mark.slow
def test_a_run_that_ends_is_told_in_its_row_and_in_the_counts(browser: Browser) -> None:
    run = start_run(browser.workflow.id, now=NOON, total_steps=4)
    apply_event(run.id, Event.PICK_UP, NOON)
    page = browser.runs("status=running")
    assert one(parsed(page), "#runs-poll")["data-poll"] == "on"
    apply_event(run.id, Event.COMPLETE, NOON + timedelta(seconds=90))
    soup = ask(browser, poll_url(page))
    row = part(soup, f"run-{run.id}")
    assert "Completed" in row
    assert "1 m 30 s" in row
    assert part(soup, "count-running") == "0"
    assert part(soup, "count-completed") == "1"
    assert "100 %" in part(soup, "stats")
    assert part(soup, "runs-news") == ""
    assert one(soup, "#runs-poll")["data-poll"] == "slow"


@pytest.mark.slow
def test_new_runs_are_counted_and_not_shown(browser: Browser) -> None:
    start_run(browser.workflow.id, now=NOON)
    url = poll_url(browser.runs("status=pending&sort=status&limit=10"))
    fresh = [start_run(browser.workflow.id, now=NOON) for _ in range(3)]
    apply_event(fresh[0].id, Event.PICK_UP, NOON)
    soup = ask(browser, url)
    assert part(soup, "runs-news") == "2 new runs – show"
    assert one(soup, "#show-new")["href"] == f"{browser.list_path}?status=pending&limit=10"
    assert not [
        target for target in soup.select("hx-partial") if str(fresh[1].id) in str(target["hx-target"])
    ]
    assert part(ask(browser, str(one(soup, "#runs-poll")["hx-get"])), "runs-news") == "2 new runs – show"


def test_a_poll_with_news_takes_few_statements(browser: Browser) -> None:
    start_run(browser.workflow.id, now=NOON)
    url = poll_url(browser.runs())
    start_run(browser.workflow.id, now=NOON)
    with statements() as found:
        assert part(ask(browser, url), "runs-news") == "1 new run – show"
    assert sum(statement.text.startswith("SELECT") for statement in found) <= 8


def test_a_list_asks_rarely_where_nothing_moves(browser: Browser) -> None:
    make_run(browser.workflow)
    soup = parsed(browser.runs())
    assert one(soup, "#runs-poll")["data-poll"] == "slow"
    assert one(soup, "#live-word").text == "Nothing is running"


def test_a_run_that_goes_on_says_since_when(browser: Browser) -> None:
    make_run(
        browser.workflow, status="running", started_at=moments.now() - timedelta(hours=2), paused_ms=1_800_000
    )
    ticking = one(parsed(browser.runs()), "[data-ticks]")
    assert ticking.text == "1 h 30 m"
    assert ticking["data-paused-ms"] == "1800000"


def test_foreign_and_absent_runs_are_left_out(browser: Browser) -> None:
    foreign = make_run(make_workflow(make_workspace("other", "Other")), status="running")
    soup = ask(browser, f"{browser.list_path}/live?since=1&rows={foreign.id},{uuid4()}")
    assert not soup.select("hx-partial[hx-target^='#run-']")


@pytest.mark.parametrize("query", ["rows=x", "since=-1", "since=x", "status=Completed"])
def test_a_garbled_question_is_refused(browser: Browser, query: str) -> None:
    assert browser.open(f"{browser.list_path}/live?{query}", headers=HTMX).status_code == 422


def test_at_most_a_page_of_runs_is_watched(browser: Browser) -> None:
    rows = ",".join(str(uuid4()) for _ in range(101))
    assert browser.open(f"{browser.list_path}/live?rows={rows}", headers=HTMX).status_code == 422


def test_opened_as_a_page_it_leads_to_the_list(browser: Browser) -> None:
    answer = browser.open(f"{browser.list_path}/live?status=failed&since=5&rows={uuid4()}")
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"{browser.list_path}?status=failed"


def test_a_signed_out_browser_is_told_so(app: Flask, browser: Browser) -> None:
    answer = app.test_client().get(f"{browser.list_path}/live", headers=HTMX)
    assert answer.status_code == 401
