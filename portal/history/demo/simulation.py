"""Simulates workers: a few runs of the sample workspace start, progress and end.

All changes go through the recorder, as they would with real workers.
"""

import logging
import random
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from portal import moments
from portal.database.engine import db
from portal.database.models import OCCUPYING, Person, Run, RunStatus, Step, Workflow
from portal.database.refusals import ReadOnlyDatabase
from portal.history.demo.sample import sample_error, simulated_workflows
from portal.runs.recording.recorder import apply_event, start_run
from portal.runs.recording.state_machine import Event
from portal.runs.recording.steps import add_step, finish_step

TICK_SECONDS = 3
MAX_OCCUPYING = 2
"""Pending or running runs of a workflow before no more start."""
MAX_A_DAY = 200
"""Runs of a workflow that start in a day, so that a portal left running does not fill its disk."""
START_CHANCE, FAIL_CHANCE = 0.12, 0.03

_SIMULATED = (sa.not_(Run.imported), sa.not_(Run.by_engine))
"""The runs that a simulation began: those of other sources are imported, and the engine drives its own."""

log = logging.getLogger(__name__)


def simulate() -> None:
    """Simulate until the process is stopped."""
    chance = random.Random()  # noqa: S311 (a sample, no secret)
    while True:
        try:
            tick(moments.now(), chance)
        except (sa.exc.OperationalError, ReadOnlyDatabase) as error:
            log.warning("the simulation of the sample skips a step: %s", type(error).__name__)
        finally:
            db.session.remove()
        time.sleep(TICK_SECONDS)


def tick(now: datetime, chance: random.Random) -> int:
    """Advance a run of each workflow and sometimes start one. Returns the number of changed runs."""
    return sum(_tick(workflow_id, now, chance) for workflow_id in simulated_workflows())


def _tick(workflow_id: UUID, now: datetime, chance: random.Random) -> int:
    workflow = db.session.get(Workflow, workflow_id)
    if workflow is None:
        return 0
    steps: Sequence[str] = workflow.definition["execution"]["steps"]
    active = db.session.scalars(
        sa.select(Run).where(Run.workflow_id == workflow_id, Run.status.in_(OCCUPYING), *_SIMULATED)
    ).all()
    started = (
        len(active) < MAX_OCCUPYING
        and chance.random() < START_CHANCE
        and _start(workflow, steps, now, chance)
    )
    if active:
        _advance(chance.choice(active), steps, now, chance)
    return bool(active) + started


def _start(workflow: Workflow, steps: Sequence[str], now: datetime, chance: random.Random) -> bool:
    recent = sa.select(sa.func.count()).select_from(Run)
    recent = recent.where(Run.workflow_id == workflow.id, Run.created_at > now - timedelta(days=1))
    if (db.session.scalar(recent.where(*_SIMULATED)) or 0) >= MAX_A_DAY:
        return False
    people = db.session.scalars(
        sa.select(Person.id).where(Person.workspace_id == workflow.workspace_id).order_by(Person.id)
    ).all()
    start_run(
        workflow.id,
        person_id=chance.choice(people) if people else None,
        now=now,
        total_nodes=len(steps),
        total_steps=len(steps),
        definition_snapshot=workflow.definition,
    )
    return True


def _advance(run: Run, steps: Sequence[str], now: datetime, chance: random.Random) -> None:
    """The next change of a run: it is picked up, a step ends or starts, or it completes."""
    run_id = run.id
    if run.status == RunStatus.PENDING:
        apply_event(run_id, Event.PICK_UP, now)
        return
    done = db.session.scalars(sa.select(Step).where(Step.run_id == run_id).order_by(Step.position)).all()
    running = next((step for step in done if step.status == RunStatus.RUNNING), None)
    if running is not None:
        failure = sample_error(running.node_type, chance) if chance.random() < FAIL_CHANCE else None
        status = RunStatus.FAILED if failure else RunStatus.COMPLETED
        finish_step(run_id, running.position, status, now, error=failure)
        if failure:
            apply_event(run_id, Event.FAIL, now, error=failure)
        return
    ended = {step.node_id for step in done}
    following = next((node for node in steps if node not in ended), None)
    if following is None:
        apply_event(run_id, Event.COMPLETE, now)
    else:
        name = following.partition("_")[2].replace("_", " ").capitalize()
        add_step(run_id, now, node_id=following, node_type=following, name=name)
