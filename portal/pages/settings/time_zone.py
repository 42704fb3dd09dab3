"""The time zone of a person's account, in which pages show days and times."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from portal.auth.gate import current_principal, requires
from portal.auth.principals import PERSON
from portal.errors import InvalidQuery
from portal.input.parameters import single
from portal.input.time_zones import UTC_NAME, places
from portal.pages import bp
from portal.pages.forms import Form, filled
from portal.web.rendering import render
from portal.workspaces import preferences


@dataclass(frozen=True, kw_only=True)
class TimeZonePage:
    """What `settings/time_zone.html` shows."""

    form: Form
    places: Mapping[str, Mapping[str, str]] = field(default_factory=places)
    """The zones to choose from, of each area."""
    utc: str = UTC_NAME


@bp.get("/settings/time-zone")
@requires(PERSON)
def time_zone() -> str:
    known = current_principal().user.time_zone or ""
    return render("settings/time_zone.html", TimeZonePage(form=Form({"zone": known})))


@bp.post("/settings/time-zone")
@requires(PERSON)
def choose_time_zone() -> Response | tuple[str, int]:
    fields = single(request.form)
    try:
        preferences.choose_time_zone(current_principal(), fields)
    except InvalidQuery as refusal:
        page = TimeZonePage(form=filled(fields, refusal.errors))
        return render("settings/time_zone.html", page), refusal.status
    return redirect(url_for(".time_zone"), code=303)
