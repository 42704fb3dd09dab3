"""The parts of a definition that are compared, read leniently: imported definitions may be malformed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from portal.definitions.catalog import CATALOG, Schema
from portal.definitions.changes.json_text import text_of
from portal.definitions.structure import quoted

Json = Mapping[str, object]
Way = tuple[str, str, str, str]
"""An edge: node and port from which it leads, node and port to which."""


@dataclass(frozen=True)
class Node:
    id: str
    type: str
    """"unknown" where it is not a text."""
    name: str
    """Empty where it has none."""
    config: Json
    position: object
    rest: Json
    """All that the other fields do not tell."""

    @property
    def label(self) -> str:
        """It by its name, or else its type and id."""
        return quoted(self.name) if self.name else self.full_label

    @property
    def full_label(self) -> str:
        """Its type, and its name or id."""
        return f"{self.type_name} {quoted(self.name or self.id)}"

    @property
    def type_name(self) -> str:
        name = CATALOG.find(self.type).display_name
        return quoted(name) if name == self.type else name

    @property
    def settings(self) -> Mapping[str, Schema]:
        return CATALOG.find(self.type).settings


@dataclass(frozen=True)
class Parts:
    """A definition, taken apart."""

    nodes: Mapping[str, Node]
    """By id, in their order; of several with one id the first."""
    edges: Sequence[tuple[Way, Json]]
    """Each with what else it says, such as its id."""
    steps: Sequence[str]
    params: Json
    rest: object = field(default=None)
    """What none of these tells: malformed parts and unknown keys."""

    @classmethod
    def of(cls, definition: object) -> "Parts":
        graph, execution = _object(definition, "graph"), _object(definition, "execution")
        nodes, odd_nodes = _nodes(graph)
        edges, odd_edges = _edges(graph)
        steps, params = execution.get("steps"), execution.get("params")
        texts = [step for step in steps if isinstance(step, str)] if isinstance(steps, list) else []
        odd_steps = (
            [step for step in steps if not isinstance(step, str)] if isinstance(steps, list) else steps
        )
        rest = [
            _without(definition, "graph", "execution") if isinstance(definition, Mapping) else definition,
            _without(graph, "nodes", "edges"),
            _without(execution, "steps", "params"),
            odd_nodes,
            odd_edges,
            odd_steps or None,
            None if isinstance(params, Mapping) else params,
        ]
        return cls(nodes, edges, texts, params if isinstance(params, Mapping) else {}, rest)

    @property
    def ways(self) -> Sequence[Way]:
        return [way for way, _ in self.edges]

    @cached_property
    def said_of_edges(self) -> Mapping[Way, Sequence[str]]:
        """What else the edges say, as JSON texts, whatever their order."""
        found: dict[Way, list[str]] = {}
        for way, more in self.edges:
            found.setdefault(way, []).append(text_of(more))
        return {way: sorted(texts) for way, texts in found.items()}

    def says_of_edges_as(self, other: "Parts") -> bool:
        """Whether the edges that both have say the same."""
        ours, theirs = self.said_of_edges, other.said_of_edges
        return all(
            ours[way] == theirs[way]
            for way in ours.keys() & theirs.keys()
            if len(ours[way]) == len(theirs[way])
        )

    def label_of(self, node_id: str) -> str:
        return self.nodes[node_id].label if node_id in self.nodes else quoted(node_id)


def _nodes(graph: Json) -> tuple[dict[str, Node], list[object]]:
    """The nodes of a graph, and the entries that are none."""
    found: dict[str, Node] = {}
    odd: list[object] = []
    for entry in _entries(graph, "nodes"):
        node_id = entry.get("id") if isinstance(entry, Mapping) else None
        if isinstance(entry, Mapping) and isinstance(node_id, str) and node_id not in found:
            found[node_id] = _node(node_id, entry)
        else:
            odd.append(entry)
    return found, odd


def _node(node_id: str, entry: Json) -> Node:
    node_type, name, config = entry.get("type"), entry.get("name"), entry.get("config")
    told = ["id", "position"]
    told += [key for key in ("type", "name") if isinstance(entry.get(key), str)]
    told += ["config"] if isinstance(config, Mapping) else []
    return Node(
        node_id,
        node_type if isinstance(node_type, str) else "unknown",
        name if isinstance(name, str) else "",
        config if isinstance(config, Mapping) else {},
        entry.get("position"),
        _without(entry, *told),
    )


def _edges(graph: Json) -> tuple[list[tuple[Way, Json]], list[object]]:
    """The edges of a graph, and the entries that are none."""
    found: list[tuple[Way, Json]] = []
    odd: list[object] = []
    for entry in _entries(graph, "edges"):
        way = _way(entry)
        if way is None or not isinstance(entry, Mapping):
            odd.append(entry)
        else:
            found.append((way, _without(entry, *_ENDS)))
    return found, odd


_ENDS = ("source", "sourcePort", "target", "targetPort")


def _way(entry: object) -> Way | None:
    """Which nodes and ports an edge connects; None where it does not say. A port may be left out."""
    ends = [entry.get(end) for end in _ENDS] if isinstance(entry, Mapping) else []
    match ends:
        case [str(source), str() | None as source_port, str(target), str() | None as target_port]:
            return source, source_port or "", target, target_port or ""
    return None


def _entries(graph: Json, key: str) -> Iterator[object]:
    found = graph.get(key)
    if isinstance(found, list):
        yield from found
    elif found is not None:
        yield found


def _object(parent: object, key: str) -> Json:
    found = parent.get(key) if isinstance(parent, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _without(value: Json, *keys: str) -> Json:
    return {key: each for key, each in value.items() if key not in keys}
