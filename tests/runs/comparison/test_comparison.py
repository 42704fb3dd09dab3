"""What two runs have in common is left out; what differs is named."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from portal.runs.comparison.differences import ABSENT, Difference, json_differences
from portal.runs.comparison.step_pairs import StepPair, pair_steps
from tests.factories import NOON


def differences(here: Any, there: Any) -> list[tuple[str, Any, Any]]:
    return [(found.name, found.here, found.there) for found in json_differences(here, there)]


def step(node_id: str, seconds: float | None = 1, **columns: Any) -> SimpleNamespace:
    ended = None if seconds is None else NOON + timedelta(seconds=seconds)
    values = {"node_type": "task", "name": None, "status": "completed", "iteration": 1, "error": None}
    values |= {"error_length": None, "position": 0}
    times = {"started_at": NOON, "completed_at": ended, "duration_seconds": None}
    return SimpleNamespace(node_id=node_id, **(values | times | columns))


def labels(pairs: list[StepPair]) -> list[str]:
    return [pair.label for pair in pairs]


def test_only_leaves_that_differ_are_named_by_their_path() -> None:
    here = {"a": {"b": 1, "c": [1, 2]}, "same": {"x": None}, "gone": True}
    there = {"a": {"b": 2, "c": [1, 3]}, "same": {"x": None}, "new": {"y": 1}}
    assert differences(here, there) == [
        ("a.b", 1, 2),
        ("a.c", [1, 2], [1, 3]),
        ("gone", True, ABSENT),
        ("new", ABSENT, {"y": 1}),
    ]
    assert differences(here, here) == []


def test_members_with_ids_are_found_by_them_wherever_they_stand() -> None:
    here = {"nodes": [{"id": "n1", "voice": "Lena"}, {"id": "n2"}]}
    there = {"nodes": [{"id": "n3"}, {"id": "n2"}, {"id": "n1", "voice": "Noah"}]}
    assert differences(here, there) == [
        ("nodes.n1.voice", "Lena", "Noah"),
        ("nodes.n3", ABSENT, {"id": "n3"}),
    ]


def test_true_is_not_one_and_null_is_not_nothing() -> None:
    assert differences({"a": True, "b": None}, {"a": 1}) == [("a", True, 1), ("b", None, ABSENT)]


def test_what_lies_very_deep_is_compared_as_a_whole() -> None:
    here: Any = 1
    there: Any = 2
    for _ in range(500):
        here, there = {"in": here}, {"in": there}
    [(path, _, _)] = differences(here, there)
    assert path == ".".join(["in"] * 12)


@pytest.mark.parametrize(
    ("kind", "here", "there", "change"),
    [("number", 5, 3, 2), ("score", 0.3, 0.1, 0.2), ("number", None, 3, None), ("text", 5, 3, None)],
)
def test_a_change_is_only_told_between_numbers(kind: str, here: Any, there: Any, change: Any) -> None:
    assert Difference("x", here, there, kind).change == change


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
