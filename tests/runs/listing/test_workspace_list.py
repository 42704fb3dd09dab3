"""Lists over a workspace give what a naive list of the runs of its workflows gives."""

import random
from datetime import timedelta
from itertools import product
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.database.models import Person, Workflow, Workspace
from portal.paging import Slice
from portal.runs.counts.thresholds import THRESHOLDS, Thresholds
from portal.runs.listing import list_runs
from portal.runs.listing.changes_since import read_changes
from portal.runs.listing.neighbours import find_neighbours
from portal.runs.query import ORDERS, SORTS, RunQuery
from portal.runs.recording import recorder
from portal.runs.statuses import STATUSES
from tests.factories import (
    NOON,
    delete_from_workspace,
    make_person,
    make_run,
    make_workflow,
    make_workspace,
    restore_to_workspace,
    seen_workspace,
    uuid_of,
)
from tests.runs.listing.test_run_list import PEOPLE, Expected, in_order, naive, queries, runs, store
from tests.statements import statements
from tests.thresholds import SMALL, divide_small_buckets

WORKFLOWS = 4
DELETED, THEIRS, UNKNOWN = WORKFLOWS - 1, WORKFLOWS, WORKFLOWS + 1
"""The last of the workflows is deleted; then one of another workspace, and one that is not there."""

asked_queries = st.tuples(queries, st.sets(st.integers(0, UNKNOWN), max_size=3))
placed_runs = runs.flatmap(
    lambda found: st.tuples(
        st.just(found), st.lists(st.integers(0, DELETED), min_size=len(found), max_size=len(found))
    )
)


class Shelf:
    """A workspace whose workflows get other runs for each example, beside another workspace."""

    def __init__(self) -> None:
        self.workspace = make_workspace()
        self.people = [make_person(self.workspace, name, email) for name, email in PEOPLE]
        self.workflows = [make_workflow(self.workspace, f"Workflow {n}") for n in range(WORKFLOWS)]
        theirs = make_workspace("theirs")
        self.theirs = make_workflow(theirs)
        make_run(self.theirs, make_person(theirs, *PEOPLE[0]))
        delete_from_workspace(self.workflows[DELETED])

    def store(self, stored: list[Expected], places: list[int]) -> None:
        restore_to_workspace(self.workflows[DELETED])
        for workflow in self.workflows:
            store(workflow, self.people, [])
        for number, workflow in enumerate(self.workflows):
            here = [run for run, place in zip(stored, places, strict=True) if place == number]
            store(workflow, self.people, here)
        delete_from_workspace(self.workflows[DELETED])

    def ids(self, chosen: set[int]) -> tuple[UUID, ...]:
        others = {THEIRS: self.theirs.id, UNKNOWN: uuid4()}
        return tuple(others.get(n) or self.workflows[n].id for n in sorted(chosen))


@pytest.fixture
def shelf(app: Flask) -> Shelf:
    return Shelf()


@pytest.fixture
def small_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    divide_small_buckets(monkeypatch)


@pytest.mark.slow
@settings(max_examples=100)
@given(placed=placed_runs, asked=st.lists(asked_queries, min_size=1, max_size=6))
def test_every_query_gives_what_a_naive_list_gives(
    shelf: Shelf, placed: tuple[list[Expected], list[int]], asked: list[tuple[dict[str, Any], set[int]]]
) -> None:
    check_against_a_naive_list(shelf, *placed, asked)


@pytest.mark.slow
@pytest.mark.usefixtures("small_buckets")
@settings(max_examples=100)
@given(placed=placed_runs, asked=st.lists(asked_queries, min_size=1, max_size=8))
def test_so_does_every_query_over_many_buckets(
    shelf: Shelf, placed: tuple[list[Expected], list[int]], asked: list[tuple[dict[str, Any], set[int]]]
) -> None:
    check_against_a_naive_list(shelf, *placed, asked, SMALL)


def check_against_a_naive_list(
    shelf: Shelf,
    stored: list[Expected],
    places: list[int],
    asked: list[tuple[dict[str, Any], set[int]]],
    thresholds: Thresholds = THRESHOLDS,
) -> None:
    shelf.store(stored, places)
    live = [run for run, place in zip(stored, places, strict=True) if place != DELETED]
    at = {run.id: place for run, place in zip(stored, places, strict=True)}
    for wanted, chosen in asked:
        begin, end = wanted["window"] = in_order(wanted["window"])
        least, most = wanted["took"] = in_order(wanted["took"])
        query = RunQuery(
            workflows=shelf.ids(chosen),
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
        page = list_runs(seen_workspace(shelf.workspace), query, thresholds=thresholds)
        among = [run for run in live if not chosen or at[run.id] in chosen]
        everything = naive(among, wanted)
        assert page.total == len(everything)
        assert [row.id for row in page.rows] == everything[wanted["offset"] :][: wanted["limit"]]
        of_each = {status: len(naive(among, wanted | {"status": [status]})) for status in STATUSES}
        assert page.counts == of_each
        assert page.in_all == len(live)
        for row in page.rows:
            assert row.workflow_id == shelf.workflows[at[row.id]].id
            assert page.workflows[row.workflow_id].name == f"Workflow {at[row.id]}"


@pytest.mark.slow
@pytest.mark.usefixtures("small_buckets")
@pytest.mark.parametrize("seed", range(3))
def test_so_do_lists_over_more_days_and_durations_than_one_bucket_holds(shelf: Shelf, seed: int) -> None:
    chance = random.Random(seed)
    moments = [NOON + timedelta(hours=7 * number, seconds=number) for number in range(12)]
    stored = [
        Expected(
            id=UUID(int=chance.getrandbits(128)),
            status=chance.choice(STATUSES[:4]),
            created_at=chance.choice(moments),
            started_at=chance.choice([None, *moments]),
            completed_at=chance.choice([None, *moments]),
            person=chance.choice([None, *range(len(PEOPLE))]),
            duration_ms=chance.choice([None, 0, 1, 5, 4000, 5000, 9000, 70_000, 10**7]),
        )
        for _ in range(60)
    ]
    asked = [
        (
            {
                "offset": chance.randrange(25),
                "limit": chance.randrange(1, 6),
                "status": chance.choice([[], ["failed"], STATUSES[:3]]),
                "search": chance.choice(["", "a", "ada", "acme"]),
                "sort": sort,
                "order": order,
                "window": chance.choice([(None, None), (moments[2], None), (moments[2], moments[9])]),
                "took": chance.choice([(None, None), (None, None), (2, None), (1, 9000), (None, 5000)]),
            },
            chance.choice([set(), set(), {0, 1}, {2}, {0, DELETED}]),
        )
        for sort, order, _ in product(SORTS, ORDERS, range(10))
    ]
    places = [chance.randrange(WORKFLOWS) for _ in stored]
    check_against_a_naive_list(shelf, stored, places, asked, SMALL)


FILTERS: list[dict[str, Any]] = [
    {},
    {"status": ("failed",)},
    {"status": ("failed", "running", "completed")},
    {"search": "ada"},
    {"search": "a", "status": ("failed", "completed")},
    {"search": "nobody"},
    {"created_from": NOON + timedelta(minutes=1)},
    {"min_duration": 60_000},
    {"max_duration": 60_000, "status": ("failed", "completed")},
]


@pytest.mark.slow
@pytest.mark.parametrize("chosen", [(), (0, 1), (2,), (4,)], ids=str)
def test_neighbours_are_those_of_the_list(app: Flask, chosen: tuple[int, ...]) -> None:
    workspace = make_workspace()
    people: list[Person | None] = [make_person(workspace, "Ada"), make_person(workspace, "Grace"), None]
    workflows = [make_workflow(workspace, f"Workflow {n}") for n in range(5)]
    for number in range(40):
        times = [NOON + timedelta(minutes=number * step % 4) for step in (3, 5, 7)]
        make_run(
            workflows[number % 5],
            people[number % 3],
            status=("completed", "failed", "running", "pending")[number % 4],
            created_at=times[0],
            started_at=None if number % 7 == 0 else times[1],
            completed_at=None if number % 5 == 1 else times[2],
        )
    delete_from_workspace(workflows[4])
    for filters, sort, order in product(FILTERS, SORTS, ORDERS):
        ids = tuple(workflows[n].id for n in chosen)
        query = RunQuery(workflows=ids, slice=Slice(0, 100), sort=sort, order=order, **filters)
        there = seen_workspace(workspace)
        listed = [row.id for row in list_runs(there, query).rows]
        for place, run_id in enumerate(listed):
            found = find_neighbours(there, query, run_id)
            beside = [neighbour and neighbour.id for neighbour in (found.previous, found.next)]
            previous = listed[place - 1] if place else None
            following = listed[place + 1] if place + 1 < len(listed) else None
            assert beside == [previous, following], (filters, sort, order)


@pytest.fixture
def workspace(app: Flask) -> Workspace:
    return make_workspace()


def start(workflow: Workflow) -> UUID:
    return recorder.start_run(workflow.id, now=NOON).id


def test_what_came_is_new_whatever_the_versions_of_other_workflows(workspace: Workspace) -> None:
    one, two = make_workflow(workspace, "One"), make_workflow(workspace, "Two")
    first = start(one)
    since = seen_workspace(workspace).arrived_in
    later, elsewhere = start(one), start(two)
    start(make_workflow(make_workspace("theirs")))
    recorder.apply_event(first, recorder.Event.PICK_UP, NOON)

    def new(since: int, **asked: Any) -> int:
        return read_changes(seen_workspace(workspace), RunQuery(**asked), [], since).new

    assert new(since) == 2
    assert new(since, workflows=(two.id,)) == 1
    assert new(since, workflows=(one.id, two.id)) == 2
    assert new(since, status=("running",)) == 0
    assert new(seen_workspace(workspace).arrived_in) == 0
    delete_from_workspace(two)
    assert new(since) == 1
    watched = read_changes(seen_workspace(workspace), RunQuery(), [first, elsewhere, later], since)
    assert [row.id for row in watched.rows] == [first, later]
    assert watched.in_all == 2


def test_a_page_costs_the_same_few_queries_whatever_its_size(workspace: Workspace) -> None:
    person = make_person(workspace, "Ada")
    workflows = [make_workflow(workspace, f"Workflow {n}") for n in range(3)]

    def taken() -> int:
        there = seen_workspace(workspace)
        with statements() as found:
            list_runs(there, RunQuery(search="ada"))
        return len(found)

    make_run(workflows[0], person)
    few = taken()
    for number in range(20):
        make_run(workflows[number % 3], person)
    assert few == taken() == 3


def test_among_equal_keys_ids_ascend_in_both_directions(workspace: Workspace) -> None:
    ids = [uuid_of(number) for number in (5, 1, 2**127, 3)]
    for number, run_id in enumerate(ids):
        make_run(make_workflow(workspace, f"Workflow {number}"), id=run_id)
    for order, sort in product(ORDERS, SORTS):
        page = list_runs(seen_workspace(workspace), RunQuery(order=order, sort=sort))
        assert [row.id for row in page.rows] == sorted(ids, key=str)
