"""The page that gives a list of a workflow a name, or saves it over a view that is there."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from portal import moments
from portal.auth.access import SeenWorkflow, get_workflow
from portal.auth.gate import current_principal
from portal.errors import InvalidQuery
from portal.input.parameters import Args, single
from portal.pages import bp
from portal.pages.forms import Form, id_in_path, parse_run_list, plain_form
from portal.pages.views.words import Words, address_of, words_of_query, words_of_view, workflow_of
from portal.runs.query import RunQuery
from portal.runs.views import writing
from portal.runs.views.definition import Definition
from portal.runs.views.reading import ListOf, View, views_of_workflow
from portal.web.rendering import render

Answer = Response | str | tuple[str, int]


@dataclass(frozen=True, kw_only=True)
class NewViewPage:
    """What `views/new.html` shows."""

    workflow: SeenWorkflow
    parts: Sequence[tuple[str, str]]
    """What the list shows, in words."""
    args: Args
    """The parameters of the list."""
    back: str
    form: Form
    others: Sequence[tuple[View, Words]]
    """The views that the list may be saved over."""
    may_change_team: bool
    max_name: int = writing.MAX_NAME


@bp.get("/workflows/<workflow_id>/views/new")
def new_view(workflow_id: str) -> Answer:
    workflow = get_workflow(current_principal(), id_in_path(workflow_id))
    return _page(workflow, _query(workflow), Form({}))


@bp.post("/workflows/<workflow_id>/views/new")
def save_view(workflow_id: str) -> Answer:
    principal = current_principal()
    workflow = get_workflow(principal, id_in_path(workflow_id))
    query = _query(workflow)
    definition = Definition.of(query)
    try:
        spec = writing.NewView.read(_wanted())
        of = ListOf(workflow.workspace_id, workflow.id)
        writing.save_view(principal, of, definition, spec, moments.now())
    except InvalidQuery as refusal:
        messages = {error.field: error.message for error in refusal.errors}
        return _page(workflow, query, Form(single(request.form), messages)), refusal.status
    return redirect(address_of(definition, workflow.id), code=303)


@bp.post("/views/<view_id>/definition")
def redefine_view(view_id: str) -> Response:
    principal = current_principal()
    view = writing.get_view_to_change(principal, id_in_path(view_id))
    definition = Definition.of(parse_run_list(plain_form(request.args), workflow_of(view)))
    writing.redefine_view(principal, view.id, definition, moments.now())
    return redirect(address_of(definition, workflow_of(view)), code=303)


def _query(workflow: SeenWorkflow) -> RunQuery:
    return parse_run_list(plain_form(request.args), workflow.id)


def _wanted() -> dict[str, object]:
    form = request.form
    return {
        "name": form.get("name", ""),
        "of_team": form.get("whose") == "team",
        "is_default": "is_default" in form,
    }


def _page(workflow: SeenWorkflow, query: RunQuery, form: Form) -> str:
    principal = current_principal()
    views = views_of_workflow(principal, workflow.id)
    page = NewViewPage(
        workflow=workflow,
        parts=words_of_query(query),
        args=query.to_args(),
        back=url_for(".runs", workflow_id=workflow.id, **query.to_args()),  # type: ignore[arg-type]
        form=form,
        others=[(view, words_of_view(view)) for view in views.all if writing.may_change(principal, view)],
        may_change_team=writing.may_change_team(principal, workflow.workspace_id),
    )
    return render("views/new.html", page)
