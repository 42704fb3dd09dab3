"""Whether a browser wants a page or a fragment: all reading and writing of htmx's headers."""

from dataclasses import dataclass

from flask import Response, request

from portal.web.proxy import path_within, root_path


@dataclass(frozen=True)
class HtmxRequest:
    """What htmx says about a request of its own."""

    source: str
    """The element that asked, as `tag#id`."""
    page_path: str | None
    """Path and query, below the portal's root, of the page that the browser shows; None if it is not ours."""


def asked_by_htmx() -> HtmxRequest | None:
    """What htmx says of this request; None if a whole page is wanted, as when history is restored."""
    headers = request.headers
    if headers.get("HX-Request") != "true" or headers.get("HX-History-Restore-Request") == "true":
        return None
    return HtmxRequest(headers.get("HX-Source", ""), path_within(headers.get("HX-Current-URL", "")))


def wants_fragment() -> bool:
    """Whether the answer goes into a page that is there already."""
    return asked_by_htmx() is not None


def current_page_path() -> str | None:
    """The page from which htmx asked: its path and query below the portal's root."""
    asked = asked_by_htmx()
    return asked.page_path if asked else None


def page_before() -> str | None:
    """The page of ours that sent this request: its path and query below the portal's root."""
    return path_within(request.headers.get("Referer", ""))


def show_address(response: Response, url: str, typing_in: str = "") -> Response:
    """Tell htmx which page this fragment belongs to, so that the address bar says so.

    A new history entry, unless the page is there already or somebody is typing in the field `typing_in`:
    Back should not go letter by letter.
    """
    asked = asked_by_htmx()
    if asked is None:
        return response
    same = asked.page_path == url.removeprefix(root_path())
    typing = bool(typing_in) and asked.source.endswith(f"#{typing_in}")
    response.headers["HX-Replace-Url" if same or typing else "HX-Push-Url"] = url
    return response
