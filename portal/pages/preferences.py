"""The theme: light, dark, or that of the system. It is in a cookie, so that no page flashes."""

from flask import current_app, redirect, request, url_for
from werkzeug.wrappers import Response

from portal.auth.gate import public
from portal.auth.origin import safe_next, within_portal
from portal.errors import FieldError, InvalidQuery
from portal.input import sentences
from portal.pages import bp
from portal.web import htmx

THEMES = ("system", "light", "dark")
A_YEAR = 31_536_000


def chosen_theme() -> str:
    """The theme that this browser chose; any other value counts as the default."""
    theme = request.cookies.get(_cookie_name(), "")
    return theme if theme in THEMES else "system"


@bp.app_context_processor
def themes() -> dict[str, object]:
    return {"theme": chosen_theme(), "themes": THEMES}


@bp.post("/theme")
@public
def choose_theme() -> Response:
    theme = request.form.get("theme", "")
    if theme not in THEMES:
        raise InvalidQuery([FieldError("theme", sentences.one_of(THEMES))])
    before = safe_next(htmx.referring_page())
    answer = redirect(within_portal(before) if before else url_for(".workflows"), code=303)
    answer.set_cookie(
        _cookie_name(),
        theme,
        max_age=A_YEAR,
        secure=current_app.config["SESSION_COOKIE_SECURE"],
        httponly=True,
        samesite="Lax",
    )
    return answer


def _cookie_name() -> str:
    """Beside the session's cookie, and as bound to this host as that is."""
    return f"{current_app.config['SESSION_COOKIE_NAME']}-theme"
