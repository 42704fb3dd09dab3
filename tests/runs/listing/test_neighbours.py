"""The neighbours of a run are those that the list shows beside it, whatever the list."""

import random
from datetime import timedelta
from itertools import product

import pytest
from flask import Flask

from portal.database.models import Workflow
from portal.paging import Slice
from portal.runs.listing import list_runs
from portal.runs.listing.neighbours import find_neighbours
from portal.runs.query import ORDERS, SORTS, RunQuery
from tests.factories import NOON, make_person, make_run, make_workflow, make_workspace

FILTERS = [
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


@pytest.fixture
def workflow(app: Flask) -> Workflow:
    """Thirty runs with many ties and missing keys."""
    chance = random.Random(7)
    workspace = make_workspace()
    workflow = make_workflow(workspace)
    people = [make_person(workspace, "Ada"), make_person(workspace, "Grace"), None]
    for _ in range(30):
        status = chance.choice(["completed", "failed", "running", "pending"])
        times = [NOON + timedelta(minutes=chance.randrange(4)) for _ in range(3)]
        make_run(
            workflow,
            chance.choice(people),
            status=status,
            created_at=times[0],
            started_at=chance.choice([times[1], None]),
            completed_at=chance.choice([times[2], None]),
        )
    make_run(make_workflow(workspace, "Another"))
    return workflow


@pytest.mark.slow
@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_neighbours_are_those_of_the_list(workflow: Workflow, filters: dict[str, object]) -> None:
    for sort, order in product(SORTS, ORDERS):
        everything = Slice(0, 100)
        query = RunQuery(workflow_id=workflow.id, slice=everything, sort=sort, order=order, **filters)  # type: ignore[arg-type]
        ids = [row.id for row in list_runs(workflow, query).rows]
        for place, run_id in enumerate(ids):
            found = find_neighbours(workflow, query, run_id)
            beside = [neighbour and neighbour.id for neighbour in (found.previous, found.next)]
            previous = ids[place - 1] if place else None
            assert beside == [previous, ids[place + 1] if place + 1 < len(ids) else None], (sort, order)


@pytest.mark.slow
def test_a_run_that_does_not_match_has_the_neighbours_of_where_it_would_stand(workflow: Workflow) -> None:
    early = make_run(workflow, status="cancelled", created_at=NOON - timedelta(hours=1))
    query = RunQuery(workflow_id=workflow.id, slice=Slice(0, 100), status=("failed",))
    failed = list_runs(workflow, query).rows
    found = find_neighbours(workflow, query, early.id)
    assert found.previous is not None
    assert (found.previous.id, found.next) == (failed[-1].id, None)
