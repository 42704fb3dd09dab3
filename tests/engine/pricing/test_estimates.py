"""Estimates: the numbers of a run, for each node and in all."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from portal.definitions.catalog import CATALOG
from portal.definitions.locales import LOCALES
from portal.definitions.preflight import Surroundings, preflight_definition
from portal.engine.flow import Plan
from portal.engine.pricing.estimates import MAX_CREDITS, Estimate, Range, estimate
from portal.engine.pricing.prices import Prices, read_prices
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
from tests.engine.pricing.test_loads import TRANSLATOR, runnable


def priced(**prices: str) -> Prices:
    stated = ", ".join(
        f'"{slug}": {{"{"per_audio_minute" if slug == CHECK else "per_1000_characters"}": "{price}"}}'
        for slug, price in prices.items()
    )
    return read_prices(f"{{{stated}}}", CATALOG)


PRICES = priced(**{GENERATOR: "1.5", CHECK: "0.2", TRANSLATOR: "0.7"})


def of(definition: Json, characters: int, prices: Prices = PRICES) -> Estimate:
    plan = Plan.of(definition)
    return estimate(plan, dict.fromkeys(plan.sources, characters), prices)


def rows(found: Estimate) -> dict[str, Range]:
    return {each.node_id: each.credits for each in found.nodes}


def translated(*languages: str) -> Json:
    nodes = [node(SCRIPT, text="x"), node(TRANSLATOR, target_languages=list(languages)), node(GENERATOR)]
    ways = [edge(SCRIPT, TRANSLATOR), edge(TRANSLATOR, GENERATOR), edge(GENERATOR, SINK)]
    return graph([*nodes, node(SINK)], ways)


def test_without_prices_everything_costs_nothing() -> None:
    nothing = Range(0, 0, 0)
    found = of(checked(), 1_000_000, {})
    assert found.credits == nothing
    assert rows(found) == dict.fromkeys((SCRIPT, GENERATOR, CHECK, SINK), nothing)


def test_amounts_are_added_before_they_are_rounded_up() -> None:
    found = of(checked(), 1_000)
    # 1.5 for the characters, 1000 / 15 seconds of audio at 0.2 a minute; both four times at most.
    assert rows(found)[GENERATOR] == Range(2, 2, 6)
    assert rows(found)[CHECK] == Range(1, 1, 1)
    assert found.credits == Range(2, 3, 7)


def test_whole_amounts_are_not_rounded() -> None:
    minute = 15 * 60
    assert of(checked(), minute, priced(**{CHECK: "3"})).credits.least == 3


def test_a_run_that_costs_anything_costs_a_credit() -> None:
    assert of(smallest(), 1, priced(**{GENERATOR: "0.000001"})).credits == Range(1, 1, 1)


def test_a_translation_counts_as_long_as_its_source() -> None:
    found = rows(
        of(translated("de-de", "fr-fr", "en-gb"), 1_000, priced(**{TRANSLATOR: "1", GENERATOR: "1"}))
    )
    assert found[TRANSLATOR].least == 2
    assert found[GENERATOR].least == 3


def test_nodes_that_do_not_run_have_no_row() -> None:
    definition = checked()
    definition["graph"]["nodes"].append(node(GENERATOR, "loose"))
    assert "loose" not in rows(of(definition, 1))


def test_no_estimate_is_beyond_what_clients_can_read() -> None:
    assert of(smallest(), 10**30).credits == Range(MAX_CREDITS, MAX_CREDITS, MAX_CREDITS)


def test_refused_lines_may_be_the_cheaper_ones() -> None:
    """Here they come back translated, and then need no translation."""
    definition = checked()
    again, late = (node(TRANSLATOR, name, target_languages=["de-de"]) for name in ("again", "late"))
    definition["graph"]["nodes"] += [again, late, node(GENERATOR, "german")]
    definition["graph"]["edges"] = [
        *(edge(SCRIPT, GENERATOR), edge(GENERATOR, CHECK)),
        *(edge(CHECK, "again", "fail"), edge("again", GENERATOR)),
        *(edge(CHECK, "late", "pass"), edge("late", "german"), edge("german", SINK)),
    ]
    assert rows(of(definition, 1_000, priced(**{TRANSLATOR: "1"})))["late"] == Range(0, 1, 1)


def all_of(found: Estimate) -> list[Range]:
    return [found.credits, *rows(found).values()]


@pytest.mark.slow
@given(runnable(), st.integers(0, 10**7), st.integers(0, 10**7))
def test_a_longer_script_never_costs_less(definition: Json, characters: int, more: int) -> None:
    assume(runs(definition))
    for shorter, longer in zip(
        all_of(of(definition, characters)), all_of(of(definition, characters + more)), strict=True
    ):
        assert 0 <= shorter.least <= shorter.expected <= shorter.most
        assert shorter.least <= longer.least
        assert shorter.expected <= longer.expected
        assert shorter.most <= longer.most


@pytest.mark.slow
@given(runnable(), st.data(), st.integers(0, 10**6))
def test_a_locale_more_never_costs_less(definition: Json, data: Any, characters: int) -> None:
    assume(runs(definition))
    before = all_of(of(definition, characters))
    for each in definition["graph"]["nodes"]:
        if each["type"] == TRANSLATOR:
            each["config"]["target_languages"] += [data.draw(st.sampled_from(LOCALES))]
    for fewer, more in zip(before, all_of(of(definition, characters)), strict=True):
        assert fewer.least <= more.least
        assert fewer.expected <= more.expected
        assert fewer.most <= more.most


def runs(definition: Json) -> bool:
    errors = preflight_definition(definition, Surroundings()).errors
    return all(error.rule == "unreachable_sink" for error in errors)
