"""Versions only grow and never come again, whatever the clock does."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask

from portal.database.engine import db
from portal.database.models import Run, Workflow
from portal.database.sql import versions
from portal.database.transactions import writing
from portal.runs.recording.recorder import start_run
from portal.runs.recording.workflow_rows import lock_workflows, touch_workflows
from tests.factories import make_run, make_workflow, make_workspace

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def stored(workflow: Workflow) -> int:
    db.session.rollback()
    return db.session.execute(sa.select(Workflow.version).where(Workflow.id == workflow.id)).scalar_one()


@pytest.mark.parametrize(
    "jump", [timedelta(), timedelta(hours=1), timedelta(hours=-1), timedelta(days=-9000)]
)
@pytest.mark.slow
def test_a_version_grows_when_the_clock_stands_still_or_jumps(app: Flask, jump: timedelta) -> None:
    with time_machine.travel(NOW, tick=False):
        workflow = make_workflow(make_workspace())
        seen = [stored(workflow)]
    with time_machine.travel(NOW + jump, tick=False):
        for number in range(20):
            if number % 2:
                make_run(workflow)
            else:
                start_run(workflow.id, now=NOW)
            seen.append(stored(workflow))
    assert seen == sorted(set(seen))
    arrived = db.session.scalars(sa.select(Run.arrived_in).order_by(Run.arrived_in)).all()
    assert arrived == seen[1:]


def test_two_versions_that_follow_the_same_one_differ(app: Flask) -> None:
    with time_machine.travel(NOW, tick=False):
        assert len({versions.next_version(7) for _ in range(100)}) > 90
        assert (
            len({versions.next_version(versions.next_version(0)) // versions.STEP for _ in range(100)}) == 1
        )


def test_versions_fit_their_column_for_two_centuries() -> None:
    with time_machine.travel(datetime(2240, 1, 1, tzinfo=UTC), tick=False):
        assert versions.next_version(0) < 2**63


@pytest.mark.slow
def test_many_workflows_change_in_one_statement_and_their_sums_tell(app: Flask) -> None:
    workspace = make_workspace()
    workflows = [make_workflow(workspace, str(number)) for number in range(50)]
    sums = sa.select(*versions.sums_in_sql(Workflow.version))
    before, states = [stored(each) for each in workflows], {tuple(db.session.execute(sums).one())}
    for workflow in workflows[:10]:
        with writing() as session:
            lock_workflows(session, [workflow.id])
            touch_workflows(session, [workflow.id])
        db.session.rollback()
        states.add(tuple(db.session.execute(sums).one()))
    assert len(states) == 11
    with writing() as session:
        touch_workflows(session, [each.id for each in workflows])
    assert all(stored(each) > version for each, version in zip(workflows, before, strict=True))
