"""A person's workspaces: switched, created, renamed and deleted."""

from dataclasses import dataclass

from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from portal import moments
from portal.auth.gate import current_principal, requires
from portal.auth.principals import PERSON, Membership
from portal.auth.sessions import choose_workspace
from portal.errors import InvalidQuery
from portal.input.parameters import single
from portal.pages import bp
from portal.pages.confirmation import confirm
from portal.pages.forms import Form
from portal.pages.pager import PageQuery, Pager
from portal.paging import Page
from portal.web.rendering import render
from portal.workspaces import workspaces
from portal.workspaces.workspaces import WorkspaceSpec, workspace_id_of

Answer = Response | str | tuple[str, int]


@dataclass(frozen=True, kw_only=True)
class WorkspacesPage:
    """What `settings/workspaces.html` shows."""

    page: Page[Membership]
    pager: Pager
    query: PageQuery
    form: Form


@dataclass(frozen=True, kw_only=True)
class WorkspacePage:
    """What `settings/workspace.html` shows."""

    workspace: workspaces.Workspace
    form: Form
    is_owner: bool


@bp.get("/settings")
@requires(PERSON)
def settings() -> Response:
    workspace = current_principal().workspace
    if workspace is None:
        return redirect(url_for(".workspaces_page"), code=303)
    return redirect(url_for(".workspace_settings", workspace_id=workspace.id), code=303)


@bp.get("/settings/workspaces")
@requires(PERSON)
def workspaces_page() -> Answer:
    return _all(Form({}))


@bp.post("/settings/workspaces")
@requires(PERSON)
def create_workspace() -> Answer:
    try:
        spec = WorkspaceSpec.parse(_wanted())
        workspace = workspaces.create_workspace(spec, current_principal().user, moments.now())
    except (InvalidQuery, workspaces.SlugTaken) as refusal:
        return _all(_filled(refusal)), refusal.status
    choose_workspace(workspace.id)
    return redirect(url_for(".workspace_settings", workspace_id=workspace.id), code=303)


@bp.get("/settings/workspaces/<workspace_id>")
@requires("workspace:read")
def workspace_settings(workspace_id: str) -> Answer:
    found = workspaces.get_workspace(current_principal(), workspace_id_of(current_principal()))
    return _one(found, Form({"name": found.name, "slug": found.slug}))


@bp.post("/settings/workspaces/<workspace_id>")
@requires("workspace:manage")
def change_workspace(workspace_id: str) -> Answer:
    principal = current_principal()
    try:
        workspaces.change_workspace(principal, workspace_id, _wanted(), moments.now())
    except (InvalidQuery, workspaces.SlugTaken) as refusal:
        found = workspaces.get_workspace(principal, workspace_id_of(principal))
        return _one(found, _filled(refusal), refusal.status)
    return redirect(url_for(".workspace_settings", workspace_id=workspace_id), code=303)


@bp.get("/settings/workspaces/<workspace_id>/delete")
@requires("workspace:manage")
def confirm_deletion(workspace_id: str) -> str:
    name = workspaces.get_workspace(current_principal(), workspace_id_of(current_principal())).name
    return confirm(
        question=f"Delete {name}?",
        consequence="Its workflows, runs, members and keys are deleted at once, for everybody.",
        button="Delete workspace",
        back=url_for(".workspace_settings", workspace_id=workspace_id),
    )


@bp.post("/settings/workspaces/<workspace_id>/delete")
@requires("workspace:manage")
def delete_workspace(workspace_id: str) -> Response:
    workspaces.delete_workspace(current_principal(), workspace_id_of(current_principal()), moments.now())
    return redirect(url_for(".workspaces_page"), code=303)


@bp.post("/settings/workspaces/<workspace_id>/choose")
@requires("workspace:read")
def switch_workspace(workspace_id: str) -> Response:
    choose_workspace(workspace_id_of(current_principal()))
    return redirect(url_for(".workflows"), code=303)


def _all(form: Form) -> str:
    query = PageQuery.parse(single(request.args))
    page = Page.of(current_principal().workspaces, query.slice)
    found = WorkspacesPage(page=page, pager=Pager(page), query=query, form=form)
    return render("settings/workspaces.html", found)


def _one(found: workspaces.Workspace, form: Form, status: int = 200) -> tuple[str, int]:
    owner = workspaces.is_owner(current_principal(), found)
    page = WorkspacePage(workspace=found, form=form, is_owner=owner)
    return render("settings/workspace.html", page), status


def _wanted() -> dict[str, str | None]:
    return {"name": request.form.get("name", ""), "slug": request.form.get("slug") or None}


def _filled(refusal: InvalidQuery | workspaces.SlugTaken) -> Form:
    if isinstance(refusal, InvalidQuery):
        return Form(single(request.form), {error.field: error.message for error in refusal.errors})
    return Form(single(request.form), {"slug": "is taken. Choose another one."})
