"""A person's sessions: where they are signed in, and how to end the others."""

from dataclasses import dataclass

from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from portal import moments
from portal.auth import sessions as service
from portal.auth.gate import current_principal, requires
from portal.auth.principals import PERSON
from portal.input.parameters import single
from portal.pages import bp
from portal.pages.pager import PageQuery, Pager
from portal.paging import Page
from portal.web.rendering import render


@dataclass(frozen=True, kw_only=True)
class SessionsPage:
    """What `settings/sessions.html` shows."""

    page: Page[tuple[service.BrowserSession, bool]]
    """Sessions, and whether each is this browser's."""
    pager: Pager
    query: PageQuery


@bp.get("/settings/sessions")
@requires(PERSON)
def sessions() -> str:
    query = PageQuery.parse(single(request.args))
    page = service.sessions_of(current_principal(), query.slice, moments.now())
    return render("settings/sessions.html", SessionsPage(page=page, pager=Pager(page), query=query))


@bp.post("/settings/sessions/end-others")
@requires(PERSON)
def end_other_sessions() -> Response:
    service.end_other_sessions(current_principal(), moments.now())
    return redirect(url_for(".sessions"), code=303)
