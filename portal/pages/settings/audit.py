"""The audit log of a workspace, for its admins."""

from collections.abc import Mapping
from dataclasses import dataclass

from flask import request

from portal.auth.audit import trail
from portal.auth.audit.trail import KINDS, AuditQuery, AuditRow
from portal.auth.gate import current_principal, requires
from portal.errors import FieldError, InvalidQuery
from portal.input.parameters import single
from portal.pages import bp
from portal.pages.forms import Form, filled
from portal.pages.pager import Pager
from portal.paging import Page
from portal.web.rendering import render
from portal.workspaces.workspaces import workspace_id_of


@dataclass(frozen=True, kw_only=True)
class AuditLog:
    """What `settings/audit.html` shows."""

    page: Page[AuditRow]
    pager: Pager
    query: AuditQuery
    form: Form
    kinds: Mapping[str, str]
    """Each kind of entry in words."""


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
    log = AuditLog(page=page, pager=Pager(page), query=query, form=filled(args, errors), kinds=KINDS)
    return render("settings/audit.html", log), 422 if errors else 200
