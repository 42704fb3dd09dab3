"""Differences of JSON documents: what both have in common is left out."""

from typing import Any

import pytest

from portal.runs.comparison.differences import ABSENT, Difference, json_differences


def differences(here: Any, there: Any) -> list[tuple[str, Any, Any]]:
    return [(found.name, found.here, found.there) for found in json_differences(here, there)]


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
