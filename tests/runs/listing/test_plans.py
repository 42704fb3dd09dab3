"""No list, count or chart scans or sorts the runs, and none takes many statements."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.database.engine import db
from portal.database.models import RunStatus, Workflow, Workspace
from portal.runs.counts import count_by_day, count_by_status
from portal.runs.counts.thresholds import THRESHOLDS, Thresholds
from portal.runs.listing import list_runs
from portal.runs.listing.changes_since import read_changes
from portal.runs.query import ORDERS, SORTS, RunQuery
from portal.runs.statistics.activity import read_activity
from portal.runs.statistics.summary import summarize
from tests.factories import (
    NOON,
    make_key,
    make_member,
    make_person,
    make_runs,
    make_user,
    make_workflow,
    make_workspace,
    seen,
    uuid_of,
)
from tests.statements import statements
from tests.thresholds import SMALL, divide_small_buckets

RUNS = 60
WINDOW = {"from": NOON + timedelta(hours=7, minutes=5), "to": NOON + timedelta(days=2, minutes=5)}
FILTERS: list[dict[str, Any]] = [
    {},
    {"status": "failed"},
    {"status": "failed,cancelled"},
    {"search": "a"},
    {"from": WINDOW["from"]},
    WINDOW,
    WINDOW | {"status": "completed,failed"},
    WINDOW | {"search": "ada"},
    {"min_duration": "1s"},
    {"min_duration": "1250", "status": "completed,failed"},
    {"max_duration": "12s", "search": "a"},
    WINDOW | {"min_duration": "0"},
]
FACTS: list[dict[str, Any]] = [
    {"outcome": "skipped"},
    {"trigger": "schedule,event"},
    {"trigger": "schedule", "status": "failed,cancelled"},
    {"source": "github:acme/web"},
    {"branch": "main"},
    WINDOW | {"branch": "main", "search": "ada"},
    {"label": ["env=prod"]},
    WINDOW | {"label": ["env=prod", "tier=1"], "status": "failed"},
    {"step_failed": "build"},
    {"text": "nightly dub"},
    WINDOW | {"text": "timeout", "status": "failed", "search": "ada"},
    {"text": "#60"},
]
"""Filters beyond those of the contract, each of which an index answers."""


def combined(filters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With every order, on the first page and further on."""
    return [
        {"sort": sort, "order": order, "limit": "3", "offset": offset}
        | {name: f"{value:%Y-%m-%dT%H:%M:%SZ}" if name in WINDOW else value for name, value in each.items()}
        for sort, order, each, offset in itertools.product(SORTS, ORDERS, filters, ("0", "4"))
    ]


QUERIES = combined(FILTERS)


@pytest.fixture
def workspace(app: Flask) -> Workspace:
    return make_workspace()


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every list is dealt with as one of a million runs."""
    divide_small_buckets(monkeypatch)


def fill(workspace: Workspace, runs: int) -> Workflow:
    """A workflow with so many runs of all statuses, by two people, over days; some lack times."""
    workflow, statuses = make_workflow(workspace, f"{runs} runs"), itertools.cycle(RunStatus)
    people = itertools.cycle((make_person(workspace, f"Ada {runs}"), make_person(workspace, f"Alan {runs}")))
    rows = []
    for number in range(runs):
        at = NOON + timedelta(hours=number)
        started = at + timedelta(minutes=number % 7) if number % 5 else None
        completed = at + timedelta(minutes=90 - number) if number % 3 else None
        took = 250 * number if number % 7 else None
        row = {"id": uuid_of(runs * 1000 + number), "status": next(statuses), "person_id": next(people).id}
        row |= {"duration_ms": took, "outcome": "skipped", "trigger": "schedule"}
        row |= {"source_system": "github:acme/web", "branch": "main", "error": "Connection timeout"}
        row |= {"source": {"labels": {"env": "prod", "tier": 1}, "title": "Nightly dub"}}
        row |= {"steps": [{"node_id": "build", "status": "failed"}]}
        rows.append(row | {"created_at": at, "started_at": started, "completed_at": completed})
    make_runs(workflow, rows)
    return workflow


def ask(workflow: Workflow, asked: Mapping[str, str], thresholds: Thresholds = THRESHOLDS) -> Any:
    query = RunQuery.parse(asked, workflow_id=str(workflow.id))
    return list_runs(workflow, query, thresholds=thresholds)


@pytest.mark.slow
@pytest.mark.usefixtures("large")
def test_a_long_list_walks_an_index(workspace: Workspace) -> None:
    workflow = fill(workspace, RUNS)
    with statements() as found:
        for asked in QUERIES:
            assert ask(workflow, asked, SMALL).rows, asked
    assert_nothing_is_scanned_or_sorted(found)


@pytest.mark.slow
def test_a_short_list_is_found_in_an_index(workspace: Workspace) -> None:
    workflow = fill(workspace, RUNS)
    with statements() as found:
        for asked in QUERIES:
            ask(workflow, asked)
    assert_nothing_is_scanned_or_sorted(found)


@pytest.mark.slow
def test_a_list_by_what_history_says_is_found_in_an_index(workspace: Workspace) -> None:
    workflow = fill(workspace, RUNS)
    with statements() as found:
        for asked in combined(FACTS):
            ask(workflow, asked)
    assert_nothing_is_scanned_or_sorted(found)


def test_counts_charts_and_summaries_read_what_is_kept(workspace: Workspace) -> None:
    workflow = fill(workspace, RUNS)
    with statements() as found:
        for asked in QUERIES:
            count_by_status(workflow, RunQuery.parse(asked, workflow_id=str(workflow.id)))
        count_by_day(workflow, NOON.date(), NOON.date() + timedelta(days=40))
        summarize(workflow)
        summarize(workflow, WINDOW["from"], WINDOW["to"])
        read_activity(workflow, NOON.date())
    assert_nothing_is_scanned_or_sorted(found)


def test_a_poll_reads_the_watched_runs_by_their_ids(workspace: Workspace) -> None:
    workflow = fill(workspace, RUNS)
    watched = [uuid_of(RUNS * 1000 + number) for number in range(7)]
    query = RunQuery.parse({}, workflow_id=str(workflow.id))
    with statements() as found:
        assert len(read_changes(seen(workflow), query, watched, 0).rows) == len(watched)
    assert_nothing_is_scanned_or_sorted(found)
    if db.engine.dialect.name == "sqlite":
        with db.engine.connect() as connection:
            steps = [
                step.detail
                for statement, bound in found
                for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", bound)
            ]
        assert any(step.startswith("SEARCH runs ") for step in steps)
        assert not [step for step in steps if step.startswith("SEARCH runs ") and "(workflow_id=?)" in step]


@pytest.mark.slow
def test_an_answer_takes_the_same_few_statements_for_few_runs_and_for_many(
    app: Flask, workspace: Workspace
) -> None:
    user = make_user()
    make_member(workspace, user)
    headers = {"Authorization": f"Bearer {make_key(workspace, user)}"}
    few, many = fill(workspace, 10), fill(workspace, RUNS)
    client = app.test_client()
    assert client.get("/api/v1/auth/whoami", headers=headers).status_code == 200  # notes the key's use

    def taken(workflow: Workflow, asked: Mapping[str, str]) -> int:
        with statements() as found:
            answer = client.get(f"/api/v1/workflows/{workflow.id}/runs", headers=headers, query_string=asked)
        assert answer.status_code == 200
        return len(found)

    first_pages = [asked for asked in QUERIES if asked["offset"] == "0"]
    assert [taken(few, asked) for asked in first_pages] == [taken(many, asked) for asked in first_pages]


@pytest.mark.slow
@pytest.mark.usefixtures("large")
def test_no_page_of_a_long_list_takes_more_than_three_statements(workspace: Workspace) -> None:
    """With the key and the workflow that makes five."""
    workflow = fill(workspace, RUNS)
    for asked in QUERIES:
        with statements() as found:
            ask(workflow, asked, SMALL)
        assert len(found) <= 3, (asked, found)


def assert_nothing_is_scanned_or_sorted(found: list[tuple[str, Any]]) -> None:
    """Runs by their id, and sorts of what was found so, are the rows of the page."""
    sqlite = db.engine.dialect.name == "sqlite"
    refused: Callable[[sa.Connection, str, Any], list[str]] = _sqlite_refuses if sqlite else _postgres_refuses
    assert found
    with db.engine.connect() as connection:
        if not sqlite:  # which else reads so few runs as they come
            for way in ("seqscan", "bitmapscan", "sort", "hashjoin", "mergejoin"):
                connection.exec_driver_sql(f"SET enable_{way} = off")
        for statement, bound in dict(found).items():
            assert not refused(connection, statement, bound), statement
        connection.invalidate()


def _sqlite_refuses(connection: sa.Connection, statement: str, bound: Any) -> list[str]:
    plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", bound).all()
    steps = [(parent, detail) for _, parent, _, detail in plan]
    sorting = {parent for parent, detail in steps if detail.startswith("USE TEMP B-TREE FOR ORDER BY")}
    return [
        detail
        for parent, detail in steps
        if detail.startswith("SCAN runs")
        or (detail.startswith("SEARCH runs") and "(id=?)" not in detail and parent in sorting)
    ]


def _postgres_refuses(connection: sa.Connection, statement: str, bound: Any) -> list[str]:
    [(plan,)] = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", bound)
    return list(_refused(plan[0]["Plan"], sorted_above=False))


def _refused(node: Mapping[str, Any], sorted_above: bool) -> Iterator[str]:
    kind = node["Node Type"]
    if node.get("Relation Name") == "runs":
        by_id = node.get("Index Name") == "pk_runs"
        if kind == "Seq Scan" or (by_id and "Index Cond" not in node) or (sorted_above and not by_id):
            yield f"{kind} {node.get('Index Name')}"
    sorts = kind == "Sort" or (sorted_above and kind not in ("Limit", "CTE Scan", "Aggregate"))
    for child in node.get("Plans", ()):
        apart = child.get("Parent Relationship") in ("InitPlan", "SubPlan")
        yield from _refused(child, sorts and not apart)
