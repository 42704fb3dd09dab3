"""Which port a judged item leaves through (contract part 2, 4.3)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from portal.definitions.catalog import FAIL, PASS
from portal.engine.contract import Item

Refusals = Mapping[str, int]
"""How often a validator has refused each line in each locale, over all rounds; keys are of `line_key`."""


@dataclass(frozen=True)
class Routed:
    """What left a validator, and the refusals counted so far."""

    ports: Mapping[str, Sequence[Item]]
    refusals: Refusals


def route(judged: Iterable[tuple[Item, bool | None]], refusals: Refusals, max_retries: int) -> Routed:
    """Send each item through `pass` or `fail`.

    A refused line goes through `fail` as often as the validator retries, and then through `pass`; one that
    cannot be judged goes through `pass`.
    """
    ports: dict[str, list[Item]] = {PASS: [], FAIL: []}
    counted = dict(refusals)
    for item, passed in judged:
        refused = counted.get(line_key(item), 0)
        ports[FAIL if passed is False and refused < max_retries else PASS].append(item)
        if passed is False:
            counted[line_key(item)] = refused + 1
    return Routed(ports, counted)


def line_key(item: Item) -> str:
    """A line in a locale, as text: the keys of JSON."""
    return f"{item.line} {item.locale} {item.source}"
