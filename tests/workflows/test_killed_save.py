"""A save that is killed leaves the old workflow or the new one, with the versions that belong to it."""

import multiprocessing
import os
import random
import signal
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from portal import create_app
from portal.database.engine import db
from portal.database.models import AuditEntry, Workflow, WorkflowVersion
from portal.workflows import writing
from tests.factories import NOON
from tests.workflows.conftest import Writer

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 10
LONG = "x" * 200_000
"""Makes a save long enough to be hit."""


def save_for_ever(
    environment: dict[str, str],
    instance: Path,
    writer: Writer,
    workflow_id: UUID,
    first: int,
    saved: Connection,
) -> None:
    """Save one numbered state after the other, and say which is saved."""
    sys.path.insert(0, str(ROOT))
    with create_app(os.environ | environment, instance=instance).app_context():
        for number in range(first, sys.maxsize):
            body = {"name": f"N{number}", "description": f"N{number}", "definition": {"n": number, "x": LONG}}
            writing.replace_workflow(writer.principal, str(workflow_id), body, NOON)
            saved.send(number)


def test_a_killed_save_is_done_or_not(
    app: Flask, environment: dict[str, str], tmp_path: Path, writer: Writer
) -> None:
    made = writing.create_workflow(writer.principal, {"definition": {"n": 0}}, NOON)
    db.session.remove()
    db.engine.dispose()
    start = multiprocessing.get_context("spawn")
    chance = random.Random(7)
    last = 0
    for _ in range(ROUNDS):
        heard, saved = start.Pipe(duplex=False)
        process = start.Process(
            target=save_for_ever, args=(environment, tmp_path, writer, made.id, last + 1, saved)
        )
        process.start()
        saved.close()
        last = heard.recv()
        process.join(chance.random() * 0.05)
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        try:
            while True:
                last = heard.recv()
        except EOFError:
            pass
        last = check(made.id, last)


def check(workflow_id: UUID, acknowledged: int) -> int:
    """What is stored is one state: the last that was acknowledged, or the next."""
    db.session.rollback()
    db.session.expire_all()
    # The database may still be committing for the killed process, which holds the lock until then.
    workflow = db.session.get_one(Workflow, workflow_id, with_for_update=True)
    number = workflow.definition["n"]
    assert number in (acknowledged, acknowledged + 1)
    assert (workflow.name, workflow.description) == (f"N{number}", f"N{number}")
    assert workflow.current_version == number + 1
    rows = sa.select(WorkflowVersion.number, WorkflowVersion.definition["n"].as_integer())
    stored = db.session.execute(
        rows.where(WorkflowVersion.workflow_id == workflow_id).order_by("number")
    ).all()
    assert [tuple(row) for row in stored] == [(n + 1, n) for n in range(number + 1)]
    changes = sa.select(sa.func.count()).where(AuditEntry.kind == "workflow.changed")
    assert db.session.scalar(changes) == number
    db.session.rollback()
    return int(number)
