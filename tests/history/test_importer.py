"""The importer: what goes in, what it becomes, what happens when it comes again."""

import gzip
import json
from pathlib import Path
from uuid import UUID, uuid5

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.database.engine import db
from portal.database.models import Person, Run, RunDetail, Step, Workflow, Workspace
from portal.history import importer
from portal.history.importer import import_files
from portal.history.parsing import chunks
from portal.runs.counts import find_drift
from tests.factories import NOON, make_run, make_workflow, make_workspace
from tests.history.conftest import Import
from tests.history.lines import WORKFLOW, an_id, dump, encode, run_line, upload_line, workflow_line, write

W = workflow_line()


def the_run(name: str = "run") -> Run:
    db.session.rollback()
    db.session.expire_all()
    return db.session.get_one(Run, UUID(an_id(name)))


def source_of(name: str = "run") -> dict[str, object] | None:
    detail = db.session.get(RunDetail, UUID(an_id(name)))
    return detail.source if detail else None


def numbers() -> dict[UUID, int]:
    db.session.rollback()
    rows = db.session.execute(sa.select(Run.id, Run.run_number))
    return {row.id: row.run_number for row in rows}


def the_workflow() -> Workflow:
    db.session.rollback()
    db.session.expire_all()
    return db.session.get_one(Workflow, UUID(WORKFLOW))


def test_every_column_is_stored_and_the_rest_is_kept_beside_it(load: Import) -> None:
    step = {
        "node_id": "a",
        "node_type": "t",
        "name": "A",
        "status": "failed",
        "iteration": 2,
        "machine": "m1",
    }
    line = run_line(
        run_number=7,
        status="failed",
        error="no voice",
        credits=12,
        paused_ms=30,
        total_nodes=3,
        total_steps=2,
        finished_steps=5,
        usage_summary={"api_calls": 75},
        title="Morning news",
        labels={"branch": "main"},
        source_status="ABORTED",
        attempt=2,
        unheard_of=[1, 2.5, None],
        steps=[step],
    )
    summary = load(W, line)
    run = the_run()
    assert summary.ok
    assert (run.run_number, run.status, run.error, run.credits, run.paused_ms) == (
        7,
        "failed",
        "no voice",
        12,
        30,
    )
    assert (run.total_nodes, run.total_steps, run.finished_steps) == (3, 2, 5)
    assert run.usage_summary == {"api_calls": 75}
    assert source_of() == {
        "title": "Morning news",
        "labels": {"branch": "main"},
        "source_status": "ABORTED",
        "attempt": 2,
        "unheard_of": [1, 2.5, None],
    }
    stored = db.session.get_one(Step, (run.id, 0))
    assert (stored.node_id, stored.iteration, stored.source) == ("a", 2, {"machine": "m1"})


def test_nothing_is_kept_beside_a_run_that_says_nothing_more(load: Import) -> None:
    load(W, run_line(run_number=1))
    assert db.session.get(RunDetail, UUID(an_id("run"))) is None


def test_history_that_breaks_our_own_rules_is_kept_as_it_was(load: Import) -> None:
    summary = load(
        W,
        run_line("early", run_number=3, started_at="2026-03-01T11:00:00Z"),
        run_line("ends while running", run_number=3, status="running"),
        run_line("ended without a moment", run_number=4, status="failed", completed_at=None),
    )
    assert summary.ok
    assert the_run("early").started_at < the_run("early").created_at
    assert the_run("ends while running").completed_at is not None
    assert the_run("ends while running").run_number == the_run("early").run_number == 3
    assert the_run("ended without a moment").completed_at is None


def test_a_run_without_created_at_takes_the_next_best_moment_and_says_so(load: Import) -> None:
    load(
        W,
        run_line("a", created_at=None),
        run_line("b", created_at=None, started_at=None),
    )
    assert the_run("a").created_at == the_run("a").started_at
    assert the_run("b").created_at == the_run("b").completed_at
    assert source_of("a") == {"created_at_from": "started_at"}
    assert source_of("b") == {"created_at_from": "completed_at"}


@pytest.mark.slow
def test_a_workflow_is_made_brought_up_to_date_and_left_alone(load: Import, workspace: Workspace) -> None:
    first = load(workflow_line(source="github:x"))
    assert the_workflow().user_id == uuid5(workspace.id, "import")
    assert the_workflow().definition == {
        "graph": {"nodes": [], "edges": []},
        "execution": {"steps": [], "params": {}},
    }
    stamp = the_workflow().change_stamp
    again = load(workflow_line(source="github:x"))
    assert the_workflow().change_stamp == stamp
    changed = load(workflow_line(name="ÅSA", description="New", source="github:y", definition={"graph": {}}))
    workflow = the_workflow()
    assert (workflow.name, workflow.name_folded, workflow.description) == ("ÅSA", "åsa", "New")
    assert (workflow.source, workflow.definition) == ({"source": "github:y"}, {"graph": {}})
    assert workflow.change_stamp == stamp + 1
    counts = [each.total for each in (first, again, changed)]
    assert [(c.workflows_new, c.workflows_unchanged, c.workflows_changed) for c in counts] == [
        (1, 0, 0),
        (0, 1, 0),
        (0, 0, 1),
    ]


def test_a_number_is_the_lines_own_else_the_ordinal_if_free_else_one_after_all_others(load: Import) -> None:
    load(
        W,
        run_line("brings", run_number=5),
        run_line("free", ordinal=2),
        run_line("taken", ordinal=5),
        run_line("none", created_at="2026-03-01T12:00:01Z"),
        run_line("far", run_number=100),
        run_line("after"),
    )
    found = numbers()
    named = ("brings", "free", "taken", "none", "far", "after")
    assert [found[UUID(an_id(name))] for name in named] == [5, 2, 6, 102, 100, 101]
    assert the_workflow().next_run_number == 103


def test_an_ordinal_is_not_free_when_a_run_of_an_earlier_import_has_it(load: Import) -> None:
    load(W, run_line("first", run_number=1), run_line("second", run_number=2))
    load(run_line("third", ordinal=1))
    assert the_run("third").run_number == 3


def test_the_end_of_a_run_that_was_still_going_keeps_its_number(load: Import) -> None:
    going = run_line(status="running", completed_at=None, steps=[{"node_id": "a", "status": "running"}])
    load(W, run_line("other", run_number=1), going)
    assert the_run().run_number == 2
    ended = run_line(title="Done", steps=[{"node_id": "a", "status": "completed"}] * 2)
    summary = load(ended)
    run = the_run()
    assert (run.status, run.run_number, run.total_steps, run.finished_steps) == ("completed", 2, 2, 2)
    assert run.completed_at is not None
    assert source_of() == {"title": "Done"}
    assert summary.total.runs_updated == 1
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Step)) == 2


def test_a_run_keeps_its_number_and_what_a_later_line_brings_is_not_lost(load: Import) -> None:
    load(W, run_line(run_number=7))
    load(run_line(run_number=9))
    assert the_run().run_number == 7
    source = db.session.scalar(sa.select(RunDetail.source))
    assert source is not None
    assert source["run_number"] == 9


@pytest.mark.parametrize("batch_size", [1, 1000])
def test_an_old_line_seen_again_never_takes_a_run_back(load: Import, batch_size: int) -> None:
    going = run_line(status="running", completed_at=None)
    half = run_line(status="running", completed_at=None, title="half")
    load(W, going, half, run_line(), going, half, batch_size=batch_size)
    summary = load(going, half, batch_size=batch_size)
    assert the_run().status == "completed"
    assert summary.total.runs_unchanged == 2


@pytest.mark.parametrize("piece", [1, 1000])
def test_a_run_that_occurs_often_in_one_batch_is_applied_in_order(
    load: Import, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr(chunks, "CHUNK_LINES", piece)
    lines = [run_line(status="running", completed_at=None, title=str(n)) for n in range(3)]
    summary = load(W, *lines, run_line(), lines[0])
    total = summary.total
    assert (total.runs_new, total.runs_updated, total.runs_unchanged) == (1, 3, 1)
    assert the_run().status == "completed"


def test_workflows_are_held_in_the_order_of_their_ids_or_the_batch_ends(
    load: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = sorted((an_id("one"), an_id("two")))
    load(workflow_line(id=first), workflow_line(id=second))
    monkeypatch.setattr(chunks, "CHUNK_LINES", 1)
    runs = [run_line(str(n), workflow_id=id_) for n, id_ in enumerate((second, second, first, second))]
    assert load(*runs).total.runs_new == 4
    stamps = db.session.execute(sa.select(Workflow.change_stamp).order_by(Workflow.id)).scalars().all()
    assert stamps == [1, 2]
    assert not find_drift(db.session())


@pytest.mark.parametrize(
    "names", [("Ada", "Grace", "Ada", "Ada", "Grace", "Ada", "Grace"), ("Grace", "Ada", "Grace")]
)
def test_people_are_named_as_the_last_line_says_whatever_the_chunks(
    load: Import, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    monkeypatch.setattr(chunks, "CHUNK_LINES", 2)
    load(W, *(run_line(str(n), triggered_by={"id": "u1", "name": name}) for n, name in enumerate(names)))
    assert db.session.scalars(sa.select(Person.name)).all() == ["Grace"]
    load(run_line("last", triggered_by={"id": "u1", "name": "Ada"}))
    db.session.rollback()
    assert db.session.scalars(sa.select(Person.name)).all() == ["Ada"]


@pytest.mark.slow
def test_the_order_of_keys_makes_no_difference(load: Import) -> None:
    line = run_line(title="x", labels={"a": 1, "b": 2})
    turned = dict(reversed(line.items())) | {"labels": {"b": 2, "a": 1}}
    load(W, line)
    assert load(turned).total.runs_unchanged == 1


def test_importing_the_same_file_again_changes_nothing(load: Import) -> None:
    lines = [run_line(str(n), triggered_by={"name": f"P{n % 3}"}, ordinal=n + 1) for n in range(30)]
    load(W, *lines, batch_size=7)
    before = dump(db.engine, everything=True)
    summary = load(W, *lines, batch_size=11)
    assert (summary.total.runs_unchanged, summary.total.people, summary.total.steps) == (30, 0, 0)
    assert dump(db.engine, everything=True) == before


def test_the_change_stamp_grows_once_a_batch(load: Import) -> None:
    load(W)
    stamp = the_workflow().change_stamp
    load(*(run_line(str(n)) for n in range(10)), batch_size=5)
    assert the_workflow().change_stamp == stamp + 2


BAD: list[tuple[object, str]] = [
    (b"{not json", ""),
    (b"\xff\xfe{}", ""),
    (b"[1]", ""),
    (b'"run"', ""),
    (b"{}", "type"),
    (b'{"type": "job"}', "type"),
    (b'{"type": "run", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", ""),
    (b'{"type": "run", "x": ' + b"[" * 200 + b"]" * 200 + b"}", "x"),
    (b'{"type": "run", "x": ' + b"9" * 5000 + b"}", ""),
    (run_line(usage_summary={"x": float("nan")}), "usage_summary"),
    (run_line(labels={"x": [float("inf")]}), "labels"),
    (encode(run_line()).strip().replace(b"}", b', "x": 1e999}'), "x"),
    (run_line(title="a\0b"), "title"),
    (run_line(labels={"\ud800": 1}), "labels"),
    (run_line(steps=[{"node_id": "a", "status": "completed", "name": "\udc00"}]), "steps"),
    (run_line(id="run-1"), "id"),
    (run_line(id=7), "id"),
    (run_line(id=None), "id"),
    (run_line(id="{" + an_id("run") + "}"), "id"),
    (run_line(workflow_id=an_id("unknown")), "workflow_id"),
    (run_line(workflow_id=None), "workflow_id"),
    (run_line(status="success"), "status"),
    (run_line(status=["completed"]), "status"),
    (run_line(status=None), "status"),
    (run_line(created_at="2026-03-01T12:00:00"), "created_at"),
    (run_line(created_at=1772366400), "created_at"),
    (run_line(completed_at="yesterday"), "completed_at"),
    (run_line(created_at=None, started_at=None, completed_at=None), "created_at"),
    (run_line(run_number=0), "run_number"),
    (run_line(run_number="1"), "run_number"),
    (run_line(run_number=True), "run_number"),
    (run_line(run_number=2**53), "run_number"),
    (run_line(ordinal=1.5), "ordinal"),
    (run_line(total_steps=-1), "total_steps"),
    (run_line(usage_summary=[1]), "usage_summary"),
    (run_line(pause_reason="tired"), "pause_reason"),
    (run_line(error={"text": "x"}), "error"),
    (run_line(triggered_by="ada"), "triggered_by"),
    (run_line(triggered_by={"name": 5}), "triggered_by.name"),
    (run_line(triggered_by={"id": "x" * 201}), "triggered_by.id"),
    (run_line(triggered_by={"id": 2**63}), "triggered_by.id"),
    (run_line(triggered_by={"id": 1e17}), "triggered_by.id"),
    (run_line(steps={}), "steps"),
    (run_line(steps=["a"]), "steps.0"),
    (run_line(steps=[{"node_id": "a", "status": "completed"}, {"node_id": "b"}]), "steps.1.status"),
    (run_line(steps=[{"node_id": "a", "status": "completed", "iteration": 0}]), "steps.0.iteration"),
    (workflow_line(id=an_id("new"), name=""), "name"),
    (workflow_line(id=an_id("new"), name="x" * 201), "name"),
    (workflow_line(id=an_id("new"), description="x" * 5001), "description"),
    (workflow_line(id=an_id("new"), definition="graph"), "definition"),
    (upload_line(id=None), "id"),
    (upload_line(workflow_id=an_id("unknown")), "workflow_id"),
    (upload_line(category="video"), "category"),
    (upload_line(category=None), "category"),
    (upload_line(filename=None), "filename"),
    (upload_line(filename="x" * 256), "filename"),
    (upload_line(size_bytes=-1), "size_bytes"),
    (upload_line(uploaded_by={"name": 5}), "uploaded_by.name"),
    (upload_line(path="absent.txt"), "path"),
]


def test_a_bad_line_is_reported_with_its_place_and_the_rest_goes_in(load: Import, app: Flask) -> None:
    lines = [line for line, _ in BAD]
    summary = load(W, *lines, run_line("good"), batch_size=10)
    reported = {(bad.line_number, bad.field) for bad in summary.bad}
    assert reported == {(number, field) for number, (_, field) in enumerate(BAD, 2)}
    assert all(bad.reason and bad.file.endswith("runs.jsonl") for bad in summary.bad)
    assert numbers().keys() == {UUID(an_id("good"))}
    assert not summary.ok
    assert summary.to_json()["bad_lines"] == len(BAD)
    assert "runs.jsonl:3: " in summary.to_text()
    json.dumps(summary.to_json(), allow_nan=False).encode()
    summary.to_text().encode()


@pytest.mark.slow
def test_a_line_over_the_limit_is_a_bad_line_and_the_next_one_is_read(load: Import) -> None:
    long = b'{"type": "run", "x": "' + b"x" * (16 * 1024 * 1024) + b'"}'
    summary = load(W, long, run_line())
    assert [(bad.line_number, bad.field) for bad in summary.bad] == [(2, "")]
    assert summary.total.runs_new == 1


def test_blank_lines_windows_ends_and_a_byte_order_mark_do_no_harm(load: Import) -> None:
    first = b"\xef\xbb\xbf" + encode(W).strip() + b"\r"
    summary = load(first, b"", b"  \r", run_line())
    assert summary.ok
    assert summary.total.lines == 2


def test_ids_of_another_workspace_another_workflow_or_made_here_are_refused(load: Import) -> None:
    other = make_workspace("other")
    foreign = make_workflow(other, id=UUID(an_id("foreign")))
    gone = make_workflow(other, id=UUID(an_id("gone")), deleted_at=NOON)
    make_run(foreign, id=UUID(an_id("theirs")))
    load(W, workflow_line(id=an_id("second")), run_line("elsewhere", workflow_id=an_id("second")))
    mine = db.session.get_one(Workflow, UUID(WORKFLOW))
    make_run(mine, id=UUID(an_id("made here")), imported=False, completed_at=NOON, run_number=50)
    before = dump(db.engine)
    summary = load(
        workflow_line(id=str(foreign.id), name="Taken over"),
        workflow_line(id=str(gone.id)),
        run_line("x", workflow_id=str(foreign.id)),
        run_line("theirs"),
        run_line("elsewhere"),
        run_line("made here"),
    )
    assert [bad.field for bad in summary.bad] == ["id", "id", "workflow_id", "id", "id", "id"]
    assert dump(db.engine) == before


def test_a_run_before_its_workflow_is_a_bad_line_whatever_the_batches(load: Import) -> None:
    for batch_size in (1, 100):
        name = f"w{batch_size}"
        run = run_line(name, workflow_id=an_id(name))
        summary = load(run, workflow_line(id=an_id(name)), batch_size=batch_size)
        assert [bad.field for bad in summary.bad] == ["workflow_id"]


def test_gzip_is_told_by_its_first_bytes_and_not_by_its_name(workspace: Workspace, tmp_path: Path) -> None:
    packed = write(tmp_path / "a.jsonl", W, run_line("a"), packed=True)
    plain = write(tmp_path / "b.gz", run_line("b"))
    summary = import_files(workspace.id, [packed, plain], now=NOON)
    assert summary.ok
    assert [each.counts.runs_new for each in summary.files] == [1, 1]


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["cut off", "garbled"])
def test_a_broken_gzip_file_is_an_error_that_keeps_what_came_before(
    workspace: Workspace, tmp_path: Path, damage: str
) -> None:
    lines = [W, *(run_line(str(n), title=an_id(str(n))) for n in range(4000))]
    packed = bytearray(gzip.compress(encode(*lines)))
    if damage == "cut off":
        del packed[len(packed) // 2 :]
    else:
        packed[len(packed) // 2 : len(packed) // 2 + 50] = b"\xff" * 50
    broken = tmp_path / "broken.gz"
    broken.write_bytes(packed)
    good = write(tmp_path / "good.jsonl", run_line("good"))
    summary = import_files(workspace.id, [broken, good], now=NOON, batch_size=500)
    assert not summary.ok
    assert summary.files[0].error is not None
    assert summary.files[0].counts.runs_new > 500
    assert summary.files[1].counts.runs_new == 1


def test_a_file_that_is_not_there_is_an_error_of_that_file(workspace: Workspace, tmp_path: Path) -> None:
    summary = import_files(workspace.id, [tmp_path / "none", tmp_path], now=NOON)
    assert [bool(each.error) for each in summary.files] == [True, True]
    assert len(summary.to_json()["errors"]) == 2


def test_bad_lines_are_all_counted_but_not_all_kept(load: Import) -> None:
    summary = load(*([b"{"] * 1500))
    assert (summary.total.bad_lines, len(summary.bad)) == (1500, 1000)
    assert "500 more bad lines" in summary.to_text()


def test_progress_says_how_much_of_all_files_is_read(workspace: Workspace, tmp_path: Path) -> None:
    files = [write(tmp_path / name, W, run_line(name)) for name in "ab"]
    seen: list[tuple[int, int, int]] = []
    import_files(workspace.id, files, now=NOON, progress=lambda *report: seen.append(report), batch_size=1)
    total = sum(file.stat().st_size for file in files)
    assert seen == sorted(seen)
    assert seen[-1] == (total, total, 4)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_after_much_new_history_postgresql_knows_how_much_there_is(
    load: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "MANY_ROWS", 25)
    known = sa.text("SELECT last_analyze IS NOT NULL FROM pg_stat_user_tables WHERE relname = 'runs'")
    with db.engine.connect() as connection:
        connection.exec_driver_sql("SELECT pg_stat_reset_single_table_counters('runs'::regclass)")
        load(W, *(run_line(str(n)) for n in range(24)))
        assert not connection.scalar(known)
        load(*(run_line(str(n)) for n in range(24, 60)))
        assert connection.scalar(known)


def test_an_empty_definition_is_kept_and_changes_nothing_the_second_time(load: Import) -> None:
    assert load(workflow_line(definition={})).total.workflows_new == 1
    again = load(workflow_line(definition={}))
    assert (again.total.workflows_changed, again.total.workflows_unchanged) == (0, 1)
