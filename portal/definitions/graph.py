"""The graph of a definition, read leniently: imported definitions may be incomplete."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

EMPTY_DEFINITION: Mapping[str, object] = {
    "graph": {"nodes": [], "edges": []},
    "execution": {"steps": [], "params": {}},
}

_OUTPUT = "sink_"


@dataclass(frozen=True)
class Node:
    """One node of a graph."""

    id: str
    type: str
    name: str | None
    config: Mapping[str, object]

    @property
    def display_name(self) -> str:
        """The node's name, or else its type in words: `sink_preview` is Preview."""
        return self.name or type_in_words(self.type)

    @property
    def is_output(self) -> bool:
        """Whether the run delivers what reaches this node."""
        return self.type.startswith(_OUTPUT)


def type_in_words(node_type: str) -> str:
    """A node type for people, without the prefix of its family."""
    family, _, rest = node_type.partition("_")
    known = family in ("source", "operator", "sink", "validator") and rest
    return (rest if known else node_type).replace("_", " ").strip().capitalize() or node_type


def nodes_of(definition: Mapping[str, object] | None) -> list[Node]:
    """The nodes of a definition in its order; malformed ones are skipped."""
    found: dict[str, Node] = {}
    for value in _list(_object(_object(definition).get("graph")).get("nodes")):
        node = _object(value)
        node_id, node_type = node.get("id"), node.get("type")
        if isinstance(node_id, str) and node_id and node_id not in found:
            name = node.get("name")
            found[node_id] = Node(
                node_id,
                node_type if isinstance(node_type, str) and node_type else "unknown",
                name if isinstance(name, str) and name else None,
                _object(node.get("config")),
            )
    return list(found.values())


def outputs_of(definition: Mapping[str, object] | None) -> list[Node]:
    """The output nodes of a definition in its order."""
    return [node for node in nodes_of(definition) if node.is_output]


def edges_of(definition: Mapping[str, object] | None) -> list[tuple[str, str]]:
    """The edges as pairs of node ids; malformed ones are skipped."""
    edges = [_object(value) for value in _list(_object(_object(definition).get("graph")).get("edges"))]
    pairs = [(edge.get("source"), edge.get("target")) for edge in edges]
    return [(a, b) for a, b in pairs if isinstance(a, str) and isinstance(b, str)]


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()
