"""What workflows may be called and described as."""

import pytest

from portal.errors import InvalidQuery
from portal.input.parameters import Refused
from portal.workflows.names import copied_name, workflow_name
from portal.workflows.writing import NewWorkflow

CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)]
BIDIRECTIONAL = [chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))]
IN_TEXTS = "\t\n\r"


@pytest.mark.parametrize("name", ["a", " a\u3000", "é" * 200, f"  {'x' * 200}  ", "👩‍👩‍👧 \u200b", "عربي"])
def test_a_good_name_is_trimmed(name: str) -> None:
    assert workflow_name(name) == name.strip()
    assert NewWorkflow.read({"name": name}).name == name.strip()


@pytest.mark.parametrize(
    "name",
    ["", " ", "\u00a0\u3000", "x" * 201, "a\ud800", *(f"a{each}" for each in CONTROLS + BIDIRECTIONAL)],
)
def test_a_bad_name_is_refused_in_every_way_in(name: str) -> None:
    with pytest.raises(Refused):
        workflow_name(name)
    with pytest.raises(InvalidQuery) as refused:
        NewWorkflow.read({"name": name})
    assert [each.field for each in refused.value.errors] == ["name"]


@pytest.mark.parametrize("text", ["", " ", "  a\tb\r\nc  ", "x" * 5000, None])
def test_a_good_description_is_kept_as_it_is(text: str | None) -> None:
    assert NewWorkflow.read({"description": text}).description == text


BAD_TEXTS = ["x" * 5001, "\udfff", *(each for each in CONTROLS + BIDIRECTIONAL if each not in IN_TEXTS)]


@pytest.mark.parametrize("text", [*BAD_TEXTS, 5, [], True])
def test_a_bad_description_is_refused(text: object) -> None:
    with pytest.raises(InvalidQuery) as refused:
        NewWorkflow.read({"description": text})
    assert [each.field for each in refused.value.errors] == ["description"]


def test_a_copy_of_a_copy_says_so_and_a_long_name_is_cut() -> None:
    assert copied_name(copied_name("Dub")) == "Dub (Copy) (Copy)"
    assert copied_name("é" * 200) == "é" * 193 + " (Copy)"
