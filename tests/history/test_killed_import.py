"""An import that is killed at any point is finished by running it again: nothing lost, nothing doubled."""

import multiprocessing
import os
import random
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.cli import cli as flask_command

from portal.db import db
from portal.history.importer import import_files
from portal.models import Workspace
from tests.factories import NOON
from tests.history.lines import dump, empty, run_line, workflow_line, write

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent.parent
ROUNDS = 20
BATCH = 50


def lines_of_a_long_history() -> list[dict[str, Any]]:
    """Runs with and without numbers, people, steps, and later lines about earlier runs."""
    lines: list[dict[str, Any]] = [workflow_line()]
    for number in range(1500):
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


def is_unfinished(process: BaseProcess, seconds: float) -> bool:
    """Kill the import after a while, and say whether it was still at work."""
    process.join(seconds)
    if process.exitcode is None:
        process.kill()
        process.join()
        return True
    assert process.exitcode == 0
    return False


def test_an_import_killed_at_random_points_is_finished_by_running_it_again(
    app: Flask, environment: dict[str, str], tmp_path: Path, workspace: Workspace
) -> None:
    file = write(tmp_path / "runs.jsonl", *lines_of_a_long_history(), packed=True)
    assert import_files(workspace.id, [file], now=NOON).ok
    expected = dump(db.engine)
    empty()
    begun = time.monotonic()
    assert not is_unfinished(import_command(environment, file), 60)
    whole = time.monotonic() - begun
    assert dump(db.engine) == expected
    empty()
    chance = random.Random(2026)
    killed = 0
    for _ in range(ROUNDS):
        begun = time.monotonic()
        if is_unfinished(import_command(environment, file), whole * chance.uniform(0.35, 1.0)):
            killed += 1
        else:
            whole = time.monotonic() - begun  # a machine that was busy before may be quick now
            assert dump(db.engine) == expected
            empty()
    assert killed >= ROUNDS // 4
    assert not is_unfinished(import_command(environment, file), 60)
    assert dump(db.engine) == expected
