"""Where somebody is signed in, and the way to end that elsewhere."""

from flask import redirect, render_template, url_for
from werkzeug.wrappers import Response

from portal import moments
from portal.auth import sessions as service
from portal.auth.gate import current_principal, requires
from portal.auth.principals import PERSON
from portal.pages import bp


@bp.get("/settings/sessions")
@requires(PERSON)
def sessions() -> str:
    rows = service.sessions_of(current_principal(), moments.now())
    return render_template("settings/sessions.html", rows=rows)


@bp.post("/settings/sessions/end-others")
@requires(PERSON)
def end_other_sessions() -> Response:
    service.end_other_sessions(current_principal(), moments.now())
    return redirect(url_for(".sessions"), code=303)
