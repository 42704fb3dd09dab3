"""Saved views: whose they are, what they list, how many runs they have."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from flask import Flask
from time_machine import TimeMachineFixture

from portal import moments
from portal.auth.access import get_workflow, get_workspace
from portal.auth.principals import Membership, Principal, PrincipalUser
from portal.database.engine import db
from portal.database.models import AuditEntry, SavedView, User, Workflow, Workspace
from portal.database.transactions import writing as in_transaction
from portal.errors import Forbidden, InvalidQuery, NotFound
from portal.runs.query import RunQuery
from portal.runs.views import counting, writing
from portal.runs.views.definition import Definition
from portal.runs.views.reading import (
    ListOf,
    default_views,
    first_views,
    get_view,
    views_of_list,
    views_of_workspace,
)
from portal.workflows.writing import delete_workflow, restore_workflow
from portal.workspaces.members import remove_member
from tests.factories import NOON, make_member, make_run, make_user, make_workflow, make_workspace
from tests.statements import statements

FAILED = Definition({"status": "failed"})


@pytest.fixture
def workspace(app: Flask) -> Workspace:
    return make_workspace()


@pytest.fixture
def workflow(workspace: Workspace) -> Workflow:
    return make_workflow(workspace)


@pytest.fixture
def ada(workspace: Workspace) -> Principal:
    return somebody(workspace, "ada@acme.example", "admin")


def somebody(workspace: Workspace, email: str, role: str) -> Principal:
    user = make_user(email)
    make_member(workspace, user, role)
    return seen(user, workspace, role)


def seen(user: User, workspace: Workspace, role: str) -> Principal:
    membership = Membership(workspace.id, workspace.name, workspace.slug, role)
    who = PrincipalUser(user.id, user.email, user.display_name)
    return Principal(kind="session", user=who, workspaces=(membership,), chosen=workspace.id)


def save(
    who: Principal, workflow: Workflow, name: str = "Failed", definition: Definition = FAILED, **spec: Any
) -> UUID:
    of = ListOf(workflow.workspace_id, workflow.id)
    return writing.save_view(who, of, definition, writing.NewView.read({"name": name, **spec}), NOON)


def names(who: Principal, workflow: Workflow) -> tuple[list[str], list[str]]:
    views = views_of_list(who, ListOf(workflow.workspace_id, workflow.id))
    return [view.name for view in views.team], [view.name for view in views.own]


def refusal(*arguments: Any, **options: Any) -> str:
    with pytest.raises(InvalidQuery) as refused:
        save(*arguments, **options)
    [error] = refused.value.errors
    return f"{error.field} {error.message}"


def test_own_views_are_seen_by_nobody_else_and_those_of_the_team_by_all(
    workspace: Workspace, workflow: Workflow, ada: Principal
) -> None:
    grace = somebody(workspace, "grace@acme.example", "viewer")
    stranger = somebody(make_workspace("other"), "eve@other.example", "admin")
    own, of_team = save(ada, workflow, "Mine"), save(ada, workflow, "Ours", of_team=True)
    assert names(ada, workflow) == (["Ours"], ["Mine"])
    assert names(grace, workflow) == (["Ours"], [])
    assert [view.name for view in views_of_workspace(ada, workspace.id).all] == ["Ours", "Mine"]
    assert get_view(grace, of_team).name == "Ours"
    for who, view_id in [(grace, own), (stranger, own), (stranger, of_team), (ada, uuid4())]:
        with pytest.raises(NotFound):
            get_view(who, view_id)
        with pytest.raises(NotFound):
            writing.delete_view(who, view_id, NOON)


def test_viewers_have_views_of_their_own_and_change_none_of_the_team(
    workspace: Workspace, workflow: Workflow, ada: Principal
) -> None:
    viewer = somebody(workspace, "vera@acme.example", "viewer")
    editor = somebody(workspace, "ed@acme.example", "editor")
    of_team = save(editor, workflow, "Ours", of_team=True)
    own = save(viewer, workflow, "Mine")
    with pytest.raises(Forbidden):
        save(viewer, workflow, "Theirs", of_team=True)
    changes = writing.ViewChanges(name="Changed")
    for change in (
        lambda view_id: writing.change_view(viewer, view_id, changes, NOON),
        lambda view_id: writing.redefine_view(viewer, view_id, Definition({}), NOON),
        lambda view_id: writing.delete_view(viewer, view_id, NOON),
    ):
        with pytest.raises(Forbidden):
            change(of_team)
        change(own)
    assert names(viewer, workflow) == (["Ours"], [])
    assert not writing.may_change(viewer, get_view(viewer, of_team))
    assert writing.may_change(ada, get_view(ada, of_team))


def test_a_name_is_taken_for_its_owner_and_its_list_alone(
    workspace: Workspace, workflow: Workflow, ada: Principal
) -> None:
    first = save(ada, workflow, "Failed")
    taken = "name is taken. You have a view of this list with this name."
    assert refusal(ada, workflow, " FAILED ") == taken
    save(ada, workflow, "failed", of_team=True)
    assert refusal(ada, workflow, "Failed", of_team=True).startswith("name is taken. The team has")
    save(ada, make_workflow(workspace, "Other"), "Failed")
    save(somebody(workspace, "grace@acme.example", "viewer"), workflow, "Failed")
    second = save(ada, workflow, "Second")
    with pytest.raises(InvalidQuery):
        writing.change_view(ada, second, writing.ViewChanges(name="failed"), NOON)
    writing.change_view(ada, first, writing.ViewChanges(name="FAILED"), NOON)
    assert names(ada, workflow) == (["failed"], ["FAILED", "Second"])


@pytest.mark.parametrize("columns", [("own", "a workflow"), ("own",), ("a workflow",), ()])
def test_the_database_refuses_a_name_twice(
    workspace: Workspace, workflow: Workflow, ada: Principal, columns: tuple[str, ...]
) -> None:
    def add(name: str) -> None:
        with in_transaction() as session:
            session.add(
                SavedView(
                    id=uuid4(),
                    workspace_id=workspace.id,
                    workflow_id=workflow.id if "a workflow" in columns else None,
                    user_id=ada.user.id if "own" in columns else None,
                    name=name,
                    name_folded=name,
                    parameters={},
                    created_at=NOON,
                    updated_at=NOON,
                )
            )

    add("one")
    add("two")
    with pytest.raises(sa.exc.IntegrityError):
        add("one")


@pytest.mark.parametrize("name", ["", "  ", "x" * 61, "a\0b"])
def test_a_name_has_1_to_60_characters(workflow: Workflow, ada: Principal, name: str) -> None:
    assert refusal(ada, workflow, name).startswith("name must be text of 1 to 60 characters")
    save(ada, workflow, "x" * 60)


def test_the_number_of_views_is_limited(
    workspace: Workspace, workflow: Workflow, ada: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "MAX_OF_LIST", 2)
    monkeypatch.setattr(writing, "MAX_IN_WORKSPACE", 3)
    save(ada, workflow, "1")
    save(ada, workflow, "2")
    assert refusal(ada, workflow, "3") == (
        "view You have 2 views of this list, which is the most. Delete one first."
    )
    save(ada, workflow, "1", of_team=True)
    other = make_workflow(workspace, "Other")
    save(ada, other, "1")
    assert refusal(ada, other, "2") == (
        "view You have 3 views in this workspace, which is the most. Delete one first."
    )


def test_a_definition_that_is_too_long_is_refused(workflow: Workflow, ada: Principal) -> None:
    too_long = Definition({"search": "x" * writing.MAX_PARAMETERS})
    assert "too long" in refusal(ada, workflow, definition=too_long)
    view_id = save(ada, workflow)
    with pytest.raises(InvalidQuery):
        writing.redefine_view(ada, view_id, too_long, NOON)


def test_one_view_is_the_default_and_ones_own_comes_before_the_teams(
    workspace: Workspace, workflow: Workflow, ada: Principal
) -> None:
    grace = somebody(workspace, "grace@acme.example", "viewer")
    first = save(ada, workflow, "First", of_team=True, is_default=True)
    assert get_workflow(grace, workflow.id).default_view == first
    second = save(ada, workflow, "Second", of_team=True, is_default=True)
    own = save(grace, workflow, "Own")
    for who in (ada, grace):
        assert get_workflow(who, workflow.id).default_view == second
        assert default_views(who, workspace.id) == {workflow.id: second}
    writing.change_view(grace, own, writing.ViewChanges(name="Own", is_default=True), NOON)
    assert get_workflow(grace, workflow.id).default_view == own
    assert default_views(grace, workspace.id) == {workflow.id: own}
    assert get_workflow(ada, workflow.id).default_view == second
    writing.change_view(ada, second, writing.ViewChanges(name="Second"), NOON)
    assert get_workflow(ada, workflow.id).default_view is None
    assert default_views(ada, workspace.id) == {}


def test_views_over_a_workspace_are_no_default_and_come_first(
    workspace: Workspace, workflow: Workflow, ada: Principal
) -> None:
    save(ada, workflow, "A")
    spec = writing.NewView(name="Z", is_default=True)
    view_id = writing.save_view(ada, ListOf(workspace.id, None), FAILED, spec, NOON)
    assert not get_view(ada, view_id).is_default
    with pytest.raises(InvalidQuery):
        writing.save_view(ada, ListOf(workspace.id, None), FAILED, spec, NOON)
    assert [view.name for view in views_of_workspace(ada, workspace.id).own] == ["Z", "A"]
    assert names(ada, workflow) == ([], ["A"])
    assert [view.name for view in views_of_list(ada, ListOf(workspace.id, None)).all] == ["Z"]


def test_the_first_views_are_those_of_the_team_and_ones_own_alike(
    workspace: Workspace, workflow: Workflow, ada: Principal
) -> None:
    for name in ("C", "B", "A"):
        save(ada, workflow, name)
        save(ada, workflow, f"Team {name}", of_team=True)
    views, in_all = first_views(ada, workspace.id, 2)
    assert [view.name for view in views.team] == ["Team A", "Team B"]
    assert [view.name for view in views.own] == ["A", "B"]
    assert in_all == 6


def test_views_of_a_deleted_workflow_vanish_until_it_is_restored(
    workspace: Workspace, workflow: Workflow, ada: Principal
) -> None:
    view_id = save(ada, workflow, of_team=True)
    delete_workflow(ada, workflow.id, moments.now())
    assert views_of_workspace(ada, workspace.id).all == []
    assert first_views(ada, workspace.id, 8) == (([], []), 0)
    with pytest.raises(NotFound):
        get_view(ada, view_id)
    restore_workflow(workflow.id, moments.now())
    assert get_view(ada, view_id).name == "Failed"


def test_who_leaves_loses_their_own_views(workspace: Workspace, workflow: Workflow, ada: Principal) -> None:
    grace = somebody(workspace, "grace@acme.example", "editor")
    save(grace, workflow, "Own")
    save(grace, workflow, "Ours", of_team=True)
    remove_member(ada, grace.user.id, moments.now())
    assert db.session.scalars(sa.select(SavedView.name)).all() == ["Ours"]


def test_the_audit_log_says_what_became_of_views_of_the_team_alone(
    workflow: Workflow, ada: Principal
) -> None:
    def entries() -> list[tuple[str, str]]:
        db.session.rollback()
        found = sa.select(AuditEntry.kind, AuditEntry.subject).where(AuditEntry.kind.startswith("view."))
        return [tuple(row) for row in db.session.execute(found.order_by(AuditEntry.at))]

    for of_team in (False, True):
        view_id = save(ada, workflow, of_team=of_team)
        writing.change_view(ada, view_id, writing.ViewChanges(name="Renamed"), NOON + timedelta(seconds=1))
        writing.redefine_view(ada, view_id, Definition({}), NOON + timedelta(seconds=2))
        writing.delete_view(ada, view_id, NOON + timedelta(seconds=3))
    assert entries() == [
        ("view.created", "Failed"),
        ("view.changed", "Renamed"),
        ("view.changed", "Renamed"),
        ("view.deleted", "Renamed"),
    ]


def test_a_definition_keeps_filters_order_and_page_size_but_no_page(workflow: Workflow) -> None:
    args = {"status": "failed,completed", "sort": "status", "limit": "50", "offset": "100", "utm": "x"}
    query = RunQuery.parse(args, workflow_id=str(workflow.id))
    definition = Definition.of(query)
    assert definition.parameters == {"status": "failed,completed", "sort": "status", "limit": "50"}
    assert definition.current(workflow.id) == definition
    assert definition.unknown == {}


def test_what_a_release_does_not_know_is_kept_and_named(workflow: Workflow, ada: Principal) -> None:
    written = {"status": "failed", "mood": "gloomy", "tone": ["a", "b"]}
    view = get_view(ada, save(ada, workflow, definition=Definition(written)))
    assert view.definition.parameters == written
    assert view.definition.unknown == {"mood": "gloomy", "tone": ["a", "b"]}
    assert view.definition.query(workflow.id).status == ("failed",)
    refused = Definition({"status": "exploded"})
    assert refused.current(workflow.id) is None
    with pytest.raises(InvalidQuery):
        refused.query(workflow.id)


def test_a_count_is_made_once_for_each_version_of_the_workflow(workflow: Workflow, ada: Principal) -> None:
    make_run(workflow, status="failed")
    make_run(workflow, status="completed")

    def count(definition: Definition = FAILED) -> int | None:
        return counting.count_runs(get_workflow(ada, workflow.id), definition)

    assert counting.remembered_count(get_workflow(ada, workflow.id), FAILED) is None
    assert count() == 1
    assert count(Definition({})) == 2
    seen_workflow = get_workflow(ada, workflow.id)
    with statements() as asked:
        assert counting.count_runs(seen_workflow, FAILED) == 1
        assert counting.remembered_count(seen_workflow, FAILED) == 1
    assert asked == []
    make_run(workflow, status="failed")
    db.session.rollback()
    assert counting.remembered_count(get_workflow(ada, workflow.id), FAILED) is None
    assert count() == 2
    assert count(Definition({"status": "exploded"})) is None


def test_a_count_of_a_time_until_now_is_right_for_a_minute(
    workflow: Workflow, ada: Principal, time_machine: TimeMachineFixture
) -> None:
    time_machine.move_to(NOON, tick=False)
    make_run(workflow, created_at=NOON - timedelta(minutes=58))
    last_hour, seen_workflow = Definition({"within": "1h"}), get_workflow(ada, workflow.id)
    assert counting.count_runs(seen_workflow, last_hour) == 1
    assert counting.remembered_count(seen_workflow, last_hour) == 1
    time_machine.move_to(NOON + timedelta(minutes=5), tick=False)
    assert counting.remembered_count(seen_workflow, last_hour) is None
    assert counting.count_runs(seen_workflow, last_hour) == 0


def test_views_over_a_workspace_count_the_runs_of_all_its_workflows(
    workspace: Workspace, workflow: Workflow, ada: Principal
) -> None:
    other = make_workflow(workspace, "Other")
    for each in (workflow, other):
        make_run(each, status="failed")
        make_run(each, status="completed")
    everywhere = get_workspace(ada)
    assert counting.count_runs(everywhere, FAILED) == 2
    assert counting.remembered_count(everywhere, FAILED) == 2
    assert counting.count_runs(everywhere, Definition({"workflow": str(other.id)})) == 2
    assert counting.count_runs(everywhere, Definition({"workflow": str(other.id), "status": "failed"})) == 1
    make_run(other, status="failed")
    db.session.rollback()
    assert counting.count_runs(get_workspace(ada), FAILED) == 3


def test_each_change_of_a_view_gives_its_pages_a_new_version(
    workspace: Workspace, workflow: Workflow, ada: Principal
) -> None:
    def version() -> tuple[int, int]:
        db.session.rollback()
        found = get_workflow(ada, workflow.id)
        return found.version, found.workspace_version

    versions = [version()]
    view_id = save(ada, workflow)
    versions.append(version())
    writing.change_view(ada, view_id, writing.ViewChanges(name="Renamed"), NOON)
    versions.append(version())
    writing.redefine_view(ada, view_id, Definition({}), NOON)
    versions.append(version())
    writing.delete_view(ada, view_id, NOON)
    versions.append(version())
    writing.save_view(ada, ListOf(workspace.id, None), FAILED, writing.NewView(name="Z"), NOON)
    versions.append(version())
    assert len(set(versions)) == 6
