"""States of runs: merging is commutative, associative and idempotent, and a row holds all of a state."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.history.merging.rows import line_of_state, state_of_row
from portal.history.merging.state import RunState, merge, state_of_line
from portal.history.parsing.lines import parse_line
from portal.history.parsing.runs import ParsedRun
from tests.history.lines import ARRIVAL, encode
from tests.history.merging.lines import lines


def parsed(line: Mapping[str, Any]) -> ParsedRun:
    found = parse_line(encode(line), ARRIVAL)
    assert isinstance(found, ParsedRun)
    return found


def state(line: Mapping[str, Any]) -> RunState:
    run = parsed(line)
    return state_of_line(run, run.results)


def read_back(run: ParsedRun) -> RunState:
    """The state of a run as its rows have it."""
    results = run.results
    detail = {
        "source": run.source or None,
        "provenance": run.provenance,
        "definition_snapshot": run.definition_snapshot,
    }
    gave = {row["position"]: row for row in results.steps} if results else {}
    person = (str(run.identity.user_id), 1) if run.identity else None
    row = {**run.columns, "run_number": run.number or 1, "person_id": person and 1}
    return state_of_row(row, detail, results.run if results else None, run.steps, gave, person)


one_run = lines().map(
    lambda line: {key: each for key, each in line.items() if key not in ("source", "external_id")}
)
one_run = one_run.map(lambda line: line | {"run_id" if line["type"] == "step" else "id": str(UUID(int=1))})


@given(one_run, one_run, one_run)
@pytest.mark.slow
def test_merging_is_commutative_associative_and_idempotent(a: Any, b: Any, c: Any) -> None:
    a, b, c = state(a), state(b), state(c)
    assert merge(a, b) == merge(b, a)
    assert merge(merge(a, b), c) == merge(a, merge(b, c))
    assert merge(merge(a, b), b) == merge(a, b)
    assert merge(a, a) == a


@given(st.lists(one_run, min_size=1, max_size=4))
def test_a_row_holds_all_of_a_state(some: list[Any]) -> None:
    last = parsed(some[-1])
    merged = state(some[0])
    assert read_back(parsed(some[0])) == merged
    for line in some[1:]:
        merged = merge(merged, state(line))
    run = line_of_state(merged, last, ARRIVAL.workspace_id)
    assert read_back(run) == merged
    assert line_of_state(read_back(run), last, ARRIVAL.workspace_id).columns == run.columns
