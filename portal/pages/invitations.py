"""The page of an invitation. It asks before anybody joins, since link previews open every link."""

from dataclasses import dataclass

from flask import redirect, request, session, url_for
from werkzeug.wrappers import Response

from portal import moments
from portal.auth.gate import public, signed_in
from portal.auth.openid.code_flow import accounts_come_from_provider
from portal.auth.sessions import enter
from portal.errors import Unauthorized
from portal.pages import bp
from portal.web.rendering import render
from portal.workspaces import invitations


@dataclass(frozen=True)
class InvitationPage:
    """What `invitations/page.html` shows."""

    welcome: invitations.Offer | None
    """None if the invitation no longer works."""
    must_sign_in: bool = False


@bp.get("/invitations/<token>")
@public
def invitation(token: str) -> str | tuple[str, int]:
    welcome = invitations.find_offer(token, moments.now())
    if welcome is None:
        return render("invitations/page.html", InvitationPage(None)), 404
    must_sign_in = signed_in() is None and (welcome.has_account or accounts_come_from_provider())
    if must_sign_in:
        session["next"] = request.path
    return render("invitations/page.html", InvitationPage(welcome, must_sign_in))


@bp.post("/invitations/<token>")
@public
def accept_invitation(token: str) -> Response:
    principal = signed_in()
    if principal is not None:
        workspace_id = invitations.accept(token, principal, moments.now())
    elif accounts_come_from_provider():
        raise Unauthorized
    else:
        browser = request.headers.get("User-Agent")
        workspace_id, session_token = invitations.accept_as_new(token, moments.now(), browser)
        enter(session_token)
    return redirect(url_for(".workspace", workspace_id=workspace_id), code=303)
