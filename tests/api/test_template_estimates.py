"""What a template would cost, over the API."""

from typing import Any

import pytest

from portal.auth.principals import SCOPES
from portal.engine.pricing.credits import grant
from portal.workflows.templates.starters import STARTERS
from tests.api.conftest import Api
from tests.definitions.graphs import CHECK, GENERATOR, SCRIPT, SINK, checked, edge, graph, node, smallest
from tests.factories import NOON, make_key, make_template, make_worker

PRICES = f'{{"{GENERATOR}": {{"per_1000_characters": "1.5"}}, "{CHECK}": {{"per_audio_minute": "0.2"}}}}'


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return environment | {"PORTAL_ENGINE_PRICES": PRICES}


@pytest.fixture
def api(api: Api) -> Api:
    return api.with_key(make_key(api.workspace, api.user, SCOPES))


def estimate(api: Api, definition: Any) -> Any:
    template = make_template(api.workspace, "Dub", definition=definition)
    answer = api.get(f"/templates/{template.id}/estimate")
    assert answer.status_code == 200, answer.text
    return answer.get_json()["data"]


def test_a_metered_template_costs_what_a_run_of_a_thousand_characters_would(api: Api) -> None:
    grant("acme", 4, "root", NOON)
    found = estimate(api, checked())
    ends = ("min", "expected", "max")
    assert [found[f"total_{end}_credits_per_unit"] for end in ends] == [2, 3, 7]
    assert [found[f"variable_{end}_credits_per_unit"] for end in ends] == [2, 3, 7]
    assert [found[f"fixed_{end}_credits"] for end in ends] == [0, 0, 0]
    rows = [(row["node_id"], row["max_credits"] > 0) for row in found["breakdown"]]
    assert rows == [(SCRIPT, False), (GENERATOR, True), (CHECK, True), (SINK, False)]
    assert (found["unit_chars"], found["source_node_ids"]) == (1_000, [SCRIPT])
    assert (found["source_snapshot"], found["cache_status"]) == ("draft", "miss")


def test_each_script_has_a_thousand_characters(api: Api) -> None:
    grant("acme", 4, "root", NOON)
    nodes = [node(SCRIPT, "a"), node(SCRIPT, "b"), node(GENERATOR), node(SINK)]
    edges = [edge("a", GENERATOR), edge("b", GENERATOR), edge(GENERATOR, SINK)]
    found = estimate(api, graph(nodes, edges))
    assert (found["unit_chars"], found["total_min_credits_per_unit"]) == (2_000, 3)


def test_every_starter_is_estimated_and_free_without_metering_whatever_works_here(api: Api) -> None:
    make_worker(abilities={})
    for template_id in STARTERS:
        found = api.get(f"/templates/{template_id}/estimate").get_json()["data"]
        assert (found["source_snapshot"], found["total_max_credits_per_unit"]) == ("published", 0)
        assert found["breakdown"]


def test_fingerprints_follow_the_definition_and_the_prices(api: Api) -> None:
    first, same, other = (estimate(api, each) for each in (smallest(), smallest(), checked()))
    assert first["definition_fingerprint"] == same["definition_fingerprint"]
    assert first["definition_fingerprint"] != other["definition_fingerprint"]
    grant("acme", 4, "root", NOON)
    assert estimate(api, smallest())["rate_fingerprint"] != first["rate_fingerprint"]


def test_what_could_run_nowhere_is_refused_with_the_rules(api: Api) -> None:
    endless = graph(
        [node(SCRIPT), node("operator_normalizer"), node(GENERATOR), node(SINK)],
        [
            edge(SCRIPT, "operator_normalizer"),
            edge("operator_normalizer", "operator_phoneme_injector"),
            edge("operator_phoneme_injector", "operator_normalizer"),
            edge("operator_normalizer", GENERATOR),
            edge(GENERATOR, SINK),
        ],
    )
    endless["graph"]["nodes"].append(node("operator_phoneme_injector"))
    for definition, rule in ((endless, "endless_cycle"), (graph([], []), "missing_source")):
        template = make_template(api.workspace, "Odd", definition=definition)
        answer = api.get(f"/templates/{template.id}/estimate")
        assert answer.status_code == 422, answer.text
        assert rule in [each.get("rule") for each in answer.get_json()["error"]["details"]]


def test_a_template_that_there_is_not_is_not_found(api: Api) -> None:
    assert api.get("/templates/zzzzzzzz/estimate").status_code == 404
    assert api.get("/templates/z/estimate").status_code == api.get("/templates/z").status_code
