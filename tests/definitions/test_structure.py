"""The rules of a saved definition (contract part 2, 4.2 and 4.4), each broken alone."""

from itertools import product
from typing import Any

import pytest

from portal.definitions.catalog import CATALOG
from portal.definitions.structure import validate_definition
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

TEXT = ("source_script", "operator_translator", "operator_normalizer", "operator_phoneme_injector")
VALIDATORS = tuple(slug for slug in CATALOG if slug.startswith("validator_"))
NEED_TEXT = ("operator_translator", "operator_normalizer", "operator_phoneme_injector", "operator_generator")
NEED_AUDIO = ("operator_pronunciation_corrector", *VALIDATORS, "sink_preview")


def found(definition: Json) -> list[tuple[str, str, str | None]]:
    return [(each.rule, each.path, each.node_id) for each in validate_definition(definition)]


def with_edges(*more: Json) -> Json:
    definition = checked()
    definition["graph"]["edges"] += more
    return definition


def test_legal_graphs_break_no_rule() -> None:
    for definition in (smallest(), checked(), graph([], []), graph([node(SINK)], [])):
        assert found(definition) == []


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        (graph([node(SINK), node(SINK)], []), ("duplicate_node_id", "graph.nodes.1.id", SINK)),
        (
            with_edges(edge(CHECK, SINK, "fail", id=edge(SCRIPT, GENERATOR)["id"])),
            ("duplicate_edge_id", "graph.edges.4.id", None),
        ),
        (with_edges(edge("nobody", SINK)), ("unknown_node", "graph.edges.4", None)),
        (with_edges(edge(SCRIPT, "nobody")), ("unknown_node", "graph.edges.4", None)),
        (with_edges(edge(CHECK, SINK)), ("unknown_port", "graph.edges.4", CHECK)),
        (with_edges(edge(CHECK, SINK, "Pass")), ("unknown_port", "graph.edges.4", CHECK)),
        (
            with_edges(edge(CHECK, SINK, "fail", targetPort="input")),
            ("unknown_port", "graph.edges.4", SINK),
        ),
        (with_edges(edge(CHECK, SCRIPT, "fail")), ("unknown_port", "graph.edges.4", SCRIPT)),
        (with_edges(edge(SINK, GENERATOR)), ("unknown_port", "graph.edges.4", SINK)),
        (with_edges(edge(SCRIPT, SINK)), ("incompatible_ports", "graph.edges.4", SINK)),
        (with_edges(edge(SCRIPT, CHECK)), ("incompatible_ports", "graph.edges.4", CHECK)),
        (with_edges(edge(SCRIPT, GENERATOR, id="again")), ("duplicate_edge", "graph.edges.4", None)),
        (with_edges(edge(GENERATOR, GENERATOR)), ("self_loop", "graph.edges.4", GENERATOR)),
        (graph([node(SINK)], [], ["nobody"]), ("unknown_step", "execution.steps.0", None)),
        (graph([node(SINK)], [], [SINK, SINK]), ("unknown_step", "execution.steps.1", None)),
    ],
)
def test_a_broken_rule_is_named_with_its_place(
    definition: Json, expected: tuple[str, str, str | None]
) -> None:
    assert found(definition) == [expected]


@pytest.mark.parametrize(
    ("slug", "config", "path"),
    [
        (CHECK, {"threshold": 69.9}, "threshold"),
        (CHECK, {"threshold": 99.1}, "threshold"),
        (CHECK, {"threshold": "93"}, "threshold"),
        (CHECK, {"threshold": True}, "threshold"),
        (CHECK, {"max_retries": 0}, "max_retries"),
        (CHECK, {"max_retries": 51}, "max_retries"),
        (CHECK, {"max_retries": 2.5}, "max_retries"),
        ("validator_pronunciation", {"k": "1"}, "k"),
        ("operator_phoneme_injector", {"max_ngram": 6}, "max_ngram"),
        ("operator_phoneme_injector", {"llm_candidate_filter": 1}, "llm_candidate_filter"),
        ("operator_pronunciation_corrector", {"n_candidates": 9}, "n_candidates"),
        ("operator_pronunciation_corrector", {"seed": 1.5}, "seed"),
        ("operator_pronunciation_corrector", {"target_ipa_source": "guess"}, "target_ipa_source"),
        (SCRIPT, {"input_type": "csv"}, "input_type"),
        (SCRIPT, {"input_mode": "MARKUP"}, "input_mode"),
        (SCRIPT, {"text": 5}, "text"),
        (SCRIPT, {"upload_ids": "x"}, "upload_ids"),
        (SCRIPT, {"upload_ids": ["x", 5]}, "upload_ids.1"),
        (SCRIPT, {"csv_has_header": "true"}, "csv_has_header"),
        (SCRIPT, {"source_language": []}, "source_language"),
        ("operator_translator", {"target_languages": "de-de"}, "target_languages"),
        ("operator_translator", {"target_languages": [None]}, "target_languages.0"),
        (SINK, {"format": "ogg"}, "format"),
        (GENERATOR, {"voice_map": []}, "voice_map"),
        (GENERATOR, {"voice_map": {"de-de": {}}}, "voice_map.de-de"),
        (GENERATOR, {"voice_map": {"de-de": ["v"]}}, "voice_map.de-de.0"),
        (
            GENERATOR,
            {"voice_map": {"de-de": [{"voice_id": "v", "provider": "p"}]}},
            "voice_map.de-de.0.model",
        ),
        (
            GENERATOR,
            {"voice_map": {"de-de": [{"voice_id": "v", "provider": "p", "model": 1}]}},
            "voice_map.de-de.0.model",
        ),
    ],
)
def test_a_bad_setting_is_refused_with_its_key(slug: str, config: dict[str, Any], path: str) -> None:
    [finding] = validate_definition(graph([node(slug, "it", **config) | {"name": "Mine"}], []))
    assert (finding.rule, finding.path) == ("invalid_config", f"graph.nodes.0.config.{path}")
    assert (finding.node_id, finding.node_name) == ("it", "Mine")
    assert finding.message.startswith(f"“Mine”: {path} ")


@pytest.mark.parametrize(
    ("slug", "config"),
    [
        (CHECK, {"threshold": 70, "max_retries": 50.0}),
        (CHECK, {"threshold": 99.0, "max_retries": None, "beyond": [object]}),
        (SCRIPT, {"input_type": "", "text": "", "source_language": ""}),
        ("operator_pronunciation_corrector", {"seed": -(10**30), "target_ipa_source": None}),
        (GENERATOR, {"voice_map": {"de-de": [], "fr-fr": None}}),
        (
            GENERATOR,
            {"voice_map": {"en-us": [{"voice_id": "v", "provider": "p", "model": "m", "voice_name": None}]}},
        ),
    ],
)
def test_a_good_setting_is_taken(slug: str, config: dict[str, Any]) -> None:
    assert validate_definition(graph([node(slug, **config)], [])) == []


def test_each_pair_of_types_may_be_joined_or_not() -> None:
    for source, target in product(CATALOG, CATALOG):
        ports = CATALOG[source].outputs
        for port in [each.name for each in ports]:
            rules = {
                rule
                for rule, _, _ in found(graph([node(source, "a"), node(target, "b")], [edge("a", "b", port)]))
            }
            if target == SCRIPT:
                assert rules == {"unknown_port"}
            elif source in TEXT and target in NEED_AUDIO:
                assert rules == {"incompatible_ports"}
            else:
                assert rules == set(), (source, target)
                assert target in (*NEED_TEXT, *NEED_AUDIO)


def test_a_message_names_the_node_by_name_or_id_and_cuts_long_ones() -> None:
    definition = graph([node(SINK, "x" * 128, format="ogg")], [edge("y" * 500, "x" * 128)])
    config, unknown = validate_definition(definition)
    assert config.message.startswith("Export “xxx")
    assert "…” is not in the graph." in unknown.message
    assert len(unknown.message) < 250
