"""The audit log of a workspace, for its admins."""

from flask import render_template, request

from portal.auth.audit import trail
from portal.auth.audit.trail import KINDS, AuditQuery
from portal.auth.gate import current_principal, requires
from portal.errors import FieldError, InvalidQuery
from portal.input.parameters import single
from portal.pages import bp
from portal.pages.forms import filled
from portal.pages.pager import Pager
from portal.workspaces.workspaces import workspace_id_of


@bp.get("/settings/workspaces/<workspace_id>/audit")
@requires("audit:read")
def audit_log(workspace_id: str) -> tuple[str, int]:
    args = {name: text for name, text in single(request.args).items() if text}
    query = AuditQuery()
    errors: tuple[FieldError, ...] = ()
    try:
        query = AuditQuery.parse(args)
    except InvalidQuery as refusal:
        errors = refusal.errors
    page = trail.list_entries(workspace_id_of(current_principal()), query)
    html = render_template(
        "settings/audit.html",
        page=page,
        pager=Pager(page),
        query=query,
        form=filled(args, errors),
        kinds=KINDS,
    )
    return html, 422 if errors else 200
