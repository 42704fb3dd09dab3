"""How the portal is reached: by which addresses, through proxies that say so, and below a path of its own.

What a request and the proxies before it say of its address is settled here before anything is made of it.
Whatever no browser or proxy can mean is refused, so that nothing else need doubt scheme, host and prefix.
"""

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

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

Environ = dict[str, Any]
Value = TypeVar("Value")
FORWARDED = "X-Forwarded-"
SCHEMES = ("http", "https")

_REFUSAL = "portal.refusal"
_NOT_OURS = str(WrongAddress())

log = logging.getLogger(__name__)


class PortalRequest(Request):
    """A request whose host is the one settled here: Werkzeug's own reading of it refuses underscores."""

    @property
    def host(self) -> str:
        return str(self.environ.get("HTTP_HOST", ""))

    @host.setter
    def host(self, _host: str) -> None:
        """Flask sets what Werkzeug read."""


class Edge:
    """Settle by which address a request came; one that cannot be is marked to be refused.

    `SCRIPT_NAME` becomes the path below which the portal is reached as it stands in addresses,
    percent-encoded, so that it can be put before any path and compared with what browsers send.
    """

    def __init__(self, app: Any, settings: Settings) -> None:
        self._app, self._hops, self._trusted = app, settings.proxy_hops, settings.trusted_hosts
        self._based = settings.base_url is not None
        parts = urlsplit(settings.base_url or "http://localhost")
        self._host, self._path = parts.netloc, parts.path

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        try:
            environ.update(self._settled(environ))
        except BadAddress as refusal:
            environ[_REFUSAL] = str(refusal)
            below = self._below(environ.get("PATH_INFO", ""))
            environ |= {"HTTP_HOST": self._host, "SCRIPT_NAME": self._path, "PATH_INFO": below}
        answer: Iterable[bytes] = self._app(environ, start_response)
        return answer

    def _settled(self, environ: Environ) -> Environ:
        scheme = self._forwarded(environ, "Proto", _scheme) or environ["wsgi.url_scheme"]
        said = self._forwarded(environ, "Host", partial(_host, scheme=scheme))
        host = said or _asked_host(environ, scheme)
        if self._trusted and not any(matches(split_host(host), pattern) for pattern in self._trusted):
            raise BadAddress(_NOT_OURS)
        prefix, asked = self._prefix(environ), environ.get("PATH_INFO", "")
        return {
            "wsgi.url_scheme": scheme,
            "HTTP_HOST": host,
            "SCRIPT_NAME": prefix or self._path,
            "PATH_INFO": asked if prefix else self._below(asked),
            "REMOTE_ADDR": self._forwarded(environ, "For", _client) or environ.get("REMOTE_ADDR", ""),
        }

    def _prefix(self, environ: Environ) -> str:
        """The path that a proxy or the server took off and says so; it must be the one of the base URL."""
        named = self._forwarded(environ, "Prefix", _path) or _path(environ.get("SCRIPT_NAME", ""))
        if self._based and named and named != self._path:
            log.warning("a request came below %s, which is not the path of PORTAL_BASE_URL", named)
            raise BadAddress("The path that the proxy names is not the one of PORTAL_BASE_URL.")
        return named

    def _forwarded(self, environ: Environ, name: str, read: Callable[[str], Value]) -> Value | None:
        """What the outermost trusted proxy says; None where it says nothing. Raises BadAddress.

        Each proxy adds its value at the end, so what comes before is a stranger's: it is neither used nor
        looked at. Nothing is taken for quoted, or an opening quote there would hide what comes after it.
        """
        values = environ.get(f"HTTP_X_FORWARDED_{name.upper()}", "").split(",")
        said = values[-self._hops].strip() if 0 < self._hops <= len(values) else ""
        try:
            return read(said) if said else None
        except BadAddress as refusal:
            log.warning("a request was refused: %s%s %s", FORWARDED, name, refusal)
            raise BadAddress(f"{FORWARDED}{name} {refusal}.") from None

    def _below(self, asked: str) -> str:
        """The path asked for without that of the base URL, whether a proxy took it off or not."""
        path = unquote(self._path, "latin-1")
        return (asked.removeprefix(path) or "/") if path and f"{asked}/".startswith(f"{path}/") else asked


def root_path() -> str:
    """The path below which the portal is reached, as it stands in addresses; nothing where there is none."""
    return request.root_path.rstrip("/")


def base_url() -> str:
    """The address by which people reach the portal, without a slash at its end."""
    configured: str | None = current_app.config["BASE_URL"]
    return configured or f"{_asked_origin()}{root_path()}"


def asked_url() -> str:
    """The whole address that is asked. Werkzeug's own would decode Punycode, and not all can be decoded."""
    return f"{_asked_origin()}{root_path()}{request.full_path}"


def origins() -> frozenset[str]:
    """The origins of our own pages: as asked, and as the base URL says where a proxy says nothing of it."""
    return frozenset({_asked_origin(), split_origin(base_url())[0]})


def path_within(url: str) -> str | None:
    """Path and query, below the portal's root, of an address that a browser sent; None if it is not ours."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    root = root_path()
    names = parts.path.split("/")
    depth = root.count("/") + 1
    below = unquote("/".join(names[:depth])) == unquote(root)  # browsers keep the escapes that people type
    if f"{parts.scheme}://{parts.netloc}" not in origins() or not below:
        return None
    path = "/" + "/".join(names[depth:])
    return f"{path}?{parts.query}" if parts.query else path


def absolute_url(path: str) -> str:
    """The address by which people reach this path of ours."""
    return base_url() + path


def absolute_url_for(endpoint: str, **values: Any) -> str:
    """The address by which people reach a view."""
    return absolute_url(url_for(endpoint, **values).removeprefix(root_path()))


def init_app(app: Flask, settings: Settings) -> None:
    """To be called before anything else looks at requests."""
    app.request_class = PortalRequest
    app.add_template_global(root_path)
    app.wsgi_app = Edge(app.wsgi_app, settings)  # type: ignore[method-assign]

    @app.before_request
    def refuse() -> None:
        if _REFUSAL in request.environ:
            raise WrongAddress(request.environ[_REFUSAL])


def _asked_origin() -> str:
    return f"{request.scheme}://{request.host}"


def _asked_host(environ: Environ, scheme: str) -> str:
    """What the request says is asked, or where it says nothing, as HTTP/1.0 may, what was connected to."""
    server = environ.get("SERVER_NAME", "")
    server = f"[{server}]" if ":" in server and not server.startswith("[") else server
    try:
        return _host(environ.get("HTTP_HOST") or f"{server}:{environ.get('SERVER_PORT', '')}", scheme)
    except BadAddress:
        raise BadAddress(_NOT_OURS) from None


def _host(text: str, scheme: str) -> str:
    """A host as it goes over the wire: what people may type, and browsers change, is none."""
    if not text.isascii() or "%" in text:
        raise BadAddress("must have a host as browsers send it")
    return normal_authority(text, scheme)


def _client(text: str) -> str | None:
    """The client's address; None for one that a proxy does not know, such as `unknown` or a Unix socket's.

    No link depends on it, so nobody is refused for it.
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
    """A path as a WSGI server gives it, each byte one character."""
    try:
        return normal_path(text.encode("latin-1").decode())
    except UnicodeError:
        raise BadAddress("must have a path in UTF-8") from None
