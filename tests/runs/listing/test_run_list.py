"""list_runs gives the rows, the order and the total that a naive list in memory gives."""

import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.database.models import Person, Run, RunStatus, Workflow
from portal.database.transactions import writing
from portal.paging import Slice
from portal.runs.counts.thresholds import THRESHOLDS, Thresholds
from portal.runs.listing import list_runs
from portal.runs.query import ORDERS, SORTS, RunQuery
from portal.runs.recording import recorder, workflow_rows
from tests.factories import (
    NOON,
    make_person,
    make_run,
    make_runs,
    make_workflow,
    make_workspace,
    seen,
    uuid_of,
)
from tests.statements import statements
from tests.thresholds import SMALL, divide_small_buckets

PEOPLE: list[tuple[str | None, str | None]] = [
    ("Ada Lovelace", "ada@acme.example"),
    ("ÉCOLE Straße", None),
    (None, "100%_sure\\@acme.example"),
    ("김민수", "KIM@ACME.example"),
    ("İstanbul ﬁrm", "a_b@x.example"),
]
SEARCHES = [
    "",
    "a",
    "ADA",
    "école",
    "STRASSE",
    "ß",
    "%",
    "_",
    "\\",
    "100%_",
    "김",
    "FIRM",
    "i",
    "@acme",
    "l",
    "zzz",
    "  ",
]


def fold(text: str) -> str:
    """Written apart from the portal's own, as the contract words it: no case, all of Unicode."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


@dataclass(frozen=True)
class Expected:
    """One run as the naive list knows it."""

    id: UUID
    status: str
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    duration_ms: int | None
    person: int | None


MIDNIGHT = NOON + timedelta(hours=12)
few_moments = st.sampled_from(
    [NOON + timedelta(seconds=number, microseconds=number) for number in range(5)]
    + [MIDNIGHT - timedelta(microseconds=1), MIDNIGHT, MIDNIGHT + timedelta(days=3)]
    + [MIDNIGHT + timedelta(days=1, hours=number) for number in (-1, 0, 5)]
)
few_durations = st.sampled_from([0, 1, 2, 999, 60_000, 60_001, 7_200_000, 2**36, 2**36 + 1])
runs = st.lists(
    st.builds(
        Expected,
        id=st.integers(1, 10**6).map(lambda number: UUID(int=number * 2**100 + number)),
        status=st.sampled_from([status.value for status in RunStatus]),
        created_at=few_moments,
        started_at=st.none() | few_moments,
        completed_at=st.none() | few_moments,
        duration_ms=st.none() | few_durations,
        person=st.none() | st.integers(0, len(PEOPLE) - 1),
    ),
    max_size=25,
    unique_by=lambda run: run.id,
)
queries = st.fixed_dictionaries(
    {
        "offset": st.integers(0, 30) | st.just(2**70),
        "limit": st.integers(1, 12),
        "status": st.lists(st.sampled_from([status.value for status in RunStatus]), max_size=3),
        "search": st.sampled_from(SEARCHES),
        "sort": st.sampled_from(SORTS),
        "order": st.sampled_from(ORDERS),
        "window": st.tuples(st.none() | few_moments, st.none() | few_moments),
        "took": st.just((None, None)) | st.tuples(st.none() | few_durations, st.none() | few_durations),
    }
)


def in_order(bounds: tuple[Any, Any]) -> tuple[Any, Any]:
    """The bounds of a range, the lower one first; either may be None."""
    begin, end = bounds
    return (end, begin) if begin is not None and end is not None and begin > end else bounds


def naive(stored: list[Expected], asked: dict[str, Any]) -> list[UUID]:
    """All matching ids in order, by sorting lists in memory."""

    def matches(run: Expected) -> bool:
        begin, end = asked["window"]
        if asked["status"] and run.status not in asked["status"]:
            return False
        if (begin and run.created_at < begin) or (end and run.created_at > end):
            return False
        least, most = asked["took"]
        if (least, most) != (None, None) and run.duration_ms is None:
            return False
        if (least and (run.duration_ms or 0) < least) or (most is not None and (run.duration_ms or 0) > most):
            return False
        if not asked["search"]:
            return True
        if run.person is None:
            return False
        name, email = PEOPLE[run.person]
        return any(fold(asked["search"]) in fold(text) for text in (name or email or "", email or ""))

    found = sorted(filter(matches, stored), key=lambda run: str(run.id))
    key = {"duration": "duration_ms"}.get(asked["sort"], asked["sort"])
    with_key = [run for run in found if getattr(run, key) is not None]
    with_key.sort(key=lambda run: getattr(run, key), reverse=asked["order"] == "desc")
    without = [run for run in found if getattr(run, key) is None]
    return [run.id for run in with_key + without]


@pytest.fixture
def shelf(app: Flask) -> tuple[Workflow, list[Person]]:
    """A workflow whose runs each example replaces, beside one that no query may show."""
    workspace = make_workspace()
    people = [make_person(workspace, name, email) for name, email in PEOPLE]
    make_run(make_workflow(workspace, "Another"), people[0])
    return make_workflow(workspace), people


def store(workflow: Workflow, people: list[Person], stored: list[Expected]) -> None:
    with writing() as session:
        workflow_rows.lock_workflows(session, [workflow.id])
        ids = session.scalars(sa.select(Run.id).where(Run.workflow_id == workflow.id)).all()
        recorder.delete_runs(session, workflow.id, ids)
    rows = [
        {name: value for name, value in vars(run).items() if name != "person"}
        | {"person_id": None if run.person is None else people[run.person].id}
        for run in stored
    ]
    make_runs(workflow, rows)


@pytest.fixture
def small_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists of a few runs in many buckets and periods, and scanned, as lists of a million runs are."""
    divide_small_buckets(monkeypatch)


@pytest.mark.slow
@settings(max_examples=100)
@given(stored=runs, asked=st.lists(queries, min_size=1, max_size=6))
def test_every_query_gives_what_a_naive_list_gives(
    shelf: tuple[Workflow, list[Person]], stored: list[Expected], asked: list[dict[str, Any]]
) -> None:
    check_against_a_naive_list(*shelf, stored, asked)


@pytest.mark.slow
@pytest.mark.usefixtures("small_buckets")
@settings(max_examples=60)
@given(stored=runs, asked=st.lists(queries, min_size=1, max_size=8))
def test_so_does_every_query_over_many_buckets(
    shelf: tuple[Workflow, list[Person]], stored: list[Expected], asked: list[dict[str, Any]]
) -> None:
    check_against_a_naive_list(*shelf, stored, asked, SMALL)


def check_against_a_naive_list(
    workflow: Workflow,
    people: list[Person],
    stored: list[Expected],
    asked: list[dict[str, Any]],
    thresholds: Thresholds = THRESHOLDS,
) -> None:
    store(workflow, people, stored)
    for wanted in asked:
        begin, end = wanted["window"] = in_order(wanted["window"])
        least, most = wanted["took"] = in_order(wanted["took"])
        query = RunQuery(
            workflow_id=workflow.id,
            slice=Slice(wanted["offset"], wanted["limit"]),
            status=tuple(wanted["status"]),
            search=wanted["search"],
            sort=wanted["sort"],
            order=wanted["order"],
            created_from=begin,
            created_to=end,
            min_duration=least,
            max_duration=most,
        )
        page = list_runs(seen(workflow), query, thresholds=thresholds)
        everything = naive(stored, wanted)
        assert page.total == len(everything)
        assert [row.id for row in page.rows] == everything[wanted["offset"] :][: wanted["limit"]]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("sort", SORTS)
def test_following_next_shows_each_run_once_and_prev_leads_back(app: Flask, sort: str, order: str) -> None:
    workflow = make_workflow(make_workspace())
    for number in range(7):
        started = NOON if number % 2 else None
        make_run(workflow, id=uuid_of(number + 1), started_at=started)
    page = list_runs(workflow, RunQuery(workflow_id=workflow.id, slice=Slice(0, 3), sort=sort, order=order))
    pages = [page]
    while page.next:
        page = list_runs(workflow, RunQuery(workflow_id=workflow.id, slice=page.next, sort=sort, order=order))
        pages.append(page)
    seen = [row.id for page in pages for row in page.rows]
    assert len(seen) == len(set(seen)) == 7
    assert [page.prev for page in pages] == [None, Slice(0, 3), Slice(3, 3)]


def test_among_equal_keys_ids_ascend_in_both_directions(app: Flask) -> None:
    workflow = make_workflow(make_workspace())
    ids = [uuid_of(number) for number in (5, 1, 2**127, 3)]
    for run_id in ids:
        make_run(workflow, id=run_id)
    for order in ORDERS:
        page = list_runs(workflow, RunQuery(workflow_id=workflow.id, order=order))
        assert [row.id for row in page.rows] == sorted(ids, key=str)


@pytest.mark.slow
def test_a_page_costs_the_same_few_queries_whatever_its_size(app: Flask) -> None:
    workspace = make_workspace()
    workflow, person = make_workflow(workspace), make_person(workspace, "Ada")

    def taken() -> int:
        with statements() as found:
            list_runs(workflow, RunQuery(workflow_id=workflow.id, search="ada"))
        return len(found)

    make_run(workflow, person)
    few = taken()
    for _ in range(20):
        make_run(workflow, person)
    assert few == taken() == 2


def test_a_person_of_another_workspace_is_not_found_by_search(app: Flask) -> None:
    theirs = make_person(make_workspace("theirs"), "Ada")
    workspace = make_workspace()
    workflow = make_workflow(workspace)
    make_run(workflow, make_person(workspace, "Grace"))
    make_run(make_workflow(workspace, "Other"), theirs)
    assert list_runs(workflow, RunQuery(workflow_id=workflow.id, search="ada")).total == 0
