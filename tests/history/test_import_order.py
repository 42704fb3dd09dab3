"""However often and in whatever batches and pieces history goes in, in the end it is what the lines say."""

from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.database.engine import db
from portal.database.models import Workspace
from portal.history.importer import import_files
from portal.history.parsing import chunks
from portal.runs.counts import find_drift
from tests.examples import A_FIFTH
from tests.factories import NOON
from tests.history.lines import dump, empty, run_line, workflow_line, write

stages = st.sampled_from(["pending", "running", "completed", "failed"])
runs = st.builds(
    lambda number, status, steps: run_line(
        str(number),
        status=status,
        completed_at="2026-03-01T12:00:31Z" if status in ("completed", "failed") else None,
        triggered_by={"id": f"u{number}", "name": f"Person {number}"} if number % 3 else None,
        steps=[{"node_id": "a", "status": status}] if steps else None,
    ),
    st.integers(0, 5),
    stages,
    st.booleans(),
)


@pytest.mark.slow
@A_FIFTH
@given(
    lines=st.lists(runs, max_size=12),
    parts=st.lists(st.tuples(st.integers(0, 12), st.integers(1, 5), st.integers(1, 3)), max_size=3),
)
def test_parts_of_a_history_and_then_all_of_it_come_to_the_same_as_all_of_it_at_once(
    workspace: Workspace,
    tmp_path: Path,
    lines: list[dict[str, Any]],
    parts: list[tuple[int, int, int]],
) -> None:
    def load(upto: int, batch_size: int, piece: int) -> None:
        file = write(tmp_path / "runs.jsonl", workflow_line(), *lines[:upto])
        with patch.object(chunks, "CHUNK_LINES", piece):
            assert import_files(workspace.id, [file], now=NOON, batch_size=batch_size).ok
        assert not find_drift(db.session())

    empty()
    load(len(lines), 100, 100)
    expected = dump(db.engine, without={"run_number", "next_run_number"})
    empty()
    for part in sorted(parts):
        load(*part)
    load(len(lines), 5, 2)
    assert dump(db.engine, without={"run_number", "next_run_number"}) == expected
