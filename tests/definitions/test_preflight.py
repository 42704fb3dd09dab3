"""What may run (contract part 2, section 5): each error and each warning, and what is neither."""

from collections.abc import Callable

import pytest

from portal.definitions.preflight import Surroundings, preflight_definition
from portal.definitions.summary import ValidatorSummary, summary_of
from tests.definitions.graphs import (
    CHECK,
    GENERATOR,
    SCRIPT,
    SINK,
    Json,
    checked,
    edge,
    graph,
    node,
    smallest,
)
from tests.definitions.plug_ins import LISTEN, READ, SHOUT, SING, installed

UPLOAD = "123e4567-e89b-12d3-a456-426614174000"
TRANSLATOR = "operator_translator"
VOICE = {"voice_id": "v", "provider": "p", "model": "m"}
NOWHERE = Surroundings()


def errors(definition: Json, here: Surroundings = NOWHERE) -> list[tuple[str, str | None]]:
    return [(each.rule, each.node_id) for each in preflight_definition(definition, here).errors]


def warnings(definition: Json) -> list[tuple[str, str | None]]:
    return [(each.rule, each.node_id) for each in preflight_definition(definition, NOWHERE).warnings]


def script(**config: object) -> Json:
    definition = checked()
    definition["graph"]["nodes"][0]["config"] = config
    return definition


def translated(**config: object) -> Json:
    nodes = [node(SCRIPT, text="x"), node(TRANSLATOR, **config), node(GENERATOR), node(CHECK), node(SINK)]
    ways = [(SCRIPT, TRANSLATOR), (TRANSLATOR, GENERATOR), (GENERATOR, CHECK)]
    return graph(nodes, [*(edge(a, b) for a, b in ways), edge(CHECK, SINK, "pass")])


def spoken(**config: object) -> Json:
    definition = checked()
    definition["graph"]["nodes"][1]["config"] = config
    return definition


def test_the_smallest_chain_runs_and_only_lacks_a_validator() -> None:
    assert errors(smallest()) == []
    assert warnings(smallest()) == [("no_validator", None)]


def test_a_retry_through_fail_is_a_cycle_and_no_more() -> None:
    assert errors(checked()) == []
    assert warnings(checked()) == [("cycle", GENERATOR)]


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        (
            graph([], []),
            [("missing_source", None), ("missing_generator", None), ("missing_sink", None)],
        ),
        (
            graph([node(SCRIPT, text="x"), node(SINK)], []),
            [("missing_generator", None), ("unreachable_sink", SINK)],
        ),
        (
            graph([node(SCRIPT, text="x"), node(GENERATOR), node(SINK)], [edge(GENERATOR, SINK)]),
            [("unreachable_sink", SINK)],
        ),
        (script(), [("empty_script", SCRIPT)]),
        (script(text=" \n\t"), [("empty_script", SCRIPT)]),
        (script(input_type="file", text="x"), [("empty_script", SCRIPT)]),
        (script(input_type="file", upload_ids=[UPLOAD]), [("unknown_upload", SCRIPT)]),
        (script(input_type="media", upload_ids=["x", UPLOAD]), [("unknown_upload", SCRIPT)] * 2),
        (script(text="x", source_language="tlh"), [("unsupported_locale", SCRIPT)]),
        (translated(), [("missing_target_languages", TRANSLATOR)]),
        (translated(target_languages=[]), [("missing_target_languages", TRANSLATOR)]),
        (translated(target_languages=["de-de", "de"]), [("unsupported_locale", TRANSLATOR)]),
        (spoken(target_locale="xx-xx"), [("unsupported_locale", GENERATOR)]),
        (spoken(voice_map={"xx-xx": [VOICE]}), [("unsupported_locale", GENERATOR)]),
    ],
)
def test_what_keeps_it_from_running(definition: Json, expected: list[tuple[str, str | None]]) -> None:
    assert errors(definition) == expected


@pytest.mark.parametrize(
    "definition",
    [
        script(text="x", upload_ids=["of another time"]),
        script(text="x", source_language="EN_us"),
        script(text="x", source_language="pt"),
        translated(target_languages=["DE-de", "ja_JP"]),
        spoken(voice_map={"xx-xx": [], "de-de": [VOICE]}),
    ],
)
def test_what_does_not_keep_it_from_running(definition: Json) -> None:
    assert errors(definition) == []


def test_uploads_are_looked_for_in_any_case_and_the_newest_counts_where_none_is_named() -> None:
    here = Surroundings(scripts={UPLOAD}, has_own_script=True)
    assert errors(script(input_type="file", upload_ids=[UPLOAD.upper()]), here) == []
    assert errors(script(input_type="file"), here) == []
    assert errors(script(input_type="file", upload_ids=["x"]), here) == [("unknown_upload", SCRIPT)]


def test_a_cycle_without_a_fail_port_never_ends() -> None:
    nodes = [
        node(SCRIPT, text="x"),
        node(TRANSLATOR, target_languages=["de-de"]),
        node(GENERATOR),
        node(SINK),
    ]
    ways = [(SCRIPT, TRANSLATOR), (TRANSLATOR, GENERATOR), (GENERATOR, TRANSLATOR), (GENERATOR, SINK)]
    endless = graph(nodes, [edge(a, b) for a, b in ways])
    assert errors(endless) == [("endless_cycle", TRANSLATOR)]
    assert ("cycle", TRANSLATOR) in warnings(endless)


def test_broken_rules_come_first_and_their_edges_lead_nowhere() -> None:
    definition = checked()
    definition["graph"]["edges"].append(edge(GENERATOR, GENERATOR))
    assert errors(definition) == [("self_loop", GENERATOR)]
    definition["graph"]["edges"][0]["sourcePort"] = "output"
    assert [rule for rule, _ in errors(definition)] == ["unknown_port", "self_loop", "unreachable_sink"]


def test_loose_nodes_and_newer_settings_are_worth_a_word() -> None:
    definition = checked()
    definition["graph"]["nodes"] += [
        node(TRANSLATOR, "loose"),
        node(SINK, "new") | {"config_version": 10**400},
    ]
    assert errors(definition) == []
    assert warnings(definition) == [
        ("cycle", GENERATOR),
        ("unreachable_node", "loose"),
        ("unreachable_node", "new"),
        ("newer_config_version", "new"),
    ]


@pytest.mark.parametrize("make", [smallest, checked])
def test_a_second_source_and_sink_are_fine(make: Callable[[], Json]) -> None:
    definition = make()
    definition["graph"]["nodes"] += [node(SCRIPT, "more", text="x"), node(SINK, "other")]
    definition["graph"]["edges"] += [edge("more", GENERATOR), edge(GENERATOR, "other")]
    assert errors(definition) == []


def test_a_summary_counts_and_names_languages_once() -> None:
    definition = translated(target_languages=["ja-jp", "DE_de", "tlh"])
    definition["graph"]["nodes"][0]["config"] |= {"source_language": "en"}
    definition["graph"]["nodes"][2]["config"] = {"voice_map": {"de-de": [VOICE], "fr-fr": []}}
    definition["graph"]["nodes"][3]["config"] = {"threshold": 80.5}
    found = summary_of(definition)
    assert (found.nodes, found.edges, found.node_types[SCRIPT]) == (5, 4, 1)
    assert found.languages == ["de-de", "en-us", "ja-jp", "tlh"]
    [validator] = found.validators
    assert (validator.node_id, validator.threshold, validator.max_retries) == (CHECK, 80.5, 3)


def shouted(*more: Json) -> Json:
    nodes = [node(SCRIPT, text="x"), node("operator_shout"), node(GENERATOR), node(SINK), *more]
    ways = [(SCRIPT, "operator_shout"), ("operator_shout", GENERATOR), (GENERATOR, SINK)]
    return graph(nodes, [edge(a, b) for a, b in ways])


def test_a_node_whose_type_is_missing_cannot_run_and_says_what_to_install() -> None:
    with installed(SHOUT):
        assert errors(shouted()) == []
    definition = shouted()
    assert errors(definition) == [("unavailable_node", "operator_shout")]
    assert summary_of(definition).node_types["operator_shout"] == 1
    [finding] = preflight_definition(definition, NOWHERE).errors
    assert finding.path == "graph.nodes.1.type"
    assert finding.message == (
        "operator_shout “operator_shout”: the node type “operator_shout” is missing here. "
        "Install the package that brings it, and name the package in PORTAL_HANDLER_PLUGINS."
    )


def test_a_missing_type_is_all_that_is_said_of_its_node() -> None:
    """Its edges and settings may be right, and what it did may be what the graph seems to lack."""
    nodes = [
        node("source_gone"),
        node("operator_gone", voice_map=5) | {"config_version": 9},
        node("validator_gone"),
        node("sink_gone"),
    ]
    edges = [
        edge("source_gone", "operator_gone", "other"),
        edge("operator_gone", "validator_gone"),
        edge("validator_gone", "sink_gone", "pass"),
        edge("validator_gone", "operator_gone", "fail"),
    ]
    every = ("source_gone", "operator_gone", "validator_gone", "sink_gone")
    assert errors(graph(nodes, edges)) == [("unavailable_node", slug) for slug in every]
    assert warnings(graph(nodes, edges)) == [("cycle", "operator_gone")]


def test_a_missing_type_that_no_line_reaches_keeps_nothing_from_running() -> None:
    with installed(SHOUT):
        loose = shouted(node("operator_gone"))
        assert errors(loose) == []
        assert ("unreachable_node", "operator_gone") in warnings(loose)


def test_nodes_of_packages_read_speak_and_check_like_ours() -> None:
    nodes = [node(each.slug) for each in (READ, SING, LISTEN)] + [node(SINK)]
    edges = [
        edge(READ.slug, SING.slug),
        edge(SING.slug, LISTEN.slug),
        edge(LISTEN.slug, SINK, "pass"),
        edge(LISTEN.slug, SING.slug, "fail"),
    ]
    with installed(READ, SING, LISTEN):
        definition = graph(nodes, edges)
        assert errors(definition) == []
        assert warnings(definition) == [("cycle", SING.slug)]
        assert summary_of(definition).validators == [ValidatorSummary(LISTEN.slug, LISTEN.slug, None, 2)]
        definition["graph"]["nodes"][1]["config"] = {"ending": "?"}
        assert errors(definition) == [("invalid_config", SING.slug)]
