"""Adding nodes to a definition and removing them: what is offered where, and how edges follow."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from portal.definitions.catalog import CATALOG, PASS, NodeType
from portal.definitions.editing.edges import Way, connect, disconnect, first_way, unused, with_parts
from portal.definitions.shape import MAX_EDGES, MAX_NODE_NAME, MAX_NODES, Json
from portal.definitions.structure import Json as AnyJson

STEP = 200
"""How far from its neighbour a new node is placed, in the units of `position`."""


@dataclass(frozen=True)
class After:
    """Behind a node, fed by one of its output ports."""

    node: int
    port: str


@dataclass(frozen=True)
class Before:
    """In front of a node, which it feeds."""

    node: int


@dataclass(frozen=True)
class Between:
    """On an edge, which then leads through the new node."""

    edge: int


@dataclass(frozen=True)
class Alone:
    """Without any edge."""


Place = After | Before | Between | Alone


def fitting(definition: AnyJson, place: Place) -> list[NodeType]:
    """The node types that may be added there, in the order of the catalog, while there is room for more."""
    nodes, edges = definition["graph"]["nodes"], definition["graph"]["edges"]
    if len(nodes) >= MAX_NODES:
        return []
    room = MAX_EDGES - len(edges) + isinstance(place, Between)
    ways = {node_type.slug: _ways(definition, place, node_type, 0) for node_type in CATALOG.values()}
    return [CATALOG[slug] for slug, found in ways.items() if found is not None and len(found) <= room]


def places_at(definition: AnyJson, number: int) -> Iterator[Place]:
    """Where something may be added at a node: after each output port, before it, and on each of its edges."""
    node = definition["graph"]["nodes"][number]
    for port in CATALOG.find(node["type"]).outputs:
        yield After(number, port.name)
    yield Before(number)
    for edge, each in enumerate(definition["graph"]["edges"]):
        if node["id"] in (each["source"], each["target"]):
            yield Between(edge)


def add_node(definition: Json, slug: str, place: Place) -> Json:
    """With a node more, the last in the list; unchanged where the type does not fit there."""
    node_type = CATALOG.find(slug)
    if node_type not in fitting(definition, place):
        return definition
    nodes = definition["graph"]["nodes"]
    number = len(nodes)
    ways = _ways(definition, place, node_type, number) or ()
    node = {
        "id": unused(slug.partition("_")[2].replace("_", "-"), {each["id"] for each in nodes}),
        "type": slug,
        "position": _position(definition, place),
        "name": _name(node_type, {each.get("name") for each in nodes}),
        "config": {},
    }
    changed = with_parts(definition, nodes=[*nodes, node])
    if isinstance(place, Between):
        changed = disconnect(changed, place.edge)
    for way in ways:
        changed = connect(changed, way)
    return changed


def remove_node(definition: Json, number: int) -> Json:
    """Without a node. What fed it feeds what it fed on its main way, where that is legal."""
    nodes, edges = definition["graph"]["nodes"], definition["graph"]["edges"]
    node = nodes[number]
    ids = [each["id"] for each in nodes]
    main = _main_port(CATALOG.find(node["type"]))
    into = [edge for edge in edges if edge["target"] == node["id"] and edge["source"] in ids]
    onward = [
        edge
        for edge in edges
        if edge["source"] == node["id"] and edge["sourcePort"] == main and edge["target"] in ids
    ]
    ways = [
        Way(ids.index(a["source"]), a["sourcePort"], ids.index(b["target"]), b["targetPort"])
        for a in into
        for b in onward
        if node["id"] not in (a["source"], b["target"])
    ]
    execution = definition["execution"]
    twin = ids.count(node["id"]) > 1
    kept = [edge for edge in edges if twin or node["id"] not in (edge["source"], edge["target"])]
    steps = [step for step in execution["steps"] if twin or step != node["id"]]
    linked = with_parts(definition, edges=kept)
    for way in ways:
        linked = connect(linked, way)
    changed = with_parts(linked, nodes=[*nodes[:number], *nodes[number + 1 :]])
    return {**changed, "execution": {**execution, "steps": steps}}


def move_nodes(definition: Json, positions: Mapping[str, tuple[float, float]]) -> Json:
    """With these nodes, by id, at these positions."""
    nodes = [
        {**node, "position": {**node["position"], **dict(zip("xy", positions[node["id"]], strict=True))}}
        if node["id"] in positions
        else node
        for node in definition["graph"]["nodes"]
    ]
    return with_parts(definition, nodes=nodes)


def _main_port(node_type: NodeType) -> str | None:
    names = [port.name for port in node_type.outputs]
    return PASS if PASS in names else next(iter(names), None)


def _ways(definition: AnyJson, place: Place, node_type: NodeType, number: int) -> Sequence[Way] | None:
    """The edges of a new node with this number; None where it does not fit."""
    nodes = definition["graph"]["nodes"]
    match place:
        case After(node, port):
            found = first_way(CATALOG.find(nodes[node]["type"]), node_type, port)
            return found and [Way(node, found[0], number, found[1])]
        case Before(node):
            found = first_way(node_type, CATALOG.find(nodes[node]["type"]))
            return found and [Way(number, found[0], node, found[1])]
        case Between(edge):
            return _ways_through(definition, edge, node_type, number)
        case _:
            return []


def _ways_through(definition: AnyJson, edge: int, node_type: NodeType, number: int) -> Sequence[Way] | None:
    nodes, way = definition["graph"]["nodes"], definition["graph"]["edges"][edge]
    ids = [node["id"] for node in nodes]
    if not {way["source"], way["target"]} <= set(ids):
        return None
    source, target = ids.index(way["source"]), ids.index(way["target"])
    into = first_way(CATALOG.find(nodes[source]["type"]), node_type, way["sourcePort"])
    onward = first_way(node_type, CATALOG.find(nodes[target]["type"]), _main_port(node_type))
    if into is None or onward is None:
        return None
    return [Way(source, into[0], number, into[1]), Way(number, onward[0], target, onward[1])]


def _position(definition: AnyJson, place: Place) -> Json:
    nodes = definition["graph"]["nodes"]
    match place:
        case After(node, _):
            x, y = _at(nodes[node])
            return {"x": x + STEP, "y": y}
        case Before(node):
            x, y = _at(nodes[node])
            return {"x": x - STEP, "y": y}
        case Between(edge):
            way = definition["graph"]["edges"][edge]
            ends = [_at(node) for node in nodes if node["id"] in (way["source"], way["target"])]
            return {axis: sum(end[n] / len(ends) for end in ends) for n, axis in enumerate("xy")}
        case _:
            return {"x": max((_at(node)[0] for node in nodes), default=-STEP) + STEP, "y": 0}


def _at(node: AnyJson) -> tuple[float, float]:
    return node["position"]["x"], node["position"]["y"]


def _name(node_type: NodeType, taken: set[str | None]) -> str:
    name = node_type.display_name[: MAX_NODE_NAME - 10]
    return name if name not in taken else unused(name, {each for each in taken if each}, " ", 2)
