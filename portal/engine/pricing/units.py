"""What a template would cost: it has no script, so for a certain length of one (contract part 2, 10)."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from portal.database.columns import JsonObject
from portal.database.engine import db
from portal.definitions.preflight import Surroundings, preflight_definition
from portal.definitions.shape import read_stored
from portal.definitions.structure import refuse
from portal.engine import pricing
from portal.engine.flow import Plan
from portal.engine.preparing import SCRIPT
from portal.engine.pricing.credits import metered_balance
from portal.engine.pricing.estimates import Estimate, estimate
from portal.engine.pricing.prices import Prices

CHARACTERS = 1_000
"""The length of the script that each source is given."""


@dataclass(frozen=True)
class UnitQuote:
    """The cost of a run of scripts of a certain length."""

    estimate: Estimate
    characters: Mapping[str, int]
    """Those of the script of each source."""
    prices: Prices


def quote_unit(workspace_id: UUID, definition: JsonObject) -> UnitQuote:
    """What a definition would cost in a workspace, whatever can be done here and whatever its scripts say.

    Raises InvalidQuery if it could run nowhere.
    """
    definition = _with_scripts(read_stored(definition))
    refuse(preflight_definition(definition, Surroundings()).errors)
    plan = Plan.of(definition)
    prices = {} if metered_balance(db.session(), workspace_id) is None else pricing.prices()
    characters = dict.fromkeys(plan.sources, CHARACTERS)
    return UnitQuote(estimate(plan, characters, prices), characters, prices)


def _with_scripts(definition: JsonObject) -> JsonObject:
    given = {"input_type": "text", "text": "x" * CHARACTERS, "upload_ids": []}
    nodes = [
        {**node, "config": (node.get("config") or {}) | given} if node["type"] == SCRIPT else node
        for node in definition["graph"]["nodes"]
    ]
    return {**definition, "graph": {**definition["graph"], "nodes": nodes}}
