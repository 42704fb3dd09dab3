"""Blocks of a workflow are read once and stay in memory until it changes, as many as there is room for."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from portal.database.models import Workflow
from portal.paging import Slice
from portal.runs import blocks, kept, seek
from portal.runs.blocks import START
from portal.runs.kept import Block, Series
from portal.runs.listing import list_runs
from portal.runs.query import RunQuery
from tests.factories import NOON, make_run, make_runs, make_workflow, make_workspace, seen
from tests.statements import statements


@pytest.fixture(autouse=True)
def many_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "MOST", 3)
    monkeypatch.setattr(blocks, "CUT", 2)
    monkeypatch.setattr(seek, "NEAR", 0)


@pytest.fixture
def workflow(app: Flask) -> Workflow:
    workflow = make_workflow(make_workspace())
    make_runs(workflow, [{"created_at": NOON + timedelta(minutes=n)} for n in range(20)])
    return workflow


def page(workflow: Workflow, offset: int, **asked: Any) -> list[int]:
    query = RunQuery(workflow_id=workflow.id, slice=Slice(offset, 2), order="asc", **asked)
    return [(row.created_at - NOON) // timedelta(minutes=1) for row in list_runs(seen(workflow), query).rows]


def reads_of_blocks(workflow: Workflow, offset: int, **asked: Any) -> int:
    with statements() as found:
        page(workflow, offset, **asked)
    return sum("run_blocks" in statement for statement, _ in found)


def test_they_are_read_once_for_all_pages_of_an_order(workflow: Workflow) -> None:
    assert [reads_of_blocks(workflow, offset) for offset in (10, 5, 18)] == [1, 0, 0]
    assert reads_of_blocks(workflow, 10, sort="completed_at") == 1


def test_a_change_is_seen_at_once(workflow: Workflow) -> None:
    assert page(workflow, 10) == [10, 11]
    make_run(workflow, created_at=NOON - timedelta(minutes=1))
    assert page(workflow, 10) == [9, 10]


def test_those_asked_for_longest_ago_make_room(workflow: Workflow, monkeypatch: pytest.MonkeyPatch) -> None:
    page(workflow, 10)
    held = sum(len(series.blocks) for series in kept.recall(seen(workflow), "created_at", ()) or ())
    monkeypatch.setattr(kept, "MOST_IN_MEMORY", held)
    page(workflow, 10, sort="started_at")
    assert reads_of_blocks(workflow, 10, sort="started_at") == 0
    assert reads_of_blocks(workflow, 10) == 1


def test_the_last_ones_stay_however_many_they_are(
    workflow: Workflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "MOST_IN_MEMORY", 1)
    assert [reads_of_blocks(workflow, 10), reads_of_blocks(workflow, 10)] == [1, 0]


@given(held=st.lists(st.integers(0, 3), min_size=1, max_size=8).filter(any), place=st.floats(0, 0.999))
def test_a_position_lies_in_the_block_that_holds_it_counted_from_either_end(
    held: list[int], place: float
) -> None:
    series = Series([Block(START, (number, START[1]), here) for number, here in enumerate(held)])
    runs = [(number, nth) for number, here in enumerate(held) for nth in range(here)]
    position = int(place * len(runs))
    block, skip = series.find(position)
    assert (block.end and block.end[0], skip) == runs[position]
    block, skip = series.find_backwards(position)
    number, nth = runs[len(runs) - 1 - position]
    assert (block.end and block.end[0], skip) == (number, held[number] - 1 - nth)
