"""The workflows of the current workspace."""

from flask import Response, make_response, render_template, request

from portal.auth.gate import current_principal
from portal.errors import InvalidQuery
from portal.pages import bp
from portal.pages.forms import filled
from portal.pages.pager import Pager
from portal.paging import Page
from portal.parameters import single
from portal.workflows.listing import list_workflows
from portal.workflows.query import STATUSES, WorkflowQuery


@bp.get("/workspaces/<workspace_id>")
def workspace(workspace_id: str) -> Response | str:
    """The workflows of another workspace than the chosen one: the gate puts the principal in it."""
    return workflows()


@bp.get("/")
def workflows() -> Response | str:
    args = request.args.to_dict(flat=False)
    if args.get("status") == [""]:
        del args["status"]  # "any", as a plain form says it
    try:
        query = WorkflowQuery.parse(args)
    except InvalidQuery as refusal:
        form = filled(single(request.args), refusal.errors)
        html = render_template("workflows/page.html", query=None, form=form, statuses=STATUSES)
        return make_response(html, refusal.status)
    workspace = current_principal().workspace
    page = list_workflows(workspace.id, query) if workspace else Page((), 0, query.slice)
    form = filled(single(request.args))
    return render_template(
        "workflows/page.html", query=query, form=form, page=page, pager=Pager(page), statuses=STATUSES
    )
