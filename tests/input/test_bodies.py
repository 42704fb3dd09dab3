"""The types of body fields: what they take, and the sentence that refuses the rest."""

from typing import Annotated, Any

import pytest

from portal.errors import FieldError, InvalidQuery
from portal.input import bodies
from portal.input.bodies import Boolean, Changes, Fraction, Matching, OneOf, SomeOf, Text, Whole, absent


class Everything(Changes):
    text: Annotated[str, Text(1, 3)] = absent()
    note: Annotated[str, Text(0, 3)] = absent()
    whole: Annotated[int, Whole(1, 9)] = absent()
    limit: Annotated[int, Whole(1, 9)] | None = absent()
    fraction: Annotated[float, Fraction()] = absent()
    switch: Annotated[bool, Boolean()] = absent()
    kind: Annotated[str, OneOf(("live", "test"))] = absent()
    scopes: Annotated[tuple[str, ...], SomeOf(("a", "b"))] = absent()
    slug: Annotated[str, Matching("[a-z]+", 3, "must be a slug.")] = absent()


class Required(bodies.Body):
    name: Annotated[str, Text(1, 3)]


ALLOWED = {
    "text": "must be text of 1 to 3 characters, without NUL or broken characters.",
    "note": "must be text of 0 to 3 characters, without NUL or broken characters.",
    "whole": "must be a whole number from 1 to 9.",
    "limit": "must be a whole number from 1 to 9.",
    "fraction": "must be a number from 0 to 1.",
    "switch": "must be true or false.",
    "kind": "must be one of live, test.",
    "scopes": "must be a list of one or more of a, b.",
    "slug": "must be a slug.",
}
TAKEN: dict[str, list[tuple[Any, Any]]] = {
    "text": [("x", "x"), (" abc\n", "abc"), ("日本語", "日本語"), ("😀😀😀", "😀😀😀")],
    "note": [("", ""), ("  ", ""), ("abc", "abc")],
    "whole": [(1, 1), (9, 9), (4.0, 4)],
    "limit": [(None, None), (1, 1)],
    "fraction": [(0, 0.0), (1, 1.0), (0.5, 0.5)],
    "switch": [(True, True), (False, False)],
    "kind": [("live", "live")],
    "scopes": [(["b", "a", "b"], ("a", "b")), (("a",), ("a",))],
    "slug": [("abc", "abc")],
}
REFUSED: dict[str, list[Any]] = {
    "text": ["", " ", "abcd", "a\0", "\ud800", None, 1, ["x"]],
    "note": ["abcd", "\0", None, 0],
    "whole": [0, 10, 1.5, True, "1", None, float("inf"), 10**400, [1]],
    "limit": [0, True, "1"],
    "fraction": [-0.1, 1.1, True, "0", None, float("inf")],
    "switch": [0, 1, "true", None],
    "kind": ["Live", "", None, 1, ["live"]],
    "scopes": [[], ["c"], ["a", "c"], ["a", None], [{}], "a", {"a": 1}, None],
    "slug": ["", "A", "abcd", "a\n", None, 1],
}


def refusals(model: type[bodies.Body], body: dict[str, Any], *errors: FieldError) -> list[FieldError]:
    with pytest.raises(InvalidQuery) as refusal:
        model.read(body, *errors)
    return list(refusal.value.errors)


@pytest.mark.parametrize("name", ALLOWED)
def test_a_field_takes_what_its_type_allows_and_refuses_the_rest_in_one_sentence(name: str) -> None:
    for value, read in TAKEN[name]:
        found = Everything.read({name: value}).named()
        assert found == {name: read}
        assert type(found[name]) is type(read)
    for value in REFUSED[name]:
        assert refusals(Everything, {name: value}) == [FieldError(name, ALLOWED[name])], value


def test_every_bad_field_is_named_at_once_with_what_was_wrong_before() -> None:
    before = FieldError("key_id", "must be a UUID.")
    found = refusals(Everything, {name: values[0] for name, values in REFUSED.items()}, before)
    assert found == [before, *(FieldError(name, allowed) for name, allowed in ALLOWED.items())]
    assert refusals(Everything, {}, before) == [before]


def test_a_required_field_that_is_absent_is_named_and_unknown_ones_are_ignored() -> None:
    assert refusals(Required, {"other": 1}) == [FieldError("name", "is required.")]
    assert Required.read({"name": "x", "other": 1, "\ud800": 2}).name == "x"


def test_changes_name_what_is_there_and_nothing_else() -> None:
    assert Everything.read({}).named() == {}
    assert list(Everything.read({"switch": False, "limit": None}).named()) == ["limit", "switch"]
