"""Pages that a browser has already are answered with 304 and nothing else.

A view says what its page is made of, as soon as it knows that and before it asks for anything more:

    workflow = get_workflow(current_principal(), workflow_id)
    freshness.stop_if_known(workflow)
    page = list_runs(workflow, query)

The mark (a weak ETag) is made of

- what the view names, anything whose `repr` differs when it differs: the workflow, whose version grows with
  every write to it and its runs, and its workspace's with the names of people; or the versions of a list;
- who asks, with name, roles and scopes;
- the whole address, the cookies, and what htmx says of its request, since the answer's headers depend on it;
- the day in UTC, and the release.

What goes by the clock, such as "3 min ago", is made in the browser. A page that must be right
without script too names `second(workflow)`: its durations grow while a run goes on. Only answers
with 200 carry the mark. The rest of caching (`private, no-cache`, `Vary: Cookie`) is in headers.py.
"""

import hashlib
from functools import cache
from pathlib import Path

from flask import Response, abort, after_this_request, current_app, request

from portal import moments
from portal.auth.access import SeenWorkflow
from portal.auth.gate import current_principal
from portal.web import htmx
from portal.web.proxy import request_url

RELEASE_FOLDERS = ("portal", "static", "templates")
"""What makes a page look as it does: a file that changes here changes every mark."""


def stop_if_known(*shown: object) -> None:
    """End the request with 304 if the browser has this very page; else mark the answer to come."""
    if current_app.debug:  # templates may change under a running server
        return
    mark = _mark(*shown)

    @after_this_request
    def add(response: Response) -> Response:
        if response.status_code in (200, 304):
            response.set_etag(mark, weak=True)
        return response

    if request.if_none_match.contains_weak(mark):
        nothing_new = Response(status=304)
        del nothing_new.headers["Content-Type"]
        abort(nothing_new)


def second(workflow: SeenWorkflow) -> int | None:
    """The present second while a run of the workflow is going on; None while none is."""
    return int(moments.now().timestamp()) if workflow.running else None


def _mark(*shown: object) -> str:
    seen = (
        shown,
        _asker(),
        request_url(),
        request.headers.get("Cookie"),
        htmx.htmx_request(),
        moments.now().date(),
        release(Path(current_app.root_path)),
    )
    return hashlib.sha256(repr(seen).encode()).hexdigest()[:32]


def _asker() -> list[object]:
    """Who asks, in the same words in every process: a set has its own order in each."""
    values = vars(current_principal()).values()
    return [sorted(value) if isinstance(value, frozenset) else value for value in values]


@cache
def release(root: Path) -> str:
    """A mark of the files that this portal is made of."""
    files = (file for folder in RELEASE_FOLDERS for file in sorted((root / folder).rglob("*")))
    digest = hashlib.sha256()
    for file in files:
        if file.is_file() and "__pycache__" not in file.parts:
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            digest.update(f"{file.relative_to(root)} {content}\n".encode())
    return digest.hexdigest()
