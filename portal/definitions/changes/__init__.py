"""What differs between two definitions, in words. Pure functions.

Imported history may hold anything as a definition: what cannot be read as a graph is compared as JSON.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from portal.definitions.catalog import LINES
from portal.definitions.changes.json_text import is_same
from portal.definitions.changes.parts import Node, Parts, Way
from portal.definitions.changes.settings import setting_changes
from portal.definitions.changes.values import added_and_removed
from portal.definitions.structure import quoted
from portal.web.formats import number

MAX_CHANGES = 100


@dataclass(frozen=True)
class Change:
    """A difference between two definitions."""

    sentence: str
    """Without a full stop; what it quotes is cut."""


def changes_of(old: object, new: object, most: int = MAX_CHANGES) -> Sequence[Change]:
    """What is new in the second of two definitions; empty if and only if they are the same as JSON.

    Always in the same order. Of more than `most` changes, the first ones, and a last sentence that counts
    the others.
    """
    if is_same(old, new):
        return ()
    before, after = Parts.of(old), Parts.of(new)
    sentences = [
        *_nodes(before, after),
        *_edges(before, after),
        *_layout(before, after),
        *_execution(before, after),
    ]
    if not (sentences and is_same(before.rest, after.rest) and before.says_of_edges_as(after)):
        sentences.append("Other values changed")
    if len(sentences) > most:
        more = len(sentences) - most
        sentences[most:] = [f"{number(more)} more {'change' if more == 1 else 'changes'}"]
    return [Change(sentence) for sentence in sentences]


def _nodes(before: Parts, after: Parts) -> Iterator[str]:
    for node_id, node in after.nodes.items():
        if node_id not in before.nodes:
            yield f"{node.full_label} added"
    for node_id, node in before.nodes.items():
        if node_id not in after.nodes:
            yield f"{node.full_label} removed"
    for node_id, node in after.nodes.items():
        if node_id in before.nodes:
            yield from _node(before.nodes[node_id], node)


def _node(old: Node, new: Node) -> Iterator[str]:
    if old.type != new.type:
        yield f"Type of {quoted(new.name or new.id)} {old.type_name} → {new.type_name}"
    if old.name != new.name:
        yield f"{old.full_label} {f'renamed to {quoted(new.name)}' if new.name else 'is no longer named'}"
    yield from setting_changes(f" of {new.label}", (old.settings, old.config), (new.settings, new.config))
    if not is_same(old.rest, new.rest):
        yield f"Other values of {new.label} changed"


def _edges(before: Parts, after: Parts) -> Iterator[str]:
    connected = Counter(after.ways) - Counter(before.ways)
    disconnected = Counter(before.ways) - Counter(after.ways)
    for way in connected.elements():
        yield f"{_way(way, after)} connected"
    for way in disconnected.elements():
        yield f"{_way(way, before)} disconnected"


def _way(way: Way, parts: Parts) -> str:
    source, source_port, target, target_port = way
    ends = ((source, source_port), (target, target_port))
    return " → ".join(f"{parts.label_of(node_id)}{_port(port)}" for node_id, port in ends)


def _port(name: str) -> str:
    """The name of a port, unless it is the one that most nodes have."""
    return "" if name in ("", LINES) else f" {name if len(name) <= 20 else quoted(name)}"


def _layout(before: Parts, after: Parts) -> Iterator[str]:
    both = [node_id for node_id in after.nodes if node_id in before.nodes]
    moved = sum(not is_same(before.nodes[each].position, after.nodes[each].position) for each in both)
    if moved:
        yield f"{number(moved)} {'node' if moved == 1 else 'nodes'} moved"
    if both != [node_id for node_id in before.nodes if node_id in after.nodes]:
        yield "Nodes in another order"


def _execution(before: Parts, after: Parts) -> Iterator[str]:
    if before.steps != after.steps:
        yield f"Steps of the execution{_steps(before, after)}"
    yield from setting_changes(" of the execution", ({}, before.params), ({}, after.params))


def _steps(before: Parts, after: Parts) -> str:
    added = [after.label_of(step) for step in (Counter(after.steps) - Counter(before.steps)).elements()]
    removed = [before.label_of(step) for step in (Counter(before.steps) - Counter(after.steps)).elements()]
    differences = added_and_removed(added, removed)
    return f": {differences}" if differences else " in another order"
