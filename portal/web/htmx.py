"""htmx request and response headers: page or fragment, and which URL the address bar shows."""

from dataclasses import dataclass

from flask import Response, request

from portal.web.proxy import path_within, root_path


@dataclass(frozen=True)
class HtmxRequest:
    """What the headers of an htmx request say."""

    source: str
    """The element that triggered the request, as `tag#id`."""
    page_path: str | None
    """Path and query of the page in the browser, relative to the portal's root; None if it is not ours."""


def htmx_request() -> HtmxRequest | None:
    """The htmx headers of this request; None if it wants a full page, as when htmx restores history."""
    headers = request.headers
    if headers.get("HX-Request") != "true" or headers.get("HX-History-Restore-Request") == "true":
        return None
    return HtmxRequest(headers.get("HX-Source", ""), path_within(headers.get("HX-Current-URL", "")))


def wants_fragment() -> bool:
    """Whether the response is swapped into a page that is already open."""
    return htmx_request() is not None


def is_from(element_id: str) -> bool:
    """Whether the element with this id triggered the htmx request."""
    htmx = htmx_request()
    return htmx is not None and htmx.source.endswith(f"#{element_id}")


def current_page_path() -> str | None:
    """The page that sent the htmx request: path and query, relative to the portal's root."""
    htmx = htmx_request()
    return htmx.page_path if htmx else None


def referring_page() -> str | None:
    """The page of ours in the Referer header: path and query, relative to the portal's root."""
    return path_within(request.headers.get("Referer", ""))


def set_browser_url(response: Response, url: str, typing_in: str = "") -> Response:
    """Have htmx put the URL of the fragment's page into the address bar.

    This adds a history entry unless the URL is unchanged or the request comes from typing in the field
    `typing_in`: Back should not undo a search letter by letter.
    """
    htmx = htmx_request()
    if htmx is None:
        return response
    same = htmx.page_path == url.removeprefix(root_path())
    typing = bool(typing_in) and is_from(typing_in)
    response.headers["HX-Replace-Url" if same or typing else "HX-Push-Url"] = url
    return response
