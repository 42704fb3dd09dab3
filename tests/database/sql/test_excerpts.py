"""What a page makes of the beginning of a long text."""

import json

import pytest

from portal.database.sql.excerpts import cut, json_members


def test_a_text_that_fits_is_whole_and_a_longer_one_ends_in_an_ellipsis() -> None:
    assert cut("twelve signs", 12) == "twelve signs"
    assert cut("twelve signs", 8) == "twelve…"
    assert len(cut("x" * 1000, 240)) == 240


def test_an_object_that_fits_has_all_its_members() -> None:
    assert json_members('{"a": 1, "b": {"c": [2]}}', 100) == ({"a": 1, "b": {"c": [2]}}, True)


@pytest.mark.parametrize("most", range(1, 60))
def test_an_object_cut_anywhere_has_its_first_members_as_they_are(most: int) -> None:
    whole = {"calls": 1234567, "name": 'a "b", {c}', "deep": {"list": [1, 2, {"x": None}]}, "last": -1.5e3}
    text = json.dumps(whole)
    first, complete = json_members(text[: most + 1], most)
    assert not complete
    assert list((first or {}).items()) == list(whole.items())[: len(first or {})]


def test_a_number_that_may_go_on_behind_the_cut_is_left_out() -> None:
    assert json_members('{"a": 1, "b": 12', 15) == ({"a": 1}, False)


@pytest.mark.parametrize("text", [None, "", "5", '"text"', "[1]", "{no object", "{" * 40])
def test_what_is_no_object_has_no_members(text: str | None) -> None:
    assert not json_members(text, 20)[0]
