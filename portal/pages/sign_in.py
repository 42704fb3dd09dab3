"""Pages for signing in and out."""

from dataclasses import dataclass

from flask import Blueprint, redirect, request, session, url_for
from werkzeug.wrappers import Response

from portal import moments
from portal.auth import sessions, signin
from portal.auth.gate import count_attempts, public, signed_in
from portal.auth.openid import code_flow
from portal.auth.origin import kind_of_page, safe_next, within_portal
from portal.errors import NotFound, PortalError
from portal.history.demo import sample
from portal.web import envelope
from portal.web.rendering import render
from portal.workspaces.joining import admit

bp = Blueprint("auth", __name__)


@dataclass(frozen=True, kw_only=True)
class LoginPage:
    """What `auth/login.html` shows."""

    wanted: str | None
    """The page to open afterwards."""
    page_kind: str | None
    label: str | None
    """Of the button that leads to the provider; None without a provider."""


@dataclass(frozen=True, kw_only=True)
class RefusedPage:
    """What `auth/refused.html` shows."""

    error: PortalError
    request_id: str


@dataclass(frozen=True, kw_only=True)
class LinkPage:
    """What `auth/signin.html` shows: a question, or that the link has expired."""

    email: str | None = None
    action: str | None = None
    expired: bool = False


EXPIRED = LinkPage(expired=True)


@bp.get("/login")
@public
def login() -> str | Response:
    wanted = safe_next(request.args.get("next"))
    if signed_in() is not None:
        return _to_page(wanted)
    label = code_flow.provider()[0].label if code_flow.accounts_come_from_provider() else None
    page = LoginPage(wanted=wanted, page_kind=kind_of_page(wanted), label=label)
    return render("auth/login.html", page)


@bp.get("/auth/start")
@public
@count_attempts
def start() -> Response:
    """Go to the provider. It changes nothing but this browser's own session."""
    if not code_flow.accounts_come_from_provider():
        raise NotFound
    return redirect(code_flow.begin(safe_next(request.args.get("next") or session.get("next"))), code=302)


@bp.get("/auth/callback")
@public
@count_attempts
def callback() -> Response | tuple[str, int]:
    if not code_flow.accounts_come_from_provider():
        raise NotFound
    settings, rules, _ = code_flow.provider()
    try:
        visitor, wanted = code_flow.finish()
        browser = request.headers.get("User-Agent")
        token = admit(visitor, settings, rules, moments.now(), browser, sample.USER_EMAIL)
    except PortalError as refusal:
        page = RefusedPage(error=refusal, request_id=envelope.request_id())
        return render("auth/refused.html", page), refusal.status
    sessions.enter(token)
    return _to_page(safe_next(wanted))


@bp.get("/signin/<token>")
@public
def confirm(token: str) -> str | tuple[str, int]:
    """Ask before using the link up: mail scanners and link previews open every link."""
    email = signin.link_email(token, moments.now())
    if email is None:
        return render("auth/signin.html", EXPIRED), 404
    return render("auth/signin.html", LinkPage(email=email, action=url_for("auth.use", token=token)))


@bp.post("/signin/<token>")
@public
@count_attempts
def use(token: str) -> tuple[str, int] | Response:
    session_token = signin.use_link(token, moments.now(), request.headers.get("User-Agent"))
    if session_token is None:
        return render("auth/signin.html", EXPIRED), 404
    wanted = safe_next(session.get("next"))
    sessions.enter(session_token)
    return _to_page(wanted)


@bp.post("/logout")
@public
def logout() -> Response:
    sessions.leave()
    return redirect(url_for("auth.login"), code=303)


def _to_page(wanted: str | None) -> Response:
    return redirect(within_portal(wanted) if wanted else url_for("pages.workflows"), code=303)
