"""A walk meets the runs of a list in the list's order, in windows, and none of them twice."""

import random
from datetime import timedelta
from itertools import product
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.auth.access import operators_workspace
from portal.database.engine import db
from portal.database.id_set import IdSet
from portal.database.models import Person, Run, Workflow
from portal.database.transactions import writing
from portal.paging import Slice
from portal.runs.listing import list_runs
from portal.runs.listing.walk import walk
from portal.runs.query import ORDERS, SORTS, RunQuery
from portal.runs.recording import recorder, workflow_rows
from portal.runs.scope import Listed
from tests.factories import (
    NOON,
    make_person,
    make_runs,
    make_workflow,
    make_workspace,
    seen,
    uuid_of,
)
from tests.statements import statements

FILTERS: list[dict[str, Any]] = [
    {},
    {"status": ("failed",)},
    {"status": ("failed", "running", "completed")},
    {"search": "ada"},
    {"search": "nobody"},
    {"created_from": NOON + timedelta(minutes=1), "created_to": NOON + timedelta(minutes=2)},
    {"search": "a", "created_to": NOON + timedelta(minutes=2), "status": ("completed",)},
]


@pytest.fixture
def workflow(app: Flask) -> Workflow:
    """A workflow of forty runs with many ties and missing keys, beside two others."""
    workspace = make_workspace()
    people = [make_person(workspace, "Ada"), make_person(workspace, "Grace"), None]
    workflow = make_workflow(workspace)
    chance = random.Random(18)
    make_runs(workflow, [some_run(chance, people) for _ in range(40)])
    for _ in range(2):
        make_runs(make_workflow(workspace, "Another"), [some_run(chance, people) for _ in range(5)])
    return workflow


def some_run(chance: random.Random, people: list[Person | None]) -> dict[str, Any]:
    person = chance.choice(people)
    times = [NOON + timedelta(minutes=chance.randrange(4)) for _ in range(3)]
    return {
        "id": UUID(int=chance.getrandbits(128)),
        "person_id": person and person.id,
        "status": chance.choice(["completed", "failed", "running", "pending"]),
        "created_at": times[0],
        "started_at": chance.choice([times[1], None]),
        "completed_at": chance.choice([times[2], None]),
    }


def query_of(workflow: Workflow, **fields: Any) -> RunQuery:
    return RunQuery(workflow_id=workflow.id, **{"slice": Slice(0, 100), **fields})


def walked(seen: Listed, query: RunQuery, window: int) -> list[UUID]:
    return [run_id for ids in walk(seen, query, window, least=2) for run_id in ids]


@pytest.mark.slow
@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_a_walk_meets_the_runs_of_the_list_in_its_order(workflow: Workflow, filters: dict[str, Any]) -> None:
    for sort, order in product(SORTS, ORDERS):
        query = query_of(workflow, sort=sort, order=order, **filters)
        listed = [row.id for row in list_runs(seen(workflow), query).rows]
        for window in (1, 3, 7, 1000):
            assert walked(seen(workflow), query, window) == listed, (sort, order, window)


@pytest.mark.slow
@pytest.mark.parametrize("filters", FILTERS, ids=str)
@pytest.mark.parametrize("chosen", [0, 2, 3])
def test_so_does_a_walk_over_a_workspace(workflow: Workflow, filters: dict[str, Any], chosen: int) -> None:
    ids = db.session.scalars(sa.select(Workflow.id).order_by(Workflow.name, Workflow.id)).all()
    for sort, order in product(SORTS, ORDERS):
        query = RunQuery(
            workflows=tuple(ids[:chosen]), slice=Slice(0, 100), sort=sort, order=order, **filters
        )
        workspace = operators_workspace(workflow.workspace_id)
        listed = [row.id for row in list_runs(workspace, query).rows]
        for window in (3, 1000):
            assert walked(workspace, query, window) == listed, (sort, order, window)


def test_runs_of_deleted_workflows_are_not_met(workflow: Workflow) -> None:
    with writing() as session:
        session.execute(sa.update(Workflow).where(Workflow.id == workflow.id).values(deleted_at=NOON))
    for sort in SORTS:
        assert len(walked(operators_workspace(workflow.workspace_id), RunQuery(sort=sort), 3)) == 10


def test_the_page_of_a_query_makes_no_difference(workflow: Workflow) -> None:
    assert len(walked(seen(workflow), query_of(workflow, slice=Slice(30, 2)), 7)) == 40


def test_no_portion_has_more_runs_than_a_window_and_no_transaction_stays_open(workflow: Workflow) -> None:
    for ids in walk(seen(workflow), query_of(workflow), 7):
        assert len(ids) <= 7
        assert not db.session.registry().in_transaction()


def test_a_short_list_takes_one_statement_beside_its_count(workflow: Workflow) -> None:
    found = seen(workflow)
    with statements() as made:
        list(walk(found, query_of(workflow, status=("failed",)), 100))
    assert len(made) == 2


def set_columns(run_id: UUID, **columns: Any) -> None:
    """Change a run as a line of history does, whatever the rules for runs made here."""
    with writing() as session:
        session.execute(sa.update(Run).where(Run.id == run_id).values(**columns))


@pytest.mark.parametrize(
    ("sort", "order", "before", "after"),
    [
        ("status", "desc", {"status": "running"}, {"status": "completed"}),
        ("status", "asc", {"status": "completed"}, {"status": "failed"}),
        ("completed_at", "asc", {"completed_at": NOON}, {"completed_at": NOON + timedelta(days=1)}),
        ("completed_at", "desc", {"completed_at": NOON}, {"completed_at": None}),
        ("started_at", "desc", {"started_at": NOON}, {"started_at": NOON - timedelta(days=1)}),
        ("created_at", "asc", {"created_at": NOON}, {"created_at": NOON + timedelta(days=1)}),
    ],
)
def test_a_run_that_moves_on_after_it_was_met_is_not_met_again(
    app: Flask, sort: str, order: str, before: dict[str, Any], after: dict[str, Any]
) -> None:
    workflow = make_workflow(make_workspace())
    make_runs(workflow, [{"id": uuid_of(number), **before} for number in range(1, 7)])
    met: list[UUID] = []
    for ids in walk(seen(workflow), query_of(workflow, sort=sort, order=order), 2):
        if not met:
            set_columns(ids[0], **after)
        met += ids
    assert met == [uuid_of(number) for number in range(1, 7)]


def test_runs_deleted_meanwhile_are_not_met_and_the_others_are(workflow: Workflow) -> None:
    query = query_of(workflow)
    listed = [row.id for row in list_runs(seen(workflow), query).rows]
    gone = listed[10:13]
    met: list[UUID] = []
    for ids in walk(seen(workflow), query, 5):
        if not met:
            with writing() as session:
                workflow_rows.lock_workflows(session, [workflow.id])
                recorder.delete_runs(session, workflow.id, gone)
        met += ids
    assert met == [run_id for run_id in listed if run_id not in gone]


def test_a_set_of_ids_says_which_are_new() -> None:
    with IdSet() as ids:
        assert ids.add([uuid_of(2), uuid_of(1)]) == [uuid_of(2), uuid_of(1)]
        assert ids.add([uuid_of(1), uuid_of(3), uuid_of(3)]) == [uuid_of(3)]
