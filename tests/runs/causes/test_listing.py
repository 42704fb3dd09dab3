"""The list of causes: counts, states, order and pages, compared with the runs one by one."""

import random
from datetime import datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.database.engine import db
from portal.database.models import Cause, Run, Workspace
from portal.database.transactions import writing
from portal.paging import Slice
from portal.runs.causes.counting import recount_workflow
from portal.runs.causes.listing import CausePage, CauseRow, list_causes, read_cause, touched_workflows
from portal.runs.causes.query import ORDERS, SORTS, CauseQuery
from tests.factories import NOON, delete_from_workspace, make_run, make_runs, make_workflow, make_workspace
from tests.statements import statements

DAY = timedelta(days=1)


@pytest.fixture
def workspace(app: Flask) -> Workspace:
    return make_workspace()


def fail(workspace: Workspace, error: str, *days_ago: float) -> None:
    workflow = make_workflow(workspace)
    rows = [{"status": "failed", "error": error, "created_at": NOON - ago * DAY} for ago in days_ago]
    make_runs(workflow, rows)


def listed(workspace: Workspace, **query: Any) -> CausePage:
    db.session.rollback()
    return list_causes(workspace.id, CauseQuery(**query), NOON)


def states(workspace: Workspace, now: datetime = NOON) -> dict[str, str]:
    db.session.rollback()
    query = CauseQuery(states=("open", "resolved", "muted"))
    return {row.text: row.state for row in list_causes(workspace.id, query, now).rows}


def note(text: str, **columns: object) -> None:
    with writing() as session:
        session.execute(sa.update(Cause).where(Cause.text == text).values(**columns))


def test_a_window_has_its_causes_with_counts_days_workflows_and_the_latest_run(workspace: Workspace) -> None:
    fail(workspace, "no voice", 40, 29, 29, 0)
    fail(workspace, "no voice", 50, 3)
    fail(workspace, "no voice", 60)
    fail(workspace, "no network", 30)
    [row] = listed(workspace).rows
    assert (row.text, row.failed, row.in_all) == ("no voice", 4, 7)
    assert (row.first_at, row.last_at) == (NOON - 60 * DAY, NOON)
    assert row.days == [2, *[0] * 25, 1, 0, 0, 1]
    assert row.workflows == 2
    touched = touched_workflows(row.id)
    assert [(each.failed, each.last_at) for each in touched] == [
        (4, NOON),
        (2, NOON - 3 * DAY),
        (1, NOON - 60 * DAY),
    ]
    assert row.latest is not None
    assert row.latest.created_at == NOON
    page = listed(workspace, days=31)
    assert [row.text for row in page.rows] == ["no voice", "no network"]
    assert page.failed == 5


def test_a_cause_is_new_for_a_week_and_back_after_two_weeks_of_peace(workspace: Workspace) -> None:
    fail(workspace, "new", 6, 0)
    fail(workspace, "known", 7, 0)
    fail(workspace, "back", 21, 6)
    fail(workspace, "hardly gone", 20, 6)
    fail(workspace, "long gone", 90, 2, 1)
    fail(workspace, "not back", 90, 8)
    assert states(workspace) == {
        "new": "new",
        "known": "open",
        "back": "back",
        "hardly gone": "open",
        "long gone": "back",
        "not back": "open",
    }
    assert [row.text for row in listed(workspace, days=1, states=("new",)).rows] == ["new"]
    counts = listed(workspace).causes
    assert counts == {"open": 6, "new": 1, "back": 2, "resolved": 0, "muted": 0}


def test_a_resolved_cause_is_back_with_its_next_failure(workspace: Workspace) -> None:
    fail(workspace, "no voice", 3)
    note("no voice", resolved_at=NOON - DAY)
    assert states(workspace) == {"no voice": "resolved"}
    assert listed(workspace).rows == ()
    fail(workspace, "no voice", 2)
    assert states(workspace) == {"no voice": "resolved"}
    fail(workspace, "no voice", 0.5)
    assert states(workspace) == {"no voice": "back"}
    assert listed(workspace).total == 1


def test_a_muted_cause_is_listed_apart_until_its_day(workspace: Workspace) -> None:
    fail(workspace, "a", 1)
    fail(workspace, "b", 1)
    note("a", muted_at=NOON, muted_until=NOON + DAY)
    note("b", muted_at=NOON)
    assert states(workspace) == {"a": "muted", "b": "muted"}
    assert listed(workspace).rows == ()
    assert listed(workspace, states=("muted",)).total == 2
    assert states(workspace, NOON + DAY) == {"a": "new", "b": "muted"}


def test_deleted_workflows_and_other_workspaces_do_not_count(workspace: Workspace) -> None:
    other = make_workspace("other")
    fail(other, "no voice", 1)
    gone = make_workflow(workspace)
    make_run(gone, status="failed", error="no voice")
    delete_from_workspace(gone)
    with writing() as session:
        recount_workflow(session, gone.id)
    assert listed(other).total == 1
    assert listed(workspace).total == 0


def test_one_cause_is_read_whatever_the_window_and_none_without_runs(workspace: Workspace) -> None:
    fail(workspace, "no voice", 90)
    db.session.rollback()
    cause = db.session.scalars(sa.select(Cause)).one()
    found = read_cause(workspace.id, cause.id, 30, NOON)
    assert isinstance(found, CauseRow)
    assert (found.failed, found.in_all, found.days) == (0, 1, [0] * 30)
    assert read_cause(make_workspace("other").id, cause.id, 30, NOON) is None
    assert read_cause(workspace.id, UUID(int=7), 30, NOON) is None


@pytest.mark.slow
def test_every_order_and_page_is_that_of_a_naive_list(workspace: Workspace) -> None:
    dice = random.Random(3)
    workflows = [make_workflow(workspace) for _ in range(3)]
    for workflow in workflows:
        make_runs(
            workflow,
            [
                {
                    "status": dice.choice(("failed", "failed", "completed")),
                    "error": f"{dice.choice(('no', 'bad', 'late'))} {dice.choice(('voice', 'line'))} {n}",
                    "created_at": NOON - dice.randrange(60) * DAY / 2,
                }
                for n in range(40)
            ],
        )
    db.session.rollback()
    runs = db.session.scalars(sa.select(Run).where(Run.cause_id.is_not(None))).all()
    for days, sort, order in product((1, 7, 30), SORTS, ORDERS):
        begin = NOON.replace(hour=0) - (days - 1) * DAY
        naive = []
        for cause in {run.cause_id for run in runs}:
            its = [run for run in runs if run.cause_id == cause]
            window = [run for run in its if run.created_at >= begin]
            if window:
                moments = sorted(run.created_at for run in its)
                workflows_of = {run.workflow_id for run in window}
                naive.append((cause, len(window), moments[0], moments[-1], len(workflows_of)))
        key = {"last_seen": 3, "first_seen": 2, "count": 1}[sort]
        naive.sort(key=lambda row: row[0] or UUID(int=0))
        naive.sort(key=lambda row: row[key], reverse=order == "desc")
        whole = []
        for offset in range(0, len(naive) + 2, 2):
            page = listed(workspace, days=days, sort=sort, order=order, slice=Slice(offset, 2))
            assert page.total == len(naive)
            assert page.failed == sum(row[1] for row in naive)
            whole += [(r.id, r.failed, r.first_at, r.last_at, r.workflows) for r in page.rows]
            assert all(sum(row.days) == row.failed for row in page.rows)
        assert whole == naive


def test_a_list_takes_a_few_statements_however_many_causes(workspace: Workspace) -> None:
    for number in range(12):
        fail(workspace, "x" * (number + 1), number)
    db.session.rollback()
    with statements() as found:
        assert list_causes(workspace.id, CauseQuery(), NOON).total == 12
    assert len(found) == 5
