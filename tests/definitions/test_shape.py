"""The shape of definitions that are written: what is refused, where, and what is kept."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.definitions.catalog import OLD_SLUGS
from portal.definitions.shape import (
    MAX_EDGES,
    MAX_LEVELS,
    MAX_NODES,
    MAX_SEGMENT,
    complete,
    offences,
    read_stored,
)
from portal.definitions.structure import validate_definition
from portal.errors import MAX_ERRORS, InvalidQuery
from tests.definitions.graphs import GENERATOR, SINK, Json, definitions, edge, graph, node, smallest

EMPTY = {"graph": {"nodes": [], "edges": []}, "execution": {"steps": [], "params": {}}}


def places(definition: object) -> list[str]:
    return [".".join(map(str, path)) for path, _ in offences(definition)]


def one_node(**changes: Any) -> Json:
    return graph([node(SINK) | changes], [])


def without(key: str) -> Json:
    return graph([{name: value for name, value in node(SINK).items() if name != key}], [])


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ([], [""]),
        ("{}", [""]),
        ({"graph": []}, ["graph"]),
        ({"graph": {"nodes": {}, "edges": 1}, "execution": ""}, ["graph.nodes", "graph.edges", "execution"]),
        ({"execution": {"steps": {}, "params": []}}, ["execution.steps", "execution.params"]),
        ({"execution": {"steps": ["a", 1, None]}}, ["execution.steps.1", "execution.steps.2"]),
        (graph(["x"], [None]), ["graph.nodes.0", "graph.edges.0"]),  # type: ignore[list-item]
        *((without(key), [f"graph.nodes.0.{key}"]) for key in ("id", "type", "position")),
        *((one_node(id=each), ["graph.nodes.0.id"]) for each in ("", "x" * 129, 5, None)),
        *((one_node(type=each), ["graph.nodes.0.type"]) for each in ("unknown", "decision", 5, None, [])),
        (one_node(position=None), ["graph.nodes.0.position"]),
        (one_node(position={}), ["graph.nodes.0.position.x", "graph.nodes.0.position.y"]),
        *(
            (one_node(position={"x": each, "y": 0}), ["graph.nodes.0.position.x"])
            for each in (True, "1", None, 10**400)
        ),
        *((one_node(name=each), ["graph.nodes.0.name"]) for each in ("x" * 201, 5)),
        *((one_node(config=each), ["graph.nodes.0.config"]) for each in ([], "x", 5)),
        *(
            (one_node(config_version=each), ["graph.nodes.0.config_version"])
            for each in (0, -1, "1", 1.5, True)
        ),
        (one_node(config={"text": "x" * 500_001}), ["graph.nodes.0.config.text"]),
        *(
            (graph([], [{k: v for k, v in edge("a", "b").items() if k != key}]), [f"graph.edges.0.{key}"])
            for key in edge("a", "b")
        ),
        (
            graph([], [edge("a", "b") | {"id": 5, "target": None}]),
            ["graph.edges.0.id", "graph.edges.0.target"],
        ),
        (graph([node(SINK)] * (MAX_NODES + 1), []), ["graph.nodes"]),
        (graph([], [edge("a", "b")] * (MAX_EDGES + 1)), ["graph.edges"]),
        ({"x": {"y": ["a\0"]}}, ["x.y.0"]),
        ({"x": "\ud800"}, ["x"]),
        ({"x": {"a\0": 1}}, ["x"]),
        ({"x": {"\udfff": 1}}, ["x"]),
        ({"x": [float("inf")]}, ["x.0"]),
    ],
)
def test_what_does_not_fit_is_refused_by_its_place(definition: object, expected: list[str]) -> None:
    assert places(definition) == expected


def nested(levels: int) -> Json:
    value: object = 1
    for _ in range(levels - 1):
        value = [value]
    return {"x": value}


def test_it_nests_as_deep_as_is_allowed() -> None:
    assert offences(nested(MAX_LEVELS)) == []
    assert len(offences(nested(MAX_LEVELS + 1))) == 1
    assert len(offences(nested(500))) == 1


@pytest.mark.parametrize(
    "definition",
    [
        {},
        {"graph": None, "execution": None},
        {"graph": {"nodes": None}, "execution": {"steps": None, "params": None}},
    ],
)
def test_missing_parts_are_empty_ones(definition: Json) -> None:
    assert offences(definition) == []
    assert complete(definition) == EMPTY


def test_boundaries_fit() -> None:
    most = node(SINK, "x" * 128) | {"name": "é" * 200, "config_version": 1.0}
    assert offences(graph([most | {"config": {"text": "x" * 500_000}}], [])) == []
    assert offences(graph([node(SINK)] * MAX_NODES, [edge("a", "b")] * MAX_EDGES)) == []


@pytest.mark.parametrize(("old", "new"), OLD_SLUGS.items())
def test_old_names_of_types_are_renamed(old: str, new: str) -> None:
    definition = graph([node(old)], [])
    assert offences(definition) == []
    assert [each["type"] for each in complete(definition)["graph"]["nodes"]] == [new]


def test_no_answer_names_more_than_a_hundred_places_or_repeats_long_keys() -> None:
    assert len(offences(graph([{}] * MAX_NODES, []))) == MAX_ERRORS  # type: ignore[list-item]
    [(path, _)] = offences({"k" * 1_000_000: "\0"})
    assert len(str(path[0])) == MAX_SEGMENT


@pytest.mark.slow
@pytest.mark.hypothesis
@given(definitions())
def test_a_legal_definition_is_kept_as_it_is(definition: Json) -> None:
    assert offences(definition) == []
    kept = complete(definition)
    assert json.dumps(kept, sort_keys=True) == json.dumps(definition, sort_keys=True)
    assert validate_definition(kept) == []


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["graph", "nodes", "edges", "id", "type", "position"]), inner)
    ),
)


@pytest.mark.slow
@pytest.mark.hypothesis
@given(_ANYTHING)
def test_whatever_comes_is_told_apart_without_failing(definition: object) -> None:
    if not offences(definition):
        validate_definition(complete(definition))  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.hypothesis
@given(st.dictionaries(st.sampled_from(["voice_map", "target_locale", "format"]), _ANYTHING))
def test_whatever_stands_in_a_config_is_told_apart_without_failing(config: Json) -> None:
    definition = smallest()
    for each in definition["graph"]["nodes"]:
        each["config"] = config
    if not offences(definition):
        validate_definition(complete(definition))


def test_a_generator_keeps_its_voices() -> None:
    voices = {"DE_de": [{"voice_id": "v", "provider": "p", "model": "m", "x": 1}], "fr-fr": []}
    definition = graph([node(GENERATOR, voice_map=voices)], [])
    assert complete(definition) == definition
    assert validate_definition(definition) == []


def test_a_stored_definition_may_have_any_type_but_not_any_shape() -> None:
    stored = graph([node("operator_gone"), node("processing_booster", "b")], [])
    assert [path for path, _ in offences(stored)] == [("graph", "nodes", 0, "type")]
    assert [each["type"] for each in read_stored(stored)["graph"]["nodes"]] == [
        "operator_gone",
        "operator_normalizer",
    ]
    for broken, field in (
        ({"graph": {"nodes": [{**node("x"), "type": 5}]}}, "definition.graph.nodes.0.type"),
        ({"graph": {"nodes": [5]}}, "definition.graph.nodes.0"),
        ([], "definition"),
    ):
        with pytest.raises(InvalidQuery) as refusal:
            read_stored(broken)
        assert [error.field for error in refusal.value.errors] == [field]
