"""What somebody has made of a definition and not saved: the form that the editor sends each time.

The whole draft is in the form, so that the editor works without script and keeps nothing on the server.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from werkzeug.datastructures import MultiDict

from portal.definitions.catalog import CATALOG
from portal.definitions.editing.edges import Way, connect, disconnect, with_parts
from portal.definitions.editing.fields import Choices, changed_config, on_one_line
from portal.definitions.editing.nodes import (
    After,
    Alone,
    Before,
    Between,
    Place,
    add_node,
    move_nodes,
    remove_node,
)
from portal.definitions.shape import MAX_NODE_NAME, Json, read_stored
from portal.errors import InvalidQuery
from portal.pages.graph import draw_graph
from portal.pages.pasted_definition import LineError, Pasted

JSON_TEXT, SETTING, SHOWN = "definition", "set.", "shown"
"""Fields: the definition as JSON, a setting by its key, and the keys of all settings that the form has.

The last is there because boxes without a tick send nothing.
"""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A definition that is being edited, and what its page shows of it."""

    definition: Json
    node: int | None = None
    """The number of the node whose settings are shown."""
    as_json: bool = False
    """Whether it is shown as JSON."""
    typed: str | None = None
    """What was typed as JSON, where that is no definition."""
    line_errors: Sequence[LineError] = ()
    """What is wrong with that."""

    @property
    def carried(self) -> str:
        """The definition for the field that carries it: on one line, so that no browser changes it."""
        return json.dumps(self.definition, ensure_ascii=False, separators=(",", ":"))

    @property
    def as_text(self) -> str:
        if self.typed is not None:
            return self.typed
        return json.dumps(self.definition, ensure_ascii=False, indent=2)

    def showing(self, number: int | None) -> "Draft":
        """With the settings of this node; of none if there is no such node."""
        there = number is not None and 0 <= number < len(self.definition["graph"]["nodes"])
        return replace(self, node=number if there else None)

    def showing_id(self, node_id: str) -> "Draft":
        """With the settings of the first node that has this id."""
        ids = [node["id"] for node in self.definition["graph"]["nodes"]]
        return self.showing(ids.index(node_id) if node_id in ids else None)


ChoicesOf = Callable[[Json, int], Choices]
"""What a node of a definition, by its number, may be set to."""


def read_draft(form: MultiDict[str, str], choices_of: ChoicesOf) -> Draft:
    """The draft in a form, with what was filled in. Raises InvalidQuery if the form is not the editor's."""
    carried = Draft(definition=read_stored(Pasted(form.get("draft", "")).value()))
    if form.get("view") == "json":
        return _typed(form, carried)
    draft = carried.showing(_number(form.get("node", "")))
    return draft if draft.node is None else _filled_in(draft, draft.node, form, choices_of)


def _typed(form: MultiDict[str, str], carried: Draft) -> Draft:
    pasted = Pasted(form.get(JSON_TEXT, "").replace("\r\n", "\n"))
    try:
        return Draft(definition=read_stored(pasted.value()), as_json=True)
    except InvalidQuery as refusal:
        errors = pasted.errors_by_line(refusal.errors) or [LineError("There is no definition here.")]
        return replace(carried, as_json=True, typed=pasted.text, line_errors=errors)


def _filled_in(draft: Draft, number: int, form: MultiDict[str, str], choices_of: ChoicesOf) -> Draft:
    nodes = draft.definition["graph"]["nodes"]
    node = nodes[number]
    sent = {key: form.getlist(SETTING + key) for key in form.getlist(SHOWN)}
    choices = choices_of(draft.definition, number)
    changes: Json = {}
    config = changed_config(CATALOG.find(node["type"]), node.get("config"), sent, choices)
    if config is not node.get("config"):
        changes["config"] = config
    name = form.get("name", "")[:MAX_NODE_NAME]
    if "name" in form and name != on_one_line(node.get("name") or ""):
        changes["name"] = name or None
    if not changes:
        return draft
    changed = [*nodes[:number], {**node, **changes}, *nodes[number + 1 :]]
    return replace(draft, definition=with_parts(draft.definition, nodes=changed))


def acted(draft: Draft, form: MultiDict[str, str]) -> Draft:
    """The draft after what a button of the editor does to it; what no button means does nothing."""
    verb, _, what = form.get("do", "").partition(":")
    if draft.line_errors:  # until that is mended, nothing else is shown
        return draft
    definition = draft.definition
    match verb:
        case "open":
            return replace(draft.showing(_number(what)), as_json=False)
        case "json":
            return replace(draft, as_json=True)
        case "graph":
            return replace(draft, as_json=False)
        case "add":
            return _added(draft, form.get("place", ""))
        case "remove" if (number := draft.showing(_number(what)).node) is not None:
            return replace(draft, definition=remove_node(definition, number), node=None)
        case "connect" if (way := _way(form.get(what, ""))) is not None:
            return replace(draft, definition=_connected(definition, way))
        case "disconnect" if (edge := _number(what)) is not None:
            return replace(draft, definition=disconnect(definition, edge))
        case "arrange":
            return replace(draft, definition=_arranged(definition))
        case _:
            return draft


def place_value(place: Place, slug: str) -> str:
    """What the form sends for a place and a type."""
    match place:
        case After(node, port):
            return f"after:{node}:{slug}:{port}"
        case Before(node):
            return f"before:{node}:{slug}"
        case Between(edge):
            return f"between:{edge}:{slug}"
        case _:
            return f"alone::{slug}"


def way_value(way: Way) -> str:
    return ":".join(map(str, way))


def _added(draft: Draft, value: str) -> Draft:
    kind, number, slug, port = (value.split(":", 3) + [""] * 3)[:4]
    nodes, edges = (draft.definition["graph"][part] for part in ("nodes", "edges"))
    at = _number(number)
    place: Place | None = None
    match kind:
        case "after" if at is not None and at < len(nodes):
            place = After(at, port)
        case "before" if at is not None and at < len(nodes):
            place = Before(at)
        case "between" if at is not None and at < len(edges):
            place = Between(at)
        case "alone":
            place = Alone()
    if place is None or slug not in CATALOG:
        return draft
    definition = add_node(draft.definition, slug, place)
    added = definition is not draft.definition
    changed = replace(draft, definition=definition)
    return changed.showing(len(nodes)) if added else changed


def _way(value: str) -> Way | None:
    source, port, target, target_port = (value.split(":", 3) + [""] * 3)[:4]
    ends = _number(source), _number(target)
    return None if ends[0] is None or ends[1] is None else Way(ends[0], port, ends[1], target_port)


def _connected(definition: Json, way: Way) -> Json:
    number = len(definition["graph"]["nodes"])
    return connect(definition, way) if max(way.source, way.target) < number else definition


def _arranged(definition: Json) -> Json:
    """The nodes where the drawing of the graph has them."""
    drawing = draw_graph(definition, {})
    places = {box.node.id: (box.x, box.y) for box in drawing.boxes} if drawing else {}
    return move_nodes(definition, places)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else None
