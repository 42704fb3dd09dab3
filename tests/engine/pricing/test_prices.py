"""Prices: what the setting may say, and what finished steps cost."""

from decimal import Decimal
from pathlib import Path

import pytest

from portal import create_app
from portal.definitions.catalog import CATALOG
from portal.engine import pricing
from portal.engine.contract import Usage
from portal.engine.pricing.prices import Price, cost_of_usage, read_prices
from portal.input.setting_values import BadSetting
from tests.conftest import BASE_URL, SECRET_KEY

SPEAKER, CHECK = "operator_generator", "validator_error_rate"


def test_nothing_has_a_price_unless_the_setting_says_so() -> None:
    assert read_prices("", CATALOG) == read_prices("{}", CATALOG) == {}


def test_a_price_is_by_characters_or_by_minutes_of_audio() -> None:
    text = f'{{"{SPEAKER}": {{"per_1000_characters": "1.5"}}, "{CHECK}": {{"per_audio_minute": "0"}}}}'
    assert read_prices(text, CATALOG) == {
        SPEAKER: Price(Decimal("1.5"), "per_1000_characters"),
        CHECK: Price(Decimal(0), "per_audio_minute"),
    }


@pytest.mark.parametrize(
    "text",
    [
        "1.5",
        "[]",
        "{",
        "NaN",
        '{"telepathy": {"per_1000_characters": "1"}}',
        f'{{"{SPEAKER}": "1"}}',
        f'{{"{SPEAKER}": {{}}}}',
        f'{{"{SPEAKER}": {{"per_run": "1"}}}}',
        f'{{"{SPEAKER}": {{"per_1000_characters": "1", "per_audio_minute": "1"}}}}',
        *(
            f'{{"{SPEAKER}": {{"per_1000_characters": {price}}}}}'
            for price in ("1", '"-1"', '"NaN"', '"Infinity"', '"1e3"', '"1.0000001"', '"1/2"', '" 1"', '""')
        ),
    ],
)
def test_a_bad_price_is_refused_by_the_name_of_the_setting(text: str) -> None:
    with pytest.raises(BadSetting, match="PORTAL_ENGINE_PRICES"):
        read_prices(text, CATALOG)


def test_the_portal_does_not_start_with_bad_prices(tmp_path: Path) -> None:
    given = {"PORTAL_SECRET_KEY": SECRET_KEY, "PORTAL_BASE_URL": BASE_URL, "PORTAL_ENGINE_PRICES": "5"}
    with pytest.raises(BadSetting, match="PORTAL_ENGINE_PRICES"):
        create_app(given, tmp_path)


def test_a_finished_step_costs_what_it_used(tmp_path: Path) -> None:
    prices = f'{{"{SPEAKER}": {{"per_1000_characters": "1.5"}}, "{CHECK}": {{"per_audio_minute": "0.2"}}}}'
    given = {"PORTAL_SECRET_KEY": SECRET_KEY, "PORTAL_BASE_URL": BASE_URL, "PORTAL_ENGINE_PRICES": prices}
    used = Usage(characters=500, audio_ms=90_000)
    with create_app(given, tmp_path).app_context():
        assert pricing.cost_of(SPEAKER, used) == Decimal("0.75")
        assert pricing.cost_of(CHECK, used) == Decimal("0.3")
        assert pricing.cost_of("sink_preview", used) == 0


def test_a_cost_is_rounded_to_what_is_stored() -> None:
    minute = Price(Decimal("0.000001"), "per_audio_minute")
    assert cost_of_usage(minute, Usage(audio_ms=30_000)) == Decimal("0.000001")
    assert cost_of_usage(minute, Usage(audio_ms=29_999)) == 0
