"""The filter by cause: rows, counts, neighbours and ids that were merged."""

from datetime import timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import Cause, Run
from portal.database.transactions import writing
from portal.runs.listing import list_runs
from portal.runs.listing.neighbours import find_neighbours
from portal.runs.query import ORDERS, SORTS, RunQuery
from tests.factories import NOON, make_runs, make_workflow, seen, seen_workspace
from tests.pages.conftest import Browser, browser, numbers, one, parsed, text_of

__all__ = ["browser"]


@pytest.fixture
def runs(browser: Browser) -> list[Run]:
    return [
        run
        for workflow in (browser.workflow, make_workflow(browser.workspace))
        for run in make_runs(
            workflow,
            [
                {
                    "status": "failed" if n % 2 else "completed",
                    "error": f"line {n} is bad" if n % 4 == 1 else "no voice",
                    "created_at": NOON + timedelta(minutes=n // 3),
                }
                for n in range(17)
            ],
        )
    ]


def test_lists_have_the_runs_of_a_cause_in_every_order(browser: Browser, runs: list[Run]) -> None:
    for cause_id in {run.cause_id for run in runs if run.cause_id} | {uuid4()}:
        for sort in SORTS:
            for order in ORDERS:
                args = {"error": str(cause_id), "sort": sort, "order": order, "limit": "3"}
                of_one = RunQuery.parse(args, workflow_id=str(browser.workflow.id))
                of_all = RunQuery.parse(args, workflow_id=None)
                for query, opened in (
                    (of_one, seen(browser.workflow)),
                    (of_all, seen_workspace(browser.workspace)),
                ):
                    wanted = {
                        run.id
                        for run in runs
                        if run.cause_id == cause_id and query.workflow_id in (None, run.workflow_id)
                    }
                    pages = [list_runs(opened, query.at(query.slice))]
                    while (following := pages[-1].next) is not None:
                        pages.append(list_runs(opened, query.at(following)))
                    found = [row.id for page in pages for row in page.rows]
                    assert pages[0].total == len(found) == len(wanted)
                    assert set(found) == wanted
                    assert pages[0].counts["failed"] == len(wanted)


def test_runs_beside_one_are_those_of_its_cause(browser: Browser, runs: list[Run]) -> None:
    [first, second, third] = [run for run in runs if run.cause_id == runs[1].cause_id][:3]
    query = RunQuery.parse(
        {"error": str(first.cause_id), "order": "asc"}, workflow_id=str(browser.workflow.id)
    )
    beside = find_neighbours(seen(browser.workflow), query, second.id)
    assert {each.id for each in (beside.previous, beside.next) if each} == {first.id, third.id}


def test_the_id_of_a_merged_cause_finds_the_runs_of_the_other(browser: Browser, runs: list[Run]) -> None:
    old = uuid4()
    with writing() as session:
        session.add(
            Cause(
                id=old, workspace_id=browser.workspace.id, version=0, text="x", merged_into=runs[1].cause_id
            )
        )
    db.session.rollback()
    assert numbers(browser.runs(f"error={old}")) == numbers(browser.runs(f"error={runs[1].cause_id}")) != []
    assert db.session.scalar(sa.select(sa.func.count()).where(Run.cause_id == old)) == 0


@pytest.mark.usefixtures("runs")
def test_the_page_says_that_it_lists_one_cause_and_keeps_it(browser: Browser, runs: list[Run]) -> None:
    page = parsed(browser.runs(f"error={runs[1].cause_id}"))
    assert f"Cause of failure {str(runs[1].cause_id)[:8]}" in text_of(one(page, ".facets"))
    assert one(page, "#error")["value"] == str(runs[1].cause_id)
    assert browser.runs("error=x").status_code == 422
