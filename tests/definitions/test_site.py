"""What an installation cannot do: node types, locales without a voice, voices that it does not know."""

import pytest

from portal.definitions.locales import LOCALES
from portal.definitions.pipeline import Pipeline
from portal.definitions.preflight import Surroundings, preflight_definition
from portal.definitions.site import Site, locales_reaching
from portal.definitions.structure import Finding
from portal.engine.contract import Ability
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

TRANSLATOR = "operator_translator"
WORKS = Ability()
SPEAKS = Ability(locales=frozenset({"en-us", "de-de"}), voices=frozenset({("p", "m", "v")}))
ABILITIES = {SCRIPT: WORKS, TRANSLATOR: WORKS, GENERATOR: SPEAKS, CHECK: WORKS, SINK: WORKS}


def findings(definition: Json, site: Site) -> list[Finding]:
    return preflight_definition(definition, Surroundings(site=site)).errors


def errors(definition: Json, **abilities: Ability) -> list[tuple[str, str | None, str]]:
    found = findings(definition, Site(ABILITIES | abilities))
    return [(each.rule, each.node_id, each.path) for each in found]


def spoken(voice_map: object, **script: object) -> Json:
    definition = checked()
    definition["graph"]["nodes"][0]["config"] |= script
    definition["graph"]["nodes"][1]["config"] = {"voice_map": voice_map}
    return definition


def translated(*languages: str) -> Json:
    nodes = [node(SCRIPT, text="x"), node(TRANSLATOR, target_languages=list(languages))]
    nodes += [node(GENERATOR), node(SINK)]
    return graph(nodes, [edge(SCRIPT, TRANSLATOR), edge(TRANSLATOR, GENERATOR), edge(GENERATOR, SINK)])


def assigned(**changes: object) -> Json:
    return {"provider": "p", "model": "m", "voice_id": "v"} | changes


def test_what_can_be_done_is_not_refused() -> None:
    assert errors(checked()) == []
    assert findings(checked(), Site()) == []


def test_a_node_that_cannot_work_is_refused_with_the_reason() -> None:
    cannot = Site(ABILITIES | {GENERATOR: Ability(unavailable="Nothing speaks here. Install a voice.")})
    [found] = findings(checked(), cannot)
    assert (found.rule, found.node_id, found.path) == ("unavailable_node", GENERATOR, "graph.nodes.1")
    assert "Nothing speaks here. Install a voice." in found.message


def test_a_type_that_no_worker_knows_is_refused() -> None:
    known = {slug: ability for slug, ability in ABILITIES.items() if slug != SINK}
    [found] = findings(smallest(), Site(known))
    assert (found.rule, found.node_id) == ("unavailable_node", SINK)


def test_validators_and_unreachable_nodes_never_refuse() -> None:
    definition = checked()
    definition["graph"]["nodes"].append(node(TRANSLATOR))
    cannot = Ability(unavailable="No.")
    assert errors(definition, **{CHECK: cannot, TRANSLATOR: cannot}) == []
    assert findings(checked(), Site({slug: a for slug, a in ABILITIES.items() if slug != CHECK})) == []


def test_an_engine_that_is_off_refuses_everything_once() -> None:
    [found] = findings(checked(), Site(closed="the engine is off."))
    assert (found.rule, found.node_id) == ("unavailable_node", SCRIPT)
    assert "the engine is off." in found.message


@pytest.mark.parametrize("written", ["fr", "fr-fr", "FR_fr"])
def test_a_locale_without_a_voice_is_refused_and_says_what_to_install(written: str) -> None:
    [found] = findings(spoken({}, source_language=written), Site(ABILITIES))
    assert (found.rule, found.node_id) == ("unrouted_locale", GENERATOR)
    for said in ("fr-fr", "espeak-ng", "PORTAL_PROVIDER_URL"):
        assert said in found.message


def test_where_nothing_speaks_each_locale_says_so() -> None:
    mute = Ability(unavailable="Nothing speaks.", locales=frozenset(), voices=frozenset())
    assert [rule for rule, *_ in errors(checked(), **{GENERATOR: mute})] == ["unrouted_locale"]
    voices = spoken({"en-us": [assigned()]})
    assert [rule for rule, *_ in errors(voices, **{GENERATOR: mute})] == ["unknown_voice"]


def test_a_target_locale_stands_for_all_locales() -> None:
    definition = spoken({}, source_language="fr")
    definition["graph"]["nodes"][1]["config"] = {"target_locale": "DE_de"}
    assert errors(definition) == []
    definition["graph"]["nodes"][1]["config"] = {"target_locale": "ja-jp"}
    assert [rule for rule, *_ in errors(definition)] == ["unrouted_locale"]


def test_an_assigned_voice_is_a_voice_for_its_locale_however_that_is_written() -> None:
    assert errors(spoken({"FR_fr": [assigned()]}, source_language="fr")) == []
    unrouted = ("unrouted_locale", GENERATOR, "graph.nodes.1.config.voice_map")
    assert errors(spoken({"fr-fr": []}, source_language="fr")) == [unrouted]


def test_locales_come_from_translators() -> None:
    assert errors(translated("de-de", "DE_DE")) == []
    unrouted = ("unrouted_locale", GENERATOR, "graph.nodes.2.config.voice_map")
    assert errors(translated("de-de", "ja-jp", "fr-fr")) == [unrouted, unrouted]


def test_a_generator_that_is_not_reached_needs_no_voice() -> None:
    definition = checked()
    definition["graph"]["nodes"].append(node(GENERATOR, "loose"))
    assert errors(definition) == []


@pytest.mark.parametrize("changed", [{"provider": "q"}, {"model": "n"}, {"voice_id": "w"}])
def test_a_voice_that_nobody_knows_is_refused_where_it_stands(changed: dict[str, object]) -> None:
    voices = {"en-us": [assigned(), assigned(**changed)]}
    place = "graph.nodes.1.config.voice_map.en-us.1"
    assert errors(spoken(voices)) == [("unknown_voice", GENERATOR, place)]


def test_settings_of_a_wrong_type_are_left_to_other_rules() -> None:
    for voice_map in ([], {"en-us": "x"}, {"en-us": ["x", {"provider": 5}]}):
        assert {rule for rule, *_ in errors(spoken(voice_map))} <= {"invalid_config"}
    assert {rule for rule, *_ in errors(spoken({}, source_language=5))} == {"invalid_config"}


def test_locales_go_round_a_cycle_and_add_up_where_ways_meet() -> None:
    definition = checked()
    definition["graph"]["nodes"] += [
        node(TRANSLATOR, target_languages=["ja-jp"]),
        node(SCRIPT, "more", text="x", source_language="de"),
    ]
    definition["graph"]["edges"] += [
        edge(CHECK, TRANSLATOR, "fail"),
        edge(TRANSLATOR, GENERATOR),
        edge("more", GENERATOR),
    ]
    reaching = locales_reaching(Pipeline.of(definition))
    assert reaching[SINK] == {"en-us", "de-de", "ja-jp"}
    assert reaching[SCRIPT] == set()


def test_every_locale_can_be_that_of_a_script() -> None:
    for locale in LOCALES:
        reaching = locales_reaching(Pipeline.of(spoken({}, source_language=locale)))
        assert reaching[GENERATOR] == {locale}
