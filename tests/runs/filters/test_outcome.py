"""The filter by outcome: rows, exact counts, words and links."""

import pytest

from portal.database.models import Run
from portal.runs.counts.reading import count_by_status
from portal.runs.listing import list_runs
from portal.runs.query import RunQuery
from tests.factories import make_run, seen
from tests.pages.conftest import Browser, browser, numbers, one, parsed

__all__ = ["browser"]


@pytest.fixture
def runs(browser: Browser) -> list[Run]:
    outcomes = ("skipped", "timed_out", None, "failed", "skipped")
    statuses = ("cancelled", "failed", "failed", "failed", "completed")
    return [
        make_run(browser.workflow, run_number=number, status=status, outcome=outcome)
        for number, (status, outcome) in enumerate(zip(statuses, outcomes, strict=True), start=1)
    ]


@pytest.mark.usefixtures("runs")
def test_only_runs_of_which_history_names_it_are_listed_and_counted(browser: Browser) -> None:
    def listed(outcome: str, **more: str) -> list[int]:
        query = RunQuery.parse({"outcome": outcome} | more, workflow_id=str(browser.workflow.id))
        page = list_runs(seen(browser.workflow), query)
        assert page.total == len(page.rows)
        return sorted(row.run_number for row in page.rows)

    assert listed("skipped") == [1, 5]
    assert listed("failed") == [4]
    assert listed("skipped,timed_out") == [1, 2, 5]
    assert listed("timed_out,skipped", status="failed") == [2]
    assert listed("stale") == []
    query = RunQuery.parse({"outcome": "skipped"}, workflow_id=str(browser.workflow.id))
    counts = count_by_status(seen(browser.workflow), query)
    assert {status: count for status, count in counts.items() if count} == {"completed": 1, "cancelled": 1}


@pytest.mark.usefixtures("runs")
@pytest.mark.slow
def test_the_page_has_its_choices_and_keeps_several(browser: Browser) -> None:
    assert numbers(browser.runs("outcome=")) == numbers(browser.runs())
    answer = browser.runs("outcome=skipped")
    chosen = one(parsed(answer), "#outcome option[selected]")
    assert (chosen["value"], chosen.text.strip()) == ("skipped", "Skipped")
    several = one(parsed(browser.runs("outcome=timed_out,skipped")), "#outcome option[selected]")
    assert (several["value"], several.text.strip()) == ("skipped,timed_out", "Skipped or Timed out")
    refused = browser.runs("outcome=done")
    assert refused.status_code == 422
    assert one(parsed(refused), "#outcome")["aria-invalid"] == "true"
