"""The table of a run's steps: order, filters and counts."""

from typing import Any

import pytest

from portal.database.models import Run
from portal.runs.detail.step_table import StepTableQuery, count_steps, list_step_excerpts


@pytest.mark.parametrize(
    ("filters", "positions"),
    [({}, [0, 1, 2, 3]), ({"status": "failed"}, [0, 2]), ({"node_type": "type a"}, [0, 1])],
)
def test_steps_are_listed_in_order_and_by_status_and_type(
    run: Run, filters: dict[str, Any], positions: list[int]
) -> None:
    page = list_step_excerpts(run.id, StepTableQuery(**filters))
    assert [step.position for step in page.rows] == positions


def test_steps_are_counted_by_status(run: Run) -> None:
    assert count_steps(run.id) == {"completed": 1, "failed": 2, "cancelled": 1}
