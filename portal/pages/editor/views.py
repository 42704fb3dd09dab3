"""The page on which a definition is written, its fragment, and saving."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from flask import make_response, redirect, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as BaseResponse

from portal import moments
from portal.auth.access import SeenWorkflow, get_workflow
from portal.auth.gate import current_principal
from portal.auth.principals import Principal
from portal.database.sql.excerpts import TextBudget, cut
from portal.definitions.catalog import CATALOG
from portal.definitions.changes import Change, changes_of
from portal.definitions.changes.json_text import is_same
from portal.definitions.graph import EMPTY_DEFINITION
from portal.definitions.shape import MAX_NODES, Json, read_stored
from portal.engine.preparing import MAX_DEFINITION
from portal.engine.pricing.quotes import Quote, quote_definition
from portal.errors import BadRequest, InvalidQuery, PreconditionFailed
from portal.pages import bp
from portal.pages.editor.choices import choices_in
from portal.pages.editor.draft import Draft, acted, read_draft
from portal.pages.editor.node_view import (
    MAX_LABEL,
    Group,
    NodeForm,
    add_alone,
    name_of,
    node_form,
    port_word,
)
from portal.pages.editor.problems import MOST, Problems, find_problems
from portal.pages.forms import id_in_path
from portal.pages.graph import Graph, draw_graph
from portal.pages.pasted_definition import LineError, Pasted
from portal.pages.run_rights import may_start
from portal.web import htmx
from portal.web.rendering import render
from portal.workflows.saved import Saved, read_saved
from portal.workflows.writing import change_workflow

WRITE = "workflows:write"
MAX_FORM = 4_000_000
"""Bytes of the editor's form: the draft, which may have a million, and once more what is being typed."""

_TO_MEND = "What has to be mended first stands below."
_TOO_LONG = f"As JSON a definition must be at most {MAX_DEFINITION:,} bytes: upload long scripts as files."

Answer = str | BaseResponse | tuple[str, int]


@dataclass(frozen=True)
class Base:
    """A saved state, as the form names it."""

    tag: str
    version: str
    """Empty for a definition that was imported."""

    @classmethod
    def of(cls, saved: Saved) -> "Base":
        return cls(saved.tag, "" if saved.version is None else str(saved.version))

    @classmethod
    def sent(cls, form: MultiDict[str, str]) -> "Base":
        return cls(form.get("tag", ""), form.get("version", ""))

    def has_definition_of(self, saved: Saved) -> bool:
        """Whether the definition is still the same, whatever happened to name and description."""
        now = Base.of(saved)
        return self.tag == now.tag or (self.version != "" and self.version == now.version)


@dataclass(frozen=True, kw_only=True)
class NodeLine:
    """A node in the list of nodes."""

    number: int
    id: str
    name: str
    type_name: str
    follows: Sequence[str]
    """The names of the nodes that feed it, with the port where it has several."""
    errors: int
    warnings: int


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """What somebody else saved meanwhile."""

    by: str | None
    at: datetime
    changes: Sequence[Change]
    """What is different in the draft."""


@dataclass(frozen=True, kw_only=True)
class EditorPage:
    """What `editor/page.html` and its fragment show."""

    workflow: SeenWorkflow
    may_change: bool
    may_start: bool
    draft: Draft
    base: Base
    """The saved state that the draft began with."""
    saved: Saved
    """The present one."""
    unsaved: bool
    changed_meanwhile: bool
    """Whether the present definition is another one than that of the base."""
    nodes: Sequence[NodeLine]
    graph: Graph | None
    numbers: dict[str, int]
    """Of the nodes, by id."""
    chosen: NodeForm | None
    may_add: Sequence[Group]
    problems: Problems
    quote: Quote | None
    room: TextBudget
    """Of the texts that nobody edits here."""
    conflict: Conflict | None = None
    refusal: str = ""
    """Why it was not saved, as a sentence."""
    most: int = MOST
    most_nodes: int = MAX_NODES


@bp.get("/workflows/<workflow_id>/definition")
def definition(workflow_id: str) -> Answer:
    workflow = get_workflow(current_principal(), id_in_path(workflow_id))
    saved = read_saved(workflow)
    return render("editor/page.html", _page(workflow, _opened(saved), saved, Base.of(saved)))


def _opened(saved: Saved) -> Draft:
    """The draft with which somebody begins. What is no definition of ours is shown as JSON, to be mended."""
    try:
        draft = Draft(definition=read_stored(saved.definition), as_json=request.args.get("view") == "json")
    except InvalidQuery as refusal:
        typed = Pasted(json.dumps(saved.definition, ensure_ascii=False, indent=2))
        empty = Draft(definition=dict(EMPTY_DEFINITION), as_json=True)
        if len(typed.text) > MAX_DEFINITION:
            return replace(empty, line_errors=[LineError("The definition is too long to be edited here.")])
        return replace(empty, typed=typed.text, line_errors=typed.errors_by_line(refusal.errors))
    return draft.showing_id(request.args["node"]) if "node" in request.args else draft.showing(0)


@bp.get("/workflows/<workflow_id>/definition/draft")
def definition_of_draft(workflow_id: str) -> BaseResponse:
    workflow = get_workflow(current_principal(), id_in_path(workflow_id))
    return redirect(url_for(".definition", workflow_id=workflow.id), code=303)


@bp.post("/workflows/<workflow_id>/definition/draft")
def edit_draft(workflow_id: str) -> Answer:
    """The fragment for a browser with script."""
    return _edited(workflow_id, "editor/_editor.html" if htmx.wants_fragment() else "editor/page.html")


@bp.post("/workflows/<workflow_id>/definition")
def edit_definition(workflow_id: str) -> Answer:
    return _edited(workflow_id, "editor/page.html")


def _edited(workflow_id: str, template: str) -> Answer:
    """What a button of the editor leads to."""
    request.max_content_length = request.max_form_memory_size = MAX_FORM
    workflow = get_workflow(current_principal(), id_in_path(workflow_id))
    principal = current_principal().in_workspace(workflow.workspace_id).restricted_to(WRITE)
    form = request.form
    try:
        draft = acted(read_draft(form, partial(choices_in, workflow.workspace_id)), form)
    except InvalidQuery:
        raise BadRequest("This form is not the editor's.") from None
    if form.get("do") == "save" and not draft.line_errors:
        return _save(principal, workflow, draft, Base.sent(form), template)
    page = _page(workflow, draft, read_saved(workflow), Base.sent(form))
    return render(template, page), 422 if draft.line_errors else 200


def _save(principal: Principal, workflow: SeenWorkflow, draft: Draft, base: Base, template: str) -> Answer:
    saved = read_saved(workflow)
    if len(draft.carried.encode()) > MAX_DEFINITION:
        return render(template, replace(_page(workflow, draft, saved, base), refusal=_TOO_LONG)), 422
    tag = saved.tag if base.has_definition_of(saved) else base.tag
    body = {"definition": draft.definition}
    try:
        change_workflow(principal, str(workflow.id), body, moments.now(), [tag])
    except PreconditionFailed:
        return render(template, _in_conflict(workflow, draft)), 409
    except InvalidQuery as refusal:
        page = _page(workflow, _to_mend(draft, refusal), saved, base)
        return render(template, replace(page, refusal=_TO_MEND)), 422
    node = None if draft.node is None else draft.definition["graph"]["nodes"][draft.node]["id"]
    view = "json" if draft.as_json else None
    return _to(url_for(".definition", workflow_id=workflow.id, node=node, view=view))


def _to_mend(draft: Draft, refusal: InvalidQuery) -> Draft:
    """The draft, as JSON if it breaks no rule but is none that can be stored, as with types that are gone."""
    about_shape = [each for each in refusal.errors if not each.rule]
    if not about_shape:
        return draft
    text = Pasted(draft.as_text)
    return replace(draft, as_json=True, typed=text.text, line_errors=text.errors_by_line(about_shape))


def _to(url: str) -> BaseResponse:
    if not htmx.wants_fragment():
        return redirect(url, code=303)
    answer = make_response("")
    answer.headers["HX-Redirect"] = url
    return answer


def _in_conflict(workflow: SeenWorkflow, draft: Draft) -> EditorPage:
    """The draft beside what was saved meanwhile; the next save overwrites that, and nothing later."""
    saved = read_saved(workflow)
    changes = changes_of(saved.definition, draft.definition)
    page = _page(workflow, draft, saved, Base.of(saved))
    return replace(page, conflict=Conflict(by=saved.by, at=saved.at, changes=changes))


def _page(workflow: SeenWorkflow, draft: Draft, saved: Saved, base: Base) -> EditorPage:
    membership = current_principal().membership(workflow.workspace_id)
    definition = draft.definition
    problems = find_problems(definition, workflow.workspace_id, workflow.id)
    chosen = None
    if draft.node is not None and not draft.as_json:
        choices = choices_in(workflow.workspace_id, definition, draft.node)
        chosen = node_form(definition, draft.node, problems.of_node(draft.node), choices)
    if draft.as_json and not draft.line_errors:
        problems = problems.on_lines_of(draft.as_text)
    nodes = _lines(definition, problems)
    return EditorPage(
        workflow=workflow,
        may_change=membership is not None and membership.allows(WRITE),
        may_start=may_start(workflow.workspace_id),
        draft=draft,
        base=base,
        saved=saved,
        unsaved=draft.typed is not None or not _is_saved(draft, saved),
        changed_meanwhile=not base.has_definition_of(saved),
        nodes=nodes,
        graph=draw_graph(definition, {}),
        numbers={node.id: node.number for node in reversed(nodes)},
        chosen=chosen,
        may_add=add_alone(definition),
        problems=problems,
        room=TextBudget(),
        quote=quote_definition(workflow.id, definition) if problems.can_run else None,
    )


def _is_saved(draft: Draft, saved: Saved) -> bool:
    try:
        return is_same(read_stored(saved.definition), draft.definition)
    except InvalidQuery:
        return False


def _lines(definition: Json, problems: Problems) -> list[NodeLine]:
    nodes, follows = definition["graph"]["nodes"], defaultdict(list)
    names = {node["id"]: name_of(node) for node in reversed(nodes)}
    for edge in definition["graph"]["edges"]:
        port = f" ({word})" if (word := port_word(edge["sourcePort"])) else ""
        follows[edge["target"]].append(names.get(edge["source"], cut(edge["source"], MAX_LABEL)) + port)
    return [
        NodeLine(
            number=number,
            id=node["id"],
            name=name_of(node),
            type_name=CATALOG.find(node["type"]).display_name,
            follows=follows[node["id"]],
            errors=problems.errors_at(number),
            warnings=problems.warnings_at(number),
        )
        for number, node in enumerate(nodes)
    ]
