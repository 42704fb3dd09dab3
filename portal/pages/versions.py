"""The versions of a workflow: their list, each with what changed, and restoring one."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask import Response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from portal import moments
from portal.auth.access import SeenWorkflow, get_workflow
from portal.auth.gate import current_principal
from portal.database.sql.excerpts import TextBudget
from portal.definitions.changes import Change, changes_of
from portal.definitions.changes.json_text import JsonDiff, json_diff
from portal.errors import FieldError, InvalidQuery, NotFound
from portal.input import parameters
from portal.input.parameters import Reader, single
from portal.pages import bp
from portal.pages.forms import Form, filled, id_in_path
from portal.pages.graph import MAX_LISTED_NODES, Graph, NodeView, draw_graph, read_nodes
from portal.pages.pager import PageQuery, Pager
from portal.pages.pasted_definition import error_in_words
from portal.paging import Page
from portal.web.rendering import render
from portal.workflows import writing
from portal.workflows.version_history import (
    ListedVersion,
    Version,
    count_versions,
    get_version,
    list_versions,
)

MAY_RESTORE = "workflows:write"
MAX_REFUSALS = 20
"""Errors of a definition that can no longer be saved that the page tells."""


@dataclass(frozen=True, kw_only=True)
class VersionsPage:
    """What `versions/page.html` shows."""

    workflow: SeenWorkflow
    page: Page[ListedVersion]
    pager: Pager
    query: PageQuery
    room: TextBudget


@dataclass(frozen=True)
class Comparison:
    """What a version changed against another."""

    other: int
    changes: Sequence[Change]
    diff: JsonDiff


@dataclass(frozen=True, kw_only=True)
class VersionPage:
    """What `versions/version.html` shows."""

    workflow: SeenWorkflow
    version: Version
    newest: int
    """The number of the newest version."""
    may_restore: bool
    form: Form
    """The number of the version to compare with."""
    comparison: Comparison | None
    """None for the first version alone, and where the form has an error."""
    graph: Graph | None
    nodes: Sequence[NodeView]
    room: TextBudget
    """Shared by all texts of the page, so that together they stay short."""
    refusals: Sequence[str] = ()
    """Why it could not be restored."""
    more_refusals: int = 0
    most_nodes: int = MAX_LISTED_NODES


@bp.get("/workflows/<workflow_id>/versions")
def versions(workflow_id: str) -> str:
    workflow = get_workflow(current_principal(), id_in_path(workflow_id))
    query = PageQuery.parse(single(request.args))
    page = list_versions(workflow, query.slice)
    shown = VersionsPage(workflow=workflow, page=page, pager=Pager(page), query=query, room=TextBudget())
    return render("versions/page.html", shown)


@bp.get("/workflows/<workflow_id>/versions/<number>")
def version(workflow_id: str, number: str) -> tuple[str, int]:
    """The version, and what changed against the one that `with` names, by default the one before."""
    workflow = get_workflow(current_principal(), id_in_path(workflow_id))
    found, newest, args = _version(workflow, number), count_versions(workflow), single(request.args)
    try:
        return _page(workflow, found, newest, _other(args, found, newest)), 200
    except InvalidQuery as refusal:
        form = filled(args, refusal.errors)
        return _page(workflow, found, newest, None, form), refusal.status


@bp.get("/workflows/<workflow_id>/versions/<number>/definition")
def version_definition(workflow_id: str, number: str) -> Response:
    """The whole definition as JSON."""
    workflow = get_workflow(current_principal(), id_in_path(workflow_id))
    text = json.dumps(_version(workflow, number).definition, indent=2, ensure_ascii=False)
    return Response(text, content_type="application/json; charset=utf-8")


@bp.post("/workflows/<workflow_id>/versions/<number>/restore")
def restore_version(workflow_id: str, number: str) -> BaseResponse | tuple[str, int]:
    """Save the definition of this version anew, as the newest version."""
    workflow = get_workflow(current_principal(), id_in_path(workflow_id))
    principal = current_principal().in_workspace(workflow.workspace_id).restricted_to(MAY_RESTORE)
    found = _version(workflow, number)
    try:
        writing.change_workflow(principal, str(workflow.id), {"definition": found.definition}, moments.now())
    except InvalidQuery as refusal:
        newest = count_versions(workflow)
        return _page(workflow, found, newest, _other({}, found, newest), errors=refusal.errors), 422
    return redirect(url_for(".versions", workflow_id=workflow.id), code=303)


def _version(workflow: SeenWorkflow, number: str) -> Version:
    """The version that an address names. Raises NotFound."""
    try:
        return get_version(workflow, parameters.whole_number(number, 1, None))
    except parameters.Refused:
        raise NotFound("This workflow has no such version.") from None


def _other(args: Mapping[str, str], found: Version, newest: int) -> int | None:
    """The number of the version to compare with; None for the first one alone. Raises InvalidQuery."""
    reader = Reader({name: text for name, text in args.items() if text})
    other = reader.read("with", parameters.page_number, found.number - 1 or None)
    reader.finish()
    if other is not None and other > newest:
        raise InvalidQuery([FieldError("with", f"must be a version from 1 to {newest}.")])
    return other


def _page(
    workflow: SeenWorkflow,
    found: Version,
    newest: int,
    other: int | None,
    form: Form | None = None,
    errors: Sequence[FieldError] = (),
) -> str:
    definition = found.definition
    page = VersionPage(
        workflow=workflow,
        version=found,
        newest=newest,
        may_restore=current_principal().in_workspace(workflow.workspace_id).allows(MAY_RESTORE),
        form=form or Form({"with": str(other or "")}),
        comparison=_compare(workflow, found, other) if other else None,
        graph=draw_graph(definition, {}),
        nodes=read_nodes(definition, {}),
        room=TextBudget(),
        refusals=[error_in_words(error) for error in errors[:MAX_REFUSALS]],
        more_refusals=max(0, len(errors) - MAX_REFUSALS),
    )
    return render("versions/version.html", page)


def _compare(workflow: SeenWorkflow, found: Version, other: int) -> Comparison:
    before = get_version(workflow, other).definition
    return Comparison(other, changes_of(before, found.definition), json_diff(before, found.definition))
