"""An import that is killed at any point is finished by running it again: nothing lost, nothing doubled."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from flask import Flask

from portal.db import Base, db, writing
from portal.history.importer import import_files
from portal.models import Workspace
from tests.factories import NOON
from tests.history.lines import dump, run_line, workflow_line, write

ROOT = Path(__file__).resolve().parent.parent.parent
ROUNDS = 20


def lines_of_a_long_history() -> list[dict[str, Any]]:
    """Runs with and without numbers, people, steps, and later lines about earlier runs."""
    lines: list[dict[str, Any]] = [workflow_line()]
    for number in range(3000):
        name = str(number)
        who = {"id": f"u{number % 40}", "name": f"Person {number % 40}"} if number % 7 else None
        steps = [{"node_id": "a", "status": "completed"}, {"node_id": "b", "status": "completed"}]
        ended = run_line(name, triggered_by=who, title=name, steps=steps if number % 5 == 0 else None)
        ended |= {"ordinal": number + 1} if number % 3 else {}
        if number % 11 == 0:
            lines.append(run_line(name, status="running", completed_at=None))
        lines.append(ended)
    return lines


def import_command(environment: dict[str, str], file: Path) -> "subprocess.Popen[bytes]":
    arguments = ["--app", "app.py", "import", "--batch-size", "100", str(file)]
    return subprocess.Popen(
        [sys.executable, "-m", "flask", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment, "PYTHONWARNINGS": "default"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def is_unfinished(process: "subprocess.Popen[bytes]", seconds: float) -> bool:
    """Kill the import after a while, and say whether it was still at work."""
    try:
        _, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return True
    assert process.returncode == 0, errors.decode()
    return False


def empty() -> None:
    with writing() as session:
        for name in ("steps", "run_details", "runs", "workflows", "people"):
            session.execute(Base.metadata.tables[name].delete())


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
