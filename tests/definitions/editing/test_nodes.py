"""Adding nodes to a definition and removing them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.definitions.catalog import CATALOG
from portal.definitions.editing.edges import Way, connect, disconnect, possible_from, possible_to
from portal.definitions.editing.nodes import (
    After,
    Alone,
    Before,
    Between,
    Place,
    add_node,
    fitting,
    move_nodes,
    places_at,
    remove_node,
)
from portal.definitions.shape import MAX_EDGES, MAX_NODES, read_stored
from portal.definitions.structure import validate_definition
from tests.definitions.graphs import (
    CHECK,
    GENERATOR,
    SCRIPT,
    SINK,
    Json,
    checked,
    definitions,
    edge,
    graph,
    node,
    smallest,
)

EMPTY = graph([], [])


def ways(definition: Json) -> list[str]:
    """The edges as `a fail b`."""
    return [f"{e['source']} {e['sourcePort']} {e['target']}" for e in definition["graph"]["edges"]]


def ids(definition: Json) -> list[str]:
    return [each["id"] for each in definition["graph"]["nodes"]]


def slugs(definition: Json, place: Place) -> list[str]:
    return [each.slug for each in fitting(definition, place)]


def test_a_chain_is_built_from_nothing() -> None:
    built = add_node(EMPTY, SCRIPT, Alone())
    for slug, port in ((GENERATOR, "lines"), (CHECK, "lines"), (SINK, "pass")):
        built = add_node(built, slug, After(len(ids(built)) - 1, port))
    assert ways(built) == [
        "script-1 lines generator-1",
        "generator-1 lines error-rate-1",
        "error-rate-1 pass preview-1",
    ]
    assert validate_definition(built) == []
    names = [each["name"] for each in built["graph"]["nodes"]]
    assert names == ["Script Input", "Voice Generator", "Word Accuracy", "Export"]


def test_a_second_node_of_a_type_has_a_name_and_an_id_of_its_own() -> None:
    twice = add_node(add_node(EMPTY, GENERATOR, Alone()), GENERATOR, Alone())
    assert ids(twice) == ["generator-1", "generator-2"]
    assert twice["graph"]["nodes"][1]["name"] == "Voice Generator 2"


@pytest.mark.parametrize(
    ("place", "offered"),
    [
        (After(0, "lines"), {"operator_translator", GENERATOR}),
        (After(1, "lines"), {CHECK, SINK}),
        (Before(1), {SCRIPT, "operator_translator"}),
        (Before(0), set()),
        (After(2, "lines"), set()),
        (Between(1), {CHECK, "operator_pronunciation_corrector"}),
    ],
)
def test_only_what_fits_is_offered(place: Place, offered: set[str]) -> None:
    found = slugs(smallest(), place)
    assert offered <= set(found)
    assert bool(found) == bool(offered)
    assert (SINK in found) == (SINK in offered)


def test_between_two_nodes_the_new_one_takes_the_place_of_the_edge() -> None:
    changed = add_node(checked(), "operator_translator", Between(0))
    added = [f"{SCRIPT} lines translator-1", f"translator-1 lines {GENERATOR}"]
    assert ways(changed) == [*ways(checked())[1:], *added]


def test_a_validator_put_on_an_edge_passes_lines_on() -> None:
    changed = add_node(smallest(), CHECK, Between(1))
    assert ways(changed)[1:] == [f"{GENERATOR} lines error-rate-1", f"error-rate-1 pass {SINK}"]


def test_what_does_not_fit_is_not_added() -> None:
    assert add_node(smallest(), SINK, After(0, "lines")) == smallest()


def test_a_full_definition_takes_no_more() -> None:
    full = graph([node(SCRIPT, str(number)) for number in range(MAX_NODES)], [])
    assert fitting(full, Alone()) == []


def with_all_edges(definition: Json) -> Json:
    """With as many edges as a definition may have; the further ones lead nowhere."""
    spare = [
        edge("gone", "away", id=f"spare {number}")
        for number in range(MAX_EDGES - len(definition["graph"]["edges"]))
    ]
    return graph(definition["graph"]["nodes"], [*definition["graph"]["edges"], *spare])


def test_where_no_edge_can_be_added_no_node_that_needs_one_is_offered() -> None:
    full = with_all_edges(smallest())
    assert slugs(full, After(1, "lines")) == slugs(full, Before(1)) == slugs(full, Between(1)) == []
    assert SCRIPT in slugs(full, Alone())
    assert CHECK in slugs(disconnect(full, MAX_EDGES - 1), Between(1))


def test_a_node_is_removed_and_its_neighbours_connected_however_many_edges_there_are() -> None:
    assert f"{GENERATOR} lines {SINK}" in ways(remove_node(with_all_edges(checked()), 2))


def test_after_a_removal_what_fed_a_node_feeds_what_it_fed() -> None:
    expected = [f"{SCRIPT} lines {GENERATOR}", f"{GENERATOR} lines {SINK}"]
    assert ways(remove_node(checked(), 2)) == expected


def test_an_illegal_edge_does_not_take_the_place_of_a_removed_node() -> None:
    removed = remove_node(smallest(), 1)
    assert (ids(removed), ways(removed)) == ([SCRIPT, SINK], [])


def test_a_removed_node_is_no_step_of_the_execution_any_more() -> None:
    definition = checked()
    definition["execution"]["steps"] = ids(definition)
    assert remove_node(definition, 2)["execution"]["steps"] == [SCRIPT, GENERATOR, SINK]


def test_ways_that_are_there_or_break_a_rule_are_not_offered() -> None:
    assert possible_from(smallest(), 0) == []
    assert possible_from(checked(), 2) == [Way(2, "pass", 1, "lines"), Way(2, "fail", 3, "lines")]
    assert possible_to(checked(), 3) == [Way(1, "lines", 3, "lines"), Way(2, "fail", 3, "lines")]


def test_edges_come_and_go() -> None:
    less = disconnect(checked(), 3)
    again = connect(less, Way(2, "fail", 1, "lines"))
    assert ways(again) == ways(checked())
    assert connect(again, Way(0, "lines", 3, "lines")) == again


def test_only_positions_move() -> None:
    moved = move_nodes(smallest(), {GENERATOR: (5, 6.5)})
    assert moved["graph"]["nodes"][1]["position"] == {"x": 5, "y": 6.5}
    assert moved["graph"]["nodes"][0] == smallest()["graph"]["nodes"][0]


def a_change(draw: Any, definition: Json) -> Json:
    count = len(ids(definition))
    place: Place = Alone()
    if count and draw(st.booleans()):
        number = draw(st.integers(0, count - 1))
        possible = possible_from(definition, number) + possible_to(definition, number)
        if possible and draw(st.booleans()):
            return connect(definition, draw(st.sampled_from(possible)))
        if draw(st.booleans()):
            return remove_node(definition, number)
        place = draw(st.sampled_from([*places_at(definition, number), Alone()]))
    offered = slugs(definition, place) or [SCRIPT]
    return add_node(definition, draw(st.sampled_from(offered)), place)


@pytest.mark.slow
@given(definitions(), st.data())
def test_whatever_the_editor_offers_keeps_a_legal_definition_legal(definition: Json, data: Any) -> None:
    changed = read_stored(definition)
    before = {each["id"]: each for each in changed["graph"]["nodes"]}
    for _ in range(4):
        changed = a_change(data.draw, changed)
        assert validate_definition(read_stored(changed)) == []
    added = [each for each in changed["graph"]["nodes"] if before.get(each["id"]) != each]
    assert len(added) <= 4


def test_ports_of_unknown_types_may_be_anything() -> None:
    odd = graph([node("operator_gone", "a"), node(SINK, "b")], [edge("a", "b")])
    assert set(CATALOG) >= set(slugs(odd, Between(0)))
    assert ids(remove_node(odd, 0)) == ["b"]
