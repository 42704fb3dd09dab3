"""Lists of runs as files: for programs under the API, for browsers beside the page of the list."""

from urllib.parse import quote

from flask import Blueprint, Response, request, stream_with_context

from portal import moments
from portal.api import bp
from portal.api.operations import FLAG, operation
from portal.api.schemas import Schema, described, words
from portal.auth.access import get_workflow, get_workspace
from portal.auth.gate import current_principal, requires
from portal.auth.limits import take_export
from portal.errors import InvalidQuery, NotFound
from portal.history.export.export import MEDIA_TYPES, Export, ExportFormat
from portal.input import parameters
from portal.input.parameters import Reader, Refused, flat
from portal.runs.filters.registry import FILTERS, WORKSPACE_FILTERS, repeating
from portal.runs.query import ORDERS, PAGING, SORTS, RunQuery

page_bp = Blueprint("run_files", __name__)

_ABOUT = (
    "All runs of the list in its order, as one file: CSV for spreadsheets, or JSON Lines that "
    "`flask import` reads. Runs that come meanwhile are left out. If it fails on the way, the connection is "
    "broken off before the end of the last chunk. At most two at a time for each key or person."
)
_QUERY: dict[str, Schema] = {
    "format": {**words(*MEDIA_TYPES), "default": "csv"},
    "steps": described(FLAG, "JSON Lines only: whether runs have their steps and definitions."),
    "sort": {**words(*SORTS), "default": "created_at"},
    "order": {**words(*ORDERS), "default": "desc"},
}


@bp.get("/workflows/<workflow_id>/runs/export")
@requires("workflows:read")
@operation(
    tag="Runs",
    summary="Export the runs of a workflow",
    media_types=tuple(MEDIA_TYPES.values()),
    description=_ABOUT,
    query=_QUERY,
    filters=FILTERS,
)
def export_runs(workflow_id: str) -> Response:
    return _export(workflow_id)


@bp.get("/runs/export")
@requires("workflows:read")
@operation(
    tag="Runs",
    summary="Export the runs of a workspace",
    media_types=tuple(MEDIA_TYPES.values()),
    description=_ABOUT,
    query=_QUERY,
    filters=WORKSPACE_FILTERS,
)
def export_all_runs() -> Response:
    return _export(None)


@page_bp.get("/workflows/<workflow_id>/runs/export")
def export(workflow_id: str) -> Response:
    """The same for a browser's session; as for any page, a malformed id is 404."""
    try:
        parameters.uuid(workflow_id)
    except Refused:
        raise NotFound from None
    return _unstored(_export(workflow_id))


@page_bp.get("/runs/export")
@page_bp.get("/workspaces/<workspace_id>/runs/export")
def export_all(workspace_id: str | None = None) -> Response:
    """The same over the workspace that the address names, else the one that was chosen."""
    return _unstored(_export(None))


def _export(workflow_id: str | None) -> Response:
    asked = flat(request.args, repeating())
    args = {name: value for name, value in asked.items() if name not in PAGING}
    reader = Reader(args)
    wanted = ExportFormat.read(reader)
    try:
        query = RunQuery.parse(args, workflow_id=workflow_id)
    except InvalidQuery as refusal:
        raise InvalidQuery([*reader.errors, *refusal.errors]) from None
    reader.finish()
    principal = current_principal()
    seen = (
        get_workspace(principal) if query.workflow_id is None else get_workflow(principal, query.workflow_id)
    )
    found = Export(seen=seen, query=query, format=wanted)
    give_back = take_export(principal)
    answer = Response(stream_with_context(found.pieces()), content_type=MEDIA_TYPES[wanted.format])
    answer.call_on_close(give_back)
    name = found.file_name(moments.now())
    if name.isascii():
        answer.headers.set("Content-Disposition", "attachment", filename=name)
    else:  # a header takes Latin-1 only: RFC 6266 has another parameter for such names
        answer.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    return answer


def _unstored(answer: Response) -> Response:
    answer.cache_control.no_store = True
    return answer
