"""The catalog of node types (contract part 2, section 9)."""

from typing import Annotated, Literal, NotRequired

from flask import Response
from pydantic import Field
from typing_extensions import TypedDict

from portal.api import bp, bp_v2
from portal.api.answers import one, whole_list
from portal.api.operations import operation
from portal.auth.gate import public, requires
from portal.definitions.catalog import CATALOG, NodeType, Port
from portal.definitions.locales import LOCALE_NAMES
from portal.errors import NotFound


class PortJson(TypedDict):
    """Where lines enter or leave a node."""

    name: str
    fields: Annotated[list[str], Field(description="What lines need here, or have from here on.")]


class NodeTypeJson(TypedDict):
    """A type of node, for building definitions."""

    node_type: str
    display_name: str
    description: str
    version: int
    beta: bool
    inputs: list[PortJson]
    outputs: list[PortJson]
    input_schema: Annotated[dict[str, object], Field(description="A JSON schema by input port.")]
    config_schema: Annotated[dict[str, object], Field(description="A JSON schema by key of config.")]


class OptionJson(TypedDict):
    """A value to choose."""

    value: str
    display_name: str


class ChoiceJson(TypedDict):
    """Values of a filter to choose from."""

    options: list[OptionJson]


class NodeOptionJson(TypedDict):
    """Values for a key of config: all of them (inline), or where to ask for them (href)."""

    kind: Literal["inline", "href"]
    value: NotRequired[list[OptionJson]]
    target: NotRequired[str]
    method: NotRequired[str]
    properties: NotRequired[dict[str, ChoiceJson]]


class NodeTypeDetailJson(NodeTypeJson):
    """A type of node with the values that its settings may have."""

    category: str
    options: dict[str, NodeOptionJson]


@bp.get("/nodes")
@public
@operation(
    tag="Nodes",
    summary="List the node types",
    answer=NodeTypeJson,
    shape="uncounted",
    description="All that a definition may have, whether or not this installation can run them today.",
)
def node_types() -> Response:
    return whole_list(tuple(CATALOG.values()), _row)


@bp_v2.get("/nodes/<node_type>")
@requires("catalog:read")
@operation(tag="Nodes", summary="Get a node type", answer=NodeTypeDetailJson)
def node_type(node_type: str) -> Response:
    return one(_detail(_find(node_type)))


@bp.get("/nodes/<node_type>")
@requires("catalog:read")
@operation(tag="Nodes", summary="Get a node type", answer=NodeTypeDetailJson, deprecated=True)
def node_type_v1(node_type: str) -> Response:
    return one(_detail(_find(node_type)))


def _find(slug: str) -> NodeType:
    found = CATALOG.get(slug)
    if found is None:
        raise NotFound("There is no such node type.")
    return found


def _row(found: NodeType) -> NodeTypeJson:
    return {
        "node_type": found.slug,
        "display_name": found.display_name,
        "description": found.description,
        "version": found.version,
        "beta": found.beta,
        "inputs": [_port(port) for port in found.inputs],
        "outputs": [_port(port) for port in found.outputs],
        "input_schema": {
            port.name: {"type": "array", "description": f"Lines with {' and '.join(port.fields)}."}
            for port in found.inputs
        },
        "config_schema": dict(found.settings),
    }


def _port(port: Port) -> PortJson:
    return {"name": port.name, "fields": list(port.fields)}


def _detail(found: NodeType) -> NodeTypeDetailJson:
    options = {name: option for name, option in _OPTIONS.items() if name in found.settings}
    if "voice_map" in found.settings:
        options |= _VOICES
    return {**_row(found), "category": found.category, "options": options}


_LOCALES: list[OptionJson] = [
    {"value": locale, "display_name": name} for locale, name in LOCALE_NAMES.items()
]
_ONE_LOCALE: NodeOptionJson = {"kind": "inline", "value": _LOCALES}
_OPTIONS: dict[str, NodeOptionJson] = dict.fromkeys(
    ("source_language", "target_languages", "target_locale"), _ONE_LOCALE
)
_VOICES: dict[str, NodeOptionJson] = {
    "voice_map": {
        "kind": "href",
        "target": "/api/v1/voices",
        "method": "GET",
        "properties": {"language": {"options": _LOCALES}},
    },
    "providers": {"kind": "href", "target": "/api/v1/providers", "method": "GET"},
}
"""Where to find what the voices of a generator name."""
