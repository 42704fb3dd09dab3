"""A run with steps."""

from datetime import timedelta

import pytest
from flask import Flask

from portal.database.models import Run, Step
from portal.database.transactions import writing
from tests.factories import NOON, make_run, make_workflow, make_workspace


@pytest.fixture
def run(app: Flask) -> Run:
    """A run whose first failure was made good by a second attempt and whose second one was not."""
    run = make_run(make_workflow(make_workspace()), status="failed")
    statuses = [("a", "failed"), ("a", "completed"), ("b", "failed"), ("c", "cancelled")]
    with writing() as session:
        for position, (node_id, status) in enumerate(statuses):
            session.add(
                Step(
                    run_id=run.id,
                    position=position,
                    node_id=node_id,
                    node_type=f"type {node_id}",
                    status=status,
                    iteration=1 + (position == 1),
                    started_at=NOON + timedelta(seconds=position),
                    completed_at=NOON + timedelta(seconds=position + 1),
                )
            )
    return run
