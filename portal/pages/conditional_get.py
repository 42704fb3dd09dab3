"""Conditional GET: a page that the browser has already is answered with 304.

A view names what its page is made of, as soon as it knows that and before it reads anything more:

    workflow = get_workflow(current_principal(), workflow_id)
    conditional_get.answer_304_if_unchanged(workflow)
    page = list_runs(workflow, query)

The weak ETag is made of

- what the view names, anything whose `repr` differs when it differs: a workflow, whose version grows with
  every write to it, its runs or the names of people in its workspace; or the versions of a list of workflows;
- the principal, with name, roles and scopes;
- the whole address, the cookies, and the headers of htmx, since the headers of the response depend on them;
- the time zone on show, the days in it and in UTC, and the release.

Relative times such as "3 min ago" are made in the browser. A page that must be right without script too
names `second_of_active_run(workflow)`: its durations grow while a run is active. The page of a run names
its progress too, which workers note without a new version. What shows a list whose window moves with the
time names the minute at which that begins (`RunQuery.moving`). Only responses with status 200 carry the ETag.
The other headers for caches (`private, no-cache`, `Vary: Cookie`) are in headers.py.
"""

import hashlib
from functools import cache
from pathlib import Path

from flask import Response, abort, after_this_request, current_app, request

from portal import moments
from portal.auth.access import SeenWorkflow, SeenWorkspace
from portal.auth.gate import current_principal
from portal.input.time_zones import UTC_NAME, day_at
from portal.web import formats, htmx
from portal.web.proxy import request_url

RELEASE_FOLDERS = ("portal", "static", "templates")
"""What pages are made of: a file that changes here changes every ETag."""


def answer_304_if_unchanged(*shown: object) -> None:
    """End the request with 304 if the browser has this page; else add the ETag to the response."""
    if current_app.debug:  # templates may change under a running server
        return
    etag = _etag(*shown)

    @after_this_request
    def add(response: Response) -> Response:
        if response.status_code in (200, 304):
            response.set_etag(etag, weak=True)
        return response

    if request.if_none_match.contains_weak(etag):
        nothing_new = Response(status=304)
        del nothing_new.headers["Content-Type"]
        abort(nothing_new)


def second_of_active_run(seen: SeenWorkflow | SeenWorkspace) -> int | None:
    """The current second while a run of the workflow or workspace is active; None while none is."""
    return int(moments.now().timestamp()) if seen.running else None


def minute() -> int:
    """The current minute, for a page whose sentences change with time alone."""
    return int(moments.now().timestamp()) // 60


def _etag(*shown: object) -> str:
    zone = formats.zone_on_show()
    seen = (
        shown,
        _principal(),
        request_url(),
        request.headers.get("Cookie"),
        htmx.htmx_request(),
        zone,
        day_at(moments.now(), zone),
        day_at(moments.now(), UTC_NAME),
        release(Path(current_app.root_path)),
    )
    return hashlib.sha256(repr(seen).encode()).hexdigest()[:32]


def _principal() -> list[object]:
    """The principal, written alike in every process: the order of a set differs between them."""
    values = vars(current_principal()).values()
    return [sorted(value) if isinstance(value, frozenset) else value for value in values]


@cache
def release(root: Path) -> str:
    """A hash of the files of this release."""
    files = (file for folder in RELEASE_FOLDERS for file in sorted((root / folder).rglob("*")))
    digest = hashlib.sha256()
    for file in files:
        if file.is_file() and "__pycache__" not in file.parts:
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            digest.update(f"{file.relative_to(root)} {content}\n".encode())
    return digest.hexdigest()
