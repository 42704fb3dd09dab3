"""A worker when a claim, a step or its end fails in a way that its handler does not expect."""

from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from portal import moments
from portal.database.engine import db
from portal.database.models import EngineClaim, Run, RunStatus
from portal.engine.contract import Context, StepInput, StepOutput
from portal.engine.execution.claims import claim_step
from portal.engine.execution.work import INTERNAL_ERROR
from portal.engine.flow import StepKey
from tests.definitions.graphs import smallest
from tests.engine.fabric import Bench, read_lines
from tests.factories import make_workflow, make_workspace

SOURCE = StepKey("source_script", 1)


def begin(bench: Bench) -> Run:
    return bench.start(make_workflow(make_workspace()), smallest())


def claim_of(run: Run) -> EngineClaim:
    db.session.expire_all()
    return db.session.get_one(EngineClaim, (run.id, *SOURCE))


@pytest.mark.slow
@pytest.mark.parametrize(
    "output",
    [
        pytest.param(StepOutput(result={"of no kind that JSON has": object()}), id="result"),
        pytest.param(None, id="none"),
    ],
)
def test_a_step_whose_output_cannot_be_stored_fails_its_run(app: Flask, output: Any) -> None:
    bench = Bench({"source_script": lambda _step, _context: output})
    run = begin(bench)
    bench.deliver(run.id, SOURCE)
    run = bench.run(run.id)
    assert (run.status, claim_of(run).ended_at is None) == (RunStatus.FAILED, False)
    assert run.error is not None
    assert run.error.endswith(INTERNAL_ERROR)


@pytest.mark.slow
def test_a_claim_that_was_committed_where_it_seemed_to_fail_is_taken_up_again(app: Flask) -> None:
    bench = Bench()
    run = begin(bench)
    assert claim_step(bench.worker_id, run.id, SOURCE, moments.now(), 30) is not None
    bench.deliver(run.id, SOURCE)
    assert claim_of(run).claims == 2
    assert bench.finish(run.id).status == RunStatus.COMPLETED


@pytest.mark.slow
def test_a_delivery_that_comes_again_meanwhile_does_nothing(app: Flask) -> None:
    began = []

    def read_twice(step: StepInput, context: Context) -> StepOutput:
        began.append(step.iteration)
        bench.deliver(run.id, SOURCE)
        return read_lines(step, context)

    bench = Bench({"source_script": read_twice})
    run = begin(bench)
    bench.deliver(run.id, SOURCE)
    assert (began, claim_of(run).claims) == ([1], 1)
    assert bench.finish(run.id).status == RunStatus.COMPLETED


def test_a_step_that_finds_no_connection_to_the_database_is_tried_again(app: Flask) -> None:
    def wait(_step: StepInput, _context: Context) -> StepOutput:
        raise sa.exc.TimeoutError("QueuePool limit reached")

    bench = Bench({"source_script": wait})
    run = begin(bench)
    bench.deliver(run.id, SOURCE)
    claim = claim_of(run)
    assert (bench.run(run.id).status, claim.worker, claim.attempt) == (RunStatus.RUNNING, "", 2)


@pytest.mark.parametrize("claimed", [False, True])
def test_a_run_at_whose_step_every_delivery_breaks_fails(app: Flask, claimed: bool) -> None:
    bench = Bench()
    run = begin(bench)
    if claimed:
        claim_step(bench.worker_id, run.id, SOURCE, moments.now(), 30)
    bench.work.give_up_run(run.id, *SOURCE)
    bench.work.give_up_run(run.id, *SOURCE)
    run = bench.run(run.id)
    assert (run.status, run.error) == (RunStatus.FAILED, INTERNAL_ERROR)
    assert run.finished_steps == int(claimed)


def test_a_run_that_is_gone_is_given_up_silently(app: Flask) -> None:
    bench = Bench()
    run = begin(bench)
    bench.work.give_up_run(replace_id(run), *SOURCE)
    assert bench.run(run.id).status == RunStatus.PENDING


def replace_id(run: Run) -> Any:
    return type(run.id)(int=run.id.int ^ 1)
