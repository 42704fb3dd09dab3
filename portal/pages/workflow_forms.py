"""Forms that create, describe, duplicate and delete workflows."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from portal import moments
from portal.auth.access import get_workflow
from portal.auth.gate import current_principal, requires
from portal.auth.principals import Principal
from portal.definitions.graph import nodes_of
from portal.errors import FieldError, InvalidQuery, PreconditionFailed
from portal.input.bounds import MAX_DESCRIPTION, MAX_WORKFLOW_NAME
from portal.input.parameters import single
from portal.pages import bp, workflows_url
from portal.pages.confirmation import confirm
from portal.pages.forms import Form, id_in_path
from portal.pages.pasted_definition import FIELD, LineError, Pasted
from portal.paging import MAX_LIMIT, Slice
from portal.web.formats import number
from portal.web.rendering import render
from portal.workflows import writing
from portal.workflows.listing import WorkflowRow, describe_workflow
from portal.workflows.templates.bodies import Clone, TemplateQuery
from portal.workflows.templates.reading import TemplateRow, list_templates
from portal.workflows.templates.writing import clone_template

Answer = Response | str | tuple[str, int]


@dataclass(frozen=True, kw_only=True)
class NewWorkflowPage:
    """What `workflows/new.html` shows."""

    form: Form
    templates: Sequence[TemplateRow]
    line_errors: Sequence[LineError] = ()
    """Of the pasted definition."""
    max_name: int = MAX_WORKFLOW_NAME
    max_description: int = MAX_DESCRIPTION


@dataclass(frozen=True, kw_only=True)
class EditWorkflowPage:
    """What `workflows/edit.html` shows."""

    workflow: WorkflowRow
    form: Form
    tag: str
    """The version of the workflow that the form began with."""
    changed_meanwhile: bool = False
    max_name: int = MAX_WORKFLOW_NAME
    max_description: int = MAX_DESCRIPTION


@bp.get("/workspaces/<workspace_id>/workflows/new")
@requires("workflows:write")
def new_workflow(workspace_id: str) -> Answer:
    return _new(Form({"template": request.args.get("template", "")}))


@bp.post("/workspaces/<workspace_id>/workflows/new")
@requires("workflows:write")
def create_workflow(workspace_id: str) -> Answer:
    pasted = Pasted("")
    try:
        pasted = Pasted.of(request.form.get(FIELD, ""), request.files.get("file"))
        workflow = _create(pasted, request.form.get("template", ""))
    except InvalidQuery as refusal:
        form = Form({**single(request.form), FIELD: pasted.text}, _messages(refusal))
        return _new(form, pasted.errors_by_line(refusal.errors)), refusal.status
    if not nodes_of(workflow.definition):
        return redirect(url_for(".definition", workflow_id=workflow.id), code=303)
    return _to_runs(workflow)


def _create(pasted: Pasted, template_id: str) -> WorkflowRow:
    """Make the workflow of the form. Raises InvalidQuery, NotFound."""
    principal, now = current_principal(), moments.now()
    if not template_id:
        body = _described() | ({FIELD: pasted.value()} if pasted.text else {})
        return writing.create_workflow(principal, body, now)
    spec = writing.NewWorkflow.read(_described())
    if pasted.text:
        raise InvalidQuery([FieldError("template", "has a definition of its own: choose one of both.")])
    return clone_template(principal, template_id, Clone(name=spec.name), now, spec.description)


def _new(form: Form, line_errors: Sequence[LineError] = ()) -> str:
    templates = list_templates(current_principal(), TemplateQuery(slice=Slice(0, MAX_LIMIT), sort="name"))
    page = NewWorkflowPage(form=form, templates=templates.rows, line_errors=line_errors)
    return render("workflows/new.html", page)


@bp.get("/workflows/<workflow_id>/edit")
def edit_workflow(workflow_id: str) -> Answer:
    _, workflow = _to_change(workflow_id)
    values = {"name": workflow.name, "description": workflow.description or ""}
    tag = writing.entity_tag(workflow.updated_at)
    return render("workflows/edit.html", EditWorkflowPage(workflow=workflow, form=Form(values), tag=tag))


@bp.post("/workflows/<workflow_id>/edit")
def change_workflow(workflow_id: str) -> Answer:
    principal, workflow = _to_change(workflow_id)
    tag = request.form.get("tag", "")
    try:
        changed = writing.change_workflow(principal, str(workflow.id), _described(), moments.now(), [tag])
    except InvalidQuery as refusal:
        form = Form(single(request.form), _messages(refusal))
        page = EditWorkflowPage(workflow=workflow, form=form, tag=tag)
        return render("workflows/edit.html", page), refusal.status
    except PreconditionFailed:
        _, workflow = _to_change(workflow_id)
        page = EditWorkflowPage(
            workflow=workflow,
            form=Form(single(request.form)),
            tag=writing.entity_tag(workflow.updated_at),
            changed_meanwhile=True,
        )
        return render("workflows/edit.html", page), 409
    return _to_runs(changed)


@bp.post("/workflows/<workflow_id>/duplicate")
def duplicate_workflow(workflow_id: str) -> Response:
    principal, workflow = _to_change(workflow_id)
    copy = writing.duplicate_workflow(principal, workflow.id, moments.now())
    return redirect(url_for(".edit_workflow", workflow_id=copy.id), code=303)


@bp.get("/workflows/<workflow_id>/delete")
def confirm_workflow_deletion(workflow_id: str) -> str:
    _, workflow = _to_change(workflow_id)
    return confirm(
        question=f"Delete {workflow.name}?",
        consequence=_consequence(workflow),
        button="Delete workflow",
        back=url_for(".runs", workflow_id=workflow.id),
    )


@bp.post("/workflows/<workflow_id>/delete")
def delete_workflow(workflow_id: str) -> Response:
    principal, workflow = _to_change(workflow_id)
    writing.delete_workflow(principal, workflow.id, moments.now())
    return redirect(workflows_url(principal.chosen), code=303)


def _to_change(workflow_id: str) -> tuple[Principal, WorkflowRow]:
    """A workflow and the principal in its workspace. Raises NotFound, and Forbidden to its viewers."""
    found = get_workflow(current_principal(), id_in_path(workflow_id))
    principal = current_principal().in_workspace(found.workspace_id).restricted_to("workflows:write")
    return principal, describe_workflow(found)


def _described() -> dict[str, object]:
    """Name and description of the form as the service takes them; an empty name or description is none."""
    description = request.form.get("description", "").replace("\r\n", "\n")
    fields: dict[str, object] = {"description": description or None}
    return fields | ({"name": request.form["name"]} if request.form.get("name", "").strip() else {})


def _messages(refusal: InvalidQuery) -> dict[str, str]:
    return {error.field: error.message for error in refusal.errors}


def _consequence(workflow: WorkflowRow) -> str:
    runs = "It has no runs."
    if workflow.runs_count:
        noun = "run is" if workflow.runs_count == 1 else "runs are"
        runs = f"Its {number(workflow.runs_count)} {noun} no longer shown to anybody, nor what they produced."
    return (
        f"{runs} Links to it stop working, and runs that the portal is executing are cancelled. "
        "Nothing is erased: an operator can bring the workflow back."
    )


def _to_runs(workflow: WorkflowRow) -> Response:
    return redirect(url_for(".runs", workflow_id=workflow.id), code=303)
