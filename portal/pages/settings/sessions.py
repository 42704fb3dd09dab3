"""Where somebody is signed in, and the way to end that elsewhere."""

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from portal import moments
from portal.auth import sessions as service
from portal.auth.gate import current_principal, requires
from portal.auth.principals import PERSON
from portal.input.parameters import single
from portal.pages import bp
from portal.pages.pager import PageQuery, Pager


@bp.get("/settings/sessions")
@requires(PERSON)
def sessions() -> str:
    query = PageQuery.parse(single(request.args))
    page = service.sessions_of(current_principal(), query.slice, moments.now())
    return render_template("settings/sessions.html", page=page, pager=Pager(page), query=query)


@bp.post("/settings/sessions/end-others")
@requires(PERSON)
def end_other_sessions() -> Response:
    service.end_other_sessions(current_principal(), moments.now())
    return redirect(url_for(".sessions"), code=303)
