"""The failed step that explains a run's failure."""

from uuid import uuid4

from portal.database.models import Run
from portal.runs.detail.failed_steps import first_failed_step


def test_the_first_failed_step_is_the_first_that_was_not_made_good(run: Run) -> None:
    failed = first_failed_step(run.id)
    assert failed is not None
    assert failed.position == 2
    assert first_failed_step(uuid4()) is None
