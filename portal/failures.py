"""Error responses: the envelope under `/api/`, a fragment for htmx, else a page."""

import logging
from dataclasses import dataclass
from http import HTTPStatus

from flask import (
    Flask,
    Response,
    jsonify,
    make_response,
    redirect,
    request,
    session,
    url_for,
)
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from portal.auth.origin import safe_next
from portal.database import outages
from portal.errors import (
    Deleted,
    InvalidQuery,
    PortalError,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    WrongAddress,
    is_api,
    is_ping,
)
from portal.web import envelope, htmx
from portal.web.rendering import render

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FailurePage:
    """What `error.html` and `_error.html` show."""

    error: PortalError
    status: int
    request_id: str


def init_app(app: Flask) -> None:
    @app.errorhandler(PortalError)
    def failed(error: PortalError) -> BaseResponse:
        if isinstance(error, Unauthorized) and not is_api(request.path):
            return _to_login()
        if isinstance(error, WrongAddress) and not is_api(request.path):
            # Plain text, because without a trusted host a page cannot link anywhere.
            return Response(f"{error.message}\n", error.status, mimetype="text/plain")
        return _answer(error)

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> BaseResponse:
        answer = _answer(_as_portal_error(error))
        if error.response is None:
            allow = error.get_response().headers.get("Allow")
            if allow:
                answer.headers["Allow"] = allow
        return answer

    @app.errorhandler(Exception)
    def broken(error: Exception) -> BaseResponse:
        cause = outages.cause_of(error)
        if cause is not None and cause.public_message is not None:
            log.error("%s: %s", cause.headline, type(error).__name__, exc_info=error)
            return _answer(Unavailable(cause.public_message, transient=cause.transient))
        log.error("unexpected failure", exc_info=error)
        return _answer(PortalError("Something went wrong on our side."))


def _answer(error: PortalError) -> Response:
    request_id = envelope.request_id()
    if is_ping(request.path):
        answer = Response(f"{error.message}\n", mimetype="text/plain")
    elif is_api(request.path):
        details = error.errors if isinstance(error, InvalidQuery) else ()
        answer = jsonify(envelope.failure(error.code, error.message, details))
        if isinstance(error, Unauthorized):
            answer.headers["WWW-Authenticate"] = "Bearer"
    else:
        template = "_error.html" if htmx.wants_fragment() else "error.html"
        answer = make_response(render(template, FailurePage(error, _status(error), request_id)))
    if isinstance(error, TooManyRequests | Unavailable):
        answer.headers["Retry-After"] = str(error.retry_after)
    answer.status_code = _status(error)
    return answer


def _status(error: PortalError) -> int:
    """Of what was deleted, pages say that it is gone; to programs it is not there (contract part 2, 6.3)."""
    return 410 if isinstance(error, Deleted) and not is_api(request.path) else error.status


def _to_login() -> BaseResponse:
    """Redirect to sign-in, which returns to the page the browser was on, never to a fragment."""
    fragment = htmx.wants_fragment()
    wanted = htmx.current_page_path() if fragment else request.full_path.removesuffix("?")
    wanted = safe_next(wanted) if wanted and (fragment or request.method == "GET") else None
    if "Authorization" not in request.headers:  # otherwise the session was not checked and may be valid
        session.pop("token", None)
    if wanted is not None:
        session["next"] = wanted
    login = url_for("auth.login", next=wanted)
    if fragment:
        answer = make_response("", 401)
        answer.headers["HX-Redirect"] = login
        return answer
    return redirect(login, code=302)


def _as_portal_error(error: HTTPException) -> PortalError:
    status = HTTPStatus(error.code or 500)
    portal_error = PortalError(_MESSAGES.get(status, status.phrase + "."))
    portal_error.status, portal_error.code = status.value, status.name
    return portal_error


_MESSAGES = {
    HTTPStatus.NOT_FOUND: "There is nothing here, or nothing that you may see.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address does not allow that method.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The request is too large.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something went wrong on our side.",
}
