"""Writing workflows: versions, concurrency, deletion, and what is written beside it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.database.engine import db
from portal.database.models import AuditEntry, Run, RunEvent, Workflow, WorkflowVersion
from portal.errors import Conflict, Deleted, FieldError, InvalidQuery, NotFound, PreconditionFailed
from portal.history.importer import import_lines
from portal.input.folding import fold
from portal.runs.counts import find_drift
from portal.runs.recording import recorder
from portal.runs.recording.state_machine import Event
from portal.workflows import writing
from portal.workflows.writing import entity_tag
from tests.definitions.graphs import checked, graph, smallest
from tests.factories import NOON, make_run, make_workflow, make_workspace
from tests.history.lines import WORKFLOW, encode, workflow_line
from tests.workflows.conftest import Writer

LATER = NOON + timedelta(seconds=1)
SIMULTANEOUS = 64


def stored(workflow_id: UUID) -> Workflow:
    db.session.rollback()
    db.session.expire_all()
    return db.session.get_one(Workflow, workflow_id)


def versions_of(workflow_id: UUID) -> list[WorkflowVersion]:
    db.session.rollback()
    mine = sa.select(WorkflowVersion).where(WorkflowVersion.workflow_id == workflow_id)
    return list(db.session.scalars(mine.order_by(WorkflowVersion.number)))


def audited() -> list[tuple[str, str]]:
    db.session.rollback()
    return [
        (entry.kind, entry.subject)
        for entry in db.session.scalars(sa.select(AuditEntry).order_by(AuditEntry.at, AuditEntry.kind))
        if entry.kind.startswith("workflow.")
    ]


def in_a_thread(app: Flask, do: Any, *arguments: Any) -> Any:
    with app.app_context():
        try:
            return do(*arguments)
        finally:
            db.session.remove()


def test_each_changed_definition_is_a_version_with_who_saved_it(writer: Writer) -> None:
    made = writing.create_workflow(writer.principal, {"definition": smallest()}, NOON)
    key = writer.with_key()
    writing.change_workflow(key, str(made.id), {"definition": checked()}, LATER)
    writing.change_workflow(key, str(made.id), {"definition": checked(), "name": "Same"}, LATER)
    writing.change_workflow(key, str(made.id), {"name": "Other"}, LATER)
    first, second = versions_of(made.id)
    assert [first.number, second.number] == [1, 2]
    assert [first.definition, second.definition] == [smallest(), checked()]
    assert (first.user_id, first.user_name, first.api_key_id) == (writer.user.id, "Ada Lovelace", None)
    assert (second.user_name, second.api_key_id) == ("Ada Lovelace", key.api_key_id)
    assert (first.created_at, second.created_at) == (NOON, LATER)
    assert stored(made.id).current_version == 2
    copy = writing.duplicate_workflow(writer.principal, made.id, LATER)
    assert [each.definition for each in versions_of(copy.id)] == [checked()]


def test_values_that_are_equal_only_to_python_are_another_version(writer: Writer) -> None:
    made = writing.create_workflow(writer.principal, {"definition": {"x": 1}}, NOON)
    for value in (1, True, 1.0):
        row = writing.change_workflow(writer.principal, str(made.id), {"definition": {"x": value}}, LATER)
        assert row.definition is not None
        assert type(row.definition["x"]) is type(value)
    assert len(versions_of(made.id)) == 3


def test_an_imported_definition_becomes_a_version_when_the_next_one_is_saved(writer: Writer) -> None:
    def import_definition(definition: dict[str, Any]) -> None:
        line = encode(workflow_line(definition=definition))
        assert import_lines(writer.workspace.id, [line], now=NOON).ok

    import_definition({"odd": [1]})
    flow = UUID(WORKFLOW)
    assert versions_of(flow) == []
    assert stored(flow).current_version is None
    writing.change_workflow(writer.principal, WORKFLOW, {"name": "Mine"}, LATER)
    assert versions_of(flow) == []
    writing.change_workflow(writer.principal, WORKFLOW, {"definition": smallest()}, LATER)
    assert [(each.number, each.user_name) for each in versions_of(flow)] == [(1, None), (2, "Ada Lovelace")]
    assert versions_of(flow)[0].definition == {"odd": [1]}
    import_definition({"odd": [2]})
    assert stored(flow).current_version is None
    writing.change_workflow(writer.principal, WORKFLOW, {"definition": checked()}, LATER)
    assert [each.definition for each in versions_of(flow)] == [
        {"odd": [1]},
        smallest(),
        {"odd": [2]},
        checked(),
    ]
    assert stored(flow).current_version == 4


def test_a_run_names_the_version_that_it_ran(writer: Writer) -> None:
    made = writing.create_workflow(writer.principal, {}, NOON)
    run = recorder.start_run(made.id, now=NOON, workflow_version=1)
    db.session.rollback()
    assert db.session.get_one(Run, run.id).workflow_version == 1


@pytest.mark.slow
def test_two_fields_changed_at_once_both_stay_however_often(app: Flask, writer: Writer) -> None:
    made = writing.create_workflow(writer.principal, {}, NOON)
    bodies = [{"name": f"N{n}"} if n % 2 else {"description": f"D{n}"} for n in range(SIMULTANEOUS)]
    barrier = threading.Barrier(8)

    def change(body: dict[str, Any]) -> None:
        if not barrier.broken:
            barrier.wait()
        in_a_thread(app, writing.change_workflow, writer.principal, str(made.id), body, NOON)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(change, bodies))
    after = stored(made.id)
    assert after.name.startswith("N")
    assert after.description is not None
    assert after.description.startswith("D")
    assert after.updated_at == NOON + timedelta(microseconds=SIMULTANEOUS)


def test_of_many_who_read_the_same_state_one_may_write(app: Flask, writer: Writer) -> None:
    made = writing.create_workflow(writer.principal, {}, NOON)
    tags = [entity_tag(made.updated_at)]

    def change(number: int) -> str:
        body = {"name": f"N{number}"}
        try:
            row = in_a_thread(app, writing.change_workflow, writer.principal, str(made.id), body, NOON, tags)
        except PreconditionFailed:
            return ""
        return str(row.name)

    with ThreadPoolExecutor(8) as pool:
        names = [name for name in pool.map(change, range(16)) if name]
    assert names == [stored(made.id).name]


def test_a_write_moves_updated_at_on_even_if_the_clock_is_set_back(writer: Writer) -> None:
    made = writing.create_workflow(writer.principal, {}, NOON)
    moments = [made.updated_at]
    for now in (NOON, NOON - timedelta(days=1), LATER):
        row = writing.change_workflow(writer.principal, str(made.id), {"name": "Same"}, now)
        moments.append(row.updated_at)
    assert moments == sorted(set(moments))
    assert moments[-1] == LATER
    assert stored(made.id).created_at == NOON


def test_runs_change_no_entity_tag(writer: Writer) -> None:
    made = writing.create_workflow(writer.principal, {}, NOON)
    recorder.start_run(made.id, now=LATER)
    assert stored(made.id).updated_at == NOON


@pytest.mark.slow
def test_deleting_cancels_the_active_runs_of_the_engine_and_no_others(writer: Writer) -> None:
    made = writing.create_workflow(writer.principal, {"name": "Dub"}, NOON)
    flow = stored(made.id)
    done = recorder.start_run(flow.id, now=NOON, by_engine=True).id
    recorder.apply_event(done, Event.PICK_UP, NOON)
    recorder.apply_event(done, Event.FAIL, NOON)
    active = []
    for event in (Event.PAUSE, Event.PICK_UP):
        active.append(recorder.start_run(flow.id, now=NOON, by_engine=True).id)
        recorder.apply_event(active[-1], event, NOON)
    theirs = make_run(flow, status="running").id
    simulated = recorder.start_run(flow.id, now=NOON).id
    key = writer.with_key()
    writing.delete_workflow(key, flow.id, LATER)
    db.session.rollback()
    statuses = {run.id: run.status for run in db.session.scalars(sa.select(Run))}
    assert statuses == dict.fromkeys(active, "cancelled") | {
        done: "failed",
        theirs: "running",
        simulated: "pending",
    }
    cancels = db.session.scalars(sa.select(RunEvent).where(RunEvent.event == "cancel")).all()
    assert {each.run_id for each in cancels} == set(active)
    assert all(each.person_id and each.api_key_id == key.api_key_id for each in cancels)
    assert find_drift(db.session()) == {}
    after = stored(flow.id)
    assert (after.deleted_at, after.deleted_by) == (LATER, writer.user.id)
    with pytest.raises(Deleted):
        writing.delete_workflow(key, flow.id, LATER)
    with pytest.raises(NotFound):
        recorder.start_run(flow.id, now=LATER)


def test_a_refused_deletion_cancels_nothing(writer: Writer) -> None:
    made = writing.create_workflow(writer.principal, {}, NOON)
    run_id = recorder.start_run(made.id, now=NOON).id
    with pytest.raises(PreconditionFailed):
        writing.delete_workflow(writer.principal, made.id, LATER, ["old"])
    db.session.rollback()
    assert db.session.get_one(Run, run_id).status == "pending"
    assert stored(made.id).deleted_at is None


def test_a_workflow_is_restored_as_it_was_but_for_its_cancelled_runs(writer: Writer) -> None:
    made = writing.create_workflow(writer.principal, {"name": "Dub"}, NOON)
    run_id = recorder.start_run(made.id, now=NOON, by_engine=True).id
    with pytest.raises(Conflict):
        writing.restore_workflow(made.id, LATER)
    writing.delete_workflow(writer.principal, made.id, LATER)
    writing.restore_workflow(made.id, LATER + timedelta(seconds=1))
    after = stored(made.id)
    assert (after.name, after.deleted_at, after.deleted_by, after.updated_at) == ("Dub", None, None, NOON)
    assert db.session.get_one(Run, run_id).status == "cancelled"
    kinds = [kind for kind, subject in audited() if subject == "Dub"]
    assert kinds == ["workflow.created", "workflow.deleted", "workflow.restored"]
    with pytest.raises(NotFound):
        writing.restore_workflow(uuid4(), LATER)


def test_what_strangers_own_is_not_there(writer: Writer) -> None:
    theirs = make_workflow(make_workspace("other", "Other"))
    for write in (writing.duplicate_workflow, writing.delete_workflow):
        with pytest.raises(NotFound):
            write(writer.principal, theirs.id, NOON)
    with pytest.raises(NotFound):
        writing.change_workflow(writer.principal, str(theirs.id), {"name": "x"}, NOON)
    assert stored(theirs.id).name == theirs.name


def test_a_copy_of_an_imported_workflow_is_taken_as_it_is(writer: Writer) -> None:
    odd = {"graph": {"nodes": [{"id": "a", "type": "unknown"}, 5]}, "x": 1.0}
    original = make_workflow(
        writer.workspace, "é" * 200, definition=odd, name_source="generated", source={"a": 1}
    )
    make_run(original)
    copy = writing.duplicate_workflow(writer.principal, original.id, NOON)
    assert copy.name == "é" * 193 + " (Copy)"
    assert (copy.definition, copy.name_source, copy.runs_count) == (odd, "generated", 0)
    assert (copy.created_at, copy.updated_at, copy.user_id) == (NOON, NOON, writer.user.id)
    assert stored(copy.id).source is None


def refusal(writer: Writer, workflow_id: UUID, body: dict[str, Any]) -> tuple[FieldError, ...]:
    with pytest.raises(InvalidQuery) as refused:
        writing.change_workflow(writer.principal, str(workflow_id), body, LATER)
    return refused.value.errors


def test_a_refused_field_keeps_the_others_from_being_written(writer: Writer) -> None:
    made = writing.create_workflow(writer.principal, {"name": "Before"}, NOON)
    assert [each.field for each in refusal(writer, made.id, {"name": "After", "description": 5})] == [
        "description"
    ]
    [error] = refusal(writer, made.id, {"name": "After", "definition": graph([], [], ["nobody"])})
    assert (error.rule, error.field) == ("unknown_step", "definition.execution.steps.0")
    assert stored(made.id).name == "Before"
    assert audited() == [("workflow.created", "Before")]


def test_what_searches_look_through_follows(writer: Writer) -> None:
    made = writing.create_workflow(writer.principal, {"name": "Before"}, NOON)
    writing.change_workflow(
        writer.principal, str(made.id), {"name": "ÄNDERN", "description": "STRASSE"}, LATER
    )
    after = stored(made.id)
    assert (after.name_folded, after.description_folded) == (fold("ändern"), fold("strasse"))


@pytest.mark.slow
def test_deleting_waits_for_an_import_and_the_other_way_round(app: Flask, writer: Writer) -> None:
    """Both lock the workspace's rows in the same order, so neither can wait for the other for ever."""
    flows = [writing.create_workflow(writer.principal, {}, NOON).id for _ in range(8)]
    lines = [encode(workflow_line(id=str(flow), name="Imported")) for flow in sorted(flows)]

    def import_all() -> bool:
        return bool(in_a_thread(app, lambda: import_lines(writer.workspace.id, lines, now=NOON)))

    with ThreadPoolExecutor(4) as pool:
        importing = [pool.submit(import_all) for _ in range(2)]
        deleting = [
            pool.submit(in_a_thread, app, writing.delete_workflow, writer.principal, flow, LATER)
            for flow in flows
        ]
        assert all(each.result() for each in importing)
        for each in deleting:
            each.result()
    assert all(stored(flow).deleted_at for flow in flows)
