"""Runs without a number are numbered by their creation, not by the order of their lines."""

import sys
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa

from portal.database.engine import db
from portal.database.models import Run, Workspace
from portal.history.importer import import_files, import_lines
from portal.history.storing import numbering
from tests.factories import NOON
from tests.history.conftest import Import
from tests.history.lines import an_id, encode, run_line, workflow_line, write

DAYS = [run_line(f"day {day}", created_at=f"2026-03-0{day}T12:00:00Z") for day in (5, 4, 3, 2, 1)]
"""Five runs of five days, the newest first."""


def numbers() -> dict[str, int]:
    db.session.rollback()
    names = {UUID(an_id(f"day {day}")): f"day {day}" for day in range(1, 10)}
    return {names[run_id]: number for run_id, number in db.session.execute(sa.select(Run.id, Run.run_number))}


IN_ORDER = {f"day {day}": day for day in range(1, 6)}


@pytest.mark.parametrize("batch_size", [2, 1000])
def test_history_with_the_newest_run_first_gets_its_numbers_the_right_way_round(
    load: Import, batch_size: int
) -> None:
    load(workflow_line(), *DAYS, batch_size=batch_size)
    assert numbers() == IN_ORDER


def test_so_does_a_request(workspace: Workspace) -> None:
    import_lines(workspace.id, [encode(line).strip() for line in (workflow_line(), *DAYS)], now=NOON)
    assert numbers() == IN_ORDER


def test_a_number_once_given_stays_and_newer_runs_go_on_from_it(load: Import) -> None:
    load(workflow_line(), *DAYS[2:])
    load(workflow_line(), *DAYS)
    assert numbers() == IN_ORDER
    load(run_line("day 6", created_at="2026-02-01T12:00:00Z"))
    assert numbers() == IN_ORDER | {"day 6": 6}


def test_from_a_pipe_they_are_numbered_within_a_batch(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "pipe", workflow_line(), *DAYS)
    with file.open() as text:
        monkeypatch.setattr(sys, "stdin", text)
        import_files(workspace.id, [Path("-")], now=NOON, batch_size=3)
    assert numbers() == {"day 4": 1, "day 5": 2, "day 1": 3, "day 2": 4, "day 3": 5}


def test_a_file_with_very_many_such_runs_is_numbered_a_batch_at_a_time(
    load: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numbering, "MOST", 3)
    load(workflow_line(), *DAYS, batch_size=1000)
    assert numbers() == IN_ORDER
