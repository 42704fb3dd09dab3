"""The page of one run, and the permanent link to it."""

from uuid import UUID

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from portal.auth.gate import current_principal
from portal.errors import InvalidQuery
from portal.pages import bp
from portal.pages.forms import id_in_path, parse_run_list, plain_form
from portal.runs.detail import find_run, get_run
from portal.runs.steps import list_steps
from portal.workflows.access import get_workflow


@bp.get("/workflows/<workflow_id>/runs/<run_id>")
def run(workflow_id: str, run_id: str) -> str:
    workflow = get_workflow(current_principal(), id_in_path(workflow_id))
    found = get_run(workflow, id_in_path(run_id))
    came_from = _list_behind(workflow.id)
    return render_template(
        "runs/run.html", workflow=workflow, run=found, steps=list_steps(found), came_from=came_from
    )


@bp.get("/runs/<run_id>")
def permalink(run_id: str) -> BaseResponse:
    workflow_id, found_id = find_run(current_principal(), id_in_path(run_id))
    return redirect(url_for(".run", workflow_id=workflow_id, run_id=found_id), code=302)


def _list_behind(workflow_id: UUID) -> dict[str, str]:
    """The list that led to a run, from the parameters its link carries; the whole list if they make none."""
    try:
        return parse_run_list(plain_form(request.args), workflow_id).to_args()
    except InvalidQuery:
        return {}
