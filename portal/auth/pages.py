"""Pages for signing in and out."""

from flask import Blueprint, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

from portal import moments
from portal.auth import sessions, signin
from portal.auth.gate import attempt, public, signed_in
from portal.auth.origin import safe_next

bp = Blueprint("auth", __name__)


@bp.get("/login")
@public
def login() -> str | Response:
    if signed_in() is not None:
        return redirect(url_for("pages.workflows"), code=303)
    return render_template("auth/login.html")


@bp.get("/signin/<token>")
@public
def confirm(token: str) -> str | tuple[str, int]:
    """Ask before using the link up: mail scanners and link previews open every link."""
    email = signin.link_email(token, moments.now())
    if email is None:
        return render_template("auth/signin.html", expired=True), 404
    return render_template("auth/signin.html", email=email, action=url_for("auth.use", token=token))


@bp.post("/signin/<token>")
@public
@attempt
def use(token: str) -> tuple[str, int] | Response:
    session_token = signin.use_link(token, moments.now(), request.headers.get("User-Agent"))
    if session_token is None:
        return render_template("auth/signin.html", expired=True), 404
    wanted = safe_next(session.get("next"))
    if "token" in session:
        signin.end_session(session["token"], moments.now())
    sessions.enter(session_token)
    return redirect(wanted or url_for("pages.workflows"), code=303)


@bp.post("/logout")
@public
def logout() -> Response:
    if "token" in session:
        signin.end_session(session["token"], moments.now())
    session.clear()
    return redirect(url_for("auth.login"), code=303)
