"""The geometry of charts and graphs."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.pages.charts import Scale, count_ticks, histogram, merge, stack, time_ticks
from portal.pages.graph import draw_graph, read_nodes


def test_a_scale_places_values_in_percent_and_keeps_outsiders_at_the_edge() -> None:
    scale = Scale(100, 300)
    assert [scale.at(value) for value in (0, 100, 150, 300, 900)] == [0, 0, 25, 100, 100]
    assert scale.between(50, 200) == 50
    assert Scale(5, 5).at(5) == 0


@given(st.integers(0, 10**9), st.integers(1, 10**12))
def test_time_ticks_are_few_round_and_inside(begin: int, length: int) -> None:
    ticks = time_ticks(begin, begin + length)
    assert len(ticks) <= 7
    assert all(begin <= tick.value <= begin + length and 0 <= tick.at <= 100 for tick in ticks)


def test_time_ticks_fall_on_what_people_count_in() -> None:
    assert [tick.value // 1000 for tick in time_ticks(0, 3_600_000)] == [0, 600, 1200, 1800, 2400, 3000, 3600]


@given(st.integers(0, 10**9))
def test_count_ticks_reach_the_highest_count(highest: int) -> None:
    ticks = count_ticks(highest)
    assert (ticks[0].value, ticks[-1].at) == (0, 100)
    assert ticks[-1].value >= highest
    assert len(ticks) <= 6


def test_parts_of_a_column_stand_on_each_other_and_empty_ones_are_left_out() -> None:
    pieces = stack([("completed", 6), ("cancelled", 0), ("failed", 2)], top=10)
    assert [(piece.kind, piece.at, piece.size) for piece in pieces] == [
        ("completed", 0, 60),
        ("failed", 60, 20),
    ]


def test_bars_that_touch_are_drawn_as_one_and_none_is_invisible() -> None:
    scale = Scale(0, 1000)
    assert merge([(0, 100), (100, 200), (500, 500), (1000, 1000)], scale) == [(0, 20), (50, 0.3), (99.7, 0.3)]


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), max_size=400))
def test_merged_bars_never_overlap_or_leave_the_chart(bars: list[tuple[int, int]]) -> None:
    merged = merge([(min(bar), max(bar)) for bar in bars], Scale(0, 1000))
    ends = [at + size for at, size in merged]
    assert all(end < at + 0.02 for end, (at, _) in zip(ends, merged[1:], strict=False))
    assert all(end <= 100.01 for end in ends)
    assert len(merged) <= 334


@given(st.lists(st.integers(0, 10**10), max_size=300))
def test_a_histogram_counts_every_value_once(values: list[int]) -> None:
    bins = histogram(values)
    assert sum(each.count for each in bins) == len(values)
    assert len(bins) <= 24
    assert all(bins[n].high == bins[n + 1].low for n in range(len(bins) - 1))
    if values:
        assert bins[0].low <= min(values)
        assert bins[-1].high >= max(values)


def definition(nodes: list[str], *edges: tuple[str, str]) -> dict[str, Any]:
    drawn = [{"source": source, "target": target} for source, target in edges]
    return {"graph": {"nodes": [{"id": node, "type": "task"} for node in nodes], "edges": drawn}}


def test_a_graph_goes_from_left_to_right() -> None:
    graph = draw_graph(definition(["d", "b", "c", "a"], ("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")), {})
    assert graph is not None
    across = {box.node.id: box.x for box in graph.boxes}
    assert across["a"] < across["b"] == across["c"] < across["d"]
    assert len({(box.x, box.y) for box in graph.boxes}) == 4
    assert len(graph.curves) == 4


@pytest.mark.slow
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef")), max_size=20))
def test_any_graph_can_be_drawn_circles_too(edges: list[tuple[str, str]]) -> None:
    graph = draw_graph(definition(list("abcdef"), *edges), {})
    assert graph is not None
    assert len({(box.x, box.y) for box in graph.boxes}) == 6


@pytest.mark.parametrize(
    "odd",
    [
        None,
        {},
        {"graph": None},
        {"graph": []},
        {"graph": {"nodes": "x", "edges": 3}},
        {"graph": {"nodes": [1, {"id": 5}, {}], "edges": [{"source": 1}, {"source": {}, "target": []}]}},
    ],
)
def test_what_is_no_graph_draws_nothing(odd: Any) -> None:
    assert draw_graph(odd, {}) is None
    assert read_nodes(odd, {}) == []


def test_too_many_nodes_are_listed_and_not_drawn() -> None:
    many = definition([f"n{n}" for n in range(151)])
    assert draw_graph(many, {}) is None
    assert len(read_nodes(many, {})) == 151


def test_nodes_say_what_they_follow_by_name() -> None:
    named = definition(["a", "b"], ("a", "b"), ("nowhere", "b"))
    named["graph"]["nodes"][0]["name"] = "Script"
    nodes = read_nodes(named, {"b": "Translator"})
    assert [(node.name, list(node.follows)) for node in nodes] == [("Script", []), ("Translator", ["Script"])]
