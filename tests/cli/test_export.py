"""`flask export`: the list that is asked for, on standard output or as a file that is whole or not there."""

import contextvars
import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from portal.database.models import Workflow, Workspace
from portal.history.export.export import Export
from tests.factories import NOON, make_person, make_run, make_workflow, make_workspace, uuid_of

Run = Callable[..., Result]


@pytest.fixture
def run(app: Flask) -> Run:
    """Run the command with these words."""
    runner = app.test_cli_runner()
    return lambda *words: contextvars.Context().run(runner.invoke, args=["export", *map(str, words)])


@pytest.fixture
def workspace(app: Flask) -> Workspace:
    return make_workspace()


@pytest.fixture
def workflow(workspace: Workspace) -> Workflow:
    """Three runs of two workflows, the newest last."""
    workflow, ada = make_workflow(workspace), make_person(workspace, "Ada", "ada@x.example")
    make_run(workflow, id=uuid_of(1), status="failed", created_at=NOON)
    make_run(make_workflow(workspace, "Other"), id=uuid_of(2), created_at=NOON.replace(minute=1))
    make_run(workflow, ada, id=uuid_of(3), created_at=NOON.replace(minute=2))
    return workflow


def numbers(content: str) -> list[int]:
    if content.startswith("workflow_id"):
        return [int(row["id"][-1]) for row in csv.DictReader(io.StringIO(content, newline=""))]
    lines = map(json.loads, content.splitlines())
    return [int(line["id"][-1]) for line in lines if line["type"] == "run"]


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_a_workspace_or_a_workflow_is_written_in_the_order_asked_for(
    run: Run, workflow: Workflow, format: str
) -> None:
    assert numbers(run("--format", format).stdout) == [3, 2, 1]
    assert numbers(run("--format", format, "--workspace", "acme", "--order", "asc").stdout) == [1, 2, 3]
    assert numbers(run("--format", format, "--workflow", workflow.id).stdout) == [3, 1]
    assert numbers(run("--format", format, "--status", "completed", "--sort", "status").stdout) == [2, 3]
    assert numbers(run("--format", format, "--search", "ada", "--from", "2026-03-01T12:00:00Z").stdout) == [3]


def test_lines_are_the_default_and_say_who_triggered_a_run(run: Run, workflow: Workflow) -> None:
    lines = [json.loads(line) for line in run("--workflow", workflow.id).stdout.splitlines()]
    assert [line["type"] for line in lines] == ["workflow", "run", "run"]
    assert lines[1]["triggered_by"]["email"] == "ada@x.example"
    assert "steps" not in lines[1]
    assert json.loads(run("--steps").stdout.splitlines()[-1])["steps"] == []


def test_a_file_is_written_with_nothing_beside_it(run: Run, workflow: Workflow, tmp_path: Path) -> None:
    file = tmp_path / "exports" / "runs.csv"
    file.parent.mkdir()
    file.write_text("before")
    done = run("--format", "csv", "--output", file)
    assert (done.exit_code, done.stdout) == (0, "")
    assert numbers(file.read_bytes().decode()) == [3, 2, 1]
    assert list(file.parent.iterdir()) == [file]


def test_a_file_that_fails_on_the_way_leaves_all_as_it_was(
    run: Run, workflow: Workflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_export: Export) -> Iterator[bytes]:
        yield b"half"
        raise OSError("the disk is full")

    monkeypatch.setattr(Export, "pieces", fail)
    file = tmp_path / "exports" / "runs.jsonl"
    file.parent.mkdir()
    for before in (None, b"before"):
        if before is not None:
            file.write_bytes(before)
        failed = run("--output", file)
        assert failed.exit_code == 1
        assert "the disk is full" in failed.output
        assert [each.read_bytes() for each in file.parent.iterdir()] == ([before] if before else [])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--workspace nowhere", "nowhere"),
        ("--workflow 7", "workflow_id must be a UUID"),
        (f"--workflow {uuid_of(7)}", "no such workflow"),
        ("--status none", "status must be"),
        ("--format csv --steps", "steps is for the format jsonl"),
        ("--format xlsx", "xlsx"),
    ],
)
def test_a_refusal_says_what_is_wrong(run: Run, workflow: Workflow, words: str, said: str) -> None:
    refused = run(*words.split())
    assert refused.exit_code != 0
    assert said in refused.output


def test_another_workspace_is_not_in_it(run: Run, workflow: Workflow) -> None:
    foreign = make_workflow(make_workspace("other"), "Foreign")
    make_run(foreign)
    assert run("--workspace", "acme", "--workflow", foreign.id).exit_code == 1
    assert numbers(run("--workspace", "acme").stdout) == [3, 2, 1]
