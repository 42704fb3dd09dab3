"""A fold that takes back why a run failed locks in the order in which everybody does."""

import threading

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.database.engine import db
from portal.database.models import Cause
from portal.database.transactions import writing
from portal.runs import counts
from tests.factories import make_workspace
from tests.ingest.lineage.makers import body, dag_facets, link, states, task_facets
from tests.ingest.lineage.stored import send, steps_of, stored

WAITING = sa.text(
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)


def wait_for_a_lock(thread: threading.Thread) -> None:
    """Until some transaction waits for a lock, or the thread has ended."""
    with db.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        while thread.is_alive() and not connection.scalar(WAITING):
            pass


@pytest.mark.slow
def test_a_fold_holds_no_cause_while_it_waits_for_the_counts_of_the_workspace(app: Flask) -> None:
    workspace_id = make_workspace().id
    facets = dag_facets() | states(a="failed")
    send(workspace_id, body(1, "FAIL", 9, "nightly", facets=facets))
    [cause_id] = db.session.scalars(sa.select(Cause.id).where(Cause.failed == 1))
    mapped = task_facets("a", 1, map_index=0) | {"parent": link(1, "nightly")}
    failed: list[BaseException] = []

    def take_back() -> None:
        try:
            with app.app_context():
                send(workspace_id, body(99, "FAIL", 2, "nightly.a", facets=mapped))
        except Exception as error:  # noqa: BLE001 (a thread cannot raise)
            failed.append(error)

    fold = threading.Thread(target=take_back)
    with writing() as session:  # as a worker whose run of another workflow fails
        counts.lock_workspaces(session, [workspace_id])
        fold.start()
        if db.engine.dialect.name == "postgresql":
            wait_for_a_lock(fold)
        session.execute(sa.update(Cause).where(Cause.id == cause_id).values(note="mine"))
    fold.join()
    assert failed == []
    assert list(steps_of(stored())) == [("a", 0, 1)]
