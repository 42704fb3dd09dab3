"""The feed of a workspace: every event once, newest first, whatever the size of its pages."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask

from portal.auth.api_keys.management import KeySpec, create_key_as_operator
from portal.auth.audit import trail
from portal.database.models import User, Workflow, Workspace
from portal.database.transactions import writing
from portal.errors import InvalidQuery, NotFound
from portal.usage.feed import Event, FeedQuery, Position, read_feed
from tests.factories import (
    make_member,
    make_person,
    make_run,
    make_runs,
    make_user,
    make_workflow,
    make_workspace,
)
from tests.statements import statements

NOW = datetime(2026, 3, 30, 9, 17, tzinfo=UTC)


@pytest.fixture
def workspace(app: Flask) -> Workspace:
    return make_workspace()


@pytest.fixture
def ada(workspace: Workspace) -> User:
    user = make_user(first_name="Ada", last_name="Lovelace")
    make_member(workspace, user)
    return user


def note(workspace: Workspace, kind: str, by: User, at: datetime, subject: str = "x", **details: Any) -> None:
    with writing() as session:
        actor = trail.Actor(by.id, by.email)
        trail.record(session, kind, actor, at, workspace_id=workspace.id, subject=subject, **details)


def walk(workspace: Workspace, **args: str) -> list[Event]:
    """All events, page by page."""
    found: list[Event] = []
    cursor: dict[str, str] = {}
    while True:
        page, last = read_feed(workspace.id, FeedQuery.parse(args | cursor), NOW)
        found += page
        assert len(page) <= int(args.get("limit", "20"))
        if last is None:
            return found
        cursor = {"cursor": last.to_cursor()}


@pytest.mark.slow
def test_every_event_comes_once_newest_first_in_pages_of_any_size(workspace: Workspace, ada: User) -> None:
    wanted = []
    for number in range(5):
        workflow, person = (
            make_workflow(workspace, f"Dub {number}"),
            make_person(workspace, f"Person {number}"),
        )
        moments = [NOW - timedelta(hours=5 * n * (number + 1)) for n in range(6)]
        moments += [NOW - timedelta(days=2)] * 3  # ties, across workflows
        runs = make_runs(workflow, [{"created_at": at, "person_id": person.id} for at in moments])
        make_runs(
            workflow, [{"created_at": NOW - timedelta(days=31)}, {"created_at": NOW + timedelta(days=1)}]
        )
        wanted += [(run.created_at, run.id) for run in runs]
    for hours in (0, 7, 48):
        note(workspace, "invitation.created", ada, NOW - timedelta(hours=hours), "new@acme.example")
        note(workspace, "member.joined", ada, NOW)
    make_runs(make_workflow(make_workspace("other")), [{"created_at": NOW}])
    for limit in ("1", "2", "7", "100"):
        found = [(event.at, event.id) for event in walk(workspace, limit=limit)]
        assert found == sorted(set(found), reverse=True)
        assert len(found) == len(wanted) + 3
        assert set(wanted) < set(found)
        only_runs = walk(workspace, limit=limit, type="workflow_run")
        assert [(event.at, event.id) for event in only_runs] == sorted(wanted, reverse=True)


def test_an_event_says_who_did_what_to_what(workspace: Workspace, ada: User) -> None:
    workflow = make_workflow(workspace, "Dub")
    person = make_person(workspace, "Åsa Öberg")
    [run] = make_runs(
        workflow, [{"created_at": NOW, "person_id": person.id, "status": "failed", "run_number": 7}]
    )
    with writing() as session:
        session.get_one(Workflow, workflow.id).deleted_at = NOW
    note(workspace, "workspace.changed", ada, NOW - timedelta(minutes=1), "Acme", name="Acme")
    note(workspace, "invitation.created", ada, NOW - timedelta(minutes=2), "new@acme.example", role="viewer")
    create_key_as_operator(
        workspace,
        ada.email,
        KeySpec(name="secret plans", scopes=("workflows:read",)),
        NOW - timedelta(minutes=3),
    )
    ran, changed, invited, key = walk(workspace)
    assert (ran.action, ran.kind, ran.user_id, ran.user_name) == (
        "workflow_run", "failed", person.user_id, "Åsa Öberg",
    )  # fmt: skip
    assert (ran.resource, ran.resource_id, ran.resource_name) == ("workflow", workflow.id, "Dub")
    assert ran.metadata == {"run_id": str(run.id), "run_number": 7, "status": "failed"}
    assert (changed.action, changed.user_name, changed.metadata) == (
        "settings_changed", "Ada Lovelace", {"name": "Acme"},
    )  # fmt: skip
    assert (changed.resource, changed.resource_id) == ("workspace", workspace.id)
    assert (invited.resource_name, invited.metadata) == ("new@acme.example", {"role": "viewer"})
    assert (key.action, key.resource, key.resource_name, key.metadata) == (
        "api_key_created", "api_key", None, None,
    )  # fmt: skip


def test_the_feed_of_one_person_is_for_members_and_people_of_the_history(
    workspace: Workspace, ada: User
) -> None:
    workflow, person = make_workflow(workspace), make_person(workspace, "Åsa")
    make_runs(workflow, [{"created_at": NOW, "person_id": person.id}, {"created_at": NOW}])
    note(workspace, "invitation.created", ada, NOW)
    assert [event.action for event in walk(workspace, user_id=str(person.user_id))] == ["workflow_run"]
    assert [event.action for event in walk(workspace, user_id=str(ada.id))] == ["member_invited"]
    assert walk(workspace, user_id=str(ada.id), type="workflow_run") == []
    assert walk(workspace, type="voice_generated") == []
    for stranger in (uuid4(), make_user("stranger@other.example").id):
        with pytest.raises(NotFound):
            walk(workspace, user_id=str(stranger))


@pytest.mark.slow
def test_a_page_takes_as_many_statements_with_many_runs_as_with_few(workspace: Workspace) -> None:
    workflow, taken = make_workflow(workspace), []
    for more in (30, 3000):
        make_runs(workflow, [{"created_at": NOW - timedelta(seconds=n)} for n in range(more)])
        with statements() as asked:
            read_feed(workspace.id, FeedQuery.parse({}), NOW)
        taken.append(len(asked))
    assert taken[0] == taken[1] <= 6


@pytest.mark.slow
def test_a_page_takes_as_many_statements_with_many_workflows_as_with_few(workspace: Workspace) -> None:
    taken = []
    for more in (2, 30):
        for n in range(more):
            make_run(make_workflow(workspace), created_at=NOW - timedelta(seconds=n))
        with statements() as asked:
            read_feed(workspace.id, FeedQuery.parse({}), NOW)
        taken.append(len(asked))
    assert taken[0] == taken[1]


def test_runs_of_one_moment_in_more_workflows_than_a_page_holds_all_come(workspace: Workspace) -> None:
    runs = [make_run(make_workflow(workspace), created_at=NOW) for _ in range(7)]
    shown = [event.id for event in walk(workspace, limit="2")]
    assert shown == sorted((run.id for run in runs), reverse=True)


@pytest.mark.parametrize("cursor", ["x", "?", "ü", "A" * 31, "A" * 33, "=" * 32, "A" * 32 + "\0"])
def test_a_cursor_of_nobody_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidQuery) as refusal:
        FeedQuery.parse({"cursor": cursor, "limit": "0"})
    assert [error.field for error in refusal.value.errors] == ["limit", "cursor"]


def test_an_empty_cursor_asks_for_the_first_page() -> None:
    assert FeedQuery.parse({"cursor": ""}).after is None
    place = Position(NOW, uuid4())
    assert FeedQuery.parse({"cursor": place.to_cursor()}).after == place


@pytest.mark.parametrize(("cursor", "events"), [("f" + "_" * 31, 1), ("g" + "A" * 31, 0)])
def test_a_cursor_beyond_the_calendar_is_at_its_end(workspace: Workspace, cursor: str, events: int) -> None:
    make_run(make_workflow(workspace), created_at=NOW)
    assert len(read_feed(workspace.id, FeedQuery.parse({"cursor": cursor}), NOW)[0]) == events
