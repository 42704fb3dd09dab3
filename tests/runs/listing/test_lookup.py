"""What people have at hand leads to the run."""

from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.auth.principals import Membership, Principal, PrincipalUser
from portal.database.engine import db
from portal.database.models import Run, Workflow, Workspace
from portal.runs.listing.lookup import MAX_HITS, Lookup, find
from tests.factories import make_run, make_workflow, make_workspace

FIRST = UUID("abcdef12-3456-4789-8abc-000000000001")
SECOND = UUID("abcdef12-9999-4789-8abc-000000000002")


@pytest.fixture
def workspace(app: Flask) -> Workspace:
    return make_workspace()


@pytest.fixture
def workflow(workspace: Workspace) -> Workflow:
    return make_workflow(workspace)


def seen_by(workspace: Workspace) -> Principal:
    user = PrincipalUser(workspace.id, "ada@acme.example", "Ada")
    return Principal(
        kind="session", user=user, workspaces=(Membership(workspace.id, "Acme", "acme", "viewer"),)
    )


def search(workspace: Workspace, text: str, **options: Any) -> Lookup:
    return find(seen_by(workspace), text, **options)


def runs(found: Lookup) -> set[UUID | None]:
    return {hit.run_id for hit in found.hits}


@pytest.mark.parametrize(
    "text",
    [
        "{id}",
        "  {id} ",
        "https://runs.example.com/workflows/{workflow}/runs/{id}?status=failed#timeline",
        "https://runs.example.com/prefix/runs/{id}",
        "/api/v1/workflows/{workflow}/runs/{id}/steps",
        "Run failed: {id}.",
    ],
)
def test_a_full_id_is_found_alone_and_in_addresses(
    workspace: Workspace, workflow: Workflow, text: str
) -> None:
    make_run(workflow, id=FIRST)
    make_run(workflow, id=SECOND)
    for written in (str(FIRST), str(FIRST).upper()):
        found = search(workspace, text.format(id=written, workflow=workflow.id))
        assert runs(found) == {FIRST}


def test_an_address_without_a_run_leads_to_its_workflow(workspace: Workspace, workflow: Workflow) -> None:
    [hit] = search(workspace, f"http://x/workflows/{workflow.id}/runs?status=failed").hits
    assert (hit.workflow_id, hit.run_id) == (workflow.id, None)


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("abcdef", {FIRST, SECOND}),
        ("ABCDEF12", {FIRST, SECOND}),
        ("abcdef12-3", {FIRST}),
        ("abcdef129", {SECOND}),
        (str(SECOND)[:-1], {SECOND}),
        ("abcde", set()),
        ("abcdeg", set()),
        ("bcdef1", set()),
    ],
)
def test_the_beginning_of_an_id_is_enough_from_six_digits_on(
    workspace: Workspace, workflow: Workflow, prefix: str, expected: set[UUID]
) -> None:
    make_run(workflow, id=FIRST)
    make_run(workflow, id=SECOND)
    assert runs(search(workspace, prefix)) == expected


@pytest.mark.parametrize("text", ["1204", "#1204", "#1,204", "1 204"])
def test_a_number_is_found_in_the_open_workflow_first(
    workspace: Workspace, workflow: Workflow, text: str
) -> None:
    here = make_run(workflow, run_number=1204)
    there = make_run(make_workflow(workspace, "Another"), run_number=1204)
    assert runs(search(workspace, text)) == {here.id, there.id}
    assert runs(search(workspace, text, workflow_id=workflow.id)) == {here.id}
    elsewhere = make_workflow(workspace, "Empty")
    assert runs(search(workspace, text, workflow_id=elsewhere.id)) == {here.id, there.id}


def test_digits_may_be_a_number_and_the_beginning_of_an_id(workspace: Workspace, workflow: Workflow) -> None:
    by_number = make_run(workflow, run_number=123456)
    by_id = make_run(workflow, id=UUID("12345678-0000-4000-8000-000000000000"))
    found = search(workspace, "123456")
    assert runs(found) == {by_number.id, by_id.id}
    assert list(found.tried) == ["run number 123,456", "ids that begin with 123456"]


def test_what_lies_in_another_workspace_or_was_deleted_is_not_found(workspace: Workspace) -> None:
    foreign = make_run(make_workflow(make_workspace("other", "Other")), id=FIRST, run_number=7)
    deleted = make_workflow(workspace, "Gone", deleted_at=foreign.created_at)
    make_run(deleted, id=SECOND, run_number=7)
    for text in (str(FIRST), str(SECOND), "abcdef", "7", str(foreign.workflow_id), str(deleted.id)):
        assert not search(workspace, text).hits, text


@pytest.mark.parametrize("text", ["", " ", "ada", "#", "0", "9" * 30, "x" * 5000, "-" * 10, "٣٤٥", "\ud800"])
def test_what_is_nothing_finds_nothing(workspace: Workspace, workflow: Workflow, text: str) -> None:
    make_run(workflow)
    assert not search(workspace, text).hits


def test_many_hits_are_cut_and_that_is_said(workspace: Workspace, workflow: Workflow) -> None:
    for number in range(MAX_HITS + 1):
        make_run(workflow, id=UUID(int=FIRST.int + number))
    found = search(workspace, "abcdef")
    assert (len(found.hits), found.more) == (MAX_HITS, True)


def test_a_prefix_is_a_range_of_the_primary_key(workspace: Workspace) -> None:
    if db.engine.dialect.name != "sqlite":
        pytest.skip("the plan of an empty table says nothing on PostgreSQL")
    low, high = UUID("abcdef".ljust(32, "0")), UUID("abcdef".ljust(32, "f"))
    select = sa.select(Run.id).join(Workflow).where(Run.id.between(low, high))
    statement = str(select.compile(db.engine))
    plan = db.session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", (low.bytes, high.bytes))
    assert any("SEARCH runs USING" in row[3] and "id>?" in row[3] for row in plan)
