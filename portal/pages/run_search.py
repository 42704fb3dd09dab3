"""The search box of the header: opens what an id or an address names, lists the rest in groups."""

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from flask import redirect, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as BaseResponse

from portal.auth.gate import current_principal
from portal.errors import InvalidQuery
from portal.finding.search import Found, search
from portal.input import parameters
from portal.input.parameters import Args, flat
from portal.pages import bp
from portal.pages.forms import parse_run_list
from portal.runs.filters.registry import repeating
from portal.runs.listing.lookup import MIN_PREFIX, Hit
from portal.web import htmx
from portal.web.rendering import render


@dataclass(frozen=True)
class SearchPage:
    """What `find/page.html` and `find/_suggestions.html` show."""

    found: Found
    searched: str
    """What stays in the box."""
    least: int = MIN_PREFIX
    """Digits of an id that are enough to search by."""


@bp.get("/find")
def find_anything() -> BaseResponse | str:
    found = _found()
    if found.only:
        return redirect(_address(found.only, found.exact.text), code=303)
    return render("find/page.html", SearchPage(found, found.exact.text))


@bp.get("/find/suggestions")
def suggestions() -> BaseResponse | str:
    """The same answers, for the box while somebody types."""
    if not htmx.wants_fragment():
        return redirect(url_for(".find_anything", q=request.args.get("q", "")), code=303)
    found = _found()
    return render("find/_suggestions.html", SearchPage(found, found.exact.text))


def _found() -> Found:
    text = request.args.get("q", "").replace("\0", "")
    return search(current_principal(), text, _workflow_open())


def _workflow_open() -> UUID | None:
    try:
        return parameters.uuid(request.args.get("workflow", ""))
    except parameters.Refused:
        return None


def _address(hit: Hit, text: str) -> str:
    if hit.run_id is not None:
        return url_for(".run", workflow_id=hit.workflow_id, run_id=hit.run_id)
    return url_for(".runs", workflow_id=hit.workflow_id, **_filters(text, hit.workflow_id))  # type: ignore[arg-type]


def _filters(text: str, workflow_id: UUID) -> Args:
    """The filters of a pasted address of a list, if they are in order."""
    try:
        args: MultiDict[str, str] = MultiDict(parse_qsl(urlsplit(text).query))
        return parse_run_list(flat(args, repeating()), workflow_id).to_args()
    except (ValueError, InvalidQuery):
        return {}
