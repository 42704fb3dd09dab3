"""Steps that have ended, by type and outcome: counted once, whoever comes and goes."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.database.engine import db
from portal.database.models import EngineStepTotal, RunStatus
from portal.database.transactions import writing
from portal.engine.reporting.step_totals import StepTotal, count_step, merge_totals, read_totals
from tests.factories import make_worker

DONE, FAILED = RunStatus.COMPLETED, RunStatus.FAILED


def rows() -> int:
    found = db.session.scalar(sa.select(sa.func.count()).select_from(EngineStepTotal))
    db.session.rollback()
    return found or 0


def test_steps_add_up_over_workers_and_outlive_them(app: Flask) -> None:
    make_worker("alive")
    with writing() as session:
        for worker in ("alive", "gone-1", "gone-2"):
            count_step(session, worker, "sink_preview", DONE, 1_500)
            count_step(session, worker, "sink_preview", DONE, 500)
        count_step(session, "gone-1", "operator_generator", FAILED, 10)
    expected = [
        StepTotal("operator_generator", "failed", 1, 0.01),
        StepTotal("sink_preview", "completed", 6, 6.0),
    ]
    assert read_totals() == expected
    for _ in range(2):
        with writing() as session:
            merge_totals(session)
        assert read_totals() == expected
        assert rows() == 3
    with writing() as session:
        count_step(session, "gone-1", "sink_preview", DONE, 0)
        merge_totals(session)
    assert read_totals()[1].steps == 7
    assert rows() == 3


@pytest.mark.slow
def test_workers_that_count_and_merge_at_once_lose_nothing(app: Flask) -> None:
    def work(number: int) -> None:
        with app.app_context():
            for _ in range(10):
                with writing() as session:
                    count_step(session, f"gone-{number % 2}", "sink_preview", DONE, 1)
                with writing() as session:
                    merge_totals(session)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert read_totals() == [StepTotal("sink_preview", "completed", 40, 0.04)]


@pytest.mark.slow
def test_a_step_that_is_rolled_back_is_not_counted(app: Flask) -> None:
    with writing() as session:
        count_step(session, "w", "sink_preview", DONE, 1)
        session.rollback()
    assert read_totals() == []
