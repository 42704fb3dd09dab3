"""Steps of two runs are paired by attempt."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from portal.runs.comparison.step_pairs import StepPair, pair_steps
from tests.factories import NOON


def step(node_id: str, seconds: float | None = 1, **columns: Any) -> SimpleNamespace:
    ended = None if seconds is None else NOON + timedelta(seconds=seconds)
    values = {"node_type": "task", "name": None, "status": "completed", "iteration": 1, "error": None}
    values |= {"error_length": None, "position": 0}
    times = {"started_at": NOON, "completed_at": ended, "duration_seconds": None}
    return SimpleNamespace(node_id=node_id, **(values | times | columns))


def labels(pairs: list[StepPair]) -> list[str]:
    return [pair.label for pair in pairs]


def test_steps_are_paired_by_node_and_iteration_and_the_greatest_differences_come_first() -> None:
    here = [step("same"), step("slow", 9), step("new"), step("a", status="failed"), step("a", iteration=2)]
    there = [step("a"), step("a", 3.5, iteration=2), step("slow", 3), step("same", 1.9), step("old", 4)]
    pairs = pair_steps(here, there)
    assert labels(pairs) == ["a", "slow", "a", "new", "old", "same"]
    assert [pair.change_ms for pair in pairs] == [0, 6000, -2500, None, None, -900]
    assert [pair.differs for pair in pairs] == [True] * 5 + [False]


def test_steps_that_share_node_and_iteration_are_paired_as_they_come() -> None:
    pairs = pair_steps([step("a", 1), step("a", 50)], [step("a", 2), step("a", 50), step("a", 70)])
    assert sorted(pair.change_ms for pair in pairs if pair.change_ms is not None) == [-1000, 0]
    assert sum(pair.here is None for pair in pairs) == 1


def test_a_duration_known_on_one_side_only_differs() -> None:
    assert pair_steps([step("a")], [step("a", None)])[0].differs
    assert not pair_steps([step("a", None)], [step("a", None)])[0].differs


def test_a_tenth_of_a_long_step_is_no_difference() -> None:
    assert not pair_steps([step("a", 109)], [step("a", 100)])[0].differs
    assert pair_steps([step("a", 120)], [step("a", 100)])[0].differs
