"""An import that is killed at any point is finished by running it again: nothing lost, nothing doubled."""

import multiprocessing
import os
import random
import signal
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.cli import cli as flask_command

from portal.database.engine import db
from portal.database.models import Run, Workspace
from portal.history.importer import import_files
from tests.factories import NOON
from tests.history.lines import dump, empty, run_line, workflow_line, write

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent.parent
ROUNDS = 20
RUNS = 1500
BATCH = 50


def lines_of_a_long_history() -> list[dict[str, Any]]:
    """Runs with and without numbers, people, steps, and later lines about earlier runs."""
    lines: list[dict[str, Any]] = [workflow_line()]
    for number in range(RUNS):
        name = str(number)
        who = {"id": f"u{number % 40}", "name": f"Person {number % 40}"} if number % 7 else None
        steps = [{"node_id": "a", "status": "completed"}, {"node_id": "b", "status": "completed"}]
        ended = run_line(name, triggered_by=who, title=name, steps=steps if number % 5 == 0 else None)
        ended |= {"ordinal": number + 1} if number % 3 else {}
        if number % 11 == 0:
            lines.append(run_line(name, status="running", completed_at=None))
        lines.append(ended)
    return lines


def run_import(environment: dict[str, str], file: Path) -> None:
    """What `flask import` does, in a process of its own."""
    os.environ.update(environment)
    sys.path.insert(0, str(ROOT))
    flask_command.main(["--app", str(ROOT / "app.py"), "import", "--batch-size", str(BATCH), str(file)])


def import_command(environment: dict[str, str], file: Path) -> BaseProcess:
    # Forked from a process that has imported the portal already: starting anew takes longer than the import.
    start = multiprocessing.get_context("forkserver")
    start.set_forkserver_preload(["portal.cli", __name__])
    process = start.Process(target=run_import, args=(environment, file))
    process.start()
    return process


def stored_runs() -> int:
    with db.engine.connect() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(Run)) or 0


def is_killed(process: BaseProcess, runs: int, later: float) -> bool:
    """Kill the import a moment after this many runs are committed, and say whether it was still at work."""
    while process.exitcode is None and stored_runs() < runs:
        process.join(0.001)
    process.join(later)
    process.kill()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def finish(process: BaseProcess) -> None:
    process.join()
    assert process.exitcode == 0


def test_an_import_killed_at_random_points_is_finished_by_running_it_again(
    app: Flask, environment: dict[str, str], tmp_path: Path, workspace: Workspace
) -> None:
    file = write(tmp_path / "runs.jsonl", *lines_of_a_long_history(), packed=True)
    assert import_files(workspace.id, [file], now=NOON).ok
    expected = dump(db.engine, without={"run_number", "next_run_number"})
    empty()
    finish(import_command(environment, file))
    assert dump(db.engine, without={"run_number", "next_run_number"}) == expected
    empty()
    chance = random.Random(2026)
    killed = 0
    for _ in range(ROUNDS):
        present = stored_runs()
        goal = chance.randint(present + 1, max(present + 1, RUNS - BATCH))
        if is_killed(import_command(environment, file), goal, chance.uniform(0, 0.02)):
            killed += 1
        else:
            assert dump(db.engine, without={"run_number", "next_run_number"}) == expected
            empty()
    assert killed >= ROUNDS // 4
    finish(import_command(environment, file))
    assert dump(db.engine, without={"run_number", "next_run_number"}) == expected
