"""The drawing of a definition: nodes in layers from left to right, edges as curves. Pure functions.

Imported history may hold anything as a definition: what cannot be read is left out.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from portal.database.sql.excerpts import cut, short_key_of
from portal.definitions.catalog import CATALOG
from portal.definitions.graph import nodes_of

MAX_NODES = 150
"""A graph of more nodes is not readable; a table is."""

MAX_EDGES = 1_000
MAX_LISTED_NODES = 200
"""Rows of the table beside the drawing."""

MAX_FOLLOWS = 10
"""Nodes before a node that are named."""

MAX_READ = 1_000
"""Definitions with more entries than this are not drawn, even if ids repeat."""

BOX_WIDTH, BOX_HEIGHT = 150, 44
GAP_ACROSS, GAP_DOWN, MARGIN = 20, 14, 4
BEND = 32
"""How far the curve of an edge that leads back is pulled down; it goes three quarters of that."""
MAX_LABEL, MAX_KIND = 15, 19


@dataclass(frozen=True)
class NodeView:
    id: str
    type: str
    name: str
    follows: Sequence[str]
    """Names of the nodes that lead here, the first MAX_FOLLOWS of them."""
    more_follow: int = 0

    @property
    def key(self) -> str:
        """Its id, or a short key for a long id."""
        return short_key_of(self.id)


@dataclass(frozen=True)
class Box:
    node: NodeView
    x: int
    y: int
    label: str
    kind: str


@dataclass(frozen=True)
class Graph:
    width: int
    height: int
    boxes: Sequence[Box]
    curves: Sequence[str]
    """Paths of the edges, as SVG writes them."""


def read_nodes(definition: Mapping[str, object] | None, known: Mapping[str, str]) -> list[NodeView]:
    """The nodes of a definition in their order, by name, else as `known` names them, else by id.

    None where the definition has no graph.
    """
    nodes = list(_objects(definition, "nodes"))
    names = {
        node_id: _text(node.get("name")) or known.get(short_key_of(node_id), node_id)
        for node in nodes
        if isinstance(node_id := node.get("id"), str)
    }
    follows = defaultdict(list)
    for source, target in _edges(definition, names):
        follows[target].append(names[source])
    return [
        NodeView(
            node_id,
            _text(node.get("type")),
            names[node_id],
            follows[node_id][:MAX_FOLLOWS],
            max(len(follows[node_id]) - MAX_FOLLOWS, 0),
        )
        for node in nodes
        if isinstance(node_id := node.get("id"), str)
    ]


def names_in(definition: Mapping[str, object] | None) -> Mapping[str, str]:
    """A name for each node by its id: its own, else that of its type."""
    return {node.id: node.name or CATALOG.find(node.type).display_name for node in nodes_of(definition)}


def draw_graph(definition: Mapping[str, object] | None, names: Mapping[str, str]) -> Graph | None:
    """The drawing of a definition; None where there are no nodes, or too many."""
    if sum(1 for _ in _objects(definition, "nodes")) > MAX_READ:
        return None
    nodes = {node.id: node for node in read_nodes(definition, names)}
    if not 0 < len(nodes) <= MAX_NODES:
        return None
    edges = list(dict.fromkeys(_edges(definition, nodes)))
    if len(edges) > MAX_EDGES:
        return None
    layers = _ordered(_layers(list(nodes), edges), edges)
    tallest = max(len(layer) for layer in layers)
    boxes = {}
    for column, layer in enumerate(layers):
        aside = (tallest - len(layer)) * (BOX_HEIGHT + GAP_DOWN) // 2
        for row, node_id in enumerate(layer):
            x = MARGIN + column * (BOX_WIDTH + GAP_ACROSS)
            y = MARGIN + aside + row * (BOX_HEIGHT + GAP_DOWN)
            node = nodes[node_id]
            boxes[node_id] = Box(node, x, y, cut(node.name, MAX_LABEL), cut(node.type, MAX_KIND))
    width = 2 * MARGIN + len(layers) * (BOX_WIDTH + GAP_ACROSS) - GAP_ACROSS
    height = 2 * MARGIN + tallest * (BOX_HEIGHT + GAP_DOWN) - GAP_DOWN
    ends = [(boxes[source], boxes[target]) for source, target in edges]
    if any(_leads_back(source, target) for source, target in ends):
        height += BEND
    curves = [_curve(source, target) for source, target in ends]
    return Graph(width, height, list(boxes.values()), curves)


def _layers(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> list[list[str]]:
    """The longest-path layering of the graph. A cycle is broken at its first node."""
    waiting = {node: {source for source, target in edges if target == node != source} for node in nodes}
    depth: dict[str, int] = {}
    while waiting:
        free = [node for node, sources in waiting.items() if not sources & waiting.keys()]
        for node in free or [next(iter(waiting))]:
            depth[node] = max(
                (depth[source] + 1 for source in waiting.pop(node) if source in depth), default=0
            )
    layers: list[list[str]] = [[] for _ in range(max(depth.values()) + 1)]
    for node in nodes:
        layers[depth[node]].append(node)
    return layers


def _ordered(layers: list[list[str]], edges: Sequence[tuple[str, str]]) -> list[list[str]]:
    """Each layer sorted by the mean position of its predecessors, so that fewer edges cross."""
    position: dict[str, float] = {}
    ordered = []
    for layer in layers:
        sources = {
            node: [position[s] for s, target in edges if target == node and s in position] for node in layer
        }
        middle = {
            node: sum(found) / len(found) if found else float(layer.index(node))
            for node, found in sources.items()
        }
        ordered.append(sorted(layer, key=lambda node: (middle[node], layer.index(node))))
        position |= {node: float(row) for row, node in enumerate(ordered[-1])}
    return ordered


def _leads_back(source: Box, target: Box) -> bool:
    """Whether an edge goes to its own or an earlier layer, and is drawn below both boxes."""
    return target.x <= source.x


def _curve(source: Box, target: Box) -> str:
    if _leads_back(source, target):
        x, y = source.x + BOX_WIDTH // 2, source.y + BOX_HEIGHT
        to_x, to_y = target.x + BOX_WIDTH // 3, target.y + BOX_HEIGHT
        low = max(y, to_y) + BEND
        return f"M{x} {y}C{x} {low} {to_x} {low} {to_x} {to_y}"
    x, y = source.x + BOX_WIDTH, source.y + BOX_HEIGHT // 2
    to_x, to_y = target.x, target.y + BOX_HEIGHT // 2
    middle = (x + to_x) // 2
    return f"M{x} {y}C{middle} {y} {middle} {to_y} {to_x} {to_y}"


def _objects(definition: Mapping[str, object] | None, key: str) -> Iterator[dict[str, object]]:
    graph = (definition or {}).get("graph")
    found = graph.get(key) if isinstance(graph, dict) else None
    yield from (each for each in (found if isinstance(found, list) else []) if isinstance(each, dict))


def _edges(definition: Mapping[str, object] | None, nodes: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for edge in _objects(definition, "edges"):
        source, target = edge.get("source"), edge.get("target")
        if isinstance(source, str) and isinstance(target, str) and source in nodes and target in nodes:
            yield source, target


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
