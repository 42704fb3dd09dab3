"""Definitions as JSON text, compared line by line."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.definitions.changes.json_text import MAX_COMPARED, MAX_LINE, MAX_LINES, is_same, json_diff

VALUES = st.lists(st.integers(0, 3) | st.lists(st.integers(0, 3), max_size=5), max_size=40)


def test_values_that_python_takes_for_equal_are_not_the_same() -> None:
    assert not is_same({"a": 1}, {"a": True})
    assert not is_same([1], [1.0])
    assert is_same({"a": 1, "b": 2}, {"b": 2, "a": 1})


def test_the_diff_shows_what_changed_with_the_lines_around_it() -> None:
    old = {"list": list(range(20)), "name": "é"}
    new = {**old, "name": "à"}
    assert json_diff(old, old).lines == []
    assert json_diff(old, new).lines == [
        "@@ -21,5 +21,5 @@",
        "     18,",
        "     19",
        "   ],",
        '-  "name": "é"',
        '+  "name": "à"',
        " }",
    ]


def test_a_long_diff_is_cut_and_says_how_much_is_left() -> None:
    lines = json_diff({}, {str(number): "x" * 1000 for number in range(1500)})
    assert len(lines.lines) == MAX_LINES
    assert lines.more == 1500 + 4 - MAX_LINES
    assert max(map(len, lines.lines)) == MAX_LINE


def test_texts_that_differ_too_much_are_not_compared() -> None:
    found = json_diff([], list(range(MAX_COMPARED + 1)))
    assert found.too_different
    assert not found.lines


@pytest.mark.slow
def test_a_change_within_a_very_long_text_is_found() -> None:
    old = list(range(300_000))
    found = json_diff(old, [*old[:150_000], "new", *old[150_000:]])
    assert '+  "new",' in found.lines


@given(VALUES, VALUES)
def test_the_new_text_is_the_old_one_with_the_diff_applied(old: Any, new: Any) -> None:
    before, after = (
        json.dumps(each, indent=2, sort_keys=True, ensure_ascii=False).split("\n") for each in (old, new)
    )
    found = json_diff(old, new)
    assert (found.lines == []) == (before == after)
    assert applied(before, found.lines) == after


def applied(before: list[str], lines: Any) -> list[str]:
    result: list[str] = []
    position = 0
    for line in lines:
        if line.startswith("@@"):
            begin, _, length = line.split()[1].removeprefix("-").partition(",")
            upto = int(begin) - (length != "0")
            result += before[position:upto]
            position = upto
        else:
            kind, text = line[0], line[1:]
            if kind != "+":
                assert before[position] == text
                position += 1
            result += [text] if kind != "-" else []
    return result + before[position:]
