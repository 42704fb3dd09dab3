"""Keeps a few runs of the sample workspace moving, so that one can see the portal live.

Everything goes through the recorder, as it would with real workers.
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
from portal.history.demo.sample import error_of, moving_workflows
from portal.runs.recording.recorder import apply_event, start_run
from portal.runs.recording.state_machine import Event
from portal.runs.recording.steps import add_step, finish_step

BEAT_SECONDS = 3
AT_ONCE = 2
"""How many runs of a workflow are pending or running before no further one begins."""
MAX_A_DAY = 200
"""How many runs of a workflow begin within a day: a portal left on does not fill its disk."""
START_CHANCE, FAIL_CHANCE = 0.12, 0.03

log = logging.getLogger(__name__)


def keep_moving() -> None:
    """Move the sample's runs until the process is stopped."""
    chance = random.Random()  # noqa: S311 (a sample, no secret)
    while True:
        try:
            move(moments.now(), chance)
        except (sa.exc.OperationalError, ReadOnlyDatabase) as error:
            log.warning("the sample stands still for a moment: %s", type(error).__name__)
        finally:
            db.session.remove()
        time.sleep(BEAT_SECONDS)


def move(now: datetime, chance: random.Random) -> int:
    """One beat: a run of each workflow goes on by a step, and now and then one begins. How many moved."""
    return sum(_move(workflow_id, now, chance) for workflow_id in moving_workflows())


def _move(workflow_id: UUID, now: datetime, chance: random.Random) -> int:
    workflow = db.session.get(Workflow, workflow_id)
    if workflow is None:
        return 0
    steps: Sequence[str] = workflow.definition["execution"]["steps"]
    active = db.session.scalars(
        sa.select(Run).where(Run.workflow_id == workflow_id, Run.status.in_(OCCUPYING))
    ).all()
    begun = len(active) < AT_ONCE and chance.random() < START_CHANCE and _begin(workflow, steps, now, chance)
    if active:
        _go_on(chance.choice(active), steps, now, chance)
    return bool(active) + begun


def _begin(workflow: Workflow, steps: Sequence[str], now: datetime, chance: random.Random) -> bool:
    lately = sa.select(sa.func.count()).select_from(Run)
    lately = lately.where(Run.workflow_id == workflow.id, Run.created_at > now - timedelta(days=1))
    if (db.session.scalar(lately.where(sa.not_(Run.imported))) or 0) >= MAX_A_DAY:
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
        exclusive=False,
    )
    return True


def _go_on(run: Run, steps: Sequence[str], now: datetime, chance: random.Random) -> None:
    """The next thing that happens to a run: it is picked up, a step ends or begins, or it ends."""
    run_id = run.id
    if run.status == RunStatus.PENDING:
        apply_event(run_id, Event.PICK_UP, now)
        return
    done = db.session.scalars(sa.select(Step).where(Step.run_id == run_id).order_by(Step.position)).all()
    going = next((step for step in done if step.status == RunStatus.RUNNING), None)
    if going is not None:
        failure = error_of(going.node_type, chance) if chance.random() < FAIL_CHANCE else None
        status = RunStatus.FAILED if failure else RunStatus.COMPLETED
        finish_step(run_id, going.position, status, now, error=failure)
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
