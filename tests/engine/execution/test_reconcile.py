"""Which runs the reconciler sets going: those whose deliveries nobody has any more."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.database.models import Run
from portal.database.transactions import writing
from portal.engine.execution.reconcile import QUIET, reconcile
from portal.engine.queue import dbos_queue
from tests.definitions.graphs import smallest
from tests.engine.fabric import Bench
from tests.factories import make_workflow, make_workspace

LEASE = 30


def later(run: Run) -> datetime:
    return run.updated_at + QUIET + timedelta(seconds=1)


def set_delivery(status: str, executor: str) -> None:
    with writing() as session:
        table = dbos_queue._status_table(session)
        session.execute(sa.update(table).values(status=status, executor_id=executor))


@pytest.mark.parametrize(
    ("status", "executor", "found"),
    [
        ("ENQUEUED", "", 0),
        ("DELAYED", "", 0),
        ("PENDING", "a worker", 0),
        ("PENDING", "a worker that is gone", 1),
        ("SUCCESS", "a worker", 1),
    ],
)
def test_a_run_is_set_going_if_no_delivery_of_it_is_left(
    app: Flask, status: str, executor: str, found: int
) -> None:
    bench = Bench()
    run = bench.start(make_workflow(make_workspace()), smallest())
    set_delivery(status, bench.worker_id if executor == "a worker" else executor)
    assert reconcile(run.updated_at, LEASE) == (0, None)
    assert reconcile(later(run), LEASE) == (found, None)
    assert reconcile(later(run), LEASE) == (0, None)
