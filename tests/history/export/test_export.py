"""A list as a file while the history moves on, and how much of it is held at a time."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.auth.access import operators_workspace
from portal.database.engine import db
from portal.database.models import Run, Workflow, Workspace
from portal.database.transactions import writing
from portal.history.export import stored
from portal.history.export.export import Export, ExportFormat
from portal.history.export.stored import StoredRun
from portal.paging import Slice
from portal.runs.listing import list_runs
from portal.runs.query import ORDERS, SORTS, RunQuery
from portal.runs.recording import recorder, workflow_rows
from tests.factories import (
    NOON,
    make_detail,
    make_person,
    make_run,
    make_runs,
    make_steps,
    make_workflow,
    make_workspace,
    seen,
    uuid_of,
)
from tests.statements import statements

FORMATS = [ExportFormat(), ExportFormat(format="jsonl"), ExportFormat(format="jsonl", steps=True)]
formats = pytest.mark.parametrize("format", FORMATS, ids=["csv", "jsonl", "steps"])


@pytest.fixture
def workspace(app: Flask) -> Workspace:
    return make_workspace()


@pytest.fixture
def workflow(workspace: Workspace) -> Workflow:
    """Twelve runs, of which the first stands last."""
    workflow = make_workflow(workspace)
    make_runs(workflow, [{"id": uuid_of(n), "created_at": NOON.replace(second=n)} for n in range(1, 13)])
    return workflow


def small(workflow: Workflow, format: ExportFormat = FORMATS[0], **query: Any) -> Export:
    """An export that reads three runs at a time, in windows of four."""
    asked = RunQuery(workflow_id=workflow.id, **{"order": "asc", **query})
    return Export(seen=seen(workflow), query=asked, format=format, window=4, batch=3)


def ids_in(content: bytes) -> list[UUID]:
    """The runs of a file in its order."""
    if content.startswith(b"workflow_id"):
        rows = csv.DictReader(io.StringIO(content.decode(), newline=""))
        return [UUID(row["id"]) for row in rows]
    lines = map(json.loads, content.splitlines())
    return [UUID(line["id"]) for line in lines if line["type"] == "run"]


def numbers(content: bytes) -> list[int]:
    return [run_id.int for run_id in ids_in(content)]


def begun(export: Export) -> tuple[bytes, Iterator[bytes]]:
    """The pieces of a file up to the first runs, and the others."""
    pieces = export.pieces()
    return next(pieces) + next(pieces), pieces


@formats
def test_a_file_has_the_list_in_its_order_whatever_the_page(
    workspace: Workspace, format: ExportFormat
) -> None:
    workflow, ada = make_workflow(workspace), make_person(workspace, "Ada")
    for number in range(9):
        moment = NOON.replace(minute=number % 4) if number % 3 else None
        status = ("failed", "completed", "running")[number % 3]
        make_run(workflow, ada if number % 2 else None, status=status, started_at=moment, completed_at=moment)
    for sort, order in product(SORTS, ORDERS):
        for filters in ({}, {"search": "ada"}, {"status": ("failed", "running")}):
            export = small(workflow, format, sort=sort, order=order, slice=Slice(2, 1), **filters)
            listed = list_runs(export.seen, export.query.at(Slice(0, 100))).rows
            assert ids_in(b"".join(export.pieces())) == [row.id for row in listed]


@formats
def test_runs_that_came_after_it_began_are_left_out(workflow: Workflow, format: ExportFormat) -> None:
    first, rest = begun(small(workflow, format))
    make_runs(workflow, [{"id": uuid_of(99), "created_at": NOON.replace(hour=23)}])
    make_runs(make_workflow(db.session.scalars(sa.select(Workspace)).one(), "New"), [{}])
    assert numbers(first + b"".join(rest)) == list(range(1, 13))
    assert 99 in numbers(b"".join(small(workflow, format).pieces()))


def test_so_are_those_of_all_workflows_and_workflows_that_came_too(
    workflow: Workflow, workspace: Workspace
) -> None:
    other = make_workflow(workspace, "Other")
    make_runs(other, [{"id": uuid_of(20), "created_at": NOON}])
    export = Export(
        seen=operators_workspace(workspace.id),
        query=RunQuery(order="asc"),
        format=FORMATS[1],
        window=4,
        batch=3,
    )
    pieces = export.pieces()
    content = next(pieces)
    for each in (other, make_workflow(workspace, "New")):
        make_runs(each, [{"created_at": NOON.replace(hour=23)}])
    content += b"".join(pieces)
    assert numbers(content) == [20, *range(1, 13)]
    assert [json.loads(line)["type"] for line in content.splitlines()[:3]] == ["workflow", "workflow", "run"]


def test_deleted_runs_and_runs_that_no_longer_match_are_left_out(workflow: Workflow) -> None:
    first, rest = begun(small(workflow, status=("completed",)))
    with writing() as session:
        workflow_rows.lock_workflows(session, [workflow.id])
        recorder.delete_runs(session, workflow.id, [uuid_of(4), uuid_of(11)])
        session.execute(sa.update(Run).where(Run.id == uuid_of(12)).values(status="failed"))
    assert numbers(first + b"".join(rest)) == [1, 2, 3, 5, 6, 7, 8, 9, 10]


def test_a_run_that_ends_meanwhile_is_written_once(workspace: Workspace) -> None:
    workflow = make_workflow(workspace)
    make_runs(workflow, [{"id": uuid_of(n), "status": "running"} for n in range(1, 13)])
    pieces = small(workflow, sort="status", order="desc").pieces()
    content = b""
    for number, piece in enumerate(pieces, 1):
        content += piece
        with writing() as session:
            session.execute(sa.update(Run).where(Run.id == uuid_of(number)).values(status="completed"))
    assert sorted(set(numbers(content))) == sorted(numbers(content))


@formats
def test_no_transaction_is_open_while_a_piece_is_with_the_caller(
    workflow: Workflow, format: ExportFormat
) -> None:
    for _ in small(workflow, format).pieces():
        assert not db.session.registry().in_transaction()


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many runs each portion had."""
    portions: list[int] = []
    read: Callable[..., list[StoredRun]] = stored._read

    def note(ids: Any, steps: bool) -> list[StoredRun]:
        found = read(ids, steps)
        portions.append(len(found))
        return found

    monkeypatch.setattr(stored, "_read", note)
    return portions


@formats
def test_few_runs_are_held_at_a_time(workflow: Workflow, held: list[int], format: ExportFormat) -> None:
    assert len(ids_in(b"".join(small(workflow, format).pieces()))) == 12
    assert max(held) <= 3


@formats
def test_fewer_are_held_where_they_are_large(
    workflow: Workflow, held: list[int], format: ExportFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "MOST_TEXT", 1000)
    for number in range(1, 13):
        make_detail(db.session.get_one(Run, uuid_of(number)), source={"text": "x" * 400})
    assert len(ids_in(b"".join(replace(small(workflow, format), window=5000, batch=500).pieces()))) == 12
    assert max(held) == 2


def test_steps_count_where_they_are_asked_for(
    workflow: Workflow, held: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "MOST_TEXT", 1000)
    for number in range(1, 13):
        make_steps(db.session.get_one(Run, uuid_of(number)), {"error": "x" * 600}, {"source": {"a": 1}})
    large = replace(small(workflow, FORMATS[2]), window=5000, batch=500)
    assert len(ids_in(b"".join(large.pieces()))) == 12
    assert max(held) == 1


def test_a_portion_takes_the_same_few_statements_however_many_runs_it_has(workflow: Workflow) -> None:
    export = replace(small(workflow, FORMATS[2]), window=5000, batch=500)
    with statements() as made:
        list(export.pieces())
    assert len(made) <= 8


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({}, "Nightly-dub-runs-2026-03-01.csv"),
        ({"status": ("failed", "paused")}, "Nightly-dub-runs-status-failed,paused-2026-03-01.csv"),
        ({"search": "../a b"}, "Nightly-dub-runs-search-.._a-b-2026-03-01.csv"),
        ({"sort": "status", "slice": Slice(20, 10)}, "Nightly-dub-runs-2026-03-01.csv"),
    ],
)
def test_the_name_of_a_file_says_what_it_is(workflow: Workflow, query: dict[str, Any], name: str) -> None:
    assert small(workflow, **query).file_name(NOON) == name
