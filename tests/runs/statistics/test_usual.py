"""How long runs usually take, compared with the same worked out from a plain list of runs."""

from datetime import UTC, date, datetime, time, timedelta
from random import Random
from statistics import median
from uuid import UUID

import pytest
from flask import Flask

from portal.database.engine import db
from portal.database.models import Run, Workflow
from portal.database.sql.versions import Version
from portal.runs.statistics.usual import LEAST, UsualDuration, UsualOn, usual_durations
from tests.factories import NOON, make_runs, make_workflow, make_workspace
from tests.statements import statements

pytestmark = pytest.mark.usefixtures("app")
TODAY = NOON.date()


def on(workflow: Workflow, day: date = TODAY, version: int = 1) -> UsualOn:
    return UsualOn(Version(workflow.id, version, 0), day)


def completed(workflow: Workflow, number: int, created_at: datetime, seconds: int = 60) -> None:
    end = created_at + timedelta(seconds=seconds)
    row = {"created_at": created_at, "started_at": created_at, "completed_at": end}
    make_runs(workflow, [dict(row) for _ in range(number)])


def naive(runs: list[Run], day: date) -> tuple[int, float] | None:
    before = [
        run
        for run in runs
        if run.status == "completed" and run.created_at < datetime.combine(day, time(), UTC)
    ]
    newest = sorted(before, key=lambda run: (-run.created_at.timestamp(), run.id))[:100]
    took = [run.duration_ms for run in newest if run.duration_ms is not None]
    return (len(took), median(took)) if len(took) >= LEAST else None


def test_a_figure_is_of_the_hundred_newest_good_runs_before_its_day(app: Flask) -> None:
    chance, workspace = Random(19), make_workspace()
    runs: dict[UUID, list[Run]] = {}
    for size in (0, 12, 40, 260):
        workflow = make_workflow(workspace, f"With {size} runs")
        rows = []
        for _ in range(size):
            at = NOON - timedelta(hours=chance.randrange(24 * 12))
            started = chance.choice((at, at, at, None))
            status = chance.choice(("completed",) * 4 + ("failed", "running"))
            ended = at + timedelta(milliseconds=chance.randrange(9000)) if status != "running" else None
            rows.append({"status": status, "created_at": at, "started_at": started, "completed_at": ended})
        runs[workflow.id] = make_runs(workflow, rows)
    wanted = {
        UsualOn(Version(workflow_id, 1, 0), TODAY - timedelta(days=back))
        for workflow_id in runs
        for back in range(12)
    }
    found = usual_durations(wanted)
    for each in wanted:
        usual, right = found[each], naive(runs[each.workflow.workflow_id], each.day)
        assert (usual and (usual.runs, usual.median_ms)) == (right and (right[0], round(right[1])))


def test_with_fewer_than_ten_durations_nothing_is_usual_yet(app: Flask) -> None:
    workflow = make_workflow(make_workspace())
    midnight = datetime.combine(TODAY, time(), UTC)
    completed(workflow, 9, midnight - timedelta(microseconds=1))
    completed(workflow, 9, midnight)
    tomorrow = TODAY + timedelta(days=1)
    found = usual_durations([on(workflow), on(workflow, tomorrow)])
    assert found == {on(workflow): None, on(workflow, tomorrow): UsualDuration(18, 60_000, 60_000)}


def test_figures_of_many_days_are_one_range_of_an_index_each_and_then_kept(app: Flask) -> None:
    workflow = make_workflow(make_workspace())
    completed(workflow, 10, NOON - timedelta(days=60))
    days = [on(workflow, TODAY - timedelta(days=back)) for back in range(50)]
    with statements() as found:
        usual_durations(days)
    [(statement, bound)] = found
    if db.engine.dialect.name == "sqlite":
        with db.engine.connect() as connection:
            steps = [
                row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", bound)
            ]
        [newest, duration] = [step for step in steps if "runs" in step]
        assert "(workflow_id=? AND status=? AND created_at<?)" in newest
        assert "(id=?)" in duration
    with statements() as again:
        usual_durations(days)
    assert again == []
    with statements() as anew:
        usual_durations([on(workflow, version=2)])
    assert len(anew) == 1


@pytest.mark.parametrize(
    ("took_ms", "times"), [(None, None), (119_999, None), (120_000, 2), (463_000, 7), (1, None)]
)
def test_far_from_usual_is_twice_as_long_and_more(took_ms: int | None, times: int | None) -> None:
    assert UsualDuration(100, 60_000, 90_000).times(took_ms) == times
    assert UsualDuration(100, 60_000, 10**9).times(took_ms) is None
