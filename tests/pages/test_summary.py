"""The summary of a workflow over a window of days."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from hashlib import sha256
from uuid import uuid4

import pytest

from portal.database.models import Step
from portal.database.transactions import writing
from portal.storage import artifact_store, object_key
from tests.factories import (
    NOON,
    make_person,
    make_run,
    make_steps,
    make_upload,
    make_workflow,
    make_workspace,
)
from tests.pages.conftest import Browser, one, parsed, text_of


def path(browser: Browser, query: str = "days=all") -> str:
    return f"/workflows/{browser.workflow.id}/summary?{query}"


def headline(browser: Browser, query: str = "days=all") -> list[str]:
    return [
        item.get_text(" ", strip=True)
        for item in parsed(browser.open(path(browser, query))).select(".headline b")
    ]


@pytest.mark.slow
def test_a_window_is_summed_up_with_links_to_its_days(browser: Browser) -> None:
    person = make_person(browser.workspace, "Grace Hopper")
    for day, status in enumerate(("completed", "completed", "completed", "failed", "cancelled")):
        created = NOON + timedelta(days=day)
        ended = created + timedelta(minutes=4)
        run = make_run(
            browser.workflow,
            person,
            status=status,
            created_at=created,
            started_at=created,
            completed_at=ended,
        )
        if status == "failed":
            with writing() as session:
                values = {"node_id": "n1", "node_type": "task", "status": "failed", "iteration": 1}
                session.add(Step(run_id=run.id, position=0, name="Translator", **values))
    page = parsed(browser.open(path(browser)))
    assert headline(browser) == ["5", "75.0 %", "1", "4 m 00 s"]
    days = page.select(".columns-chart a")
    assert [str(day["aria-label"]) for day in days][3:] == ["4 Mar 2026: 1 failed", "5 Mar 2026: 1 cancelled"]
    assert days[0]["href"] == f"{browser.list_path}?from=2026-03-01T00:00:00Z&to=2026-03-01T23:59:59.999999Z"
    assert "Translator" in page.text
    assert "Grace Hopper" in page.text
    assert "Of the newest 5 runs" in page.text
    assert len(page.select(".chart-card")[0].select("tbody tr")) == 5


def test_a_step_that_failed_and_was_made_good_is_not_what_fails(browser: Browser) -> None:
    run = make_run(browser.workflow, status="failed", created_at=NOON)
    make_steps(
        run,
        {"node_id": "a", "name": "Flaky", "status": "failed"},
        {"node_id": "a", "name": "Flaky", "iteration": 2},
        {"node_id": "b", "name": "Broken", "status": "failed"},
    )
    page = parsed(browser.open(path(browser)))
    rows = one(page, "section[aria-labelledby=failing]").select("tbody th")
    assert [row.text for row in rows] == ["Broken"]


@pytest.mark.slow
def test_days_may_be_named(browser: Browser) -> None:
    for day in range(4):
        make_run(browser.workflow, created_at=NOON + timedelta(days=day))
    assert headline(browser, "from=2026-03-02&to=2026-03-03")[0] == "2"
    assert headline(browser, "from=2026-03-03&to=")[0] == "2"
    assert headline(browser, "days=7")[0] == "0"


@pytest.mark.parametrize("query", ["from=soon", "from=2026-03-02&to=2026-03-01", "days=5", "to=0001-01-01"])
def test_bad_days_are_said_and_the_page_is_still_there(browser: Browser, query: str) -> None:
    answer = browser.open(path(browser, query))
    assert answer.status_code == 422
    assert one(parsed(answer), ".complaint")


def test_a_workflow_without_runs_is_no_error(browser: Browser) -> None:
    for query in ("", "days=all", "from=1950-01-01"):
        assert browser.open(path(browser, query)).status_code == 200


def test_one_odd_date_does_not_make_the_chart_endless(browser: Browser) -> None:
    make_run(browser.workflow, created_at=NOON.replace(year=1))
    make_run(browser.workflow, created_at=NOON.replace(year=9998))
    answer = browser.open(path(browser))
    assert answer.status_code == 200
    assert len(answer.data) < 100_000


def test_foreign_and_absent_workflows_are_not_found(browser: Browser) -> None:
    foreign = make_workflow(make_workspace("other", "Other"))
    for workflow_id in (foreign.id, uuid4(), "nonsense"):
        assert browser.open(f"/workflows/{workflow_id}/summary").status_code == 404


@pytest.mark.slow
def test_more_runs_cost_no_more_queries(
    browser: Browser, count_queries: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    numbers = []
    for _ in range(2):
        browser.open(path(browser))
        with count_queries() as queries:
            browser.open(path(browser))
        numbers.append(len(queries))
        for day in range(40):
            make_run(browser.workflow, status="failed", created_at=NOON + timedelta(days=day))
    assert numbers[0] == numbers[1] <= 12


def test_uploads_are_listed_and_those_that_are_stored_can_be_fetched(browser: Browser) -> None:
    assert "Uploads" not in browser.open(path(browser)).text
    kept = make_upload(browser.workflow, browser.workspace, "Morning news.txt", b"Hello\n")
    lost = make_upload(browser.workflow, browser.workspace, "Lost.txt", None)
    page = parsed(browser.open(path(browser)))
    rows = {text_of(row.th): row for row in page.select("[aria-labelledby=uploads] tbody tr") if row.th}
    assert rows.keys() == {"Morning news.txt", "Lost.txt"}
    assert "6 B" in rows["Morning news.txt"].text
    assert rows["Lost.txt"].a is None
    link = str(one(rows["Morning news.txt"], "a")["href"])
    assert link == f"/workflows/{browser.workflow.id}/uploads/{kept.id}"
    signed = browser.open(link)
    assert signed.status_code == 302
    assert browser.open(signed.headers["Location"]).data == b"Hello\n"
    assert browser.open(link.replace(str(kept.id), str(lost.id))).status_code == 404
    other = make_workflow(browser.workspace, "Other")
    assert browser.open(f"/workflows/{other.id}/uploads/{kept.id}").status_code == 404
    artifact_store().delete(object_key(browser.workspace.id, sha256(b"Hello\n").digest()))
    gone = browser.open(link)
    assert (gone.status_code, "Morning news.txt" in gone.text) == (404, True)


def test_the_chart_of_runs_names_every_status_that_occurs(browser: Browser) -> None:
    for status in ("completed", "running"):
        make_run(browser.workflow, status=status, created_at=NOON)
    chart = parsed(browser.open(path(browser))).select(".chart-card")[0]
    assert [each.text.strip() for each in chart.select(".legend span")] == ["Completed", "Running"]
    heads = [head.text for head in chart.select("thead th")]
    assert heads == ["From", "Runs", "Completed", "Running", "Median duration"]
    assert [cell.text for cell in chart.select("tbody td")][:3] == ["2", "1", "1"]
