"""A text finds workflows, runs and people, the best first, and nothing that one may not see."""

import json
from typing import Any
from uuid import UUID

import pytest
from flask import Flask

from portal.auth.principals import Membership, Principal, PrincipalUser
from portal.database.models import Workspace
from portal.finding.search import MOST, Found, search
from portal.history.importer import import_lines
from portal.moments import now
from tests.factories import make_person, make_run, make_workflow, make_workspace


@pytest.fixture
def workspace(app: Flask) -> Workspace:
    return make_workspace()


def find(workspace: Workspace, text: str, **options: Any) -> Found:
    user = PrincipalUser(workspace.id, "ada@acme.example", "Ada")
    member = Membership(workspace.id, "Acme", "acme", "viewer")
    principal = Principal(kind="session", user=user, workspaces=(member,), chosen=workspace.id)
    return search(principal, text, **options)


def workflows(found: Found) -> list[str]:
    return [row.name for row in found.workflows.rows]


def people(found: Found) -> list[str]:
    return [row.name for row in found.people.rows]


def test_the_name_itself_comes_first_then_its_beginning_then_words_then_parts(workspace: Workspace) -> None:
    for name in ("Redubbing", "Nightly dub", "Dub of trailers", "Dub", "Something else"):
        make_workflow(workspace, name)
    assert workflows(find(workspace, "dub")) == ["Dub", "Dub of trailers", "Nightly dub", "Redubbing"]


@pytest.mark.parametrize("text", ["nightly dub", "DUB nightly", "  ghtly   ub ", "ｎｉｇｈｔｌｙ"])
def test_every_word_has_to_be_in_the_name_in_any_order_and_case(workspace: Workspace, text: str) -> None:
    make_workflow(workspace, "Nightly dub")
    make_workflow(workspace, "Nightly build")
    assert "Nightly dub" in workflows(find(workspace, text))
    assert workflows(find(workspace, f"{text} x")) == []


@pytest.mark.parametrize("text", ["100%", "a_b", "back\\slash"])
def test_wildcards_of_sql_are_ordinary_characters(workspace: Workspace, text: str) -> None:
    make_workflow(workspace, f"It is {text}")
    make_workflow(workspace, "It is 1000 axb backslash")
    assert workflows(find(workspace, text)) == [f"It is {text}"]


@pytest.mark.parametrize("text", ["dub 1199", "nightly dub #1,199", "DUB  #1199 "])
def test_a_name_and_a_number_find_the_run(workspace: Workspace, text: str) -> None:
    run = make_run(make_workflow(workspace, "Nightly dub"), run_number=1199)
    make_run(make_workflow(workspace, "Build"), run_number=1199)
    assert [hit.run_id for hit in find(workspace, text).numbered.rows] == [run.id]


def test_people_are_found_by_name_and_by_address(workspace: Workspace) -> None:
    make_person(workspace, name="Grace Hopper", email="grace@navy.example")
    make_person(workspace, name="Ada Lovelace", email="ada@acme.example")
    assert people(find(workspace, "hopper grace")) == ["Grace Hopper"]
    assert people(find(workspace, "navy.example")) == ["Grace Hopper"]


def test_runs_are_found_by_what_they_say_newest_first_with_the_number_of_all(workspace: Workspace) -> None:
    lines = [
        {"id": str(UUID(int=number + 1)), "status": "failed", "error": f"Disk {number} is full"}
        | {"created_at": f"2026-01-01T00:{number:02}:00Z", "workflow": {"name": "Dump"}, "source": "cron"}
        for number in range(MOST + 2)
    ]
    encoded = [json.dumps({"type": "run", **line}).encode() for line in lines]
    assert import_lines(workspace.id, encoded, now=now()).ok
    found = find(workspace, "is FULL").texts
    assert found is not None
    assert (len(found.rows), found.total) == (MOST, MOST + 2)
    assert found.rows[0].error == f"Disk {MOST + 1} is full"
    assert not find(workspace, "is empty")
    assert find(workspace, "12345").texts is None


def test_what_lies_in_another_workspace_or_was_deleted_is_not_found(workspace: Workspace) -> None:
    other = make_workspace("other", "Other")
    make_run(make_workflow(other, "Foreign dub"), run_number=7)
    make_run(make_workflow(workspace, "Deleted dub", deleted_at=now()), run_number=7)
    make_person(other, name="Dub Foreign")
    assert not find(workspace, "dub")
    assert not find(workspace, "dub 7").numbered.rows


def test_the_best_of_many_are_listed_and_that_is_said(workspace: Workspace) -> None:
    for number in range(MOST + 1):
        make_workflow(workspace, f"Dub {number}")
    found = find(workspace, "dub")
    assert (len(found.workflows.rows), found.workflows.more) == (MOST, True)


def test_an_address_means_only_what_it_names(workspace: Workspace) -> None:
    run = make_run(make_workflow(workspace, "runs"))
    found = find(workspace, f"https://portal.example/runs/{run.id}")
    assert found.only is not None
    assert (found.only.run_id, workflows(found)) == (run.id, [])


@pytest.mark.parametrize("text", ["", "  ", "\ud800", "x" * 3000, "0", "dub 0", f"dub {'9' * 24}"])
def test_what_is_nothing_finds_nothing(workspace: Workspace, text: str) -> None:
    make_run(make_workflow(workspace, "Nightly"))
    assert not find(workspace, text)
