"""A check of history says what an import would say, and leaves no trace."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from portal.database.engine import db
from portal.database.models import Workspace
from portal.history.importer import import_files
from portal.history.summary import ImportSummary
from tests.factories import NOON, make_run, make_workflow, make_workspace
from tests.history.conftest import Import
from tests.history.lines import WORKFLOW, an_id, dump, run_line, upload_line, workflow_line, write
from tests.history.test_importer import BAD

pytestmark = pytest.mark.slow

W = workflow_line()
Compare = Callable[..., ImportSummary]


@pytest.fixture
def compare(workspace: Workspace, tmp_path: Path) -> Compare:
    """Check a file and then import it: both must say the same, and the check must write nothing."""

    def compare(*lines: Any, batch_size: int = 1000, packed: bool = False) -> ImportSummary:
        file = write(tmp_path / "runs.jsonl", *lines, packed=packed)
        before = dump(db.engine, everything=True), files_in(tmp_path)
        checked = import_files(workspace.id, [file], now=NOON, check=True, batch_size=batch_size)
        db.session.rollback()
        assert (dump(db.engine, everything=True), files_in(tmp_path)) == before
        real = import_files(workspace.id, [file], now=NOON, batch_size=batch_size)
        assert told(checked) == told(real)
        return checked

    return compare


def files_in(folder: Path) -> set[Path]:
    return {file for file in folder.rglob("*") if file.is_file() and ".sqlite3" not in file.name}


def told(summary: ImportSummary) -> dict[str, Any]:
    """What a summary says of the lines, without what only writing can tell."""
    whole = summary.to_json()
    for part in (whole, *whole["files"]):
        for name in ("steps", "people", "seconds", "runs_per_second", "check"):
            part.pop(name, None)
    return whole


@pytest.mark.parametrize("batch_size", [10, 1000])
def test_every_fault_is_reported_as_an_import_reports_it(compare: Compare, batch_size: int) -> None:
    checked = compare(W, *(line for line, _ in BAD), run_line("good"), batch_size=batch_size)
    assert [(bad.line_number, bad.field) for bad in checked.bad] == [
        (number, field) for number, (_, field) in enumerate(BAD, 2)
    ]
    assert not checked.ok
    assert "nothing was written" in checked.to_text()


def test_what_earlier_batches_would_bring_is_known_to_later_ones(compare: Compare) -> None:
    second = an_id("second")
    going = run_line(status="running", completed_at=None)
    checked = compare(
        W,
        workflow_line(id=second),
        upload_line(),
        upload_line(workflow_id=second),
        going,
        run_line(workflow_id=second),
        run_line(),
        going,
        run_line("other", workflow_id=second),
        workflow_line(name="Renamed"),
        batch_size=1,
    )
    assert [(bad.line_number, bad.field) for bad in checked.bad] == [(4, "id"), (6, "id")]
    total = checked.total
    assert (total.runs_new, total.runs_updated, total.runs_unchanged, total.workflows_changed) == (2, 1, 1, 1)


def test_what_is_stored_counts_too(compare: Compare, workspace: Workspace, app: Flask) -> None:
    other = make_workspace("other")
    foreign = make_workflow(other, id=UUID(an_id("foreign")))
    mine = make_workflow(workspace, id=UUID(WORKFLOW))
    make_run(mine, id=UUID(an_id("made here")), imported=False, completed_at=NOON)
    checked = compare(
        workflow_line(id=str(foreign.id)), run_line("x", workflow_id=str(foreign.id)), run_line("made here")
    )
    assert [(bad.line_number, bad.field) for bad in checked.bad] == [(1, "id"), (2, "workflow_id"), (3, "id")]


def test_files_are_looked_at_and_not_kept(compare: Compare, tmp_path: Path) -> None:
    (tmp_path / "report.txt").write_bytes(b"Fine")
    checked = compare(
        W,
        run_line("a", files=[{"path": "report.txt"}]),
        run_line("b", files=[{"path": "report.txt", "sha256": "0" * 64}]),
        run_line("c", files=[{"path": "../absent.txt"}]),
        upload_line(path="report.txt"),
        upload_line("d", path="absent.txt"),
    )
    assert [(bad.line_number, bad.field) for bad in checked.bad] == [
        (3, "files.0.sha256"),
        (4, "files.0.path"),
        (6, "path"),
    ]


def test_a_damaged_file_is_told_with_the_lines_before_the_damage(
    load: Import, workspace: Workspace, tmp_path: Path
) -> None:
    file = write(tmp_path / "runs.jsonl.gz", W, *(run_line(str(n)) for n in range(500)), packed=True)
    file.write_bytes(file.read_bytes()[:-200])
    checked = import_files(workspace.id, [file], now=NOON, check=True)
    real = import_files(workspace.id, [file], now=NOON)
    assert told(checked) == told(real)
    assert checked.files[0].error


def test_the_exit_status_is_that_of_the_import(app: Flask, workspace: Workspace, tmp_path: Path) -> None:
    runner: FlaskCliRunner = app.test_cli_runner()
    good, bad = write(tmp_path / "a.jsonl", W, run_line()), write(tmp_path / "b.jsonl", b"{", W)
    for file, status in ((good, 0), (bad, 1), (tmp_path / "absent.jsonl", 1)):
        before = dump(db.engine, everything=True)
        checked = runner.invoke(args=["import", "--check", str(file)])
        db.session.rollback()
        assert dump(db.engine, everything=True) == before
        real = runner.invoke(args=["import", str(file)])
        assert checked.exit_code == real.exit_code == status
        assert "nothing was written" in checked.output
