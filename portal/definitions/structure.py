"""The rules that a saved definition follows: ids, edges, ports, settings (contract part 2, 4.2 and 4.4).

It takes well-shaped definitions (`shape`), also stored ones whose types are missing here. What follows these
rules can be stored; whether it can run is for `preflight`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from portal.definitions.catalog import CATALOG
from portal.definitions.settings import refusals
from portal.definitions.shape import segment
from portal.errors import FieldError, InvalidQuery

Json = Mapping[str, Any]
MAX_QUOTED = 60
"""Characters of a name that a message repeats."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A broken rule or a warning."""

    rule: str
    path: str
    """Where, with dots: `graph.nodes.2.config.threshold`."""
    message: str
    """A sentence that names the node or the edge."""
    node_id: str | None = None
    node_name: str | None = None

    def as_field_error(self, field: str) -> FieldError:
        return FieldError(f"{field}.{self.path}", self.message, self.rule, self.node_id)


@dataclass(frozen=True)
class Edge:
    """An edge that leads from a port that exists to another."""

    source: str
    port: str
    target: str


def validate_definition(definition: Json) -> list[Finding]:
    """Every broken rule, nodes first, in their order."""
    nodes, edges, steps = _parts(definition)
    return [*_nodes(nodes), *_edges(nodes, edges, []), *_steps(nodes, steps)]


def refuse(findings: list[Finding], field: str = "definition") -> None:
    """Raise InvalidQuery if there are any."""
    if findings:
        raise InvalidQuery([finding.as_field_error(field) for finding in findings])


def sound_edges(definition: Json) -> list[Edge]:
    """The edges that break no rule."""
    nodes, edges, _ = _parts(definition)
    sound: list[Edge] = []
    for _ in _edges(nodes, edges, sound):
        pass
    return sound


def about_node(rule: str, number: int, node: Json, sentence: str, *path: str | int) -> Finding:
    """A finding about a node, whose message begins with the node; `path` leads on from it."""
    return Finding(
        rule=rule,
        path=".".join(map(segment, ("graph", "nodes", number, *path))),
        message=f"{label(node)}: {sentence}",
        node_id=node["id"],
        node_name=node.get("name") or None,
    )


def label(node: Json) -> str:
    """A node for people: its name, or else its type and id."""
    named = node.get("name")
    return quoted(named) if named else f"{CATALOG.find(node['type']).display_name} {quoted(node['id'])}"


def quoted(text: str) -> str:
    return f"“{text if len(text) <= MAX_QUOTED else text[: MAX_QUOTED - 1] + '…'}”"


def _parts(definition: Json) -> tuple[list[Json], list[Json], list[str]]:
    graph, execution = definition["graph"], definition["execution"]
    return graph["nodes"], graph["edges"], execution["steps"]


def _nodes(nodes: list[Json]) -> Iterator[Finding]:
    seen: set[str] = set()
    for number, node in enumerate(nodes):
        if node["id"] in seen:
            yield about_node("duplicate_node_id", number, node, "another node has this id.", "id")
        seen.add(node["id"])
        for path, allowed in refusals(CATALOG.find(node["type"]), node.get("config") or {}):
            sentence = f"{'.'.join(map(str, path))} {allowed}"
            yield about_node("invalid_config", number, node, sentence, "config", *path)


def _edges(nodes: list[Json], edges: list[Json], sound: list[Edge]) -> Iterator[Finding]:
    """The broken rules; adds the edges that break none to `sound`."""
    by_id = {node["id"]: node for node in reversed(nodes)}
    seen_ids: set[str] = set()
    seen_ways: set[tuple[str, ...]] = set()
    for number, edge in enumerate(edges):
        if edge["id"] in seen_ids:
            yield _about_edge("duplicate_edge_id", number, edge, "another edge has this id.", "id")
        seen_ids.add(edge["id"])
        way = tuple(edge[end] for end in ("source", "sourcePort", "target", "targetPort"))
        broken = [
            _about_edge(rule, number, edge, said, node=node)
            for rule, node, said in _broken_rules(by_id, edge)
        ]
        if not broken and way in seen_ways:
            said = f"another one leads from {label(by_id[way[0]])} to {label(by_id[way[2]])}, port to port."
            broken = [_about_edge("duplicate_edge", number, edge, said)]
        seen_ways.add(way)
        yield from broken
        if not broken:
            sound.append(Edge(edge["source"], edge["sourcePort"], edge["target"]))


def _broken_rules(by_id: Mapping[str, Json], edge: Json) -> Iterator[tuple[str, Json | None, str]]:
    """Rules that one edge breaks by itself, each with the node that is to blame, and its sentence."""
    source, target = by_id.get(edge["source"]), by_id.get(edge["target"])
    for end, node in (("source", source), ("target", target)):
        if node is None:
            yield "unknown_node", None, f"its {end} {quoted(edge[end])} is not in the graph."
    if source and source is target:
        yield "self_loop", source, f"it leads from {label(source)} to itself."
    given = CATALOG.find(source["type"]).output(edge["sourcePort"]) if source else None
    needed = CATALOG.find(target["type"]).input(edge["targetPort"]) if target else None
    if source and given is None:
        yield "unknown_port", source, _no_port(source, "output", edge["sourcePort"])
    if target and needed is None:
        yield "unknown_port", target, _no_port(target, "input", edge["targetPort"])
    if source and target and given and needed:
        missing = given.lacks(needed)
        if missing:
            needs = " and ".join(missing)
            said = f"{label(target)} needs {needs}, which {label(source)} does not give."
            yield "incompatible_ports", target, said


def _no_port(node: Json, kind: Literal["input", "output"], name: str) -> str:
    node_type = CATALOG.find(node["type"])
    ports = [port.name for port in (node_type.inputs if kind == "input" else node_type.outputs)]
    has = f"it has {' and '.join(ports)}" if ports else "it has none"
    return f"{label(node)} has no {kind} port {quoted(name)}; {has}."


def _about_edge(
    rule: str, number: int, edge: Json, sentence: str, *path: str, node: Json | None = None
) -> Finding:
    return Finding(
        rule=rule,
        path=".".join(("graph", "edges", str(number), *path)),
        message=f"Edge {quoted(edge['id'])}: {sentence}",
        node_id=node["id"] if node else None,
        node_name=(node.get("name") or None) if node else None,
    )


def _steps(nodes: list[Json], steps: list[str]) -> Iterator[Finding]:
    known = {node["id"] for node in nodes}
    seen: set[str] = set()
    for number, step in enumerate(steps):
        path = f"execution.steps.{number}"
        if step not in known:
            message = f"Step {quoted(step)} is not a node of the graph."
            yield Finding(rule="unknown_step", path=path, message=message)
        elif step in seen:
            yield Finding(rule="unknown_step", path=path, message=f"Step {quoted(step)} is named twice.")
        seen.add(step)
