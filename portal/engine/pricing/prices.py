"""PORTAL_ENGINE_PRICES: what nodes of each type cost, and what a finished step did."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Literal

from portal.engine.contract import Usage
from portal.input import sentences
from portal.input.bodies import strict_json
from portal.input.setting_values import BadSetting

SETTING = "PORTAL_ENGINE_PRICES"
_PRICE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")
_STORED = Decimal("0.000001")
"""The precision of a stored cost."""

Unit = Literal["per_1000_characters", "per_audio_minute"]
UNITS: tuple[Unit, ...] = ("per_1000_characters", "per_audio_minute")


@dataclass(frozen=True)
class Price:
    """Credits for a measure of work."""

    credits: Decimal
    unit: Unit

    def of(self, characters: int, audio_ms: int | Fraction) -> Fraction:
        """Credits for this work, unrounded."""
        work = (
            Fraction(characters, 1_000) if self.unit == "per_1000_characters" else Fraction(audio_ms) / 60_000
        )
        return Fraction(self.credits) * work


Prices = Mapping[str, Price]
"""By node type; what has no price costs nothing."""


def read_prices(text: str, node_types: Collection[str]) -> Prices:
    """The prices that the setting states. Raises BadSetting."""
    try:
        stated = strict_json(text) if text else {}
    except (ValueError, RecursionError):
        raise BadSetting(f"{SETTING} must be JSON.") from None
    if not isinstance(stated, dict):
        raise BadSetting(f"{SETTING} must be a JSON object of node types.")
    return {node_type: _price(node_type, stated[node_type], node_types) for node_type in stated}


def _price(node_type: str, stated: object, node_types: Collection[str]) -> Price:
    if node_type not in node_types:
        raise BadSetting(f"{SETTING} names {node_type!r}; a node type {sentences.one_of(node_types)}")
    if isinstance(stated, dict) and len(stated) == 1:
        for unit in UNITS:
            credits = stated.get(unit)
            if isinstance(credits, str) and _PRICE.fullmatch(credits):
                return Price(Decimal(credits), unit)
    raise BadSetting(
        f"{SETTING}: {node_type} must have one price, {' or '.join(UNITS)}, which is text with "
        'a number such as "1.5", not negative and with at most six decimals.'
    )


def cost_of_usage(price: Price | None, usage: Usage) -> Decimal:
    """Credits for a finished step, as precise as they are stored."""
    if price is None:
        return Decimal(0)
    credits = price.of(usage.characters, usage.audio_ms)
    return (Decimal(credits.numerator) / credits.denominator).quantize(_STORED, ROUND_HALF_UP)
