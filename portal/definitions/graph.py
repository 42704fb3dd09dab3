"""The graph that a run ran, read leniently: imported definitions may lack anything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NODE_TYPES = (
    "source_script",
    "operator_translator",
    "operator_normalizer",
    "operator_generator",
    "operator_phoneme_injector",
    "sink_preview",
    "validator_error_rate",
    "validator_naturalness",
    "validator_noise",
    "validator_pronunciation",
    "operator_pronunciation_corrector",
)
"""The types of nodes that the API knows (contract 3.10); imported history may have others."""

EMPTY_DEFINITION: Mapping[str, Any] = {
    "graph": {"nodes": [], "edges": []},
    "execution": {"steps": [], "params": {}},
}

_OUTPUT = "sink_"


@dataclass(frozen=True)
class Node:
    id: str
    type: str
    name: str | None
    config: Mapping[str, Any]

    @property
    def display_name(self) -> str:
        """Its own name, else its type in words: `sink_preview` is Preview."""
        return self.name or type_in_words(self.type)

    @property
    def is_output(self) -> bool:
        """Whether what reaches it is what the run delivers."""
        return self.type.startswith(_OUTPUT)


def type_in_words(node_type: str) -> str:
    """A type of node as people read it, without the family that it belongs to."""
    family, _, rest = node_type.partition("_")
    known = family in ("source", "operator", "sink", "validator") and rest
    return (rest if known else node_type).replace("_", " ").strip().capitalize() or node_type


def nodes_of(definition: Mapping[str, Any] | None) -> list[Node]:
    """The nodes of a definition in graph order; what is no node is left out."""
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


def outputs_of(definition: Mapping[str, Any] | None) -> list[Node]:
    """The output nodes of a definition, in graph order."""
    return [node for node in nodes_of(definition) if node.is_output]


def edges_of(definition: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Pairs of node ids, from and to, of the edges whose ends are texts."""
    edges = [_object(value) for value in _list(_object(_object(definition).get("graph")).get("edges"))]
    pairs = [(edge.get("source"), edge.get("target")) for edge in edges]
    return [(a, b) for a, b in pairs if isinstance(a, str) and isinstance(b, str)]


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else ()
