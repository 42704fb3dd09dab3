"""Where a request comes from, and where one may be sent: same-origin checks and safe return paths."""

import re
from urllib.parse import urlsplit

from flask import Request, current_app
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_LOCAL_PATH = re.compile(r"/(?!/)[^\\\x00-\x20\x7f]*")
MAX_NEXT = 2000


def is_same_origin(request: Request, base_url: str | None) -> bool:
    """Whether the browser says that one of our own pages sent this request.

    A request that says nothing about it is not trusted.
    """
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is not None and site != "same-origin":
        return False
    if origin is None:
        return site == "same-origin"
    ours = {request.host_url.rstrip("/")}
    if base_url:
        parts = urlsplit(base_url)
        ours.add(f"{parts.scheme}://{parts.netloc}")
    return origin in ours


def safe_next(path: str | None) -> str | None:
    """The path if it leads to a page of our own that answers GET; else None."""
    if not path or len(path) > MAX_NEXT or not _LOCAL_PATH.fullmatch(path) or "//" in path.split("?")[0]:
        return None
    try:
        parts = urlsplit(path)
        endpoint, _ = current_app.url_map.bind("").match(parts.path, method="GET")
    except (ValueError, HTTPException, RequestRedirect):
        return None
    return path if endpoint.startswith("pages.") else None
