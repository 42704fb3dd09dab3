"""Steps placed in time: what is recorded is drawn as recorded, what is not is said."""

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from portal.database.models import Run
from portal.errors import InvalidQuery
from portal.runs.detail.timeline import (
    LANES_A_PAGE,
    Timeline,
    TimelineQuery,
    build_timeline,
    concurrency,
    read_timeline,
    steps_before_start,
)
from tests.factories import NOON


def step(node_id: str, begin: float | None, end: float | None, **columns: Any) -> SimpleNamespace:
    """A step that begins and ends so many seconds after noon."""
    values: dict[str, Any] = {
        "position": columns.pop("position", 0),
        "node_id": node_id,
        "node_type": "task",
        "name": None,
        "status": "completed",
        "iteration": 1,
        "started_at": at(begin),
        "completed_at": at(end),
        "duration_seconds": None,
    }
    return SimpleNamespace(**(values | columns))


def at(seconds: float | None) -> datetime | None:
    return None if seconds is None else NOON + timedelta(seconds=seconds)


def drawn(*steps: SimpleNamespace, now: float = 100, **query: Any) -> Timeline:
    for position, each in enumerate(steps):
        each.position = position
    return build_timeline(steps, TimelineQuery(**query), at(now) or NOON)


def places(timeline: Timeline) -> list[list[tuple[int, int]]]:
    return [[(span.begin, span.end) for span in lane.spans] for lane in timeline.lanes.rows]


def test_each_node_has_a_lane_and_attempts_share_it() -> None:
    timeline = drawn(
        step("a", 0, 10, status="failed"), step("b", 10, 12), step("a", 12, 20, iteration=2), step("c", 5, 6)
    )
    assert places(timeline) == [[(0, 10_000), (12_000, 20_000)], [(5_000, 6_000)], [(10_000, 12_000)]]
    assert [lane.status for lane in timeline.lanes.rows] == ["completed", "completed", "completed"]
    assert [lane.failed for lane in timeline.lanes.rows] == [1, 0, 0]
    assert timeline.node_states == {"a": "completed", "b": "completed", "c": "completed"}


def test_a_step_that_is_still_going_reaches_to_the_present() -> None:
    timeline = drawn(step("a", 0, 10), step("b", 10, None, status="running"), now=25)
    assert timeline.length == 25_000
    assert not timeline.lanes.rows[1].spans[0].ended


def test_a_step_that_ended_without_an_end_is_only_a_moment() -> None:
    timeline = drawn(step("a", 0, 10), step("b", 4, None))
    assert places(timeline)[1] == [(4_000, 4_000)]
    assert not timeline.lanes.rows[1].spans[0].ended


def test_a_step_that_ends_before_it_begins_is_counted_and_drawn_where_it_begins() -> None:
    timeline = drawn(step("a", 0, 10), step("b", 8, 3))
    assert timeline.backwards == 1
    assert places(timeline)[1] == [(8_000, 8_000)]


def test_without_any_begin_steps_are_as_long_as_they_took() -> None:
    timeline = drawn(
        step("a", None, None, duration_seconds="1.5"),
        step("b", None, None, duration_seconds='"long"'),
        step("c", None, None, duration_seconds="-1"),
    )
    assert (timeline.origin, timeline.unplaced, places(timeline)) == (None, 2, [[(0, 1500)]])


def test_steps_without_a_begin_among_others_are_counted_not_guessed() -> None:
    timeline = drawn(step("a", 0, 1), step("b", None, 5, duration_seconds="2"))
    assert (len(timeline.spans), timeline.unplaced) == (1, 1)
    assert timeline.node_states == {"a": "completed", "b": "completed"}


def test_a_wave_begins_where_all_before_it_have_ended() -> None:
    timeline = drawn(
        step("a", 0, 10), step("b", 2, 6), step("c", 10, 12), step("d", 11, 20), step("e", 30, 31)
    )
    assert timeline.waves == [10_000, 30_000]


def test_many_nodes_are_folded_by_type_until_one_is_opened() -> None:
    steps = [step(f"n{n}", n, n + 1, node_type="even" if n % 2 == 0 else "odd") for n in range(100)]
    folded = drawn(*steps)
    assert [(lane.label, lane.folded, len(lane.spans)) for lane in folded.lanes.rows] == [
        ("even", True, 50),
        ("odd", True, 50),
    ]
    opened = drawn(*steps, node_type="odd")
    assert opened.lanes.total == 50
    assert len(opened.lanes.rows) == LANES_A_PAGE
    assert [lane.label for lane in drawn(*steps, node_type="odd", lane_page=2).lanes.rows] == [
        f"n{n}" for n in range(2 * LANES_A_PAGE + 1, 100, 2)
    ]


def test_zooming_leaves_the_lanes_that_have_something_there() -> None:
    steps = (step("a", 0, 10), step("b", 10, 20), step("c", 20, 30))
    timeline = drawn(*steps, from_ms=12_000, to_ms=18_000)
    assert ([lane.label for lane in timeline.lanes.rows], timeline.zoomed) == (["b"], True)
    past = drawn(*steps, from_ms=50_000, to_ms=60_000)
    assert 0 <= past.begin < past.end <= past.length


@pytest.mark.parametrize("args", [{"from_ms": "-1"}, {"to_ms": "x"}, {"from_ms": "5", "to_ms": "5"}])
def test_a_bad_window_is_refused(args: dict[str, str]) -> None:
    with pytest.raises(InvalidQuery):
        TimelineQuery.parse(args)


def test_a_query_writes_what_it_reads() -> None:
    args = {"from_ms": "5", "to_ms": "9", "node_type": "a b", "lane_page": "2"}
    assert TimelineQuery.parse(args).to_args() == args
    assert TimelineQuery.parse({}).to_args() == {}


def test_steps_at_once_add_up_to_the_time_they_took() -> None:
    timeline = drawn(step("a", 0, 10), step("b", 5, 10))
    assert concurrency(timeline.spans, timeline.length, 4) == [1, 1, 2, 2]


def test_steps_before_the_run_are_counted_beyond_the_second_that_clocks_are_apart() -> None:
    timeline = drawn(step("a", 0, 1), step("b", 9.5, 12))
    assert steps_before_start(timeline, at(10)) == 1
    assert steps_before_start(timeline, None) == 0


def test_a_timeline_is_read_with_all_steps(run: Run) -> None:
    assert len(read_timeline(run.id, TimelineQuery(), NOON).spans) == 4
