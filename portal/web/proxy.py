"""The portal's own URL: host, scheme and path prefix behind reverse proxies.

A WSGI middleware resolves them from the request and the X-Forwarded headers before anything reads them.
It refuses what no browser or proxy sends, so that all other code can trust scheme, host and prefix.
"""

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask, Request, current_app, request, url_for

from portal.config import Settings
from portal.errors import WrongAddress
from portal.input.addresses import (
    BadAddress,
    matches,
    normal_authority,
    normal_ip,
    normal_path,
    split_host,
    split_origin,
)

Value = TypeVar("Value")
FORWARDED = "X-Forwarded-"
SCHEMES = ("http", "https")

_REFUSAL = "portal.refusal"
_UNTRUSTED_HOST = str(WrongAddress())

log = logging.getLogger(__name__)


class PortalRequest(Request):
    """A request with the host that the middleware resolved: Werkzeug's own parsing refuses underscores."""

    @property
    def host(self) -> str:
        return str(self.environ.get("HTTP_HOST", ""))

    @host.setter
    def host(self, _host: str) -> None:
        """Ignore what Flask assigns: it is Werkzeug's parsing."""


class AddressMiddleware:
    """Resolve the address of each request; a request with an impossible one is flagged for refusal.

    `SCRIPT_NAME` becomes the path prefix percent-encoded, as in URLs, so that it can be prepended to any path
    and compared with what browsers send.
    """

    def __init__(self, app: WSGIApplication, settings: Settings) -> None:
        self._app, self._hops, self._trusted = app, settings.proxy_hops, settings.trusted_hosts
        self._based = settings.base_url is not None
        parts = urlsplit(settings.base_url or "http://localhost")
        self._host, self._path = parts.netloc, parts.path

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            environ.update(self._resolve(environ))
        except BadAddress as refusal:
            environ[_REFUSAL] = str(refusal)
            path = self._strip_prefix(environ.get("PATH_INFO", ""))
            environ |= {"HTTP_HOST": self._host, "SCRIPT_NAME": self._path, "PATH_INFO": path}
        return self._app(environ, start_response)

    def _resolve(self, environ: WSGIEnvironment) -> WSGIEnvironment:
        scheme = self._forwarded(environ, "Proto", _scheme) or environ["wsgi.url_scheme"]
        host = self._forwarded(environ, "Host", partial(_host, scheme=scheme)) or _request_host(
            environ, scheme
        )
        if self._trusted and not any(matches(split_host(host), pattern) for pattern in self._trusted):
            raise BadAddress(_UNTRUSTED_HOST)
        prefix, path = self._prefix(environ), environ.get("PATH_INFO", "")
        return {
            "wsgi.url_scheme": scheme,
            "HTTP_HOST": host,
            "SCRIPT_NAME": prefix or self._path,
            "PATH_INFO": path if prefix else self._strip_prefix(path),
            "REMOTE_ADDR": self._forwarded(environ, "For", _client) or environ.get("REMOTE_ADDR", ""),
        }

    def _prefix(self, environ: WSGIEnvironment) -> str:
        """The prefix that a proxy or the server says it stripped; it must equal that of the base URL."""
        named = self._forwarded(environ, "Prefix", _path) or _path(environ.get("SCRIPT_NAME", ""))
        if self._based and named and named != self._path:
            log.warning("a proxy names the path prefix %s, which is not that of PORTAL_BASE_URL", named)
            raise BadAddress("The path that the proxy names is not the one of PORTAL_BASE_URL.")
        return named

    def _forwarded(self, environ: WSGIEnvironment, name: str, parse: Callable[[str], Value]) -> Value | None:
        """The value from the outermost trusted proxy, None if it sends none. Raises BadAddress.

        Each proxy appends its value: whatever precedes the trusted hops comes from the client and is ignored.
        Quoting is not supported: an opening quote there would hide the values after it.
        """
        values = environ.get(f"HTTP_X_FORWARDED_{name.upper()}", "").split(",")
        value = values[-self._hops].strip() if 0 < self._hops <= len(values) else ""
        try:
            return parse(value) if value else None
        except BadAddress as refusal:
            log.warning("a request was refused: %s%s %s", FORWARDED, name, refusal)
            raise BadAddress(f"{FORWARDED}{name} {refusal}.") from None

    def _strip_prefix(self, path: str) -> str:
        """The requested path without the prefix of the base URL, whether or not a proxy stripped it."""
        prefix = unquote(self._path, "latin-1")
        return (path.removeprefix(prefix) or "/") if prefix and f"{path}/".startswith(f"{prefix}/") else path


def root_path() -> str:
    """The portal's path prefix, percent-encoded as in URLs; empty without one."""
    return request.root_path.rstrip("/")


def base_url() -> str:
    """The portal's public URL, without a trailing slash."""
    configured: str | None = current_app.config["BASE_URL"]
    return configured or f"{_request_origin()}{root_path()}"


def request_url() -> str:
    """The full URL of this request. Werkzeug's own decodes Punycode, which fails for some hosts."""
    return f"{_request_origin()}{root_path()}{request.full_path}"


def origins() -> frozenset[str]:
    """The origins of our own pages: that of the request, and that of the base URL."""
    return frozenset({_request_origin(), split_origin(base_url())[0]})


def path_within(url: str) -> str | None:
    """Path and query, relative to the portal's root, of a URL that a browser sent; None if it is not ours."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    root = root_path()
    names = parts.path.split("/")
    depth = root.count("/") + 1
    below = unquote("/".join(names[:depth])) == unquote(root)  # browsers keep percent-escapes as typed
    if f"{parts.scheme}://{parts.netloc}" not in origins() or not below:
        return None
    path = "/" + "/".join(names[depth:])
    return f"{path}?{parts.query}" if parts.query else path


def absolute_url(path: str) -> str:
    """The public URL of a path of ours."""
    return base_url() + path


def absolute_url_for(endpoint: str, **values: Any) -> str:
    """The public URL of a view."""
    return absolute_url(url_for(endpoint, **values).removeprefix(root_path()))


def init_app(app: Flask, settings: Settings) -> None:
    """Call this before anything else that handles requests."""
    app.request_class = PortalRequest
    app.add_template_global(root_path)
    app.wsgi_app = AddressMiddleware(app.wsgi_app, settings)  # type: ignore[method-assign]

    @app.before_request
    def refuse() -> None:
        if _REFUSAL in request.environ:
            raise WrongAddress(request.environ[_REFUSAL])


def _request_origin() -> str:
    return f"{request.scheme}://{request.host}"


def _request_host(environ: WSGIEnvironment, scheme: str) -> str:
    """The Host header, or without one, as HTTP/1.0 allows, the address of the server's socket."""
    server = environ.get("SERVER_NAME", "")
    server = f"[{server}]" if ":" in server and not server.startswith("[") else server
    try:
        return _host(environ.get("HTTP_HOST") or f"{server}:{environ.get('SERVER_PORT', '')}", scheme)
    except BadAddress:
        raise BadAddress(_UNTRUSTED_HOST) from None


def _host(text: str, scheme: str) -> str:
    """A host in the form that browsers send: forms that only people type are refused."""
    if not text.isascii() or "%" in text:
        raise BadAddress("must have a host as browsers send it")
    return normal_authority(text, scheme)


def _client(text: str) -> str | None:
    """The client's IP address; None for values such as `unknown` or a Unix socket.

    No link depends on it, so a bad value is not refused.
    """
    try:
        return normal_ip(text)
    except BadAddress:
        return None


def _scheme(text: str) -> str:
    if text.lower() not in SCHEMES:
        raise BadAddress("must be http or https")
    return text.lower()


def _path(text: str) -> str:
    """Normalise a path from a WSGI server, which passes each byte as one character."""
    try:
        return normal_path(text.encode("latin-1").decode())
    except UnicodeError:
        raise BadAddress("must have a path in UTF-8") from None
