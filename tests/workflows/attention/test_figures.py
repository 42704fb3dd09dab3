"""What the newest runs of a workflow say, compared with the same worked out from a plain list of its runs."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from statistics import median
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask

from portal.database.engine import db
from portal.database.models import Run, Workflow, Workspace
from portal.database.sql.versions import Version
from portal.workflows.attention.figures import (
    Failing,
    Figures,
    RecentRun,
    compute_figures,
    read_figures,
)
from portal.workflows.attention.recent_failures import RecentFailures, count_failures
from tests.factories import NOON, make_engine_run, make_run, make_runs, make_workflow, make_workspace
from tests.statements import statements

SIZES = (0, 1, 4, 5, 21, 60, 130, 260)
STATUSES = ("completed",) * 12 + ("failed",) * 3 + ("cancelled", "cancelled", "running", "pending", "paused")
OUTCOMES = (None,) * 8 + ("skipped", "timed_out", "succeeded")


def random_runs(chance: Random, size: int) -> list[dict[str, Any]]:
    """Runs on a coarse grid of moments, so that many have the same, in no order."""
    only = chance.choice((STATUSES, STATUSES, ("failed", "cancelled"), ("completed",), ("running", "failed")))
    rows = []
    for number in range(1, size + 1):
        created = NOON + timedelta(minutes=10 * chance.randrange(size + 5))
        started = chance.choice((created, created, created + timedelta(seconds=5), None))
        ended = started and started + timedelta(milliseconds=chance.randrange(-500, 9000))
        status = chance.choice(only)
        rows.append(
            {
                "run_number": number,
                "status": status,
                "created_at": created,
                "started_at": started,
                "completed_at": ended if status in ("completed", "failed", "cancelled") else None,
                "paused_ms": chance.choice((None, None, 700)),
                "outcome": chance.choice(OUTCOMES),
                "error": chance.choice((None, f"error {number}")),
            }
        )
    return rows


def naive(runs: Sequence[Run]) -> Figures:
    newest = sorted(runs, key=lambda run: (-run.created_at.timestamp(), run.id))
    completed = [run for run in newest if run.status == "completed"][:200]
    took = [run.duration_ms for run in completed if run.duration_ms is not None]
    full = len(took) >= 120
    created = [run.created_at for run in newest][:50]
    gaps = [(later - earlier).total_seconds() for later, earlier in pairwise(created)]
    running = [
        (run.started_at + timedelta(milliseconds=run.paused_ms or 0), run.created_at)
        for run in runs
        if run.status == "running" and run.started_at
    ]
    begun, created_then = min(running, default=(None, None))
    return Figures(
        strip=[
            RecentRun(
                run.id,
                run.run_number,
                run.status,
                run.created_at,
                run.duration_ms,
            )
            for run in newest[:20][::-1]
        ],
        recent_ms=median(took[:20]) if full else None,
        earlier_ms=median(took[20:120]) if full else None,
        gap=timedelta(seconds=median(gaps)) if len(created) >= 5 else None,
        failing=failing_of(newest),
        last_failed_at=next((run.created_at for run in newest if run.status == "failed"), None),
        running_since=begun,
        longest_created_at=created_then,
    )


def failing_of(newest: Sequence[Run]) -> Failing | None:
    ended = [run for run in newest if run.status in ("completed", "failed") and run.outcome != "skipped"]
    row: list[Run] = []
    for run in ended:
        if run.status != "failed":
            break
        row.append(run)
    return Failing(row[-1].created_at, len(row), row[0].id, row[0].error or "") if row else None


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_figures_are_those_of_the_plain_list(app: Flask, seed: int) -> None:
    chance = Random(seed)
    workspace = make_workspace()
    runs: dict[UUID, list[Run]] = {}
    for size in SIZES:
        workflow = make_workflow(workspace, f"With {size} runs")
        rows = random_runs(chance, size)
        runs[workflow.id] = make_runs(workflow, rows[: size // 2]) + make_runs(workflow, rows[size // 2 :])
    found = compute_figures(list(runs))
    for workflow_id, its in runs.items():
        assert found[workflow_id] == naive(its)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_failures_of_late_are_counted_exactly(app: Flask, seed: int) -> None:
    chance = Random(seed)
    workspace = make_workspace()
    runs: dict[UUID, list[datetime]] = {}
    for _ in range(4):
        workflow = make_workflow(workspace, "Any")
        created = [NOON + timedelta(minutes=chance.randrange(10 * 1440)) for _ in range(150)]
        created += [NOON + timedelta(days=day) for day in range(10)]
        make_runs(workflow, [{"status": "failed", "created_at": moment} for moment in created])
        make_run(workflow, created_at=NOON + timedelta(days=9))
        runs[workflow.id] = created
    for minutes in (0, 1, 59, 60, 719, 720, 721, 1439, chance.randrange(5000)):
        week = NOON + timedelta(minutes=minutes)
        day = week + timedelta(days=6)
        assert count_failures(list(runs), day, week) == {
            workflow_id: RecentFailures(
                sum(moment >= day for moment in created), sum(moment >= week for moment in created)
            )
            for workflow_id, created in runs.items()
        }


def ended(workflow: Workflow, *statuses: str, **columns: Any) -> list[Run]:
    """Runs an hour apart, in this order."""
    rows = [
        {"status": status, "created_at": NOON + timedelta(hours=hour), **columns}
        for hour, status in enumerate(statuses)
    ]
    return make_runs(workflow, rows)


def figures_of(workflow: Workflow) -> Figures:
    return compute_figures([workflow.id])[workflow.id]


@pytest.fixture
def workspace(app: Flask) -> Workspace:
    return make_workspace()


@pytest.fixture
def workflow(workspace: Workspace) -> Workflow:
    return make_workflow(workspace)


def test_failures_in_a_row_end_at_the_newest_success(workflow: Workflow) -> None:
    runs = ended(workflow, "failed", "completed", "failed", "cancelled", "failed", "running")
    assert figures_of(workflow).failing == Failing(runs[2].created_at, 2, runs[4].id, "")


def test_a_success_ends_a_failure_and_a_skipped_run_does_not(workflow: Workflow) -> None:
    ended(workflow, "completed", "failed")
    make_run(workflow, status="completed", outcome="skipped", created_at=NOON + timedelta(hours=5))
    failing = figures_of(workflow).failing
    assert failing
    assert failing.in_a_row == 1
    make_run(workflow, status="completed", created_at=NOON + timedelta(hours=6))
    assert figures_of(workflow).failing is None


def test_a_skipped_failure_is_none(workflow: Workflow) -> None:
    ended(workflow, "failed", "failed", outcome="skipped")
    assert figures_of(workflow).failing is None


def test_runs_of_the_engine_count_as_those_of_history(workflow: Workflow) -> None:
    ended(workflow, "completed")
    run = make_engine_run(
        workflow,
        "failed",
        created_at=NOON + timedelta(hours=1),
        started_at=NOON + timedelta(hours=1),
        completed_at=NOON + timedelta(hours=2),
        error="no voice",
    )
    assert figures_of(workflow).failing == Failing(run.created_at, 1, run.id, "no voice")


def test_a_failure_imported_later_takes_its_place_in_time(workflow: Workflow) -> None:
    ended(workflow, "completed", "completed")
    make_run(workflow, status="failed", created_at=NOON + timedelta(minutes=30))
    assert figures_of(workflow).failing is None


def test_a_run_that_paused_for_ages_does_not_run_long(workflow: Workflow) -> None:
    columns = {"status": "running", "created_at": NOON, "started_at": NOON}
    make_run(workflow, paused_ms=2**62, **columns)
    assert figures_of(workflow).running_since is None
    make_run(workflow, paused_ms=1500, **columns)
    assert figures_of(workflow).running_since == NOON + timedelta(seconds=1.5)
    late = {"created_at": datetime.max.replace(tzinfo=UTC), "started_at": datetime.max.replace(tzinfo=UTC)}
    other = make_workflow(make_workspace("other"))
    make_run(other, status="running", paused_ms=1500, **late)
    assert figures_of(other).running_since is None


def test_medians_are_compared_only_where_both_are_full(workflow: Workflow) -> None:
    def take(seconds: int, number: int, first: int) -> None:
        begun = [NOON + timedelta(hours=hour) for hour in range(first, first + number)]
        make_runs(
            workflow,
            [
                {"created_at": at, "started_at": at, "completed_at": at + timedelta(seconds=seconds)}
                for at in begun
            ],
        )

    take(10, 99, 0)
    take(20, 20, 200)
    assert figures_of(workflow).recent_ms is None
    take(10, 1, 150)
    figures = figures_of(workflow)
    assert (figures.recent_ms, figures.earlier_ms) == (20_000, 10_000)


def test_figures_are_read_again_only_for_another_version(workspace: Workspace) -> None:
    workflows = [make_workflow(workspace, f"Workflow {number}") for number in range(5)]
    for workflow in workflows:
        make_run(workflow)
    versions = [Version(workflow.id, 1, 0) for workflow in workflows]
    read_figures(versions)
    with statements() as again:
        read_figures(versions)
    assert again == []
    with statements() as anew:
        read_figures([Version(workflow.id, 2, 0) for workflow in workflows])
    assert len(anew) == 1


def test_no_statement_scans_the_runs(sqlite_app: Flask) -> None:
    workflow = make_workflow(make_workspace())
    ended(workflow, "completed", "failed", "failed")
    with statements() as found:
        compute_figures([workflow.id])
        count_failures([workflow.id], NOON, NOON - timedelta(days=6))
    assert len(found) == 3
    with db.engine.connect() as connection:
        steps = [
            step.detail
            for statement, bound in found
            for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", bound)
        ]
    assert any(step.startswith("SEARCH runs ") for step in steps)
    assert not [step for step in steps if step.startswith(("SCAN run", "SCAN workflows"))]


def test_a_workflow_that_is_not_there_has_no_figures(app: Flask) -> None:
    assert compute_figures([uuid4()]) == {}
