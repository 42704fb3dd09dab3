"""Whatever the order of lines, however often they come and in whatever parts: the same runs in the end."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.database.engine import db
from portal.database.models import Workspace
from portal.history.importer import import_lines
from portal.runs.counts import find_drift
from tests.examples import A_FIFTH
from tests.factories import NOON
from tests.history.lines import dump, empty, encode, workflow_line
from tests.history.merging.lines import lines


def bring(workspace: Workspace, *parts: list[dict[str, Any]]) -> None:
    for part in parts:
        summary = import_lines(workspace.id, [encode(line).strip() for line in part], now=NOON)
        assert summary.ok, summary.bad


def stored() -> dict[str, list[tuple[Any, ...]]]:
    db.session.rollback()
    assert not find_drift(db.session())
    found = dump(db.engine, without={"run_number", "next_run_number"})
    del found["people"]  # whom any line named is known from then on
    return found


@A_FIFTH
@given(some=st.lists(lines(), min_size=1, max_size=7), seed=st.integers(0, 10_000))
@pytest.mark.slow
def test_order_repetition_and_parts_make_no_difference(
    workspace: Workspace, some: list[dict[str, Any]], seed: int
) -> None:
    empty()
    bring(workspace, [workflow_line()], some)
    expected = stored()
    chance = random.Random(seed)
    again = some + chance.choices(some, k=chance.randrange(4))
    chance.shuffle(again)
    cuts = sorted(chance.randrange(len(again) + 1) for _ in range(2))
    empty()
    bring(workspace, [workflow_line()], again[: cuts[0]], again[cuts[0] : cuts[1]], again[cuts[1] :])
    found = stored()
    for table, rows in expected.items():
        assert found[table] == rows, (table, again)
