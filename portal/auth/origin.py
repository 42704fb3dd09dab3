"""Same-origin checks against CSRF, and safe redirect targets after sign-in."""

import re
from urllib.parse import urlsplit

from flask import Request, current_app
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from portal.web.proxy import origins, root_path

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_LOCAL_PATH = re.compile(r"/(?!/)[^\\\x00-\x20\x7f]*")
MAX_NEXT = 2000
KINDS_OF_PAGES = {
    "pages.run": "run",
    "pages.permalink": "run",
    "pages.runs": "runs",
    "pages.workflows": "workflows",
}


def is_same_origin(request: Request) -> bool:
    """Whether the browser's headers say that one of our own pages sent this request; without them, no."""
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is not None and site != "same-origin":
        return False
    if origin is None:
        return site == "same-origin"
    return origin in origins()


def within_portal(path: str) -> str:
    """The URL of a path from `safe_next`: with the portal's path prefix."""
    return root_path() + path


def kind_of_page(path: str | None) -> str | None:
    """The kind of page at a path, by its route alone, whether or not it exists."""
    return KINDS_OF_PAGES.get(_endpoint(path) or "") if path else None


def safe_next(path: str | None) -> str | None:
    """The path if it is that of a page of ours with a GET route, else None."""
    if not path or len(path) > MAX_NEXT or not _LOCAL_PATH.fullmatch(path) or "//" in path.split("?")[0]:
        return None
    endpoint = _endpoint(path)
    return path if endpoint is not None and endpoint.startswith("pages.") else None


def _endpoint(path: str) -> str | None:
    try:
        found: str = current_app.url_map.bind("").match(urlsplit(path).path, method="GET")[0]
    except (ValueError, HTTPException, RequestRedirect):
        return None
    return found
