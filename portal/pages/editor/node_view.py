"""One node of a draft as the editor shows it: its fields, its edges, and what may be added beside it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from portal.database.sql.excerpts import cut
from portal.definitions.catalog import CATALOG, LINES, MissingType, why_missing
from portal.definitions.editing.choices import Option
from portal.definitions.editing.edges import Way, possible_from, possible_to
from portal.definitions.editing.fields import Choices, Field, fields_of
from portal.definitions.editing.nodes import After, Alone, Before, Between, Place, fitting, places_at
from portal.definitions.shape import Json
from portal.definitions.structure import quoted
from portal.pages.editor.draft import place_value, way_value
from portal.pages.editor.problems import NodeProblems
from portal.web.formats import sentence

MAX_LABEL = 60
"""Characters of a node's name in choices."""


@dataclass(frozen=True)
class Group:
    """Choices under one heading."""

    label: str
    options: Sequence[Option]


@dataclass(frozen=True, kw_only=True)
class EdgeLine:
    """An edge of the chosen node, seen from it."""

    number: int
    port: str
    """Of the node that gives; empty where it has only one."""
    name: str
    """Of the node at the other end."""


@dataclass(frozen=True, kw_only=True)
class NodeForm:
    """The chosen node."""

    number: int
    key: str
    """A short key for the ids of its fields: another node's fields must never be taken for them."""
    name: str
    type_name: str
    description: str
    missing: str | None
    """What to do where its type is not installed."""
    fields: Sequence[Field]
    problems: NodeProblems
    further: str
    """Values of its settings that the catalog does not know, as JSON; they are kept."""
    fed_by: Sequence[EdgeLine]
    feeds: Sequence[EdgeLine]
    may_feed: Sequence[Option]
    may_be_fed_by: Sequence[Option]
    may_add: Sequence[Group]


def node_form(definition: Json, number: int, problems: NodeProblems, choices: Choices) -> NodeForm:
    nodes = definition["graph"]["nodes"]
    node = nodes[number]
    node_type = CATALOG.find(node["type"])
    config = node.get("config") or {}
    further = {key: value for key, value in config.items() if key not in node_type.settings}
    gone = isinstance(node_type, MissingType)
    return NodeForm(
        number=number,
        key=blake2b(f"{node['type']} {node['id']}".encode(), digest_size=4).hexdigest(),
        name=node.get("name") or "",
        type_name=node_type.display_name,
        description=node_type.description,
        missing=sentence(why_missing(quoted(node["type"]))) if gone else None,
        fields=fields_of(node_type, config, choices),
        problems=problems,
        further=json.dumps(further, ensure_ascii=False, indent=1) if further else "",
        fed_by=_edges(definition, node["id"], "target"),
        feeds=_edges(definition, node["id"], "source"),
        may_feed=[_to(nodes, way) for way in possible_from(definition, number)],
        may_be_fed_by=[_from(nodes, way) for way in possible_to(definition, number)],
        may_add=_groups(definition, places_at(definition, number)),
    )


def add_alone(definition: Json) -> Sequence[Group]:
    """What may be added without an edge."""
    return _groups(definition, [Alone()])


def name_of(node: Mapping[str, object]) -> str:
    """A node for lists: its name, else its type."""
    return cut(str(node.get("name") or CATALOG.find(str(node["type"])).display_name), MAX_LABEL)


def port_word(port: str) -> str:
    """An output port for people: empty for the one of nodes that have no other."""
    return "" if port == LINES else port


def _groups(definition: Json, places: Iterable[Place]) -> Sequence[Group]:
    groups = [
        Group(
            _place_words(definition, place),
            [(place_value(place, each.slug), each.display_name) for each in fitting(definition, place)],
        )
        for place in places
    ]
    return [group for group in groups if group.options]


def _place_words(definition: Json, place: Place) -> str:
    nodes, edges = definition["graph"]["nodes"], definition["graph"]["edges"]
    match place:
        case After(node, port):
            through = f", from {port_word(port)}" if port_word(port) else ""
            return f"After {name_of(nodes[node])}{through}"
        case Before(node):
            return f"Before {name_of(nodes[node])}"
        case Between(edge):
            ends = [_named(nodes, edges[edge][end]) for end in ("source", "target")]
            return f"Between {ends[0]} and {ends[1]}"
        case _:
            return "On its own"


def _named(nodes: Sequence[Json], node_id: str) -> str:
    return next((name_of(node) for node in nodes if node["id"] == node_id), cut(node_id, MAX_LABEL))


def _edges(definition: Json, node_id: str, end: str) -> list[EdgeLine]:
    nodes = definition["graph"]["nodes"]
    other_end = "source" if end == "target" else "target"
    return [
        EdgeLine(
            number=number,
            port=port_word(edge["sourcePort"]),
            name=_named(nodes, edge[other_end]),
        )
        for number, edge in enumerate(definition["graph"]["edges"])
        if edge[end] == node_id
    ]


def _to(nodes: Sequence[Json], way: Way) -> Option:
    through = f"{port_word(way.port)} → " if port_word(way.port) else ""
    return way_value(way), f"{through}{name_of(nodes[way.target])}"


def _from(nodes: Sequence[Json], way: Way) -> Option:
    through = f", {port_word(way.port)}" if port_word(way.port) else ""
    return way_value(way), f"{name_of(nodes[way.source])}{through}"
