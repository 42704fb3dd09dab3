"""What a run would cost (contract part 2, 7.1)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from portal.definitions.pipeline import PipelineNode
from portal.engine.flow import Plan
from portal.engine.pricing.loads import Loads, loads
from portal.engine.pricing.prices import Prices

CHARACTERS_PER_SECOND = 15
"""How fast a voice speaks."""
MAX_CREDITS = 2**53 - 1
"""What JSON can say to every client."""
_EXPECTED = Fraction(1, 10)
"""How much of what could be repeated is expected to be."""


@dataclass(frozen=True)
class Range:
    """Whole credits."""

    least: int
    expected: int
    most: int


@dataclass(frozen=True)
class NodeEstimate:
    """What a node that can run would cost."""

    node_id: str
    node_type: str
    credits: Range


@dataclass(frozen=True)
class Estimate:
    """What a run would cost: rounded up in all, and for each node."""

    credits: Range
    nodes: Sequence[NodeEstimate]
    """In the order of the graph."""


def estimate(plan: Plan, characters: Mapping[str, int], prices: Prices) -> Estimate:
    """Estimate a run; `characters` are those of the script of each source.

    One end of each range: every validator passes at once. The other: each refuses every line until its
    retries are spent. Mostly that is the dearer end, but refused lines may come back already translated.
    """
    priced = any(node.type.slug in prices for node in plan.nodes.values())
    ends = [loads(plan, refusing=refusing) if priced else _NOTHING for refusing in (False, True)]
    costs = {
        node_id: [_cost(node, each.get(node_id, {}), characters, prices) for each in ends]
        for node_id, node in plan.nodes.items()
    }
    return Estimate(
        _range([sum(column, Fraction()) for column in zip(*costs.values(), strict=True)]),
        [
            NodeEstimate(node_id, node.type.slug, _range(costs[node_id]))
            for node_id, node in plan.nodes.items()
        ],
    )


_NOTHING: Loads = {}


def _cost(
    node: PipelineNode, load: Mapping[str, int], characters: Mapping[str, int], prices: Prices
) -> Fraction:
    node_type = node.type
    price = prices.get(node_type.slug)
    if price is None:
        return Fraction()
    worked = sum(times * characters[source] for source, times in load.items())
    spoken = any("audio" in port.fields for port in (*node_type.inputs, *node_type.outputs))
    return price.of(
        0 if node_type.category == "validation" else worked,
        Fraction(worked * 1_000, CHARACTERS_PER_SECOND) if spoken else 0,
    )


def _range(ends: Sequence[Fraction]) -> Range:
    least, most = sorted(ends)
    expected = least + (most - least) * _EXPECTED
    return Range(*(min(math.ceil(credits), MAX_CREDITS) for credits in (least, expected, most)))
