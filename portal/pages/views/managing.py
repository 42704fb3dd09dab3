"""The address of a saved view, and the pages that list, rename and delete views."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from portal import moments
from portal.auth.gate import current_principal, requires
from portal.auth.principals import PERSON
from portal.errors import InvalidQuery
from portal.input.parameters import single
from portal.pages import bp
from portal.pages.confirmation import confirm
from portal.pages.forms import Form, id_in_path
from portal.pages.pager import PageQuery, Pager
from portal.pages.views.words import Words, list_address, words_of_views
from portal.paging import Page
from portal.runs.views import writing
from portal.runs.views.reading import View, get_view, views_of_workspace
from portal.web.rendering import render
from portal.workspaces.workspaces import workspace_id_of

Answer = Response | str | tuple[str, int]


@dataclass(frozen=True, kw_only=True)
class ViewPage:
    """What `views/edit.html` shows."""

    view: View
    words: Words
    form: Form
    max_name: int = writing.MAX_NAME


@dataclass(frozen=True, kw_only=True)
class ViewsPage:
    """What `settings/views.html` shows."""

    page: Page[View]
    pager: Pager
    query: PageQuery
    rows: Sequence[tuple[View, Words]]
    changeable: frozenset[UUID]
    """The views of the page that the principal may change."""


@bp.get("/views/<view_id>")
def view(view_id: str) -> Response:
    return redirect(list_address(get_view(current_principal(), id_in_path(view_id))), code=303)


@bp.get("/views/<view_id>/edit")
def edit_view(view_id: str) -> Answer:
    found = writing.get_view_to_change(current_principal(), id_in_path(view_id))
    values = {"name": found.name, **({"is_default": "on"} if found.is_default else {})}
    return _page(found, Form(values))


@bp.post("/views/<view_id>/edit")
def change_view(view_id: str) -> Answer:
    principal = current_principal()
    found = writing.get_view_to_change(principal, id_in_path(view_id))
    wanted = {"name": request.form.get("name", ""), "is_default": "is_default" in request.form}
    try:
        writing.change_view(principal, found.id, writing.ViewChanges.read(wanted), moments.now())
    except InvalidQuery as refusal:
        messages = {error.field: error.message for error in refusal.errors}
        return _page(found, Form(single(request.form), messages)), refusal.status
    return redirect(_settings(found), code=303)


@bp.get("/views/<view_id>/delete")
def confirm_view_deletion(view_id: str) -> str:
    found = writing.get_view_to_change(current_principal(), id_in_path(view_id))
    whose = "you" if found.is_own else "everybody in the team"
    return confirm(
        question=f"Delete the view {found.name}?",
        consequence=f"It is gone for {whose}, and links to it stop working. No run is deleted.",
        button="Delete view",
        back=url_for(".edit_view", view_id=found.id),
    )


@bp.post("/views/<view_id>/delete")
def delete_view(view_id: str) -> Response:
    deleted = writing.delete_view(current_principal(), id_in_path(view_id), moments.now())
    return redirect(_settings(deleted), code=303)


@bp.get("/settings/views")
@requires(PERSON)
def my_views() -> Response:
    workspace = current_principal().workspace
    if workspace is None:
        return redirect(url_for(".workspaces_page"), code=303)
    return redirect(url_for(".views_page", workspace_id=workspace.id), code=303)


@bp.get("/settings/workspaces/<workspace_id>/views")
@requires("workspace:read")
def views_page(workspace_id: str) -> str:
    principal = current_principal()
    query = PageQuery.parse(single(request.args))
    page = Page.of(views_of_workspace(principal, workspace_id_of(principal)).all, query.slice)
    changeable = frozenset(found.id for found in page.rows if writing.may_change(principal, found))
    shown = ViewsPage(
        page=page,
        pager=Pager(page),
        query=query,
        rows=words_of_views(page.rows, workspace_id_of(principal)),
        changeable=changeable,
    )
    return render("settings/views.html", shown)


def _page(found: View, form: Form) -> str:
    [(_, words)] = words_of_views([found], found.of.workspace_id)
    return render("views/edit.html", ViewPage(view=found, words=words, form=form))


def _settings(found: View) -> str:
    return url_for(".views_page", workspace_id=found.of.workspace_id)
