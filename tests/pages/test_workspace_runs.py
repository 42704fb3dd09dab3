"""The page of the runs of all workflows, its fragment and its live changes."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from werkzeug.test import TestResponse

from portal.database.models import Workflow
from portal.runs.recording.recorder import apply_event, start_run
from portal.runs.recording.state_machine import Event
from tests.factories import NOON, make_member, make_person, make_run, make_workflow, make_workspace
from tests.pages.conftest import HTMX, Browser, numbers, one, parsed


@pytest.fixture
def other(browser: Browser) -> Workflow:
    return make_workflow(browser.workspace, "Weekly <report>")


def fill(browser: Browser, other: Workflow, count: int, **columns: Any) -> None:
    """Runs in turn of both workflows, the last one newest."""
    for number in range(1, count + 1):
        make_run(
            (other, browser.workflow)[number % 2],
            run_number=number,
            created_at=NOON + timedelta(minutes=number),
            **columns,
        )


def flows(answer: TestResponse) -> list[str]:
    return [cell.get_text(strip=True) for cell in parsed(answer).select(".c-flow")]


def test_runs_of_all_workflows_are_listed_newest_first_with_why_and_who(
    browser: Browser, other: Workflow
) -> None:
    ada = make_person(browser.workspace, "Ada Lovelace")
    fill(browser, other, 3, status="failed", error="It broke", person_id=ada.id)
    make_run(make_workflow(make_workspace("theirs"), "Theirs"))
    answer = browser.open("/runs")
    assert numbers(answer) == ["#3", "#2", "#1"]
    assert flows(answer) == [browser.workflow.name, other.name, browser.workflow.name]
    row = " ".join(parsed(answer).select("tbody tr")[0].get_text(" ").split())
    assert "It broke" in row
    assert "Ada Lovelace" in row
    link = parsed(answer).select(".c-flow a")[1]["href"]
    assert link == f"/workflows/{other.id}/runs"
    nav = parsed(answer).select('nav[aria-label="Main"] a')
    assert [(a.text, a.get("aria-current")) for a in nav[:2]] == [("Runs", "page"), ("Workflows", None)]
    assert "/api/v1/runs" in parsed(answer).select(".api-call code")[0].text


def test_the_page_and_its_fragment_hold_the_same_section(browser: Browser, other: Workflow) -> None:
    fill(browser, other, 3)
    page, fragment = (browser.open(f"/runs{path}", headers=headers) for path, headers in _BOTH)
    assert str(one(parsed(page), "#runs")) == str(one(parsed(fragment), "#runs"))
    assert "<html" not in fragment.text
    plain = browser.open("/runs/table?status=completed")
    assert (plain.status_code, plain.headers["Location"]) == (303, "/runs?status=completed")


_BOTH = (("?limit=2&sort=started_at", {}), ("/table?limit=2&sort=started_at", HTMX))


def test_a_workflow_is_chosen_by_its_name(browser: Browser, other: Workflow) -> None:
    fill(browser, other, 4)
    answer = browser.open(f"/runs?workflow={other.id}&search=&from=&to=&outcome=")
    assert numbers(answer) == ["#4", "#2"]
    assert one(parsed(answer), "#workflow option[selected]").get_text(strip=True) == other.name
    assert one(parsed(answer), "#count-all").text == "2"
    both = browser.open(f"/runs?workflow={other.id},{browser.workflow.id}")
    assert numbers(both) == ["#4", "#3", "#2", "#1"]
    assert one(parsed(both), "#workflow option[selected]").get_text(strip=True) == "2 workflows"
    assert numbers(browser.open("/runs?workflow=")) == ["#4", "#3", "#2", "#1"]
    none = browser.open(f"/runs?workflow={other.id}&status=paused")
    assert [each.text for each in parsed(none).select(".facets bdi")] == [other.name, "Paused"]
    assert numbers(browser.open(f"/runs?workflow={uuid4()}")) == []


def test_a_garbled_workflow_is_told_in_its_field(browser: Browser, other: Workflow) -> None:
    fill(browser, other, 2)
    answer = browser.open("/runs?workflow=x&status=failed")
    assert answer.status_code == 422
    assert "must be a comma-separated list of ids" in one(parsed(answer), "#filters").text
    corrected = one(parsed(answer), "#corrected")["href"]
    assert corrected == "/runs?status=failed"


def test_a_page_number_leads_to_its_rows(browser: Browser, other: Workflow) -> None:
    fill(browser, other, 5)
    answer = browser.open("/runs?page=2&limit=2")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/runs?limit=2&offset=2")
    assert numbers(browser.open("/runs?limit=2&offset=2")) == ["#3", "#2"]


def test_nothing_new_is_answered_with_304_and_a_change_of_any_workflow_is_not(
    browser: Browser, other: Workflow
) -> None:
    fill(browser, other, 2)
    first = browser.open("/runs")
    unchanged = {"If-None-Match": first.headers["ETag"]}
    assert browser.open("/runs", headers=unchanged).status_code == 304
    make_run(other)
    assert browser.open("/runs", headers=unchanged).status_code == 200


def test_new_and_changed_runs_of_any_workflow_are_told(browser: Browser, other: Workflow) -> None:
    run = start_run(other.id, now=NOON, total_steps=4)
    page = browser.open("/runs")
    poll = str(one(parsed(page), "#runs-poll")["hx-get"])
    assert poll.startswith("/runs/live?")
    apply_event(run.id, Event.PICK_UP, NOON)
    apply_event(run.id, Event.COMPLETE, NOON + timedelta(seconds=90))
    start_run(browser.workflow.id, now=NOON)
    soup = parsed(browser.open(poll, headers=HTMX))
    row = one(soup, f'hx-partial[hx-target="#run-{run.id}"]').get_text(" ")
    assert "Completed" in row
    assert other.name in row
    assert "1 new run – show" in one(soup, 'hx-partial[hx-target="#runs-news"]').get_text()
    assert one(soup, 'hx-partial[hx-target="#count-completed"]').text.strip() == "1"
    assert browser.open(poll).status_code == 303


def test_a_run_opened_from_the_list_leads_along_it_and_back(browser: Browser, other: Workflow) -> None:
    fill(browser, other, 3, status="failed")
    answer = browser.open("/runs?status=failed")
    middle = str(parsed(answer).select("a.run")[1]["href"])
    page = parsed(browser.open(middle))
    assert one(page, "#back")["href"] == "/runs?status=failed"
    for key in ("previous", "next"):
        link = str(one(page, f"#run-{key}")["href"])
        assert link.startswith(f"/workflows/{browser.workflow.id}/runs/")
        assert "among=all" in link
        assert browser.open(link).status_code == 200


def test_the_address_may_name_another_workspace_of_the_reader(browser: Browser) -> None:
    theirs = make_workspace("second", "Second")
    make_member(theirs, browser.user, "viewer")
    make_run(make_workflow(theirs, "Second flow"), run_number=7)
    answer = browser.open(f"/workspaces/{theirs.id}/runs")
    assert numbers(answer) == ["#7"]
    assert one(parsed(answer), "#filters")["action"] == f"/workspaces/{theirs.id}/runs"
    assert numbers(browser.open("/runs")) == []
    assert browser.open(f"/workspaces/{make_workspace('third').id}/runs").status_code == 404
