"""How this browser shows pages: the theme, and days and times in the zone of the account or in UTC.

Both choices are in cookies, so that a page is right from its first byte.
"""

from flask import current_app, redirect, request, url_for
from werkzeug.wrappers import Response

from portal.auth.gate import current_principal, public, requires, signed_in
from portal.auth.origin import safe_next, within_portal
from portal.auth.principals import PERSON
from portal.errors import FieldError, InvalidQuery
from portal.input import sentences
from portal.input.parameters import single
from portal.pages import bp
from portal.web import formats, htmx
from portal.workspaces import preferences as service

THEMES = ("system", "light", "dark")
ZONES = ("own", "utc")
A_YEAR = 31_536_000


def chosen_theme() -> str:
    """The theme that this browser chose; any other value counts as the default."""
    theme = request.cookies.get(_cookie_name("theme"), "")
    return theme if theme in THEMES else "system"


@bp.before_app_request
def choose_zone() -> None:
    """Show this request's days and times in the zone of the account, unless this browser shows UTC."""
    zone = _own_zone()
    if zone and request.cookies.get(_cookie_name("zone")) != "utc":
        formats.show_in(zone)


@bp.app_context_processor
def choices() -> dict[str, object]:
    return {
        "theme": chosen_theme(),
        "themes": THEMES,
        "own_zone": _own_zone(),
        "shown_zone": formats.zone_on_show(),
    }


@bp.post("/theme")
@public
def choose_theme() -> Response:
    theme = request.form.get("theme", "")
    if theme not in THEMES:
        raise InvalidQuery([FieldError("theme", sentences.one_of(THEMES))])
    return _keep("theme", theme)


@bp.post("/zone/shown")
@requires(PERSON)
def show_zone() -> Response:
    """Show UTC, or the zone of the account again."""
    zone = request.form.get("zone", "")
    if zone not in ZONES:
        raise InvalidQuery([FieldError("zone", sentences.one_of(ZONES))])
    return _keep("zone", zone)


@bp.post("/zone")
@requires(PERSON)
def learn_zone() -> Response:
    """Keep the zone of the browser, which the script sends where that of the account is not known."""
    service.learn_time_zone(current_principal(), single(request.form))
    return Response(status=204)


def _own_zone() -> str | None:
    principal = signed_in()
    return principal.user.time_zone if principal else None


def _keep(name: str, value: str) -> Response:
    """Keep a choice in this browser, and lead back to the page that it was made on."""
    before = safe_next(htmx.referring_page())
    answer = redirect(within_portal(before) if before else url_for(".workflows"), code=303)
    answer.set_cookie(
        _cookie_name(name),
        value,
        max_age=A_YEAR,
        secure=current_app.config["SESSION_COOKIE_SECURE"],
        httponly=True,
        samesite="Lax",
    )
    return answer


def _cookie_name(choice: str) -> str:
    """Beside the session's cookie, and as bound to this host as that is."""
    return f"{current_app.config['SESSION_COOKIE_NAME']}-{choice}"
