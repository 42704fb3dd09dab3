"""Which edges a definition may get, and what changes when one is added or removed."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from portal.definitions.catalog import CATALOG, NodeType
from portal.definitions.shape import MAX_EDGES, Json
from portal.definitions.structure import Json as AnyJson


class Way(NamedTuple):
    """An edge by the numbers of its nodes and the names of its ports."""

    source: int
    port: str
    target: int
    target_port: str


def first_way(source: NodeType, target: NodeType, port: str | None = None) -> tuple[str, str] | None:
    """The first two ports, or the first that fits to `port`, through which one type may feed another."""
    for given in source.outputs:
        for needed in target.inputs:
            if port in (None, given.name) and not given.lacks(needed):
                return given.name, needed.name
    return None


def possible_from(definition: AnyJson, number: int) -> list[Way]:
    """The edges that may still lead from this node to another."""
    return list(_legal(definition, [number], range(_count(definition))))


def possible_to(definition: AnyJson, number: int) -> list[Way]:
    """The edges that may still lead from another node to this one."""
    return list(_legal(definition, range(_count(definition)), [number]))


def connect(definition: Json, way: Way) -> Json:
    """With an edge more, if it may be there; a way that is there or breaks a rule changes nothing."""
    full = len(definition["graph"]["edges"]) >= MAX_EDGES
    if full or way not in possible_from(definition, way.source):
        return definition
    nodes = definition["graph"]["nodes"]
    edge = {
        "id": new_edge_id(definition),
        "source": nodes[way.source]["id"],
        "sourcePort": way.port,
        "target": nodes[way.target]["id"],
        "targetPort": way.target_port,
    }
    return with_parts(definition, edges=[*definition["graph"]["edges"], edge])


def disconnect(definition: Json, number: int) -> Json:
    """Without this edge, by its place in the list."""
    edges = definition["graph"]["edges"]
    return with_parts(definition, edges=[*edges[:number], *edges[number + 1 :]])


def new_edge_id(definition: AnyJson) -> str:
    return unused("edge", {edge["id"] for edge in definition["graph"]["edges"]})


def unused(stem: str, taken: set[str], separator: str = "-", first: int = 1) -> str:
    """`stem-1` or the first number after it that is not taken."""
    number = first
    while f"{stem}{separator}{number}" in taken:
        number += 1
    return f"{stem}{separator}{number}"


def with_parts(definition: Json, **parts: Sequence[object]) -> Json:
    """With other nodes or edges."""
    return {**definition, "graph": {**definition["graph"], **parts}}


def _count(definition: AnyJson) -> int:
    return len(definition["graph"]["nodes"])


def _legal(definition: AnyJson, sources: Sequence[int], targets: Sequence[int]) -> Iterator[Way]:
    nodes = definition["graph"]["nodes"]
    there = {
        (edge["source"], edge["sourcePort"], edge["target"], edge["targetPort"])
        for edge in definition["graph"]["edges"]
    }
    types = [CATALOG.find(node["type"]) for node in nodes]
    for source in sources:
        for given in types[source].outputs:
            for target in targets:
                for needed in types[target].inputs:
                    ends = (nodes[source]["id"], given.name, nodes[target]["id"], needed.name)
                    free = ends[0] != ends[2] and ends not in there
                    if free and not given.lacks(needed):
                        yield Way(source, given.name, target, needed.name)
