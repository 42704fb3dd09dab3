"""A well-shaped definition as a pipeline: its nodes, what leads where, what can be reached, its cycles."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from portal.definitions.catalog import CATALOG, FAIL, NodeType
from portal.definitions.structure import Edge, Json, sound_edges


@dataclass(frozen=True)
class PipelineNode:
    number: int
    """Its place in the list of nodes."""
    json: Json

    @property
    def id(self) -> str:
        node_id: str = self.json["id"]
        return node_id

    @property
    def type(self) -> NodeType:
        return CATALOG.find(self.json["type"])

    def setting(self, key: str) -> Any:
        """A setting as it counts (`NodeType.value`)."""
        return self.type.value(self.json.get("config") or {}, key)


@dataclass(frozen=True)
class Pipeline:
    """The nodes with their ids, in the order of the definition, and the edges that break no rule."""

    nodes: tuple[PipelineNode, ...]
    edges: tuple[Edge, ...] = field(default=())

    @classmethod
    def of(cls, definition: Json) -> "Pipeline":
        found: dict[str, PipelineNode] = {}
        for number, node in enumerate(definition["graph"]["nodes"]):
            found.setdefault(node["id"], PipelineNode(number, node))
        return cls(tuple(found.values()), tuple(sound_edges(definition)))

    def of_type(self, slug: str) -> list[PipelineNode]:
        return [node for node in self.nodes if node.type.slug == slug]

    def of_category(self, category: str) -> list[PipelineNode]:
        return [node for node in self.nodes if node.type.category == category]

    @cached_property
    def reachable(self) -> frozenset[str]:
        """The ids of what a source leads to, sources included."""
        return self.reached_from(node.id for node in self.of_category("source"))

    def reached_from(self, starts: Iterable[str]) -> frozenset[str]:
        """The ids of these nodes and of all that they lead to."""
        return _reached(starts, self._targets)

    def cycles(self, *, through_fail: bool = True) -> list[list[PipelineNode]]:
        """The groups of nodes that lead back to themselves; without edges from `fail` ports, if so asked."""
        edges = [edge for edge in self.edges if through_fail or edge.port != FAIL]
        targets, sources = _neighbours(edges), _neighbours(edges, backwards=True)
        groups: list[list[PipelineNode]] = []
        grouped: set[str] = set()
        for node in self.nodes:
            if node.id not in grouped:
                group = _reached([node.id], targets) & _reached([node.id], sources)
                grouped |= group
                if len(group) > 1:
                    groups.append([each for each in self.nodes if each.id in group])
        return groups

    @cached_property
    def _targets(self) -> Mapping[str, list[str]]:
        return _neighbours(self.edges)


def _neighbours(edges: Iterable[Edge], *, backwards: bool = False) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for edge in edges:
        start, end = (edge.target, edge.source) if backwards else (edge.source, edge.target)
        found.setdefault(start, []).append(end)
    return found


def _reached(starts: Iterable[str], targets: Mapping[str, list[str]]) -> frozenset[str]:
    reached: set[str] = set()
    waiting = list(starts)
    while waiting:
        node_id = waiting.pop()
        if node_id not in reached:
            reached.add(node_id)
            waiting += targets.get(node_id, ())
    return frozenset(reached)
