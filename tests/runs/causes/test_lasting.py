"""The failures of steps that last, read from the database and from rows alike."""

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from portal.database.engine import db
from portal.database.models import Workflow
from portal.runs.causes.lasting import NONE, LastingFailures, StepFailure, lasting_of, read_lasting
from portal.runs.detail.failed_steps import first_failed_step
from tests.factories import NOON, make_run, make_steps, make_workflow, make_workspace

COLUMNS = (
    "node_id",
    "name",
    "error",
    "created_at",
    "started_at",
    "completed_at",
    "iteration",
    "status",
    "source",
)


@pytest.fixture
def workflow(app: Flask) -> Workflow:
    return make_workflow(make_workspace())


def both_ways(workflow: Workflow, steps: Sequence[dict[str, Any]]) -> LastingFailures:
    """What the rows say, and the same from the database."""
    run = make_run(workflow, status="failed")
    make_steps(run, *steps)
    rows = [
        dict.fromkeys(COLUMNS) | {"iteration": 1, "status": "completed", "position": position} | step
        for position, step in enumerate(steps)
    ]
    found = lasting_of(rows)
    assert found == read_lasting(db.session(), [run.id])[run.id]
    first = first_failed_step(run.id)
    assert (first.node_id if first else None) == (found.first[0].node_id if found.first else None)
    assert (first.failed_nodes if first else 0) == found.nodes
    return found


def step(node_id: str, status: str = "failed", ended: int | None = None, **columns: Any) -> dict[str, Any]:
    ended_at = None if ended is None else NOON + timedelta(seconds=ended)
    return {"node_id": node_id, "status": status, "completed_at": ended_at} | columns


def test_failures_stand_in_the_order_of_time_not_of_the_list(workflow: Workflow) -> None:
    found = both_ways(workflow, [step("late", ended=9), step("early", ended=2), step("unknown")])
    assert [each.node_id for each in found.first] == ["early", "late", "unknown"]
    assert found.nodes == 3


def test_a_failure_counts_where_it_ended_or_else_where_it_began(workflow: Workflow) -> None:
    began = step("began", started_at=NOON + timedelta(seconds=1))
    made = step("made", created_at=NOON)
    found = both_ways(workflow, [step("ended", ended=2), began, made])
    assert [each.node_id for each in found.first] == ["made", "began", "ended"]


def test_a_copy_of_a_node_does_not_make_good_another_one(workflow: Workflow) -> None:
    copies = [{"source": {"map_index": 0}}, {"source": {"map_index": 1}}, {"source": {"worker": "a"}}, {}]
    failed = [step("a", **copy) for copy in copies]
    good = [step("a", "completed", iteration=2, **copy) for copy in copies]
    found = both_ways(workflow, [*failed[:2], good[0], step("b")])
    assert [each.node_id for each in found.first] == ["a", "b"]
    assert both_ways(workflow, [*failed, good[0], good[1]]).first == both_ways(workflow, failed[2:]).first
    assert both_ways(workflow, [*failed, *good[:2], good[3]]) == NONE


def test_a_later_attempt_makes_good_wherever_the_list_has_it(workflow: Workflow) -> None:
    good_later = step("a", "completed", 5, iteration=2)
    assert both_ways(workflow, [good_later, step("a", ended=3, iteration=1)]) == NONE


def test_an_earlier_success_makes_nothing_good(workflow: Workflow) -> None:
    found = both_ways(workflow, [step("a", "completed", 1), step("a", ended=3, iteration=2)])
    assert found.nodes == 1


def test_attempts_at_one_node_count_once(workflow: Workflow) -> None:
    found = both_ways(workflow, [step("a", ended=1), step("a", ended=2, iteration=2), step("b", ended=3)])
    assert [each.node_id for each in found.first] == ["a", "a", "b"]
    assert found.nodes == 2


def test_a_step_without_a_name_goes_by_its_node_and_long_texts_are_cut(workflow: Workflow) -> None:
    [plain] = both_ways(workflow, [step("a", ended=1, name="")]).first
    assert plain == StepFailure("a", "a", "")
    [long] = both_ways(workflow, [step("a", ended=1, name="n" * 999, error="e" * 999)]).first
    assert long == StepFailure("a", "n" * 200, "e" * 200)


@pytest.mark.slow
def test_rows_and_database_agree_on_any_steps(workflow: Workflow) -> None:
    dice = random.Random(40)
    for _ in range(60):
        steps = [
            step(
                dice.choice("abc"),
                dice.choice(("failed", "failed", "completed", "cancelled")),
                dice.choice((None, *range(6))),
                iteration=dice.randint(1, 3),
                started_at=dice.choice((None, NOON)),
            )
            for _ in range(dice.randint(0, 9))
        ]
        both_ways(workflow, steps)
