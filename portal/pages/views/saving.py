"""The page that gives a list a name, or saves it over a view that is there."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from portal import moments
from portal.auth.access import SeenWorkflow, get_workflow, get_workspace
from portal.auth.gate import current_principal
from portal.errors import InvalidQuery
from portal.input.parameters import Args, single
from portal.pages import bp
from portal.pages.forms import Form, id_in_path, parse_run_list, plain_form
from portal.pages.views.words import Words, whole_list_address, words_of_query, words_of_views
from portal.runs.query import RunQuery
from portal.runs.scope import Listed
from portal.runs.views import writing
from portal.runs.views.definition import Definition
from portal.runs.views.reading import ListOf, View, list_of, views_of_list
from portal.web import formats
from portal.web.formats import with_args
from portal.web.rendering import render

Answer = Response | str | tuple[str, int]


@dataclass(frozen=True, kw_only=True)
class NewViewPage:
    """What `views/new.html` shows."""

    workflow: SeenWorkflow | None
    """None where the list is of a workspace."""
    parts: Sequence[tuple[str, str]]
    """What the list shows, in words."""
    args: Args
    """The parameters of the list."""
    list_url: str
    back: str
    form: Form
    others: Sequence[tuple[View, Words]]
    """The views that the list may be saved over."""
    may_change_team: bool
    max_name: int = writing.MAX_NAME


@bp.get("/workflows/<workflow_id>/views/new")
def new_view(workflow_id: str) -> Answer:
    return _new(get_workflow(current_principal(), id_in_path(workflow_id)))


@bp.post("/workflows/<workflow_id>/views/new")
def save_view(workflow_id: str) -> Answer:
    return _save(get_workflow(current_principal(), id_in_path(workflow_id)))


@bp.get("/workspaces/<workspace_id>/views/new")
def new_workspace_view(workspace_id: str) -> Answer:
    return _new(get_workspace(current_principal()))


@bp.post("/workspaces/<workspace_id>/views/new")
def save_workspace_view(workspace_id: str) -> Answer:
    return _save(get_workspace(current_principal()))


@bp.post("/views/<view_id>/definition")
def redefine_view(view_id: str) -> Response:
    principal = current_principal()
    view = writing.get_view_to_change(principal, id_in_path(view_id))
    definition = Definition.of(_query(view.of), formats.zone_on_show())
    writing.redefine_view(principal, view.id, definition, moments.now())
    return _to_list(view.of, definition)


def save_address(of: ListOf, query: RunQuery) -> str:
    """The page that saves a list."""
    if of.workflow_id is None:
        address = url_for(".new_workspace_view", workspace_id=of.workspace_id)
    else:
        address = url_for(".new_view", workflow_id=of.workflow_id)
    return with_args(address, Definition.of(query, formats.zone_on_show()).parameters)


def _new(seen: Listed) -> Answer:
    return _page(seen, _query(list_of(seen)), Form({}))


def _save(seen: Listed) -> Answer:
    of = list_of(seen)
    query = _query(of)
    definition = Definition.of(query, formats.zone_on_show())
    try:
        spec = writing.NewView.read(_wanted())
        writing.save_view(current_principal(), of, definition, spec, moments.now())
    except InvalidQuery as refusal:
        messages = {error.field: error.message for error in refusal.errors}
        return _page(seen, query, Form(single(request.form), messages)), refusal.status
    return _to_list(of, definition)


def _query(of: ListOf) -> RunQuery:
    """The list in the address of the request. Raises InvalidQuery."""
    return parse_run_list(plain_form(request.args), of.workflow_id)


def _to_list(of: ListOf, definition: Definition) -> Response:
    return redirect(with_args(whole_list_address(of), definition.parameters), code=303)


def _wanted() -> dict[str, object]:
    form = request.form
    return {
        "name": form.get("name", ""),
        "of_team": form.get("whose") == "team",
        "is_default": "is_default" in form,
    }


def _page(seen: Listed, query: RunQuery, form: Form) -> str:
    principal, of = current_principal(), list_of(seen)
    changeable = [view for view in views_of_list(principal, of).all if writing.may_change(principal, view)]
    page = NewViewPage(
        workflow=seen if isinstance(seen, SeenWorkflow) else None,
        parts=words_of_query(query, of.workspace_id),
        args=Definition.of(query, formats.zone_on_show()).parameters,
        list_url=whole_list_address(of),
        back=with_args(whole_list_address(of), query.to_args()),
        form=form,
        others=words_of_views(changeable, of.workspace_id),
        may_change_team=writing.may_change_team(principal, of.workspace_id),
    )
    return render("views/new.html", page)
