"""The line of each member of a JSON text."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.input.json_lines import lines_of

TEXT = """\
{
  "graph": {
    "nodes": [
      {"id": "a", "type": "source_script"},
      {
        "id": "b",
        "config": {"threshold":
          70, "text": "two\\nlines"}
      }
    ],
    "edges": []
  }, "execution": null
}"""

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner) | st.dictionaries(st.text().filter(lambda key: "." not in key), inner),
)


def test_a_member_stands_where_its_key_or_its_value_begins() -> None:
    lines = lines_of(TEXT)
    assert lines[""] == 1
    assert lines["graph.nodes.0.type"] == 4
    assert lines["graph.nodes.1"] == 5
    assert lines["graph.nodes.1.config.threshold"] == 7
    assert lines["graph.nodes.1.config.text"] == 8
    assert lines["graph.edges"] == 11
    assert lines["execution"] == 12


@pytest.mark.slow
@given(values)
def test_every_member_of_any_text_has_a_line_that_names_it(value: object) -> None:
    text = json.dumps(value, indent=1, ensure_ascii=False)
    lines, written = lines_of(text), text.split("\n")
    assert max(lines.values()) <= len(written)

    def check(path: list[str], found: object) -> None:
        line = written[lines[".".join(path)] - 1] if all(path) or not path else None
        members = (
            enumerate(found) if isinstance(found, list) else found.items() if isinstance(found, dict) else ()
        )
        if line is not None and path and not path[-1].isdigit():
            assert json.dumps(path[-1], ensure_ascii=False) in line
        for name, member in members:
            check([*path, str(name)], member)

    check([], value)


def test_a_deep_text_is_read() -> None:
    deep = "[" * 500 + "]" * 500
    assert len(lines_of(deep)) == 500
