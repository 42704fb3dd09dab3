"""How long a run took: as history sent it, else from start to end without pauses; the same in SQL."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.database.engine import db
from portal.database.models import Run, RunDetail, Workflow
from portal.database.transactions import writing
from portal.runs.counts import find_drift, repair
from portal.runs.facts.duration import MAX_DURATION_MS, duration_in_sql, duration_of
from portal.runs.recording import recorder
from portal.runs.recording.state_machine import Event
from portal.runs.recording.workflow_rows import lock_workflows
from tests.factories import NOON, make_run, make_workflow, make_workspace

LATER = NOON + timedelta(seconds=90, microseconds=999)
CASES: list[tuple[str, datetime | None, datetime | None, int | None, object, int | None]] = [
    ("completed", NOON, LATER, None, None, 90_000),
    ("failed", NOON, LATER, 30_000, None, 60_000),
    ("cancelled", NOON, NOON, 0, None, 0),
    ("completed", LATER, NOON, None, None, None),
    ("completed", NOON, LATER, 90_001, None, None),
    ("completed", None, LATER, None, None, None),
    ("completed", NOON, None, None, None, None),
    ("completed", NOON, LATER, None, 5, 5),
    ("completed", None, None, None, 0, 0),
    ("failed", LATER, NOON, None, MAX_DURATION_MS, MAX_DURATION_MS),
    ("failed", NOON, LATER, None, MAX_DURATION_MS + 1, 90_000),
    ("failed", NOON, LATER, None, 10**30, 90_000),
    ("failed", NOON, LATER, None, -1, 90_000),
    ("failed", NOON, LATER, None, 1.5, 90_000),
    ("failed", NOON, LATER, None, True, 90_000),
    ("failed", NOON, LATER, None, "5", 90_000),
    ("running", NOON, LATER, None, 5, None),
    ("paused", NOON, None, None, None, None),
]


@pytest.mark.parametrize(("status", "started", "completed", "paused", "sent", "expected"), CASES)
def test_a_duration_is_what_was_sent_or_what_the_moments_say(
    status: str,
    started: datetime | None,
    completed: datetime | None,
    paused: int | None,
    sent: object,
    expected: int | None,
) -> None:
    assert duration_of(status, started, completed, paused, sent) == expected


def store_cases(workflow: Workflow) -> None:
    for status, started, completed, paused, sent, expected in CASES:
        moments: dict[str, Any] = {"started_at": started, "completed_at": completed, "paused_ms": paused}
        run = make_run(workflow, status=status, duration_ms=expected, **moments)
        if sent is not None:
            with writing() as session:
                session.add(RunDetail(run_id=run.id, source={"duration_ms": sent}))


def test_sql_says_the_same(app: Flask) -> None:
    store_cases(make_workflow(make_workspace()))
    said = sa.select(Run.duration_ms, duration_in_sql(db.engine.dialect.name))
    assert [tuple(row) for row in db.session.execute(said) if row[0] != row[1]] == []


def test_a_check_finds_durations_that_drifted_and_repairs_them(app: Flask) -> None:
    workflow = make_workflow(make_workspace())
    store_cases(workflow)
    assert find_drift(db.session()) == {}
    with writing() as session:
        session.execute(sa.update(Run).values(duration_ms=7))
    assert "durations" in find_drift(db.session())[workflow.id]
    db.session.rollback()
    with writing() as session:
        lock_workflows(session, [workflow.id])
        repair(session, [workflow.id])
    assert find_drift(db.session()) == {}


def test_a_run_made_here_gets_its_duration_when_it_ends(app: Flask) -> None:
    run = recorder.start_run(make_workflow(make_workspace()).id, now=NOON)
    for event, seconds in ((Event.PICK_UP, 1), (Event.PAUSE, 3), (Event.DRAIN, 4), (Event.RESUME, 14)):
        run = recorder.apply_event(run.id, event, NOON + timedelta(seconds=seconds))
        assert run.duration_ms is None
    run = recorder.apply_event(run.id, Event.COMPLETE, NOON + timedelta(seconds=21))
    assert run.paused_ms is not None
    assert run.duration_ms == 20_000 - run.paused_ms
    assert find_drift(db.session()) == {}
