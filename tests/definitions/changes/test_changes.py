"""What differs between two definitions, in words."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.definitions.changes import MAX_CHANGES, changes_of
from portal.definitions.changes.json_text import is_same
from tests.definitions.graphs import (
    CHECK,
    GENERATOR,
    SCRIPT,
    SINK,
    TEXTS,
    Json,
    checked,
    definitions,
    edge,
    graph,
    node,
    smallest,
)

MOST = 600
"""Characters of a sentence."""

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=10,
)
WORDS = ("id", "type", "name", "config", "position", "source", "target", "voice_map", "text", "x")
ODD_OBJECTS = st.dictionaries(st.sampled_from(WORDS), VALUES, max_size=5)
LISTS = VALUES | st.lists(ODD_OBJECTS | VALUES, max_size=4)
ODD = VALUES | st.fixed_dictionaries(
    {},
    optional={
        "graph": VALUES | st.fixed_dictionaries({}, optional={"nodes": LISTS, "edges": LISTS}),
        "execution": VALUES | st.fixed_dictionaries({}, optional={"steps": LISTS, "params": LISTS}),
    },
)
ANY = definitions() | ODD


def said(old: object, new: object) -> list[str]:
    return [change.sentence for change in changes_of(old, new)]


def changed(change: Callable[[Json], object], original: Json | None = None) -> list[str]:
    old = original or checked()
    new = copy.deepcopy(old)
    change(new)
    return said(old, new)


def of_config(old: Json, new: Json, slug: str = CHECK) -> list[str]:
    """What is said of these settings of one node."""
    return said(graph([node(slug, "x", **old)], []), graph([node(slug, "x", **new)], []))


def test_the_same_definition_has_no_changes() -> None:
    reordered = json.loads(json.dumps(checked(), sort_keys=True))
    assert said(checked(), reordered) == []


def test_nodes_that_come_and_go_are_named_with_their_edges() -> None:
    named = checked()
    named["graph"]["nodes"][2]["name"] = "Listener"
    assert said(smallest(), named) == [
        "Word Accuracy “Listener” added",
        f"Voice Generator “{GENERATOR}” → “Listener” connected",
        f"“Listener” pass → Export “{SINK}” connected",
        f"“Listener” fail → Voice Generator “{GENERATOR}” connected",
        f"Voice Generator “{GENERATOR}” → Export “{SINK}” disconnected",
    ]
    assert said(named, smallest())[0] == "Word Accuracy “Listener” removed"


def test_a_node_that_is_renamed_is_called_by_its_new_name() -> None:
    def rename(new: Json) -> None:
        new["graph"]["nodes"][1] |= {"name": "Narrator", "config": {"target_locale": "de-de"}}

    assert changed(rename) == [
        f"Voice Generator “{GENERATOR}” renamed to “Narrator”",
        "Target locale of “Narrator” none → German (Germany)",
    ]
    named = graph([{**node(SINK), "name": "Out"}], [])
    assert said(named, graph([node(SINK)], [])) == ["Export “Out” is no longer named"]


def test_a_node_of_another_type_and_one_of_a_type_that_is_missing_here() -> None:
    old = graph([node(SCRIPT, "a")], [])
    assert said(old, graph([node(SINK, "a")], [])) == ["Type of “a” Script Input → Export"]
    assert said(old, graph([node("our_own", "a")], [])) == ["Type of “a” Script Input → “our_own”"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ({"threshold": 70}, {"threshold": 80}, "Threshold of Word Accuracy “x” 70 → 80"),
        ({}, {"threshold": 80}, "Threshold of Word Accuracy “x” 93 (default) → 80"),
        ({"threshold": 80}, {"threshold": None}, "Threshold of Word Accuracy “x” 80 → 93 (default)"),
        ({"threshold": 93}, {}, "Threshold of Word Accuracy “x” 93 → 93 (default)"),
        ({"threshold": None}, {}, "Threshold of Word Accuracy “x” written differently"),
        ({"threshold": 70}, {"threshold": 70.0}, "Threshold of Word Accuracy “x” 70 → 70.0"),
        ({"threshold": 1}, {"threshold": True}, "Threshold of Word Accuracy “x” 1 → yes"),
        ({}, {"is_mine": "Yes"}, "Is mine of Word Accuracy “x” none → “Yes”"),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, "A of Word Accuracy “x” changed"),
        ({"a": [1]}, {"a": {}}, "A of Word Accuracy “x” changed"),
        ({"": 1}, {"": 2}, "A setting of Word Accuracy “x” 1 → 2"),
    ],
)
def test_a_setting_is_said_with_what_it_was(old: Json, new: Json, words: str) -> None:
    assert of_config(old, new) == [words]


def test_settings_come_in_the_order_of_the_catalog_then_by_key() -> None:
    new = {"z": 1, "max_retries": 5, "b": 1, "threshold": 80}
    assert [each.partition(" of")[0] for each in of_config({}, new)] == ["Threshold", "Max retries", "B", "Z"]


def test_a_long_text_is_told_by_its_length() -> None:
    of = "of Script Input “x”"
    assert of_config({"text": "a" * 1204}, {"text": "b" * 1310}, SCRIPT) == [
        f"Text {of} changed (1,204 → 1,310 characters)"
    ]
    assert of_config({"text": "a\n"}, {"text": "b\n"}, SCRIPT) == [
        f"Text {of} changed (2 characters, as before)"
    ]
    assert of_config({"text": "Hello"}, {"text": "Bye"}, SCRIPT) == [f"Text {of} “Hello” → “Bye”"]
    assert of_config({}, {"text": "a" * 100}, SCRIPT) == [f"Text {of} changed (0 → 100 characters)"]


def test_locales_are_named_and_lists_tell_what_came_and_went() -> None:
    slug, of = "operator_translator", "of Translator “x”"
    for old, new, words in (
        (
            ["de-de", "fr-fr"],
            ["de-de", "es-mx", "xx"],
            ": Spanish (Mexico), “xx” added; French (France) removed",
        ),
        (["de-de", "fr-fr"], ["fr-fr", "de-de"], " in another order"),
        (None, ["de-de"], ": German (Germany) added"),
        (None, [], " written differently"),
        ([], [5] * 7, ": 5, 5, 5, 5, 5 and 2 more added"),
    ):
        before: Json = {} if old is None else {"target_languages": old}
        said_of_it = of_config(before, {"target_languages": new}, slug)
        assert said_of_it == [f"Target languages {of}{words}"]
    assert of_config({"source_language": "en"}, {"source_language": "EN_GB"}, SCRIPT) == [
        "Source language of Script Input “x” English → English (United Kingdom)"
    ]
    assert of_config({"target_locale": "de-de"}, {"target_locale": "de_DE"}, GENERATOR) == [
        "Target locale of Voice Generator “x” written differently"
    ]


def test_voices_are_told_for_each_locale() -> None:
    anna = {"voice_id": "1", "provider": "p", "model": "m", "voice_name": "Anna"}
    old: Json = {"voice_map": {"de-de": [anna], "fr-fr": [anna], "en-us": [anna]}}
    new: Json = {
        "voice_map": {"de-de": [{**anna, "voice_name": "Berta"}, 5], "en-us": [{**anna, "model": "n"}]}
    }
    of = "Voices of Voice Generator “x” for"
    assert of_config(old, new, GENERATOR) == [
        f"{of} German (Germany) “Anna” → “Berta”, 5",
        f"{of} English (United States) changed",
        f"{of} French (France) “Anna” → chosen by the portal",
    ]
    assert of_config({}, {"voice_map": {}}, GENERATOR) == [
        "Voice map of Voice Generator “x” written differently"
    ]


def test_nodes_that_moved_are_counted() -> None:
    def move(new: Json) -> None:
        for each in new["graph"]["nodes"][1:]:
            each["position"] = {"x": 9, "y": 9}

    assert changed(move) == ["3 nodes moved"]
    assert changed(lambda new: new["graph"]["nodes"][0].update(position=None)) == ["1 node moved"]


def test_the_execution_is_told() -> None:
    def execute(new: Json) -> None:
        new["execution"] = {"steps": [SINK, "?"], "params": {"speed": 2}}

    assert changed(execute) == [
        f"Steps of the execution: Export “{SINK}”, “?” added",
        "Speed of the execution none → 2",
    ]
    turned = said(graph([], [], ["a", "b"]), graph([], [], ["b", "a"]))
    assert turned == ["Steps of the execution in another order"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda new: new.update(note="x"), ["Other values changed"]),
        (lambda new: new["graph"].update(viewport=1), ["Other values changed"]),
        (lambda new: new["execution"].update(mode=1), ["Other values changed"]),
        (lambda new: new["execution"].update(steps=None), ["Other values changed"]),
        (lambda new: new["graph"]["edges"][0].update(id="e"), ["Other values changed"]),
        (lambda new: new["graph"]["edges"].reverse(), ["Other values changed"]),
        (lambda new: new["graph"]["nodes"].reverse(), ["Nodes in another order"]),
        (lambda new: new["graph"]["nodes"].append("x"), ["Other values changed"]),
        (lambda new: new["graph"]["nodes"].append(new["graph"]["nodes"][0]), ["Other values changed"]),
        (
            lambda new: new["graph"]["nodes"][0].update(config_version=2),
            [f"Other values of Script Input “{SCRIPT}” changed"],
        ),
        (
            lambda new: (new.update(note="x"), new["graph"]["nodes"][0]["config"].update(text="Bye")),
            [f"Text of Script Input “{SCRIPT}” “Hello” → “Bye”", "Other values changed"],
        ),
    ],
)
def test_whatever_else_differs_is_said_to_differ(change: Callable[[Json], object], words: list[str]) -> None:
    assert changed(change) == words


@pytest.mark.parametrize(
    "odd", [None, [], "x", 5, {}, {"graph": []}, {"graph": {"nodes": {}, "edges": [[]]}}]
)
def test_what_is_no_definition_is_compared_too(odd: Any) -> None:
    assert said(odd, odd) == []
    assert said(odd, smallest())[:1] == ["Script Input “source_script” added"]
    assert said(smallest(), odd)[:1] == ["Script Input “source_script” removed"]
    assert said(odd, ["y"]) == ["Other values changed"]


def test_of_many_changes_the_first_are_told_and_the_others_counted() -> None:
    many = graph([node(SCRIPT, str(number)) for number in range(300)], [])
    sentences = said(graph([], []), many)
    assert len(sentences) == MAX_CHANGES + 1
    assert sentences[-1] == "200 more changes"
    assert [each.sentence for each in changes_of(graph([], []), many, 299)][-1] == "1 more change"


def test_sentences_are_short_whatever_the_definitions_hold() -> None:
    long = "x" * 100_000
    nodes = [
        {**node(SCRIPT, long, text=long, **{long: long}), "name": long},
        node(long, "b", voice_map={long: long}),
    ]
    huge = graph(nodes, [edge(long, "b", long)], [long])
    voices = graph([node(GENERATOR, "b", voice_map={long: [{"voice_name": long}] * 50})], [])
    for old, new in ((smallest(), huge), (huge, smallest()), (graph([node(GENERATOR, "b")], []), voices)):
        assert max(map(len, said(old, new))) <= MOST


@pytest.mark.slow
@given(ANY, ANY)
def test_there_are_changes_if_and_only_if_the_definitions_differ(old: Any, new: Any) -> None:
    sentences = said(old, new)
    assert bool(sentences) != is_same(old, new)
    assert all(0 < len(each) <= MOST for each in sentences)


@pytest.mark.slow
@given(ANY, st.data())
def test_a_definition_changed_in_one_value_has_changes(old: Any, data: st.DataObject) -> None:
    new = _with_one_change(copy.deepcopy(old), data)
    assert bool(said(old, new)) != is_same(old, new)
    assert said(old, copy.deepcopy(old)) == []


def _with_one_change(value: Any, data: st.DataObject) -> Any:
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    if not keys or data.draw(st.booleans()):
        return data.draw(VALUES)
    key = data.draw(st.sampled_from(keys))
    value[key] = _with_one_change(value[key], data)
    return value
