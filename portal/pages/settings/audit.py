"""The audit log of a workspace, for its admins."""

from flask import render_template, request

from portal.auth import audit
from portal.auth.audit import KINDS, AuditQuery
from portal.auth.gate import current_principal, requires
from portal.auth.workspaces import here
from portal.errors import FieldError, InvalidQuery
from portal.pages import bp
from portal.pages.forms import filled
from portal.pages.pager import Pager
from portal.parameters import single


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
    page = audit.list_entries(here(current_principal()), query)
    html = render_template(
        "settings/audit.html",
        page=page,
        pager=Pager(page),
        query=query,
        form=filled(args, errors),
        kinds=KINDS,
    )
    return html, 422 if errors else 200
