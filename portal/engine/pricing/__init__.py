"""What runs cost: prices of node types, estimates, and the cost of what was done."""

from decimal import Decimal
from typing import cast

from flask import Flask, current_app

from portal.config import Settings
from portal.definitions.catalog import CATALOG
from portal.engine.contract import Usage
from portal.engine.pricing.prices import Prices, cost_of_usage, read_prices

_EXTENSION = "portal.prices"


def init_app(app: Flask, settings: Settings) -> None:
    """Read the prices; the catalog has all node types by then. Raises BadSetting."""
    app.extensions[_EXTENSION] = read_prices(settings.engine.prices, CATALOG)


def prices() -> Prices:
    """The prices of this portal."""
    return cast(Prices, current_app.extensions[_EXTENSION])


def cost_of(node_type: str, usage: Usage) -> Decimal:
    """Credits for a finished step, to six decimals."""
    return cost_of_usage(prices().get(node_type), usage)
