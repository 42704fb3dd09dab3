"""`/metrics` for Prometheus: there only where a token for it is set, and open only to who has it."""

import hmac
import time

import sqlalchemy as sa
from flask import Blueprint, Flask, Response, current_app, g, request

from portal.auth import limits
from portal.auth.gate import public
from portal.config import Settings, current_settings
from portal.database.engine import db
from portal.database.refusals import UnfitDatabase
from portal.errors import NotFound
from portal.health.figures import Figures, read_figures

bp = Blueprint("metrics", __name__)

NO_ROUTE = "none"
"""Stands for every address that matches no route."""


def init_app(app: Flask, settings: Settings) -> None:
    """Measure requests from now on, if there is a token. Call this before other hooks are registered."""
    if settings.metrics_token is None:
        return
    # The library looks for the folder that workers share as it is imported: gunicorn.conf.py sets it.
    from portal.health.exposition import Exposition

    app.extensions["portal.metrics"] = exposition = Exposition()

    @app.before_request
    def begin() -> None:
        g.began = time.perf_counter()

    @app.after_request
    def end(response: Response) -> Response:
        """The hook that is registered first runs last."""
        began = g.pop("began", None)
        if began is not None:
            route = request.url_rule.rule if request.url_rule else NO_ROUTE
            seconds = time.perf_counter() - began
            exposition.observe(request.method, route, response.status_code, seconds)
        return response


@bp.get("/metrics")
@public
def metrics() -> Response:
    settings = current_settings()
    if settings.metrics_token is None:
        raise NotFound
    if not _is_token(request.headers.get("Authorization", ""), settings.metrics_token):
        limits.count_attempt("refused", request)
        answer = Response(
            "The bearer token of PORTAL_METRICS_TOKEN opens this.\n", 401, mimetype="text/plain"
        )
        answer.headers["WWW-Authenticate"] = "Bearer"
        return answer
    content = current_app.extensions["portal.metrics"].render(_figures(settings))
    answer = Response(content, content_type="text/plain; version=0.0.4; charset=utf-8")
    answer.cache_control.no_store = True
    return answer


def _is_token(authorization: str, token: str) -> bool:
    scheme, _, sent = authorization.partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(sent.strip().encode(), token.encode())


def _figures(settings: Settings) -> Figures | None:
    """None while the database cannot be read: what was measured here is shown all the same."""
    try:
        return read_figures(settings.engine)
    except (sa.exc.SQLAlchemyError, UnfitDatabase):
        db.session.rollback()
        return None
