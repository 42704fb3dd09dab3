"""The list and the page of a run show what history says of its meaning."""

import json
from datetime import timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup

from portal import moments
from portal.history import identity
from portal.history.importer import import_lines
from tests.factories import NOON
from tests.history.lines import WORKFLOW, run_line, workflow_line
from tests.pages.conftest import Browser, one, parsed, text_of

REF = {"branch": "main", "commit": "9f2b1c7e5d3a8b6f", "pull_request": "#7", "url": "https://ci.example/c"}


def have(browser: Browser, *lines: dict[str, Any]) -> None:
    texts = [json.dumps(line).encode() for line in (workflow_line(), *lines)]
    summary = import_lines(browser.workspace.id, texts, now=NOON)
    assert summary.ok, summary.to_text()


def named(external_id: str, **fields: Any) -> dict[str, Any]:
    return run_line(external_id, source="ci", external_id=external_id, **fields)


def page_of(browser: Browser, external_id: str, attempt: int = 1) -> BeautifulSoup:
    run_id = identity.run_id(browser.workspace.id, "ci", external_id, attempt)
    answer = browser.open(f"/workflows/{WORKFLOW}/runs/{run_id}")
    assert answer.status_code == 200
    return parsed(answer)


def facts_of(page: BeautifulSoup) -> dict[str, str]:
    return {text_of(row.dt): text_of(row.dd) for row in page.select("#about > dl > div") if row.dt and row.dd}


def test_the_list_says_outcome_branch_trigger_and_what_is_no_person(
    browser: Browser,
) -> None:
    have(
        browser,
        named("1", run_number=1, status="cancelled", outcome="skipped", ref=REF, trigger="schedule",
              trigger_name="0 2 * * *", triggered_by={"name": "renovate", "kind": "bot"}),
        named("2", run_number=2, started_at=None, completed_at=None, duration_ms=65_000),
    )  # fmt: skip
    page = parsed(browser.open(f"/workflows/{WORKFLOW}/runs?order=asc"))
    rows = [text_of(row) for row in page.select("#runs tbody tr")]
    [skipped] = [row for row in rows if "#1" in row]
    assert "Skipped" in skipped
    assert "branch main trigger Schedule: 0 2 * * *" in skipped
    assert "renovate Bot" in skipped
    [known] = [row for row in rows if "#2" in row]
    assert "1 m 05 s" in known
    assert "recorded" not in known.replace("Not recorded", "")


def test_the_page_says_where_a_run_is_from_and_what_it_is_about(browser: Browser) -> None:
    have(
        browser,
        named(
            "26365060973", outcome="succeeded_with_warnings", url="https://ci.example/1",
            log_url="https://ci.example/1/log", ref=REF, trigger="event", trigger_name="push",
            environment="staging", labels={"suite_id": 26365060973}, source_id=26365060973,
            scheduled_for="2026-03-01T11:00:00Z", parameters={"build": 1234567, "dry_run": False},
            artifacts=[{"name": "report", "url": "https://ci.example/r", "size_bytes": 1200}],
            triggered_by={"name": "cron", "kind": "system"},
        ),
    )  # fmt: skip
    page = page_of(browser, "26365060973")
    facts = facts_of(page)
    assert text_of(one(page, "#run-state .state")) == "With warnings"
    assert facts["Source"].startswith("ci 26365060973 Open the original")
    assert facts["Trigger"] == "Event: push"
    assert facts["Code"].startswith("Branch main Commit 9f2b1c7e5d Pull request #7 Open the code")
    assert one(page, "#about code")["title"] == REF["commit"]
    assert facts["Suite ID"] == "26365060973"
    assert facts["Files there"].startswith("report")
    assert (facts["Environment"], facts["Scheduled for"]) == ("staging", "1 Mar 2026 11:00:00")
    parameters = [(text_of(row.dt), text_of(row.dd)) for row in page.select("#parameters dl > div")]
    assert parameters == [("build", "1234567"), ("dry_run", "false")]
    assert "cron System" in text_of(one(page, ".headline"))
    for link in page.select("#about a[href^=http]"):
        assert link["rel"] == ["noreferrer", "noopener"]
    assert "Source ID 26365060973" in page.get_text(" ", strip=True)


@pytest.mark.slow
def test_runs_that_belong_together_are_linked_both_ways_with_a_new_etag(
    browser: Browser,
) -> None:
    have(
        browser,
        named("1", run_number=1),
        named("1", attempt=2, run_number=2, outcome="timed_out", status="failed"),
    )
    run_id = identity.run_id(browser.workspace.id, "ci", "1")
    first = browser.open(f"/workflows/{WORKFLOW}/runs/{run_id}")
    elsewhere = {"name": "Deploy", "external_id": "d"}
    child = named("2", parent={"external_id": "1", "attempt": 1}, workflow=elsewhere) | {"workflow_id": None}
    have(browser, child)
    again = browser.open(first.request.path, headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 200
    facts = facts_of(parsed(again))
    assert facts["Attempt"] == "Re-run attempt 2 Timed out"
    assert facts["Started"] == "#1 of Deploy Completed"
    assert facts_of(page_of(browser, "1", 2))["Attempt"] == "2 Re-run of #1 Completed"
    link = one(parsed(again), "#about dd a[href*='/runs/']:-soup-contains('Deploy')")
    assert facts_of(parsed(browser.open(str(link["href"]))))["Started by"].startswith("#1 of Nightly dub")


@pytest.mark.slow
def test_an_active_run_of_which_nothing_was_heard_says_since_when(browser: Browser) -> None:
    recent = moments.format_moment(moments.now() - timedelta(hours=1))
    have(
        browser,
        named("1", status="running", completed_at=None, waiting_for="a machine"),
        named("2", status="running", completed_at=None, last_heard_at=recent),
        named("3", last_heard_at="2026-03-01T12:00:10Z"),
    )
    silent = facts_of(page_of(browser, "1"))
    assert silent["Last heard of"] == "Not heard of since 1 Mar 2026 12:00:01"
    assert silent["Waiting for"] == "a machine"
    assert "Not heard" not in facts_of(page_of(browser, "2"))["Last heard of"]
    assert "Last heard of" not in facts_of(page_of(browser, "3"))


def test_steps_say_what_became_of_them_where_and_in_what(browser: Browser) -> None:
    have(
        browser,
        named("1", steps=[
            {"node_id": "a", "name": "Build", "status": "completed"},
            {"node_id": "b", "name": "Compile", "status": "completed", "parent_node_id": "a",
             "duration_ms": 45_000, "exit_code": 0, "worker": "host-1", "log_url": "https://ci.example/log"},
            {"node_id": "c", "status": "cancelled", "outcome": "upstream_failed", "parent_node_id": "b"},
            {"node_id": "d", "status": "failed", "allowed_to_fail": True, "path": ["Checks"],
             "error": "x" * 500},
            {"node_id": "e", "status": "failed", "parent_node_id": "e"},
        ]),
    )  # fmt: skip
    page = page_of(browser, "1")
    rows = [text_of(row) for row in page.select("#steps tbody tr")]
    assert "Part of Build › Compile exit code 0 on host-1 Log" in rows[1]
    assert "45 s" in rows[1]
    assert rows[2].startswith("Upstream failed Part of Build › Compile › c")
    assert "Part of Checks › d" in rows[3]
    assert "allowed to fail" in rows[3]
    assert "x" * 200 not in rows[3]
    assert "show all" in rows[3]
    assert one(page, "#steps a[href='https://ci.example/log']")["rel"] == ["noreferrer", "noopener"]
    assert rows[4]
