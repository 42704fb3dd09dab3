"""Simulated runs start, progress and end by the rules of the recorder, within limits."""

import random
from collections import Counter
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.checks.database_check import check_database
from portal.database.engine import db
from portal.database.models import OCCUPYING, Run, RunEvent, Step
from portal.history.demo import simulation
from portal.history.demo.sample import install_demo, simulated_workflows
from tests.factories import NOON

pytestmark = pytest.mark.slow


def ticks(count: int, chance: random.Random) -> int:
    """Tick a number of times, three seconds apart; the number of changed runs."""
    changed = 0
    for number in range(count):
        changed += simulation.tick(NOON + timedelta(seconds=3 * number), chance)
        db.session.remove()
    return changed


def fresh() -> list[Run]:
    return list(db.session.scalars(sa.select(Run).where(sa.not_(Run.imported))))


def test_runs_begin_go_on_and_end(app: Flask) -> None:
    install_demo(NOON)
    assert ticks(150, random.Random(1)) > 150
    statuses = Counter(run.status for run in fresh())
    assert statuses["completed"] > 1
    ended = next(run for run in fresh() if run.status == "completed")
    steps = db.session.scalars(sa.select(Step).where(Step.run_id == ended.id)).all()
    assert ended.finished_steps == ended.total_steps == len(steps) > 0
    assert ended.person_id is not None
    events = sa.select(RunEvent.event, RunEvent.person_id).where(RunEvent.run_id == ended.id)
    assert db.session.execute(events.order_by(RunEvent.id)).all() == [
        ("start", ended.person_id),
        ("pick_up", None),
        ("complete", None),
    ]
    assert all(finding.ok for finding in check_database())


def test_a_failing_step_fails_its_run_with_the_reason(
    sqlite_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_demo(NOON)
    monkeypatch.setattr(simulation, "FAIL_CHANCE", 1.0)
    ticks(30, random.Random(2))
    failed = [run for run in fresh() if run.status == "failed"]
    assert failed
    assert all(run.error for run in failed)


def test_few_runs_are_active_at_once_and_few_begin_in_a_day(
    sqlite_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_demo(NOON)
    monkeypatch.setattr(simulation, "START_CHANCE", 1.0)
    monkeypatch.setattr(simulation, "MAX_A_DAY", 3)
    ticks(150, random.Random(3))
    begun = Counter(run.workflow_id for run in fresh())
    assert set(begun.values()) == {3}
    for workflow_id in simulated_workflows():
        active = sa.select(sa.func.count()).where(Run.workflow_id == workflow_id, Run.status.in_(OCCUPYING))
        assert (db.session.scalar(active) or 0) <= simulation.MAX_OCCUPYING + 1


def test_without_the_sample_nothing_moves(sqlite_app: Flask) -> None:
    assert ticks(2, random.Random(4)) == 0
