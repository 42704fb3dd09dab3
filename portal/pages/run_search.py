"""The search box of the header: opens a single hit, lists several, or says what was tried."""

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from flask import redirect, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as BaseResponse

from portal.auth.gate import current_principal
from portal.errors import InvalidQuery
from portal.input import parameters
from portal.input.parameters import Args, flat
from portal.pages import bp
from portal.pages.forms import parse_run_list
from portal.runs.filters.registry import repeating
from portal.runs.listing.lookup import MIN_PREFIX, Hit, Lookup, find
from portal.web.rendering import render


@dataclass(frozen=True)
class SearchPage:
    """What `find/page.html` shows."""

    finding: Lookup
    least: int = MIN_PREFIX
    """Digits of an id that are enough to search by."""


@bp.get("/find")
def find_anything() -> BaseResponse | str:
    text = request.args.get("q", "").replace("\0", "")
    finding = find(current_principal(), text, _workflow_open())
    if len(finding.hits) == 1:
        return redirect(_address(finding.hits[0], finding.text), code=303)
    return render("find/page.html", SearchPage(finding))


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
